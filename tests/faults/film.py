"""Make recordings of scenes that no visitor is in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.colour_model import SIDE

if TYPE_CHECKING:
    from pi_mask.types import Image


def black() -> Image:
    """What a camera sees under its cap."""
    return np.zeros((SIDE, SIDE, 3), np.uint8)


def noise(seed: int, side: int = SIDE) -> Image:
    """What a broken cable delivers."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def save_film(path: Path, scenes: Iterable[Image], fps: float) -> Path:
    """Write a recording of RGB pictures, each compressed by itself."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (SIDE, SIDE))
    assert writer.isOpened()
    for scene in scenes:
        writer.write(np.ascontiguousarray(scene[..., ::-1]))
    writer.release()
    return path
