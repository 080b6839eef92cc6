"""Hold the detector to one label per face, by thresholds and suppression."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pi_mask.types import MaskLabel
from tests.hand_made import (
    BARE,
    CELLS,
    INCORRECT,
    MASKED,
    SIDE,
    corners,
    frame,
    manifest,
    nobody,
    run,
    say,
)


def test_one_face_has_one_label() -> None:
    """Two cells that see the same face differently make one detection, the surer one's."""
    described = manifest()
    outputs = nobody(described)
    say(outputs, (0, 0), (8, 8, 40, 40), (0.7, 0.2, 0.1))
    say(outputs, (0, 1), (9, 8, 49, 40), (0.1, 0.8, 0.3))

    (detection,) = run(described, outputs)

    assert (detection.label, detection.score) == (BARE, pytest.approx(0.8))
    assert detection.scores == pytest.approx({MASKED: 0.1, BARE: 0.8, INCORRECT: 0.3})
    assert corners(detection.box) == pytest.approx([9, 8, 49, 40], abs=1e-3)


def test_labels_follow_the_manifests_order() -> None:
    """The scores' columns mean what the manifest says, not what the enumeration says."""
    described = manifest(labels=(INCORRECT, MASKED, BARE))
    outputs = nobody(described)
    say(outputs, (0, 0), (0, 0, 32, 32), (0.9, 0.2, 0.1))

    (detection,) = run(described, outputs)

    assert detection.label is INCORRECT
    assert detection.scores == pytest.approx({INCORRECT: 0.9, MASKED: 0.2, BARE: 0.1})


@pytest.mark.parametrize(
    ("scores", "label"),
    [
        ((0.59, 0.1, 0.1), None),
        ((0.59, 0.1, 0.31), INCORRECT),
        ((0.59, 0.51, 0.1), BARE),
        ((0.90, 0.1, 0.31), MASKED),
        ((0.65, 0.1, 0.35), INCORRECT),
        ((0.61, 0.52, 0.29), BARE),
    ],
)
def test_each_label_has_its_own_threshold(scores: tuple[float, ...], label: MaskLabel | None) -> None:
    """A label below its threshold never wins; of those above, the one that exceeds its own by most does."""
    described = manifest(thresholds={MASKED: 0.6, BARE: 0.5, INCORRECT: 0.3})
    outputs = nobody(described)
    say(outputs, (0, 0), (0, 0, 32, 32), scores)

    assert [detection.label for detection in run(described, outputs)] == ([label] if label else [])


@pytest.mark.parametrize("limit", [5e-324, 1e-320, 1e-300])
def test_the_surest_label_wins_above_the_smallest_threshold(limit: float) -> None:
    """However near to 0 the threshold for all labels lies, the highest score tells the label."""
    described = manifest(thresholds=dict.fromkeys((MASKED, BARE, INCORRECT), limit))
    outputs = nobody(described)
    say(outputs, (0, 0), (0, 0, 32, 32), (0.1, 0.9, 0.2))

    assert run(described, outputs)[0].label is BARE


@settings(deadline=None, derandomize=True)
@given(
    st.tuples(*[st.floats(0.05, 0.95)] * 3),
    st.lists(st.tuples(*[st.floats(0.01, 0.99)] * 3), min_size=4, max_size=4),
)
def test_every_detection_reaches_its_own_threshold(
    limits: tuple[float, float, float], scores: list[tuple[float, float, float]]
) -> None:
    """Whatever the thresholds, a detection's label is at or above its own, and all who are so are found."""
    thresholds = dict(zip((MASKED, BARE, INCORRECT), limits, strict=True))
    described = manifest(thresholds=thresholds)
    outputs = nobody(described)
    cells = [(row, column) for row in range(CELLS) for column in range(CELLS)]
    for (row, column), each in zip(cells, scores, strict=True):
        say(outputs, (row, column), [column * 32, row * 32, column * 32 + 32, row * 32 + 32], each)

    found = run(described, outputs)

    assert all(face.score >= thresholds[face.label] - 1e-5 for face in found)
    is_face = [any(s >= limit for s, limit in zip(each, limits, strict=True)) for each in scores]
    assume(all(abs(s - limit) > 1e-5 for each in scores for s, limit in zip(each, limits, strict=True)))
    assert len(found) == sum(is_face)


def test_given_thresholds_stand_in_for_the_manifests() -> None:
    """A smallest score from the settings counts for every label, in place of the manifest's."""
    described = manifest(thresholds=dict.fromkeys(MaskLabel, 0.9))
    outputs = nobody(described)
    say(outputs, (0, 0), (0, 0, 32, 32), (0.4, 0.1, 0.2))

    assert run(described, outputs) == ()
    assert len(run(described, outputs, thresholds=dict.fromkeys(MaskLabel, 0.3))) == 1


def test_a_given_overlap_stands_in_for_the_manifests() -> None:
    """Boxes that overlap by a third are two faces at 0.5 and one at 0.3."""
    described = manifest()
    outputs = nobody(described)
    say(outputs, (0, 0), (8, 8, 40, 40), (0.9, 0.1, 0.1))
    say(outputs, (0, 1), (24, 8, 56, 40), (0.8, 0.1, 0.1))

    assert len(run(described, outputs)) == 2
    assert len(run(described, outputs, iou_threshold=0.3)) == 1


@given(side=st.floats(9.0, 30.0), other=st.floats(9.0, 30.0), scale=st.sampled_from([0.5, 1.0, 3.0]))
def test_a_box_too_small_for_its_mask_to_be_told_is_nobody(side: float, other: float, scale: float) -> None:
    """The limit is one of the model's input, whatever the frame's size, and on the shorter side."""
    assume(abs(min(side, other) - 20.0) > 1e-3)
    described = manifest(min_side_px=20.0)
    outputs = nobody(described)
    say(outputs, (0, 0), (16 - side / 2, 16 - other / 2, 16 + side / 2, 16 + other / 2), (0.9, 0.1, 0.1))

    found = run(described, outputs, frame(int(SIDE * scale), int(SIDE * scale)))

    assert len(found) == (min(side, other) > 20.0)


def test_a_small_box_suppresses_nobody() -> None:
    """The surest box of a face may be the one that is too small: the next one stands for the face."""
    described = manifest(min_side_px=20.0)
    outputs = nobody(described)
    say(outputs, (0, 0), (8, 8, 56, 26), (0.9, 0.1, 0.1))
    say(outputs, (0, 1), (8, 6, 56, 30), (0.8, 0.1, 0.1))

    (detection,) = run(described, outputs)

    assert detection.score == pytest.approx(0.8)


def test_the_best_comes_first() -> None:
    """Detections are in the order of their own scores, also where a low threshold made a weaker label win."""
    described = manifest(thresholds={MASKED: 0.6, BARE: 0.6, INCORRECT: 0.3})
    outputs = nobody(described)
    answers = [(0.65, 0.1, 0.1), (0.7, 0.1, 0.45), (0.9, 0.1, 0.1), (0.1, 0.8, 0.1)]
    for index, each in enumerate(answers):
        row, column = divmod(index, CELLS)
        say(outputs, (row, column), [column * 32, row * 32, column * 32 + 32, row * 32 + 32], each)

    found = run(described, outputs)

    expected = [(MASKED, 0.9), (BARE, 0.8), (MASKED, 0.65), (INCORRECT, 0.45)]
    assert [(face.label, face.score) for face in found] == [(e[0], pytest.approx(e[1])) for e in expected]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_broken_numbers_take_no_face_away(broken: float) -> None:
    """A cell with a NaN or infinite box is no face and suppresses none."""
    described = manifest()
    outputs = nobody(described)
    say(outputs, (0, 0), (0, 0, 40, 40), (0.99, 0.1, 0.1))
    say(outputs, (0, 1), (0, 0, 60, 40), (0.8, 0.1, 0.1))
    outputs[1][0, 0, 0, 2] = broken

    (detection,) = run(described, outputs)

    assert corners(detection.box) == pytest.approx([0, 0, 60, 40], abs=1e-3)
