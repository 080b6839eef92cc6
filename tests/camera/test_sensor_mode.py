"""Test which mode of a sensor is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pi_mask.camera.sensor_mode import widest
from tests.camera.stand_in.picamera2 import SENSORS

HQ = [
    {"size": (1332, 990), "bit_depth": 10, "fps": 120.05, "crop_limits": (696, 528, 2664, 1980)},
    {"size": (2028, 1520), "bit_depth": 10, "fps": 50.0, "crop_limits": (0, 0, 4056, 3040)},
    {"size": (2028, 1520), "bit_depth": 12, "fps": 40.01, "crop_limits": (0, 0, 4056, 3040)},
    {"size": (4056, 3040), "bit_depth": 12, "fps": 10.0, "crop_limits": (0, 0, 4056, 3040)},
]
"""A made-up sensor that has to give up bits to be fast."""


@pytest.mark.parametrize(
    ("modes", "fps", "size", "bit_depth"),
    [
        (SENSORS["imx219"], 30, (1640, 1232), 10),
        (SENSORS["imx219"], 60, (1640, 1232), 10),
        (SENSORS["imx708"], 30, (2304, 1296), 10),
        (SENSORS["imx708"], 10, (2304, 1296), 10),
        (SENSORS["imx708"], 120, (2304, 1296), 10),
        (HQ, 30, (2028, 1520), 12),
        (HQ, 45, (2028, 1520), 10),
    ],
)
def test_the_widest_mode(
    modes: list[dict[str, Any]], fps: float, size: tuple[int, int], bit_depth: int
) -> None:
    """The whole view goes before the frame rate, that before bits, and pixels added up before each sent."""
    assert widest(modes, fps) == {"output_size": size, "bit_depth": bit_depth}


@pytest.mark.parametrize("modes", [[], [{"format": "YUYV"}, {"format": "MJPEG"}]], ids=["none", "USB"])
def test_no_mode_that_says_what_it_sees(modes: list[dict[str, Any]]) -> None:
    """A camera that does not say what its modes see is asked for none."""
    assert widest(modes, 30) == {}
