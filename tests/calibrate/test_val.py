"""Prove on pictures what calibrate promises of single looks (docs/calibration.md has the figures)."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pi_mask.calibrate.steps import Answer, Truth
from pi_mask.calibrate.thresholds import Costs, Thresholds, answers_to, choose
from pi_mask.manifest import find_manifest, load_manifest
from pi_mask.types import MaskLabel
from tests.calibrate.val_looks import VAL, Row, look_at_val, steps_of

SEEDS = range(20)
NOMINAL = 19
"""Of 20; the promise is 95 %."""

needs_pictures = pytest.mark.skipif(
    not VAL.exists(), reason="needs the validation pictures in ../shared/data, which are not the project's"
)


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    """The shipped model's looks at all faces, computed once."""
    return look_at_val(VAL)


def halves(rows: tuple[Row, ...], seed: int) -> tuple[set[int], set[int]]:
    """Two halves of the groups: near-duplicates stay together."""
    groups = np.random.default_rng(seed).permutation(sorted({row.group for row in rows})).tolist()
    middle = len(groups) // 2
    return set(groups[:middle]), set(groups[middle:])


def measured(rows: tuple[Row, ...], groups: set[int], thresholds: Thresholds) -> tuple[float, float, float]:
    """Shares of wrong greens, of wrong reds, and of looks at masks without an answer, on these groups."""
    answers = [
        (looks.truth, given) for looks in steps_of(rows, groups) for given in answers_to(looks, thresholds)
    ]
    stopped = [given for truth, given in answers if truth is not Truth.MASKED]
    passing = [given for truth, given in answers if truth is not Truth.STOPPED]
    masked = [given for truth, given in answers if truth is Truth.MASKED]
    return (
        stopped.count(Answer.WRONG_GREEN) / len(stopped),
        passing.count(Answer.WRONG_RED) / len(passing),
        masked.count(Answer.UNDECIDED) / len(masked),
    )


@needs_pictures
@pytest.mark.parametrize("cost", [5.0, 20.0])
def test_thresholds_chosen_on_one_half_keep_their_promise_on_the_other(
    rows: tuple[Row, ...], cost: float
) -> None:
    """For 20 splits, what was expected of wrong greens and reds holds on the other half in 19 or more."""
    current = load_manifest(find_manifest()).thresholds
    kept = {"green": 0, "red": 0}
    found: list[tuple[float, ...]] = []
    for seed in SEEDS:
        chosen_on, other = halves(rows, seed)
        choice = choose(steps_of(rows, chosen_on), current, Costs(wrong_green=cost))
        green, red, _ = shares = measured(rows, other, choice.thresholds)
        found.append((*shares, choice.wrong_green.high, choice.wrong_red.high))
        kept["green"] += choice.wrong_green.low <= green <= choice.wrong_green.high
        kept["red"] += choice.wrong_red.low <= red <= choice.wrong_red.high

    _tell(f"in force, all pictures: {measured(rows, {row.group for row in rows}, current)}")
    _tell(f"price {cost:g}: kept {kept}; mean {np.mean(found, 0)}, most {np.max(found, 0)}")
    assert min(kept.values()) >= NOMINAL, kept
    assert np.mean(found, 0)[3] < 0.15  # a promise of anything would be kept as well


@needs_pictures
def test_both_halves_hold_all_that_is_looked_for(rows: tuple[Row, ...]) -> None:
    """Each half has masks, bare faces, wrong masks and empty pictures, and shares no group with the other."""
    one, other = halves(rows, 0)

    assert one & other == set()
    for half in (one, other):
        assert {row.step for row in rows if row.group in half} == {"empty", *(m.value for m in MaskLabel)}


def _tell(line: str) -> None:
    """For docs/calibration.md, by pytest -s: wrong green, wrong red, no answer; the two upper bounds."""
    sys.stderr.write(f"{line}\n")
