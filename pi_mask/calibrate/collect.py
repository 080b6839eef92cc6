"""Turn frames into what the settings are chosen from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.calibrate.collected import Clip, CollectedFrame, Light
from pi_mask.calibrate.people import best_score
from pi_mask.detector import faces_in

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector
    from pi_mask.types import BoundingBox, Frame, Image, MaskLabel

COLLECTING: Final = 0.15
"""Score from which a face is kept, for all labels: below what any door uses, above most of the noise."""
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_EVERY: Final = 4
"""Brightness is taken from every fourth pixel of every fourth row: a mean needs no more."""


def collecting_score(current: Mapping[MaskLabel, float]) -> float:
    """Smallest score to collect, so that the thresholds in force can be tried as well."""
    return min(COLLECTING, *current.values())


def collect(frame: Frame, detector: Detector) -> CollectedFrame:
    """Look at one frame and let go of the picture.

    Args:
        frame: From the camera.
        detector: Opened with the collecting score.
    """
    look = detector.look(frame)
    faces = faces_in(look, detector.rules)
    light = None
    if faces:
        surest = max(faces, key=best_score)
        light = Light(_brightness(frame.image, surest.box), _luma(frame.image))
    return CollectedFrame(frame.timestamp, look, faces, light)


def watch(
    camera: Camera,
    detector: Detector,
    seconds: float | None,
    on_frame: Callable[[Frame, CollectedFrame], None] = lambda _frame, _kept: None,
) -> Clip:
    """Collect frames for some seconds, by their own timestamps.

    Args:
        camera: Closed by the caller.
        detector: Opened with the collecting score.
        seconds: None watches to the end of the files.
        on_frame: Called with each frame and with what is kept of it.

    Returns:
        Nothing where the files are empty or the stream ended at once.
    """
    kept: list[CollectedFrame] = []
    while (frame := camera.read()) is not None:
        if kept and seconds is not None and frame.timestamp - kept[0].timestamp >= seconds:
            break
        kept.append(collect(frame, detector))
        on_frame(frame, kept[-1])
    return tuple(kept)


def _brightness(image: Image, box: BoundingBox) -> float:
    """Mean luma within a box, which lies within the picture and is not empty."""
    x, y = int(box.xmin), int(box.ymin)
    return _luma(image[y : max(y + 1, round(box.ymax)), x : max(x + 1, round(box.xmax))])


def _luma(image: Image) -> float:
    return float(image[::_EVERY, ::_EVERY].reshape(-1, 3).mean(axis=0, dtype=np.float32) @ _LUMA)
