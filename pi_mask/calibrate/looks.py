"""Gather what single looks at a person scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pi_mask.calibrate.checks import person_in
from pi_mask.calibrate.interval import independent, independent_in_groups
from pi_mask.calibrate.people import best_score
from pi_mask.calibrate.steps import Truth
from pi_mask.types import MaskLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.calibrate.collected import Clip, Collected
    from pi_mask.settings import TrackerSettings
    from pi_mask.types import Detection

LABELS: Final = tuple(MaskLabel)
"""Order of the columns."""
_LEAST_SCORE: Final = 0.01
_MARGIN: Final = 2.0
"""Margins beyond this factor e² are all alike: nothing there comes near another answer."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at people of whom is known what the door should say.

    Attributes:
        truth: The same for all.
        scores: N × labels, 0 to 1; zeros where no face was found.
        units: Per look the number of its clip, ascending: looks of one clip are alike.
    """

    truth: Truth
    scores: NDArray[np.floating[Any]]
    units: NDArray[np.integer[Any]]

    def select(self, chosen: NDArray[np.bool_]) -> Looks:
        """Some of the looks."""
        return Looks(self.truth, self.scores[chosen], self.units[chosen])


def looks_of(collected: Collected, tracking: TrackerSettings) -> Looks:
    """One look a frame: at the person, or in an empty doorway at the surest false alarm."""
    rows = [_rows(clip, collected.step.truth, tracking) for clip in collected.clips]
    units = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return Looks(collected.step.truth, np.concatenate(rows), units)


def independent_looks(looks: Looks, limits: Mapping[MaskLabel, float]) -> float:
    """How many independent looks these are worth, from how long the margin to another answer stays alike.

    An answer is the sign of that margin and is never more alike from look to look than the margin itself is
    (exactly so for Gaussian series: its correlation is 2/π · arcsin of the margin's), so the number errs on
    the low side. Several clips tell how different they are; they are then worth no more than that allows.
    """
    margins = margin(looks.scores, limits)
    series = [margins[looks.units == unit] for unit in np.unique(looks.units)]
    within = sum(map(independent, series))
    return min(within, independent_in_groups(series)) if len(series) > 1 else within


def margin(scores: NDArray[np.floating[Any]], limits: Mapping[MaskLabel, float]) -> NDArray[np.float64]:
    """How clearly a look says "mask": logarithm of its ratio to the threshold over the others', bounded."""
    ratios = np.log(np.maximum(scores, _LEAST_SCORE) / [limits[label] for label in LABELS])
    column = LABELS.index(MaskLabel.WITH_MASK)
    others = np.maximum(np.delete(ratios, column, axis=1).max(axis=1), 0.0)
    return np.asarray((ratios[:, column] - others).clip(-_MARGIN, _MARGIN), np.float64)


def _rows(clip: Clip, truth: Truth, tracking: TrackerSettings) -> NDArray[np.float64]:
    rows = np.zeros((len(clip), len(LABELS)))
    for index, face in _faces(clip, truth, tracking).items():
        rows[index] = [face.scores[label] for label in LABELS]
    return rows


def _faces(clip: Clip, truth: Truth, tracking: TrackerSettings) -> Mapping[int, Detection]:
    if truth is Truth.EMPTY:
        return {index: max(frame.faces, key=best_score) for index, frame in enumerate(clip) if frame.faces}
    person = person_in(clip, tracking)
    return person.faces if person else {}
