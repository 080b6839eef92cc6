"""Hold the frozen values to what their attributes promise."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_mask import types
from pi_mask.types import BoundingBox, Detection, MaskLabel, Verdict

COORDINATES = st.integers(-50, 50)


@st.composite
def boxes(draw: st.DrawFn) -> BoundingBox:
    """Boxes with whole-numbered corners, empty ones included."""
    xmin, xmax = sorted((draw(COORDINATES), draw(COORDINATES)))
    ymin, ymax = sorted((draw(COORDINATES), draw(COORDINATES)))
    return BoundingBox(xmin, ymin, xmax, ymax)


def pixels(box: BoundingBox) -> set[tuple[int, int]]:
    """The unit squares that a whole-numbered box covers."""
    columns, rows = range(int(box.xmin), int(box.xmax)), range(int(box.ymin), int(box.ymax))
    return {(x, y) for x in columns for y in rows}


def test_a_box_knows_its_size() -> None:
    """Width, height, area, shorter side and centre follow from the corners."""
    box = BoundingBox(10.0, 20.0, 40.0, 24.0)

    assert (box.width, box.height, box.area, box.shorter_side) == (30.0, 4.0, 120.0, 4.0)
    assert box.center == (25.0, 22.0)


@settings(deadline=None, derandomize=True)
@given(boxes(), boxes())
def test_iou_is_the_share_of_common_pixels(one: BoundingBox, other: BoundingBox) -> None:
    """IoU equals the count of common unit squares over that of all, 0 where there are none."""
    common, either = pixels(one) & pixels(other), pixels(one) | pixels(other)

    expected = len(common) / len(either) if either else 0.0

    assert one.iou(other) == pytest.approx(expected)


@settings(deadline=None, derandomize=True)
@given(boxes(), boxes())
def test_iou_is_symmetric_and_within_bounds(one: BoundingBox, other: BoundingBox) -> None:
    """Both orders give the same share, from 0 to 1; a box with an area overlaps itself whole."""
    assert one.iou(other) == other.iou(one)
    assert 0.0 <= one.iou(other) <= 1.0
    assert one.iou(one) == (1.0 if one.area else 0.0)


def test_names_of_labels_and_verdicts_are_fixed() -> None:
    """JSON, manifests and data sets rely on these names and on the labels' order."""
    assert [label.value for label in MaskLabel] == ["with_mask", "without_mask", "incorrect"]
    verdicts = ["idle", "checking", "mask", "incorrect", "no_mask", "fault"]
    assert [verdict.value for verdict in Verdict] == verdicts


def test_all_values_are_frozen() -> None:
    """Every dataclass of the module is frozen and slotted."""
    classes = [kind for kind in vars(types).values() if dataclasses.is_dataclass(kind)]

    frozen = {
        kind.__name__ for kind in classes if kind.__dataclass_params__.frozen and "__slots__" in vars(kind)
    }

    assert frozen == {kind.__name__ for kind in classes}
    assert {
        "Frame",
        "BoundingBox",
        "Detection",
        "Vote",
        "Track",
        "Person",
        "Latency",
        "Observation",
    } == frozen


def test_a_detection_needs_no_other_scores() -> None:
    """Scores of the other labels are optional; two detections do not share them."""
    box = BoundingBox(0, 0, 1, 1)

    one, other = (Detection(box, MaskLabel.WITH_MASK, 0.5) for _ in range(2))

    assert one == other
    assert one.scores is not other.scores
