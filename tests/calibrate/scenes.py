"""Make by hand what a calibration saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pi_mask.calibrate.collected import Clip, Collected, CollectedFrame, Light
from pi_mask.calibrate.steps import STEP_NAMES
from pi_mask.decoder import Candidates
from pi_mask.detector import Look, Placement, Rules, faces_in
from pi_mask.settings import TrackerSettings
from pi_mask.types import MaskLabel

LABELS = tuple(MaskLabel)
SIZE = (640, 480)
FPS = 10.0
TRACKING = TrackerSettings()
HALVES: Mapping[MaskLabel, float] = dict.fromkeys(LABELS, 0.5)
LOW = Rules(LABELS, np.full(3, 0.15), 0.5)
IN_FORCE = Rules(LABELS, np.full(3, 0.5), 0.5)

Face = tuple[float, float, tuple[float, float, float]]
"""Middle x, size, scores; the middle is at half the frame's height."""

MASKED, BARE, UNDER_NOSE = (0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.1, 0.1, 0.8)


def frame(timestamp: float, faces: Iterable[Face], light: Light | None = None) -> CollectedFrame:
    """One frame with square faces."""
    rows = list(faces)
    middle = SIZE[1] / 2
    boxes = [(x - size / 2, middle - size / 2, x + size / 2, middle + size / 2) for x, size, _ in rows]
    candidates = Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([scores for *_, scores in rows], np.float32).reshape(-1, 3),
    )
    look = Look(candidates, Placement(1.0, 1.0, 0, 0, *SIZE), SIZE)
    return CollectedFrame(timestamp, look, faces_in(look, LOW), light)


def clip(frames: Sequence[Iterable[Face]], start: float = 0.0) -> Clip:
    """Frames at ten a second."""
    return tuple(frame(start + index / FPS, faces) for index, faces in enumerate(frames))


def standing(
    scores: tuple[float, float, float] = MASKED, x: float = 320.0, size: float = 80.0, count: int = 40
) -> Clip:
    """Somebody who stands there, swaying by a pixel or two."""
    return clip([[(x + index % 3, size, scores)] for index in range(count)])


def step(name: str, *clips: Clip) -> Collected:
    """A step with these clips."""
    return Collected(STEP_NAMES[name], clips)


def visit() -> tuple[Collected, ...]:
    """All required steps, as they should be."""
    return (
        step("empty", clip([[]] * 40)),
        step("mask", standing()),
        step("mask_near", standing(size=120)),
        step("mask_far", standing(size=50)),
        step("bare", standing(BARE)),
        step("under_nose", standing(UNDER_NOSE)),
    )
