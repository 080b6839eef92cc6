"""Stand in for picamera2 as the camera's own tests do, steered by files from another process.

The directory in FAULTS_CAMERA_DIR holds the camera's state, read anew for every frame:
    unplugged  while it is there, no camera is found and none delivers
    silent     while it is there, the camera delivers nothing
    scene      names of labels, one face each, from the left; "noise" or "black" for a frame of that
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

_STATE = Path(os.environ["FAULTS_CAMERA_DIR"])
_ORIGINAL = Path(__file__).parents[3] / "camera" / "stand_in" / "picamera2" / "__init__.py"
_COLOURS = {"with_mask": (255, 0, 0), "without_mask": (0, 255, 0), "incorrect": (0, 0, 255)}

_specification = importlib.util.spec_from_file_location("picamera2_of_the_camera_tests", _ORIGINAL)
assert _specification is not None
assert _specification.loader is not None
_original = importlib.util.module_from_spec(_specification)
sys.modules[_original.__name__] = _original  # where its dataclass looks itself up
_specification.loader.exec_module(_original)
Picamera2 = _original.Picamera2


class _Bench(_original.Bench):  # type: ignore[misc, name-defined]
    """What the cameras are plugged into."""

    @property
    def cameras(self) -> int:
        return 0 if (_STATE / "unplugged").exists() else 1

    @property
    def is_silent(self) -> bool:
        return any((_STATE / name).exists() for name in ("silent", "unplugged"))

    def __init__(self) -> None:
        self.never_closes, self.only_format, self.in_use, self.log = False, None, set(), []
        self.missing = RuntimeError("No camera number 0 found - use Picamera2.global_camera_info()")


def _scene(number: int, stream: dict[str, Any]) -> Any:
    """Faces are squares of a quarter of the width, as tests.colour_model wants them; no frame is the same."""
    width, height = stream["size"]
    names = (_STATE / "scene").read_text().split()
    if names == ["noise"]:
        return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    image = np.full((height, width, 3), 0 if names == ["black"] else 114, np.uint8)
    cell = width // 4
    for index, name in enumerate(names if names != ["black"] else []):
        image[cell : 2 * cell, 2 * index * cell : (2 * index + 1) * cell] = _COLOURS[name]
    image[0, 0] = number % 16  # a sensor is never quite still
    return image


_original.BENCH = BENCH = _Bench()
_original._scene = _scene
_original._TICK_S = 0.02
