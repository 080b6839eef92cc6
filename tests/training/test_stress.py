"""Hold each stress to what it says it does to the picture and to the boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pi_mask.camera.picture import decode_picture
from pi_mask.types import MaskLabel
from tests.colour_model import RED
from tests.training.colour_data import save_data
from training.data import load_coco
from training.stress import STRESSES, Scene, stress_table
from training.views import open_views

MASKED, BARE, INCORRECT = MaskLabel
SIZE = (160, 120)


def scene(*boxes: tuple[float, float, float, float], value: int = 100, index: int = 0) -> Scene:
    """An even grey picture with red boxes; all faces are masked."""
    image = np.full((SIZE[1], SIZE[0], 3), value, np.uint8)
    for xmin, ymin, xmax, ymax in boxes:
        image[int(ymin) : int(ymax), int(xmin) : int(xmax)] = RED
    return Scene(image, np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int64), index)


def red_box(image: NDArray[np.uint8]) -> list[int]:
    """Bounds of what is redder than grey."""
    rows, columns = np.nonzero(image[..., 0].astype(int) - image[..., 1] > 100)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("name", STRESSES)
@pytest.mark.parametrize("boxes", [[], [(40, 30, 80, 90)]], ids=["nobody", "one face"])
def test_pictures_keep_their_form_and_stay_themselves(
    name: str, boxes: list[tuple[float, float, float, float]]
) -> None:
    """The result is bytes of the same size, the same each time, and the original is untouched."""
    original = scene(*boxes)
    before = original.image.copy()

    one, again = STRESSES[name](original), STRESSES[name](original)

    assert (one.image.shape, one.image.dtype) == (before.shape, np.uint8)
    assert np.array_equal(one.image, again.image)
    assert (len(one.boxes), one.boxes.tolist()) == (len(one.labels), again.boxes.tolist())
    assert np.array_equal(original.image, before)


def test_dark_takes_middle_grey_to_38() -> None:
    """The promise of its own description."""
    assert STRESSES["dark"](scene(value=128)).image[0, 0].tolist() == [38] * 3


def test_backlight_darkens_faces_and_burns_the_rest() -> None:
    """The middle of a face has 0.3 of its light, the corner 1.7."""
    lit = STRESSES["backlit"](
        Scene(scene(value=100).image, np.array([[60, 40, 100, 80]], np.float32), np.zeros(1))
    )

    assert abs(int(lit.image[60, 80, 0]) - 30) <= 2
    assert lit.image[0, 0].tolist() == [170] * 3


def test_noise_has_25_grey_levels() -> None:
    """Standard deviation as stated, another pattern for another picture."""
    one, other = (STRESSES["noisy"](scene(value=128, index=i)).image for i in (0, 1))

    assert float(one.std()) == pytest.approx(25, abs=0.5)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("name", "scale"), [("small", 0.5), ("big", 2.0)])
def test_boxes_stay_on_their_faces(name: str, scale: float) -> None:
    """The moved box is the red patch's, of half or double the size."""
    changed = STRESSES[name](scene((60, 40, 100, 80)))

    assert changed.boxes[0].tolist() == pytest.approx(red_box(changed.image), abs=1)
    assert changed.boxes[0, 2] - changed.boxes[0, 0] == pytest.approx(40 * scale)


@pytest.mark.parametrize("name", ["small", "big"])
def test_boxes_move_as_their_pixels_do(name: str) -> None:
    """Not half a pixel aside: OpenCV counts from the first pixel's centre, boxes from its edge."""
    changed = STRESSES[name](scene((60, 40, 100, 80), value=0))

    weights = changed.image[..., 0] * (changed.image[..., 1] < changed.image[..., 0])
    rows, columns = (np.arange(side) + 0.5 for side in weights.shape)
    middle = (weights.sum(0) @ columns / weights.sum(), weights.sum(1) @ rows / weights.sum())
    assert (changed.boxes[0, :2] + changed.boxes[0, 2:]) / 2 == pytest.approx(middle, abs=0.1)


@pytest.mark.parametrize("index", [0, 1])
def test_rotation_keeps_the_box_around_the_turned_face(index: int) -> None:
    """A disc off the middle is turned by 20°, to one side or the other, and its box goes with it."""
    base = scene(index=index)
    cv2.circle(base.image, (120, 60), 20, RED, -1)
    turned = STRESSES["rotated ±20°"](
        Scene(base.image, np.array([[99.5, 39.5, 140.5, 80.5]], np.float32), np.zeros(1), index)
    )

    assert turned.boxes[0].tolist() == pytest.approx(red_box(turned.image), abs=1.5)
    # 40 px right of the middle, turned by 20°: 14 px up or down.
    assert (turned.boxes[0, 1] + turned.boxes[0, 3]) / 2 - 60 == pytest.approx(
        13.7 * (1 if index == 0 else -1), abs=0.5
    )


def test_faces_cut_by_more_than_half_are_ignored_and_lost_ones_go() -> None:
    """Twice as near, the largest face stays, one cut by the border is ignored, one outside is gone."""
    changed = STRESSES["big"](scene((70, 50, 90, 70), (114, 60, 132, 78), (0, 0, 10, 10)))

    assert changed.labels.tolist() == [0, -1]


def test_what_is_left_of_a_large_region_is_one_still() -> None:
    """A face of which as little is left is gone; a crowd may fill the picture still."""
    crowd = replace(scene((-3000, -3000, 160, 120)), labels=np.array([-1]))

    assert STRESSES["big"](crowd).labels.tolist() == [-1]


@pytest.mark.parametrize("name", ["backlit", "big", "partly hidden"])
def test_a_region_to_ignore_is_no_face(name: str) -> None:
    """A crowd beside a face changes nothing of what is done to the picture."""
    alone = scene((10, 30, 30, 60))
    boxes = np.array([(60, 0, 160, 120), (10, 30, 30, 60)], np.float32)
    beside = replace(alone, boxes=boxes, labels=np.array([-1, 0]))

    assert np.array_equal(STRESSES[name](beside).image, STRESSES[name](alone).image)


def test_a_third_of_each_face_is_hidden() -> None:
    """One side of the patch is no longer red, the other two thirds are."""
    changed = STRESSES["partly hidden"](scene((40, 30, 100, 90)))

    assert red_box(changed.image) == [40, 30, 80, 90]
    assert changed.boxes.tolist() == [[40, 30, 100, 90]]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(STRESSES)),
    st.lists(st.tuples(*[st.floats(0, 100, width=32)] * 2, *[st.floats(1, 60, width=32)] * 2), max_size=4),
)
def test_boxes_stay_in_the_picture(name: str, faces: list[tuple[float, float, float, float]]) -> None:
    """Whatever is annotated, boxes are ordered and inside, and labels are kept or ignored."""
    boxes = np.array([(x, y, min(x + w, 160), min(y + h, 120)) for x, y, w, h in faces], np.float32)
    labels = np.arange(len(faces)) % 3

    changed = STRESSES[name](Scene(scene().image, boxes.reshape(-1, 4), labels))

    assert (changed.boxes[:, :2] <= changed.boxes[:, 2:]).all()
    assert (changed.boxes >= 0).all()
    assert (changed.boxes <= (160, 120, 160, 120)).all()
    assert set(changed.labels.tolist()) <= {-1, 0, 1, 2}


def test_the_table_has_a_row_per_stress(tmp_path: Path, model: Path) -> None:
    """Unchanged pictures score as they should; without colour a model of colours finds nothing."""
    data = save_data(tmp_path / "data", [((MASKED, BARE), (MASKED, BARE)), ((INCORRECT,), (INCORRECT,))])
    pictures = load_coco(data)
    chosen = {name: STRESSES[name] for name in ("none", "grey")}

    with open_views(model, threads=1) as views:
        table = stress_table(views, pictures, [decode_picture(each.path) for each in pictures], chosen)

    assert list(table) == ["none", "grey"]
    assert [row["faces"] for row in table.values()] == [3, 3]
    assert [row["mAP50"] for row in table.values()] == [1.0, 0.0]
    assert [row["missed"]["hits"] for row in table.values()] == [0, 3]
    assert table["none"]["wrong_green"]["of"] == 2
