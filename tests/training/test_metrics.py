"""Hold the figures to what perfect, shifted and missing detections must score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pi_mask.detector import Detector
from pi_mask.testing import ScriptedInterpreter
from pi_mask.types import BoundingBox, Detection, MaskLabel
from tests.hand_made import frame, manifest, model_spec, nobody, say
from training.data import LABELS, Picture
from training.metrics import average_precision, by_size, curves, detect_all, precisions, summarise

Box = tuple[float, float, float, float]
MASKED, BARE, INCORRECT = LABELS
BOXES: dict[MaskLabel, Box] = {
    MASKED: (10, 10, 50, 60),
    BARE: (100, 20, 140, 70),
    INCORRECT: (200, 30, 240, 80),
}
PERFECT = {"mAP50": 1.0, "mAP": 1.0, "AP50_with_mask": 1.0, "AP50_without_mask": 1.0, "AP50_incorrect": 1.0}
NOTHING = dict.fromkeys(PERFECT, 0.0)


def picture(*faces: tuple[Box, MaskLabel]) -> Picture:
    """An annotated picture."""
    boxes = np.array([box for box, _ in faces], np.float32).reshape(-1, 4)
    labels = np.array([LABELS.index(label) for _, label in faces], np.int64)
    return Picture(Path("none.png"), boxes, labels, False, "drawn")


def detection(box: Box, label: MaskLabel, score: float = 0.9) -> Detection:
    """A detection with one score."""
    return Detection(BoundingBox(*box), label, score)


THREE = picture(*((box, label) for label, box in BOXES.items()))
FOUND = [detection(box, label) for label, box in BOXES.items()]


def shifted(box: Box, x: float) -> Box:
    """The box moved to the right."""
    return box[0] + x, box[1], box[2] + x, box[3]


def test_perfect_detections_score_one() -> None:
    """Every face found where it is and called what it is: all figures are 1."""
    assert average_precision([THREE, THREE], [FOUND, FOUND]) == pytest.approx(PERFECT)


def test_boxes_beside_the_faces_score_nothing() -> None:
    """Boxes that overlap by less than half are misses."""
    beside = [detection(shifted(box, 30), label) for label, box in BOXES.items()]

    assert average_precision([THREE], [beside]) == pytest.approx(NOTHING)


def test_boxes_that_are_a_little_off_count_at_the_lower_overlaps() -> None:
    """At an IoU of 35/45 a face is found for six of the ten overlaps from 0.5 to 0.95."""
    off = [detection(shifted(box, 5), label) for label, box in BOXES.items()]

    figures = average_precision([THREE], [off])

    assert figures == pytest.approx({**PERFECT, "mAP": 0.6})


def test_wrong_labels_score_nothing_for_both() -> None:
    """A mask that is called bare counts against both labels, and not against the third."""
    swapped = [detection(BOXES[MASKED], BARE), detection(BOXES[BARE], MASKED), FOUND[2]]

    figures = average_precision([THREE], [swapped])

    assert figures == pytest.approx({**NOTHING, "mAP50": 1 / 3, "mAP": 1 / 3, "AP50_incorrect": 1.0})


@pytest.mark.parametrize("found", [[], [[]], [[], []]], ids=["no pictures", "one", "two"])
def test_no_detections_score_nothing(found: Sequence[Sequence[Detection]]) -> None:
    """A silent model has zeros, no error and no output."""
    assert average_precision([THREE] * max(1, len(found)), found) == NOTHING


@pytest.mark.parametrize("found", [FOUND, []], ids=["perfect", "silent"])
def test_a_label_without_a_face_does_not_count(found: Sequence[Detection]) -> None:
    """Nothing can be found of it: it has no figure, and the means are those of the others."""
    two = picture((BOXES[MASKED], MASKED), (BOXES[BARE], BARE))
    score = 1.0 if found else 0.0

    figures = average_precision([two], [[each for each in found if each.label is not INCORRECT]])

    assert figures == pytest.approx(dict.fromkeys(PERFECT.keys() - {"AP50_incorrect"}, score))


def test_detections_belong_to_their_own_picture() -> None:
    """The right boxes in the wrong picture are false."""
    assert average_precision([THREE, picture()], [[], FOUND]) == pytest.approx(NOTHING)


def test_half_of_the_faces_score_about_a_half() -> None:
    """Precision is 1 up to half of the recall and 0 after it: 51 of COCO's 101 points."""
    figures = average_precision([THREE, THREE], [FOUND, []])

    assert figures["AP50_with_mask"] == pytest.approx(51 / 101)


SMALL: Box = (300, 300, 315, 340)  # 15 pixels wide


@pytest.mark.parametrize("extra", [[], [detection(SMALL, MASKED, 0.99)]], ids=["missed", "found"])
def test_small_faces_count_neither_way(extra: list[Detection]) -> None:
    """A face below 16 pixels is neither a hit nor a miss, and a box on it is not false."""
    faces = [(box, label) for label, box in BOXES.items()]
    with_small = picture(*faces, (SMALL, MASKED))

    assert average_precision([with_small], [FOUND + extra]) == pytest.approx(PERFECT)


def test_a_face_of_sixteen_pixels_counts() -> None:
    """The smallest face that counts is missed with a price."""
    faces = [(box, label) for label, box in BOXES.items()]
    with_one_more = picture(*faces, ((300, 300, 316, 340), MASKED))

    assert average_precision([with_one_more], [FOUND])["AP50_with_mask"] == pytest.approx(51 / 101)


def test_false_boxes_above_the_true_ones_cost_precision() -> None:
    """A surer false box halves the precision; a less sure one costs nothing."""
    far: Box = (400, 400, 440, 450)

    surer = average_precision([THREE], [[*FOUND, detection(far, MASKED, 0.95)]])
    weaker = average_precision([THREE], [[*FOUND, detection(far, MASKED, 0.5)]])

    assert surer["AP50_with_mask"] == pytest.approx(0.5)
    assert weaker == pytest.approx(PERFECT)


def test_every_picture_goes_through_the_detector(capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures are detected one by one, in order; nothing is printed on the way."""
    described = manifest()
    empty, one = nobody(described), nobody(described)
    say(one, (0, 0), (0, 0, 32, 32), (0.9, 0.1, 0.1))
    detector = Detector(ScriptedInterpreter(model_spec(described), [one, empty, one]), described)

    found = detect_all(detector, [frame(64, 64).image] * 3)
    average_precision([picture()] * 3, found)

    assert [len(each) for each in found] == [1, 0, 1]
    assert capsys.readouterr() == ("", "")


def test_precision_is_told_by_size() -> None:
    """Each face counts in the row of its shorter side alone; a row without a label has None for it."""
    far, near = ((0, 0, 31, 40), MASKED), ((100, 0, 132, 40), MASKED)
    found = [detection(shifted(near[0], 5), MASKED, 0.9)]  # near enough for AP at IoU 0.5 only

    table = by_size(precisions([picture(far, near)], [found]))

    assert list(table) == ["16–32", "32–64", "64–128", "128+"]
    assert [row["AP50_with_mask"] for row in table.values()] == [0.0, pytest.approx(1.0), None, None]
    assert [row["mAP50"] for row in table.values()] == [0.0, pytest.approx(1.0), None, None]
    assert {row["AP50_incorrect"] for row in table.values()} == {None}


def test_the_means_count_each_face_once() -> None:
    """They are those of all faces, however many sizes these have: one of three is found."""
    faces: list[tuple[Box, MaskLabel]] = [((x, 0, x + 20, 40), MASKED) for x in (0, 50)]
    near: Box = (100, 0, 140, 50)

    figures = average_precision([picture(*faces, (near, MASKED))], [[detection(near, MASKED)]])

    third = pytest.approx(34 / 101)
    assert figures == {"mAP50": third, "mAP": third, "AP50_with_mask": third}


def test_a_false_box_counts_by_its_own_shorter_side() -> None:
    """A surer box on nobody, narrow and high, halves the precision of small faces, not that of large ones."""
    small, large = ((0, 0, 20, 40), MASKED), ((100, 0, 140, 40), MASKED)
    nobody = detection((200, 200, 220, 300), MASKED, 0.99)
    found = [nobody, *(detection(box, label) for box, label in (small, large))]

    table = by_size(precisions([picture(small, large)], [found]))

    assert [row["AP50_with_mask"] for row in table.values()] == [
        pytest.approx(0.5),
        pytest.approx(1),
        None,
        None,
    ]


def test_a_curve_falls_to_zero_where_recall_ends() -> None:
    """One of two faces found: precision 1 up to recall 0.5, then 0; AP is the curve's mean."""
    faces = [((10, 10, 50, 60), MASKED), ((100, 10, 140, 60), MASKED)]
    precision = precisions([picture(*faces)], [[detection(faces[0][0], MASKED, 0.9)]])

    curve = curves(precision)["with_mask"]

    assert curve == [1.0] * 51 + [0.0] * 50
    assert summarise(precision)["AP50_with_mask"] == pytest.approx(51 / 101)
    assert set(curves(precision)) == {"with_mask"}  # no face has another label


def test_regions_to_ignore_count_for_no_label() -> None:
    """A box of any label in a region with label −1 costs nothing, and nothing is missed there."""
    region: Box = (200, 200, 300, 300)
    picture_with = replace(THREE, boxes=np.vstack([THREE.boxes, region]).astype(np.float32))
    picture_with = replace(picture_with, labels=np.append(THREE.labels, -1))
    inside = [detection((220, 220, 260, 270), label, 0.99) for label in LABELS]

    assert average_precision([picture_with], [[*FOUND, *inside]]) == pytest.approx(PERFECT)
