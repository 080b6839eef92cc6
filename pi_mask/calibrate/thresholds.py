"""Choose the thresholds that cost least on looks whose truth is known.

The door takes the label whose score exceeds its threshold by the largest factor, and no face where none does.
Counting wrong looks alone would leave the thresholds wherever the last look happens to lie, so each look
counts in part for the answers that it nearly gave: a softmax over the logarithms of these factors, with "no
face" at 0, whose temperature is how much scores waver from look to look.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pi_mask.calibrate.interval import again
from pi_mask.calibrate.looks import LABELS, Looks, independent_looks
from pi_mask.calibrate.steps import Answer, Truth, answer
from pi_mask.types import MaskLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

Thresholds = Mapping[MaskLabel, float]

GRID: Final = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_TEMPERATURE: Final = 0.1
"""In logarithms of the score: scores of a standing person waver by about a tenth."""
_PULL: Final = 0.02
"""Cost of moving a threshold by a factor e: thresholds chosen on many places stay unless looks speak up."""
_LEAST_SEEN: Final = 0.6
"""With three in five, the slowest boards (3 looks a second) still get 3 votes in the window of 1.5 s."""
_FORBIDDEN: Final = 1e6
_FOLDS: Final = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What answers cost, in wrong reds.

    Attributes:
        wrong_green: Somebody is let in who should not be.
        undecided: Somebody waits.
    """

    wrong_green: float = 5.0
    undecided: float = 0.5

    def of(self, given: Answer) -> float:
        """The cost of one answer."""
        return {
            Answer.RIGHT: 0.0,
            Answer.WRONG_GREEN: self.wrong_green,
            Answer.WRONG_RED: 1.0,
            Answer.UNDECIDED: self.undecided,
        }[given]


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of looks that the thresholds were not chosen on.

    Counted twice: with the thresholds chosen, on the looks that they were chosen on, which flatters them; and
    on each quarter of the looks with thresholds chosen on the others, which may be different ones.

    Attributes:
        share: Of the looks that were left out of the choice, those that got this answer.
        low: The same again, for as long, will lie from here …
        high: … to here in 19 of 20 cases, by both counts.
        looks: How many independent ones this rests on.
    """

    share: float
    low: float
    high: float
    looks: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The thresholds and what to expect of them, for the two mistakes of a single look."""

    thresholds: Thresholds
    wrong_green: Expected
    wrong_red: Expected


def choose(steps: Sequence[Looks], current: Thresholds, costs: Costs) -> Choice:
    """Choose on all looks; expect what happens when each quarter is left out of the choice in turn.

    Args:
        steps: One or more for each truth.
        current: Thresholds in force.
        costs: Of the answers.
    """
    chosen = cheapest(steps, current, costs)
    counts = (_held_out(steps, current, costs), [answers_to(looks, chosen) for looks in steps])
    sizes = [independent_looks(looks, chosen) for looks in steps]
    green = [index for index, looks in enumerate(steps) if looks.truth is not Truth.MASKED]
    red = [index for index, looks in enumerate(steps) if looks.truth is not Truth.STOPPED]
    return Choice(
        chosen,
        _expected(counts, sizes, green, Answer.WRONG_GREEN),
        _expected(counts, sizes, red, Answer.WRONG_RED),
    )


def cheapest(steps: Sequence[Looks], current: Thresholds, costs: Costs) -> Thresholds:
    """The cheapest combination of the grid and the current thresholds at which the door still opens.

    Each truth weighs the same, and within it each step, however many looks it has. However dear a wrong green
    is, three looks in five at a mask must see it, or as many as now: a door that never opens errs never.
    """
    seen = [looks for looks in steps if len(looks.scores)]
    now = np.array([[current[label] for label in LABELS]])
    grid = np.array(list(itertools.product(*(sorted({*GRID, current[label]}) for label in LABELS))))
    total = _PULL * (np.log(grid / now) ** 2).sum(axis=1)
    truths = {looks.truth for looks in seen}
    for looks in seen:
        alike = sum(other.truth is looks.truth for other in seen)
        total += _softened(looks, grid, costs.of) / alike / len(truths)
        if looks.truth is Truth.MASKED:
            least = np.minimum(_softened(looks, now, _is_right), _LEAST_SEEN)
            total += _FORBIDDEN * (_softened(looks, grid, _is_right) < least - 1e-9)
    return dict(zip(LABELS, map(float, grid[total.argmin()]), strict=True))


def _is_right(given: Answer) -> float:
    return float(given is Answer.RIGHT)


def answers_to(looks: Looks, thresholds: Thresholds) -> list[Answer]:
    """What the door would make of each look."""
    ratios = looks.scores / [thresholds[label] for label in LABELS]
    table = _table(looks.truth)
    said = np.where(ratios.max(axis=1) >= 1, ratios.argmax(axis=1), len(LABELS))
    return [table[code] for code in said]


def _table(truth: Truth) -> list[Answer]:
    """The answer per label, the last one for no face."""
    return [answer(truth, said) for said in (*LABELS, None)]


def _softened(
    looks: Looks, grid: NDArray[np.float64], value: Callable[[Answer], float]
) -> NDArray[np.float64]:
    """Mean over the looks of what the answers are worth, for each combination of thresholds."""
    worth = np.array([value(given) for given in _table(looks.truth)])
    power = 1 / _TEMPERATURE
    weights = (looks.scores.astype(np.float64) / GRID[0]) ** power
    divisors = ((grid / GRID[0]) ** -power).T
    total, summed = weights @ divisors, (weights * worth[:-1]) @ divisors
    means: NDArray[np.float64] = ((summed + worth[-1]) / (total + 1.0)).mean(axis=0)
    return means


def _held_out(steps: Sequence[Looks], current: Thresholds, costs: Costs) -> list[list[Answer]]:
    """Answers to the looks of each step, each by thresholds that were chosen without its quarter of them."""
    folds = [_folds(looks) for looks in steps]
    answers: list[list[Answer]] = [[] for _ in steps]
    for fold in range(_FOLDS):
        rest = [looks.select(own != fold) for looks, own in zip(steps, folds, strict=True)]
        chosen = cheapest(rest, current, costs)
        for given, looks, own in zip(answers, steps, folds, strict=True):
            given.extend(answers_to(looks.select(own == fold), chosen))
    return answers


def _folds(looks: Looks) -> NDArray[np.integer[Any]]:
    """Quarters by clip; by time where there are fewer clips: neighbours in time are alike."""
    units, ranks = np.unique(looks.units, return_inverse=True)
    if len(units) >= _FOLDS:
        return np.asarray(ranks % _FOLDS)
    return np.arange(len(looks.units)) * _FOLDS // max(1, len(looks.units))


def _expected(
    counts: Sequence[Sequence[Sequence[Answer]]],
    sizes: Sequence[float],
    chosen: Sequence[int],
    wanted: Answer,
) -> Expected:
    """Bounds that hold by every way of counting; the share is that of the first."""
    looks = sum(sizes[index] for index in chosen)
    shares = []
    for answers in counts:
        given = [each for index in chosen for each in answers[index]]
        shares.append(given.count(wanted) / len(given) if given else 0.0)
    bounds = [again(share * looks, looks) for share in shares]
    return Expected(shares[0], min(low for low, _ in bounds), max(high for _, high in bounds), looks)
