"""Hold the door's view to faces counted by hand and to published intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.data import LABELS, Picture
from training.door_view import MIN_SIDE_PX, JudgedFace, door_view, judge
from training.intervals import share

Box = tuple[float, float, float, float]
MASKED, BARE, INCORRECT = LABELS
FACE: Box = (10, 10, 50, 60)
FAR: Box = (300, 300, 340, 350)


def picture(*faces: tuple[Box, MaskLabel]) -> Picture:
    """An annotated picture."""
    boxes = np.array([box for box, _ in faces], np.float32).reshape(-1, 4)
    labels = np.array([LABELS.index(label) for _, label in faces], np.int64)
    return Picture(Path("none.png"), boxes, labels, False, "drawn")


def said(label: MaskLabel, box: Box = FACE) -> Detection:
    """What the model says of a place."""
    return Detection(BoundingBox(*box), label, 0.9)


@pytest.mark.parametrize(
    ("faces", "found", "expected"),
    [
        ([(FACE, MASKED)], [said(MASKED)], ([("with_mask", "with_mask")], 0)),
        ([(FACE, BARE)], [said(MASKED)], ([("without_mask", "with_mask")], 0)),
        ([(FACE, BARE)], [], ([("without_mask", "missed")], 0)),
        ([], [said(MASKED)], ([], 1)),
        # The best detection of a face counts, whatever else is said of it.
        ([(FACE, BARE)], [said(BARE), said(MASKED)], ([("without_mask", "without_mask")], 0)),
        # Half on a face is a miss, yet no box on nothing.
        ([(FACE, BARE)], [said(BARE, (30, 10, 70, 60))], ([("without_mask", "missed")], 0)),
        # A sixth is as little on the face as it is on nothing.
        ([(FACE, BARE)], [said(BARE, (40, 10, 60, 60))], ([("without_mask", "missed")], 0)),
        ([(FACE, BARE)], [said(BARE, (45, 10, 85, 60))], ([("without_mask", "missed")], 1)),
        ([(FACE, BARE)], [said(BARE, FAR)], ([("without_mask", "missed")], 1)),
        # A face below 24 pixels is not judged; a box on it is not false.
        ([((10, 10, 33, 60), BARE)], [said(BARE, (10, 10, 33, 60))], ([], 0)),
        ([((10, 10, 34, 60), BARE)], [], ([("without_mask", "missed")], 0)),
        # Each box goes to the face that it fits best.
        (
            [(FACE, MASKED), ((45, 10, 85, 60), BARE)],
            [said(BARE, (44, 10, 84, 60)), said(MASKED)],
            ([("with_mask", "with_mask"), ("without_mask", "without_mask")], 0),
        ),
    ],
)
def test_a_face_is_what_was_said_of_it(
    faces: list[tuple[Box, MaskLabel]],
    found: Sequence[Detection],
    expected: tuple[list[tuple[str, str]], int],
) -> None:
    """Faces, what was said of them, and boxes on nothing."""
    judged = judge(picture(*faces), found)

    said_of = [(face.truth.value, face.said) for face in judged.faces]
    assert (said_of, len(judged.false_boxes)) == expected


def test_a_judgement_keeps_box_and_detection() -> None:
    """Each face comes with its own box and its best detection; false boxes as they were found."""
    best, other, false = said(BARE), said(MASKED), said(MASKED, FAR)

    judged = judge(picture((FACE, BARE)), [best, other, false])

    assert judged.faces == (JudgedFace(BoundingBox(*FACE), BARE, best),)
    assert judged.false_boxes == (false,)


def test_a_region_to_ignore_is_neither_face_nor_background() -> None:
    """Nothing is missed there, and a box that lies in it by half is not false."""
    crowd = replace(picture(((0, 0, 400, 400), BARE)), labels=np.array([-1]))

    inside, across, outside = (said(BARE, (x, 10, x + 40, 60)) for x in (100, 380, 381))

    assert judge(crowd, [inside, across, outside]).faces == ()
    assert judge(crowd, [inside, across, outside]).false_boxes == (outside,)


def test_the_shares_are_those_counted_by_hand() -> None:
    """Ten faces: six rightly called, one bare and one wrong one passed, one masked refused, one missed."""
    answers = [
        *[(MASKED, MASKED)] * 3,
        (BARE, BARE),
        *[(INCORRECT, INCORRECT)] * 2,
        (BARE, MASKED),
        (INCORRECT, MASKED),
        (MASKED, INCORRECT),
        (MASKED, None),
    ]
    pictures = [picture((FACE, truth)) for truth, _ in answers]
    found = [[said(answer)] if answer else [said(MASKED, FAR)] for _, answer in answers]

    figures = door_view(pictures, found)

    assert figures == {
        "min_side_px": 24.0,
        "right": share(6, 10),
        "unmasked_or_wrong_passed_as_masked": share(2, 5),
        "masked_refused": share(1, 5),
        "missed": share(1, 10),
        "false_boxes": {"per_picture": 0.1, "interval95": [0.0, 0.3]},
        "large_false_boxes": {"per_picture": 0.1, "interval95": [0.0, 0.3]},
        "confusion": {
            "incorrect → incorrect": 2,
            "incorrect → with_mask": 1,
            "with_mask → incorrect": 1,
            "with_mask → missed": 1,
            "with_mask → with_mask": 3,
            "without_mask → with_mask": 1,
            "without_mask → without_mask": 1,
        },
    }


def test_a_bare_face_called_incorrect_is_neither_right_nor_passed() -> None:
    """Both mean stop: the door is safe, only the word is wrong."""
    figures = door_view([picture((FACE, BARE))], [[said(INCORRECT)]])

    shares = {
        name: figures[name]["hits"] for name in ("right", "unmasked_or_wrong_passed_as_masked", "missed")
    }
    assert shares == {"right": 0, "unmasked_or_wrong_passed_as_masked": 0, "missed": 0}


def test_no_pictures_give_no_error() -> None:
    """An empty set has shares of nothing."""
    figures = door_view([], [])

    assert (figures["right"], figures["confusion"]) == (share(0, 0), {})
    assert figures["false_boxes"] == {"per_picture": 0.0, "interval95": [0.0, 0.0]}


def test_small_boxes_on_nobody_are_counted_apart() -> None:
    """The door judges faces of at least 24 px: boxes of that size are what it can be wrong about."""
    small, large = ((200, 200, 200 + side, 240) for side in (MIN_SIDE_PX - 1, MIN_SIDE_PX))

    figures = door_view([picture()] * 2, [[said(MASKED, small), said(BARE, large)], []])

    assert figures["false_boxes"]["per_picture"] == 1.0
    assert figures["large_false_boxes"]["per_picture"] == 0.5


def test_pictures_and_detections_must_agree_in_number() -> None:
    """A missing row is an error instead of a figure over fewer pictures."""
    with pytest.raises(ValueError, match="shorter"):
        door_view([picture(), picture()], [[]])
