"""Hold drawn hard cases to faces that can bear them, to their labels and to their places."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data
from training.data import Picture
from training.drawn import draw_face
from training.hard_cases import (
    BARE,
    CASES,
    INCORRECT,
    MASKED,
    HardCaseConfig,
    draw_hard_cases,
    hide_parts,
    is_drawable,
    mask_colour,
)
from training.hard_sheet import main, sheet
from training.loss import IGNORED

NOTHING = HardCaseConfig(**dict.fromkeys((each.name for each in fields(HardCaseConfig)), 0.0))
BOX = np.array([60, 40, 140, 140], np.float32)


def face(label: MaskLabel = MaskLabel.WITHOUT_MASK) -> NDArray[np.uint8]:
    """A picture with one face in BOX."""
    image = np.full((200, 200, 3), 120, np.uint8)
    draw_face(image, (60, 40, 140, 140), label)
    return image


def drawn(case: str, seed: int = 0, label: int | None = None) -> tuple[NDArray[np.uint8], int]:
    """The picture with one case drawn for certain, and the face's label then."""
    before = CASES[case][1] if label is None else label
    image = face(MaskLabel.WITH_MASK if before == MASKED else MaskLabel.WITHOUT_MASK)
    config = replace(NOTHING, **{case: 1.0})
    made, labels = draw_hard_cases(image, BOX[None], np.array([before]), config, np.random.default_rng(seed))
    return made, int(labels[0])


def changed(case: str, seed: int = 0) -> NDArray[np.bool_]:
    """Where a case differs much from the picture before."""
    label = MaskLabel.WITH_MASK if CASES[case][1] == MASKED else MaskLabel.WITHOUT_MASK
    difference = np.abs(drawn(case, seed)[0].astype(int) - face(label)).max(-1)
    return difference > 25


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ("hand", BARE),
        ("scarf", BARE),
        ("drink", BARE),
        ("beard", BARE),
        ("drawn_mask", MASKED),
        ("wrong_mask", INCORRECT),
        ("recolour", MASKED),
    ],
)
def test_a_case_gives_the_face_the_label_that_it_shows(case: str, label: int) -> None:
    """A drawn mask makes a face masked, a wrongly drawn one incorrect; all else leaves what it was."""
    assert set(CASES) == {"hand", "scarf", "drink", "beard", "drawn_mask", "wrong_mask", "recolour"}
    assert drawn(case)[1] == label
    assert changed(case).sum() > 300


@pytest.mark.parametrize("case", CASES)
def test_faces_of_other_labels_stay_as_they_are(case: str) -> None:
    """Nothing is drawn on a face that a case is not for, nor on a region to ignore."""
    for label in {MASKED, BARE, INCORRECT, IGNORED} - {CASES[case][1]}:
        made, after = drawn(case, label=label)
        expected = face(MaskLabel.WITH_MASK if label == MASKED else MaskLabel.WITHOUT_MASK)
        assert after == label
        assert np.array_equal(made, expected)


def test_a_wrong_mask_leaves_the_nose_free() -> None:
    """Eyes and nose stay bare, the chin is covered; a right mask covers nose, mouth and chin."""
    # The share of a dozen masks that cover a pixel; a few have the colour of skin.
    wrong, right = (
        np.mean([changed(case, seed) for seed in range(12)], axis=0) for case in ("wrong_mask", "drawn_mask")
    )
    # Of the box from 40 to 140: eyes at 80, the nose's tip at 103, the mouth at 118.
    eyes, nose = (slice(60, 79), slice(75, 125)), (slice(92, 104), slice(92, 108))
    mouth, chin = (slice(112, 125), slice(88, 112)), (slice(130, 138), slice(88, 112))

    assert [float(covers[eyes].mean()) < 0.05 for covers in (wrong, right)] == [True, True]
    assert float(wrong[nose].mean()) < 0.1
    assert float(wrong[chin].mean()) > 0.7
    assert [float(right[part].mean()) > 0.7 for part in (nose, mouth, chin)] == [True, True, True]


def test_nothing_is_drawn_far_from_the_face() -> None:
    """Half a face's size around the box is all that may change, and the source never does."""
    for case in CASES:
        image = face(MaskLabel.WITH_MASK if CASES[case][1] == MASKED else MaskLabel.WITHOUT_MASK)
        before = image.copy()
        config = replace(NOTHING, **{case: 1.0})
        made, _ = draw_hard_cases(
            image, BOX[None], np.array([CASES[case][1]]), config, np.random.default_rng(3)
        )
        assert np.array_equal(image, before)
        outside = np.ones((200, 200), bool)
        outside[0:191, 20:181] = False
        assert np.array_equal(made[outside], before[outside])


def test_the_same_numbers_draw_the_same() -> None:
    """A case depends on its seed alone."""
    one, same, other = (drawn("drawn_mask", seed)[0] for seed in (5, 5, 6))

    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_as_many_are_drawn_as_the_probabilities_say() -> None:
    """Of bare faces some 20 % get a mask and 30 % a wrong one, and none both."""
    image, boxes = face(), np.tile(BOX, (1, 1))
    config = replace(NOTHING, drawn_mask=0.2, wrong_mask=0.3, recolour=1.0)
    rng = np.random.default_rng(0)
    labels = [int(draw_hard_cases(image, boxes, np.array([BARE]), config, rng)[1][0]) for _ in range(150)]

    assert labels.count(MASKED) / 150 == pytest.approx(0.2, abs=0.1)
    assert labels.count(INCORRECT) / 150 == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((60, 40, 140, 140), True),
        ((60, 40, 98, 90), False),  # 38 px wide
        ((60, 40, 100, 110), False),  # turned away: narrow
        ((60, 40, 140, 115), False),  # looking down: wide
        ((-1, 40, 79, 140), False),  # cut off
        ((120, 100, 201, 200), False),
    ],
)
def test_only_large_whole_upright_faces_can_bear_drawings(box: tuple[float, ...], expected: bool) -> None:
    """Elsewhere a drawing would miss the mouth, or be a few dots."""
    assert is_drawable(np.array(box, np.float32), face()) is expected


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    st.tuples(st.integers(0, 150), st.integers(0, 150), st.integers(40, 50), st.integers(45, 50)),
    st.sampled_from(sorted(CASES)),
    st.integers(0, 2**32 - 1),
)
def test_any_drawable_face_can_be_drawn_on(place: tuple[int, int, int, int], case: str, seed: int) -> None:
    """At the picture's edges too, bytes stay bytes and shapes stay shapes."""
    x, y, width, height = place
    image = np.random.default_rng(seed).integers(0, 256, (200, 200, 3), np.uint8)
    box = np.array([[x, y, x + width, y + height]], np.float32)
    config = replace(NOTHING, **{case: 1.0})

    made, labels = draw_hard_cases(
        image, box, np.array([CASES[case][1]]), config, np.random.default_rng(seed)
    )

    assert (made.shape, made.dtype) == (image.shape, np.uint8)
    assert labels.tolist() == [CASES[case][2] if is_drawable(box[0], image) else CASES[case][1]]


def hidden(
    image: NDArray[np.uint8], boxes: NDArray[np.float32], labels: list[int], seed: int
) -> NDArray[np.bool_]:
    """Where the picture changes when every face that may be hidden is."""
    made = image.copy()
    hide_parts(made, boxes, np.array(labels), 1.0, np.random.default_rng(seed))
    return (made != image).any(-1)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.tuples(st.integers(0, 190), st.integers(0, 190), st.integers(8, 150), st.integers(8, 150)),
    st.sampled_from([MASKED, BARE, INCORRECT]),
    st.integers(0, 2**32 - 1),
)
def test_most_of_a_hidden_face_stays_in_sight(
    place: tuple[int, int, int, int], label: int, seed: int
) -> None:
    """Nothing but one side or the top goes, and the lower half is never covered all across."""
    x, y, width, height = place
    right, bottom = min(200, x + width), min(200, y + height)
    image = np.random.default_rng(seed).integers(0, 256, (200, 200, 3), np.uint8)

    changes = hidden(image, np.array([[x, y, right, bottom]], np.float32), [label], seed)

    face_part = changes[y:bottom, x:right]
    # Two fifths, and a pixel for the rounding.
    assert face_part.mean() <= 0.4 + 1 / min(right - x, bottom - y)
    lower = face_part[(bottom - y + 1) // 2 :]
    assert not lower.all(1).any() or right - x < 3


def test_hidden_faces_are_those_that_were_annotated() -> None:
    """A sixth at least of a face goes; a region to ignore stays, and so does all at a probability of 0."""
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    shares = [hidden(image, BOX[None], [BARE], seed)[40:140, 60:140].mean() for seed in range(50)]

    assert min(shares) > 0.13
    assert not hidden(image, BOX[None], [IGNORED], 1).any()
    same = image.copy()
    hide_parts(same, BOX[None], np.array([BARE]), 0.0, np.random.default_rng(0))
    assert np.array_equal(same, image)


def test_what_hides_a_face_is_no_other_face() -> None:
    """A copied face without an annotation would be taught to be background."""
    image = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([[10, 10, 90, 90], [110, 110, 190, 190]], np.float32)
    image[10:90, 10:90] = image[110:190, 110:190] = (255, 0, 0)
    for seed in range(100):
        made = image.copy()
        hide_parts(made, boxes, np.array([BARE, MASKED]), 1.0, np.random.default_rng(seed))
        is_face = (made == (255, 0, 0)).all(-1)
        assert not (is_face & (image[..., 0] == 0)).any()


@pytest.mark.parametrize("side", [1, 2, 3])
def test_faces_of_a_few_pixels_can_be_hidden(side: int) -> None:
    """Nothing fails where a cover rounds to nothing, nor in a picture of one pixel."""
    image = np.zeros((side, side, 3), np.uint8)
    for seed in range(20):
        hidden(image, np.array([[0, 0, 1, 1]], np.float32), [MASKED], seed)


def test_colours_are_of_all_kinds() -> None:
    """Among a hundred masks are light, dark and vivid ones, all within a byte's range."""
    rng = np.random.default_rng(1)
    colours = np.array([mask_colour(rng) for _ in range(100)])

    assert 0 <= colours.min() <= colours.max() <= 255
    assert (colours.mean(1) > 200).sum() > 3
    assert (colours.mean(1) < 60).sum() > 3
    assert (np.ptp(colours, axis=1) > 120).sum() > 10


def test_the_sheet_shows_every_case(tmp_path: Path) -> None:
    """A row for the faces as they are and one for each case, with the faces side by side."""
    paths = [tmp_path / f"{label.value}.png" for label in MaskLabel]
    pictures = []
    for index, (path, label) in enumerate(zip(paths, MaskLabel, strict=True)):
        assert cv2.imwrite(str(path), face(label)[..., ::-1])
        pictures.append(Picture(path, BOX[None], np.array([index]), False, "drawn"))

    made = sheet(pictures, 3, seed=1)

    assert made.shape == (11 * 128, 128, 3)
    cells = [made[128 * row + 16 : 128 * (row + 1)] for row in range(11)]
    assert all(not np.array_equal(cells[0], cell) for cell in cells[1:8])
    assert not np.array_equal(cells[8], cells[10])


def test_a_sheet_without_faces_is_refused(tmp_path: Path) -> None:
    """Patches of 64 px at the picture's edge bear no drawing: the command says so in one line."""
    data = save_data(tmp_path, [((MaskLabel.INCORRECT,), (MaskLabel.INCORRECT,))])

    result = CliRunner().invoke(main, ["--data", str(data), "--output", str(tmp_path / "sheet.png")])

    assert (result.exit_code, result.output.startswith("Error: No face can be drawn on")) == (2, True)


@pytest.mark.parametrize("seed", range(20))
def test_a_cover_leaves_the_neighbours_label_in_view(seed: int) -> None:
    """What hides one face covers at most a third of another, which keeps its label."""
    boxes = np.array([[40, 40, 100, 110], [90, 45, 120, 80], [20, 50, 42, 80], [50, 20, 80, 42]], np.float32)
    plain = np.random.default_rng(seed).integers(0, 256, (160, 160, 3)).astype(np.uint8)

    made = plain.copy()
    hide_parts(made, boxes, np.array([BARE, IGNORED, IGNORED, IGNORED]), 1.0, np.random.default_rng(seed))

    changed = (made != plain).any(-1)
    for left, top, right, bottom in boxes[1:].astype(int):
        assert changed[top:bottom, left:right].mean() <= 0.36


@pytest.mark.parametrize("seed", range(40))
def test_a_cover_never_lies_across_the_face_above(seed: int) -> None:
    """What hides the forehead of who is in front would take the chin, and so the label, of who is behind."""
    boxes = np.array([[60, 20, 100, 70], [50, 72, 110, 142]], np.float32)
    plain = np.random.default_rng(seed).integers(0, 256, (160, 160, 3)).astype(np.uint8)

    changed = hidden(plain, boxes, [IGNORED, BARE], seed)

    assert not changed[45:70, 60:100].all(1).any()
