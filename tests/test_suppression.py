"""Hold suppression to the textbook, and the boxes that stay to what their neighbours say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pi_mask.decoder import Candidates
from pi_mask.suppression import agreed_boxes, strongest, suppress
from pi_mask.types import BoundingBox

CORNER, LENGTH, SCORE = st.integers(-20, 60), st.integers(1, 40), st.floats(0.05, 1.0)


@st.composite
def box_lists(draw: st.DrawFn, min_size: int = 0) -> list[tuple[int, ...]]:
    """Up to a dozen whole-numbered boxes with an area."""
    places = draw(st.lists(st.tuples(CORNER, CORNER, LENGTH, LENGTH), min_size=min_size, max_size=12))
    return [(x, y, x + width, y + height) for x, y, width, height in places]


def candidates(boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> Candidates:
    """With these best scores, each the second label's."""
    rows = [[score / 2, score, 0.0] for score in scores]
    return Candidates(np.array(boxes, np.float32).reshape(-1, 4), np.array(rows, np.float32).reshape(-1, 3))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes given by their corners."""
    return BoundingBox(*one).iou(BoundingBox(*other))


def greedy(boxes: list[tuple[int, ...]], scores: list[float], threshold: float) -> list[int]:
    """The textbook's non-maximum suppression: keep the best, drop what overlaps it, go on."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[index], boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


@settings(deadline=None, derandomize=True)
@given(box_lists(), st.data(), st.floats(0.1, 0.9))
def test_suppression_is_the_textbooks(
    boxes: list[tuple[int, ...]], data: st.DataObject, threshold: float
) -> None:
    """The same boxes stay, in the same order, as by comparing every pair."""
    best = data.draw(st.permutations([(i + 1) / 20 for i in range(len(boxes))]))
    assume(all(abs(overlap(one, other) - threshold) > 1e-6 for one in boxes for other in boxes))

    kept = suppress(candidates(boxes, best), threshold)

    assert kept.tolist() == greedy(boxes, list(best), threshold)


def test_noise_stays_bounded() -> None:
    """Of thousands of boxes the thousand best are looked at."""
    corner = np.arange(3000)[:, np.newaxis] * 10.0
    boxes = np.concatenate([corner, corner, corner + 5, corner + 5], axis=1)
    scores = np.random.default_rng(0).permutation(np.linspace(0.5, 0.9, 3000))

    best = strongest(candidates(boxes.tolist(), scores.tolist()))

    assert sorted(best.scores[:, 1]) == pytest.approx(sorted(scores)[-1000:])
    assert sorted(best.boxes[:, 0]) == pytest.approx(sorted(corner[np.argsort(scores)[-1000:], 0]))


def test_a_crowd_is_below_the_bound() -> None:
    """Each of forty faces keeps its twenty candidates, in their order."""
    crowd = candidates([[x, 0, x + 9, 9] for x in range(800)], [0.5] * 800)

    assert strongest(crowd) is crowd


@settings(deadline=None, derandomize=True)
@given(box_lists(min_size=1), st.data())
def test_a_box_is_the_mean_of_those_that_agree(boxes: list[tuple[int, ...]], data: st.DataObject) -> None:
    """By their scores; boxes that overlap less have no say, however sure they are."""
    scores = data.draw(st.lists(SCORE, min_size=len(boxes), max_size=len(boxes)))
    assume(all(abs(overlap(one, other) - 0.8) > 1e-6 for one in boxes for other in boxes))

    found = agreed_boxes(candidates(boxes, scores), np.arange(len(boxes)))

    for own, box in zip(boxes, found, strict=True):
        agreeing = [(other, s) for other, s in zip(boxes, scores, strict=True) if overlap(own, other) > 0.8]
        wanted = np.average([each for each, _ in agreeing], axis=0, weights=[s for _, s in agreeing])
        assert box == pytest.approx(wanted, rel=1e-5, abs=1e-3)


def test_the_surer_box_counts_for_more() -> None:
    """By hand: of two views, three times as sure is three times the weight; a third that differs has none."""
    boxes = [(0, 0, 40, 40), (0, 0, 40, 36), (0, 10, 40, 50)]

    (found,) = agreed_boxes(candidates(boxes, [0.9, 0.3, 0.8]), np.array([0]))

    assert found == pytest.approx([0, 0, 40, 39], abs=1e-4)


@settings(deadline=None, derandomize=True)
@given(st.tuples(CORNER, CORNER, LENGTH, LENGTH), SCORE)
def test_a_lone_box_stays_where_it_is(place: tuple[int, ...], score: float) -> None:
    """Nobody else saw the face; an empty box, too, agrees with itself."""
    x, y, width, height = place
    for box in ((x, y, x + width, y + height), (x, y, x, y)):
        (found,) = agreed_boxes(candidates([box], [score]), np.array([0]))

        assert found == pytest.approx(box, rel=1e-6, abs=1e-5)
