"""Hold the reading of annotations and the making of batches to what training relies on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pi_mask.errors import InputError
from training.augment import AugmentConfig, Sample
from training.data import LABELS, Picture, TrainingSet, collate, load_coco
from training.hard_cases import HardCaseConfig

CATEGORIES = [
    {"id": 7, "name": "incorrect"},
    {"id": 3, "name": "with_mask"},
    {"id": 5, "name": "without_mask"},
]
SIZE = {"width": 60, "height": 40}


def save(folder: Path, **changes: Any) -> Path:
    """Write a COCO file of three pictures from two sources, with some keys replaced."""
    content = {
        "images": [
            {"id": 1, "file_name": "a.png", **SIZE, "source": "three"},
            {"id": 2, "file_name": "b.png", **SIZE, "source": "two"},
            {"id": 9, "file_name": "c.png", **SIZE, "source": "three"},
        ],
        "annotations": [
            {"id": 1, "image_id": 2, "category_id": 3, "bbox": [4, 6, 10, 20]},
            {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 8.5, 8]},
            {"id": 3, "image_id": 2, "category_id": 5, "bbox": [20, 6, 10, 12]},
        ],
        "categories": CATEGORIES,
        **changes,
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def save_picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> Path:
    """Write a picture of one RGB colour."""
    path.parent.mkdir(exist_ok=True)
    image = np.full((size[1], size[0], 3), colour[::-1], np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


def test_annotations_become_pictures(tmp_path: Path) -> None:
    """Categories are matched by name whatever their ids; boxes become corners, each in its picture."""
    pictures = load_coco(save(tmp_path))

    read = [(p.path, p.boxes.tolist(), [LABELS[i].value for i in p.labels], p.source) for p in pictures]
    folder = tmp_path / "images"
    assert read == [
        (folder / "a.png", [[0, 0, 8.5, 8]], ["incorrect"], "three"),
        (folder / "b.png", [[4, 6, 14, 26], [20, 6, 30, 18]], ["with_mask", "without_mask"], "two"),
        (folder / "c.png", [], [], "three"),
    ]
    assert [(p.boxes.dtype, p.boxes.shape[1], p.labels.dtype) for p in pictures] == [("f4", 4, "i8")] * 3


def test_a_source_without_incorrect_knows_two_classes(tmp_path: Path) -> None:
    """One wrongly worn mask anywhere in a source makes all of its pictures three-class."""
    assert [picture.is_two_class for picture in load_coco(save(tmp_path))] == [False, True, False]


def test_pictures_without_a_source_share_one(tmp_path: Path) -> None:
    """Where no source is named, all pictures count as one source's."""
    images = [{"id": 1, "file_name": "a.png", **SIZE}, {"id": 2, "file_name": "b.png", **SIZE}]

    pictures = load_coco(save(tmp_path, images=images))

    assert [(picture.source, picture.is_two_class) for picture in pictures] == [("", False)] * 2


def test_an_unknown_category_is_named(tmp_path: Path) -> None:
    """A category that is no label is an error that says which, and what is known."""
    path = save(tmp_path, categories=[*CATEGORIES, {"id": 8, "name": "face shield"}])

    with pytest.raises(
        InputError,
        match=r"categories \['face shield'\] are none of \['incorrect', 'with_mask', 'without_mask'\]\. ",
    ):
        load_coco(path)


def test_a_truncated_picture_is_not_trained_on(tmp_path: Path) -> None:
    """OpenCV paints grey what a truncated JPEG lacks; such a picture is an error that names it."""
    path = save_picture(tmp_path / "images" / "cut.jpg", (250, 20, 10))
    path.write_bytes(path.read_bytes()[:-40])
    cut = Picture(path, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), False, "")

    with pytest.raises(InputError, match=r"cut\.jpg is truncated: the JPEG has no end\."):
        TrainingSet([cut], 64, AugmentConfig(), 1.0, 1)


def pictures(folder: Path, labels: list[int]) -> list[Picture]:
    """One picture per label, each of its own shade, with one face."""
    made = []
    for index, label in enumerate(labels):
        path = save_picture(folder / f"{index}.png", (20 * index + 10,) * 3)
        box = np.array([[10, 10, 40, 36]], np.float32)
        made.append(Picture(path, box, np.array([label]), index % 2 == 0, "drawn"))
    return made


PLAIN = AugmentConfig(
    mosaic=0,
    scale=(0.9, 1.0),
    rotate=0,
    grey=0,
    colour=0,
    blur=0,
    noise=0,
    dark=0,
    backlight=0,
    jpeg=0,
    hard=HardCaseConfig(static=0),
)


def training_set(folder: Path, labels: list[int], weight: float = 1.0) -> TrainingSet:
    """A set of plain pictures without noise."""
    return TrainingSet(pictures(folder, labels), 64, PLAIN, incorrect_weight=weight, seed=1)


def test_a_torn_cable_shows_nobody(tmp_path: Path) -> None:
    """Noise in place of a scene has no faces, and each time is another noise, in the input's size."""
    only_static = replace(PLAIN, hard=HardCaseConfig(static=1))
    samples = TrainingSet(pictures(tmp_path, [0]), 64, only_static, 1.0, seed=1)
    drawn = [samples[index] for index in range(24)]

    assert {tuple(image.shape) for image, _ in drawn} == {(3, 64, 64)}
    assert all(len(sample.labels) == len(sample.boxes) == 0 for _, sample in drawn)
    assert len({image.numpy().tobytes() for image, _ in drawn}) == 24
    spreads = [float(image.float().std()) for image, _ in drawn]
    assert min(spreads) == 0  # a plain colour
    assert max(spreads) > 30
    assert collate(drawn)[1].is_present.sum() == 0


def test_a_sample_depends_on_seed_epoch_and_index_only(tmp_path: Path) -> None:
    """The same place in the same epoch is the same picture, in any order; the next epoch has another."""
    one, other = training_set(tmp_path, [0, 1, 0, 1]), training_set(tmp_path, [0, 1, 0, 1])
    forwards = [one[i][0] for i in range(4)]
    backwards = [other[i][0] for i in reversed(range(4))][::-1]
    other.epoch = 1

    assert len(one) == 4
    assert all(map(torch.equal, forwards, backwards))
    assert not all(torch.equal(image, other[i][0]) for i, image in enumerate(forwards))


def test_the_scarce_class_is_drawn_more_often(tmp_path: Path) -> None:
    """A picture with a wrongly worn mask comes as many times more often as its weight says."""
    data = training_set(tmp_path, [0, 2], weight=4.0)

    drawn = [int(data[i][1].labels[0]) for i in range(300)]

    assert drawn.count(2) / 300 == pytest.approx(0.8, abs=0.07)


def test_mosaics_can_be_switched_off_and_on(tmp_path: Path) -> None:
    """The last epochs see whole scenes: one face a picture instead of up to four."""
    config = AugmentConfig(mosaic=1.0, scale=(0.9, 1.0))
    data = TrainingSet(pictures(tmp_path, [0, 1]), 64, config, incorrect_weight=1.0, seed=1)

    counts = [max(len(data[i][1].labels) for i in range(20))]
    for is_on in (False, True):
        data.begin(0, 64, use_mosaic=is_on)
        counts.append(max(len(data[i][1].labels) for i in range(20)))

    assert counts[0] > 1
    assert counts == [counts[0], 1, counts[0]]


def sample(count: int, size: int = 32) -> tuple[torch.Tensor, Sample]:
    """An image with so many faces."""
    image = np.full((size, size, 3), count, np.uint8)
    boxes = np.arange(4 * count, dtype=np.float32).reshape(-1, 4)
    made = Sample(image, boxes, np.arange(count) % 3, np.ones(count, np.bool_))
    return torch.from_numpy(image).permute(2, 0, 1), made


def test_a_batch_is_padded_to_its_most_faces() -> None:
    """Faces keep their order; padding is marked as absent; images stay bytes, channels last in memory."""
    images, targets = collate([sample(0), sample(3), sample(1)])

    assert (images.shape, images.dtype) == ((3, 3, 32, 32), torch.uint8)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images[:, 0, 0, 0].tolist() == [0, 3, 1]
    assert targets.is_present.tolist() == [[False] * 3, [True] * 3, [True, False, False]]
    assert targets.is_two_class.tolist() == targets.is_present.tolist()
    assert targets.labels.tolist() == [[0, 0, 0], [0, 1, 2], [0, 0, 0]]
    assert targets.boxes[1].tolist() == sample(3)[1].boxes.tolist()
    assert targets.boxes[2].tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_batch_without_faces_has_room_for_one() -> None:
    """Nobody in any picture still gives tensors that the loss can work on."""
    _, targets = collate([sample(0), sample(0)])

    assert targets.boxes.shape == (2, 1, 4)
    assert not targets.is_present.any()


def test_a_file_without_pictures_is_an_error(tmp_path: Path) -> None:
    """Nothing can be trained, calibrated or measured on it."""
    path = tmp_path / "none.json"
    path.write_text('{"images": [], "annotations": [], "categories": []}')

    with pytest.raises(InputError, match=r"none\.json lists no picture"):
        load_coco(path)


@pytest.mark.parametrize("width", [float("nan"), float("inf"), -1e40], ids=str)
def test_a_box_without_a_place_is_named(tmp_path: Path, width: float) -> None:
    """No picture could be varied or made harder with it, and no loss would be a number."""
    path = save(tmp_path, annotations=[{"image_id": 9, "category_id": 3, "bbox": [1, 2, width, 4]}])

    with pytest.raises(InputError, match=r"annotations\.json: a box of c\.png is in no place .*\.check\.$"):
        load_coco(path)
