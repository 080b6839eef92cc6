"""Choose the mode in which a Raspberry Pi camera's sensor sees most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ENOUGH_BITS = 10
"""Modes of 8 bits are left alone where others see as much: libcamera refused one at times
(raspberrypi/picamera2 issue 963), or its frames were spoilt (raspberrypi/rpicam-apps issue 281)."""


def widest(modes: Iterable[Mapping[str, Any]], fps: float) -> dict[str, Any]:
    """The wish to picamera2 for a sensor's mode.

    Without one it takes the mode nearest to the frames' size, which may read the middle of the sensor only:
    for 512×384 that is 39 % of a Camera Module 2's width and height (raspberrypi/picamera2 issue 558) and
    67 % of a Module 3's. The whole view comes first, then the frame rate, then bits, which dark doorways
    need. The fastest of what is left adds neighbouring pixels up instead of sending each.

    Args:
        modes: As picamera2 lists them. Those that don't say what they see, as a USB camera's, are left out.
        fps: Wanted frames per second.

    Returns:
        Output size and bit depth; empty where no mode says what it sees.
    """

    def rank(mode: Mapping[str, Any]) -> tuple[float, ...]:
        _x, _y, width, height = mode["crop_limits"]
        bits = mode["bit_depth"]
        return width * height, min(bits, ENOUGH_BITS), min(mode["fps"], fps), bits, mode["fps"]

    best = max((mode for mode in modes if "crop_limits" in mode), key=rank, default=None)
    return {} if best is None else {"output_size": best["size"], "bit_depth": best["bit_depth"]}
