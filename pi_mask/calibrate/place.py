"""Find out where people stand and how small their faces get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.calibrate.checks import person_in
from pi_mask.calibrate.steps import FAR, Truth
from pi_mask.settings import Zone

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Collected
    from pi_mask.settings import TrackerSettings
    from pi_mask.types import BoundingBox

_SMALLEST: Final = 0.8
"""Of the smallest face at the farthest spot: one step back is a fifth smaller."""
_ASIDE: Final = 1.5
"""Face sizes left and right of where the person stood; people stand half a metre beside the spot."""
_TALLER: Final = 2.0
"""Face sizes above and below: 35 cm between tall and small people."""
_STEP: Final = 0.05
_NEARLY_ALL: Final = 0.9


def smallest_face(steps: Sequence[Collected], tracking: TrackerSettings) -> float:
    """Shorter side in pixels below which a face is of no concern; 0 where nobody was seen far off."""
    sides = [box.shorter_side for each in steps if each.step.name == FAR for _, box in _boxes(each, tracking)]
    return _SMALLEST * float(np.percentile(sides, 5)) if sides else 0.0


def door_zone(steps: Sequence[Collected], tracking: TrackerSettings) -> Zone:
    """Where the middle of a face may be: where the person's was, with room aside and for other heights.

    A side that would leave out less than a tenth of the frame leaves out nothing.
    """
    people = [each for each in steps if each.step.truth is not Truth.EMPTY]
    seen = [(size, box) for each in people for size, box in _boxes(each, tracking)]
    if not seen:
        return Zone(0.0, 0.0, 1.0, 1.0)
    sizes = np.array([size for size, _ in seen], float)
    centres = np.array([box.center for _, box in seen]) / sizes
    faces = np.array([(box.width, box.height) for _, box in seen]) / sizes
    room = np.median(faces, axis=0) * (_ASIDE, _TALLER)
    low = np.percentile(centres, 1, axis=0) - room
    high = np.percentile(centres, 99, axis=0) + room
    (xmin, xmax), (ymin, ymax) = (_span(*map(float, side)) for side in zip(low, high, strict=True))
    return Zone(xmin, ymin, xmax, ymax)


def _span(low: float, high: float) -> tuple[float, float]:
    start = max(0.0, math.floor(low / _STEP + 1e-9) * _STEP)
    end = min(1.0, math.ceil(high / _STEP - 1e-9) * _STEP)
    if end - start >= _NEARLY_ALL:
        return 0.0, 1.0
    return round(start, 2), round(end, 2)


def _boxes(collected: Collected, tracking: TrackerSettings) -> list[tuple[tuple[int, int], BoundingBox]]:
    """The person's boxes, each with its frame's size."""
    found = []
    for clip in collected.clips:
        person = person_in(clip, tracking)
        faces = person.faces if person else {}
        found += [(clip[index].size, face.box) for index, face in faces.items()]
    return found
