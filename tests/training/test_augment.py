"""Hold the augmentation to boxes that follow the pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from training.augment import AugmentConfig, Augmenter, Sample, photometric
from training.hard_cases import HardCaseConfig
from training.loss import IGNORED

SIZE = 128
NOTHING_DRAWN = HardCaseConfig(**dict.fromkeys((each.name for each in fields(HardCaseConfig)), 0.0))
GEOMETRY = AugmentConfig(
    grey=0, colour=0, blur=0, noise=0, dark=0, backlight=0, jpeg=0, fill=0, hard=NOTHING_DRAWN
)
"""Only what moves pixels, on black."""


def ellipses(boxes: Sequence[tuple[int, int, int, int]], size: tuple[int, int] = (200, 160)) -> Sample:
    """A black picture (width, height) with a white ellipse in each box."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for xmin, ymin, xmax, ymax in boxes:
        # Sixteenths of a pixel; OpenCV's coordinates are those of pixel centres.
        middle = round(((xmin + xmax) / 2 - 0.5) * 16), round(((ymin + ymax) / 2 - 0.5) * 16)
        radii = (xmax - xmin) * 8, (ymax - ymin) * 8
        cv2.ellipse(image, middle, radii, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA, 4)
    count = len(boxes)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return Sample(image, corners, np.zeros(count, np.int64), np.zeros(count, np.bool_))


def white(image: NDArray[np.uint8]) -> list[float]:
    """The box around what is more white than black."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def generator(seed: int) -> Generator:
    """The same numbers for the same seed."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize("rotate", [0.0, 1.0], ids=["upright", "tilted"])
def test_boxes_enclose_the_pixels_that_they_did_before(rotate: float) -> None:
    """Scaled, shifted, tilted, mirrored: each whole face's box fits its ellipse to within 2 pixels."""
    augmenter = Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, rotate=rotate))
    checked = 0
    for seed in range(60):
        made = augmenter([ellipses([(70, 40, 130, 120)])], generator(seed))
        if len(made.boxes) and made.boxes.min() > 1 and made.boxes.max() < SIZE - 1:
            checked += 1
            assert made.boxes[0].tolist() == pytest.approx(white(made.image), abs=2)
    assert checked > 15


def test_shrinking_moves_no_box() -> None:
    """A narrow picture has a whole number of columns once it is shrunk: its boxes fit to within a pixel."""
    augmenter = Augmenter(256, replace(GEOMETRY, mosaic=0.0, rotate=0.0, scale=(0.5, 1.0)))
    for seed in range(20):
        made = augmenter([ellipses([(4, 610, 56, 690)], (60, 700))], generator(seed))
        assert made.boxes[0].tolist() == pytest.approx(white(made.image), abs=1)


def test_shrunk_pictures_are_as_sharp_as_the_detectors() -> None:
    """Areas are averaged, as before the network at the door: no pixel is skipped and nothing is blurred."""
    grain = generator(0).integers(0, 256, (512, 512, 3), np.uint8)
    nobody = Sample(grain, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))

    made = Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, rotate=0.0, scale=(1.0, 1.0)))(
        [nobody], generator(0)
    )

    seen = cv2.resize(grain, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert made.image.std() == pytest.approx(np.std(seen), rel=0.3)


@pytest.mark.parametrize(
    ("case", "least", "most"),
    # A face of 60 × 80 in 200 × 160 px is 51 px high where the picture just fits.
    [("big_face", 0.44 * SIZE, SIZE), ("far", 0.25 * 51, 0.5 * 51 + 1)],
)
def test_people_stand_before_the_lens_and_far_off(case: str, least: float, most: float) -> None:
    """One face fills half of the input or more, but for what is cut; or all are small."""
    hard = replace(NOTHING_DRAWN, **{case: 1.0})
    augmenter = Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, rotate=0.0, hard=hard))
    for seed in range(30):
        made = augmenter([ellipses([(70, 40, 130, 120)])], generator(seed))
        assert least <= (made.boxes[0, 2:] - made.boxes[0, :2]).max() <= most


@pytest.mark.parametrize("case", ["big_face", "far"])
def test_no_picture_is_drawn_around_a_region_to_ignore(case: str) -> None:
    """A crowd beside a face changes nothing of the view that is chosen: only faces teach."""
    augmenter = Augmenter(SIZE, replace(GEOMETRY, hard=replace(NOTHING_DRAWN, **{case: 1.0})))
    alone, both = ellipses([(70, 40, 130, 120)]), ellipses([(0, 0, 30, 160), (70, 40, 130, 120)])
    beside = replace(both, labels=np.array([IGNORED, 0]))
    for seed in range(20):
        views = [augmenter._view(each, 1.0, SIZE, generator(seed)) for each in (alone, beside)]
        assert (views[0][0], views[0][1].tolist()) == (views[1][0], views[1][1].tolist())


def test_faces_are_hidden_in_what_is_made_of_them() -> None:
    """Part of each is gone, whether it is mirrored then or not; where it was and its label stay."""
    for seed in range(10):
        plain, made = (
            Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, hard=replace(NOTHING_DRAWN, hidden=hidden)))(
                [ellipses([(70, 40, 130, 120)])], generator(seed)
            )
            for hidden in (0.0, 1.0)
        )
        both_ways = (plain.image, plain.image[:, ::-1])
        assert not any(np.array_equal(image, made.image) for image in both_ways)
        assert (len(made.boxes), made.labels.tolist()) == (len(plain.boxes), plain.labels.tolist())


def test_a_cut_face_ends_at_the_pictures_edge() -> None:
    """Boxes never reach beyond the picture, and what is visible of a face stays inside its box."""
    augmenter = Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, scale=(1.5, 3.0)))
    cut = 0
    for seed in range(40):
        made = augmenter([ellipses([(60, 30, 140, 130)])], generator(seed))
        if not len(made.boxes):
            continue
        box, pixels = made.boxes[0], white(made.image)
        cut += bool(box.min() == 0 or box.max() == SIZE)
        assert 0 <= box.min() <= box.max() <= SIZE
        assert (pixels[:2] >= box[:2] - 2).all()
        assert (pixels[2:] <= box[2:] + 2).all()
    assert cut > 10


def test_every_part_of_a_mosaic_keeps_its_faces() -> None:
    """Four pictures in one: each box has its own ellipse in it, and no ellipse is left without a box."""
    augmenter = Augmenter(SIZE, replace(GEOMETRY, mosaic=1.0, rotate=1.0))
    sample = ellipses([(70, 40, 130, 120)])
    for seed in range(20):
        made = augmenter([sample] * 4, generator(seed))

        painted = np.zeros((SIZE, SIZE), np.uint8)
        for box in made.boxes:
            xmin, ymin, xmax, ymax = np.round(box).astype(int)
            painted[max(0, ymin - 2) : ymax + 2, max(0, xmin - 2) : xmax + 2] = 1
        # What is visible to less than a twentieth has no box.
        assert (made.image[painted == 0, 0] > 127).sum() <= 0.05 * (made.image[..., 0] > 127).sum()


def test_mirroring_moves_boxes_with_the_pixels() -> None:
    """About half of the pictures are mirrored; the box is on the ellipse's side in all of them."""
    augmenter = Augmenter(SIZE, replace(GEOMETRY, mosaic=0.0, rotate=0.0, scale=(0.97, 0.98)))
    sides = []
    for seed in range(30):
        made = augmenter([ellipses([(10, 40, 60, 120)])], generator(seed))
        assert made.boxes[0].tolist() == pytest.approx(white(made.image), abs=2)
        sides.append(bool(made.boxes[0, 0] > SIZE / 2))
    assert 8 <= sum(sides) <= 22


def test_the_same_seed_makes_the_same_picture() -> None:
    """Pixels, boxes and labels depend on the generator alone, and the source stays as it was."""
    sample = ellipses([(20, 20, 80, 90), (100, 40, 150, 120)])
    before = sample.image.copy()
    augmenter = Augmenter(SIZE, AugmentConfig(fill=0))

    one, same, other = (augmenter([sample] * 4, generator(seed)) for seed in (3, 3, 4))

    assert np.array_equal(one.image, same.image)
    assert np.array_equal(one.boxes, same.boxes)
    assert np.array_equal(one.labels, same.labels)
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(sample.image, before)


ALWAYS = AugmentConfig(mosaic=0.5, grey=0.5, colour=1, blur=1, noise=1, dark=1, backlight=1, jpeg=1)
PICTURES = [(1, 1), (1, 4000), (4000, 1), (3, 2000), (2000, 3), (40_000, 2), (7, 5), (512, 384), (128, 128)]


@pytest.mark.parametrize("size", PICTURES, ids=str)
def test_any_picture_can_be_used(size: tuple[int, int]) -> None:
    """Pictures of any size and proportion give whole squares of bytes and boxes that are numbers."""
    width, height = size
    sample = ellipses([(0, 0, width, height)], size)
    for seed in range(8):
        made = Augmenter(SIZE, ALWAYS)([sample] * 4, generator(seed))

        assert (made.image.shape, made.image.dtype) == ((SIZE, SIZE, 3), np.uint8)
        assert made.image.flags.c_contiguous
        assert (made.boxes.dtype, made.labels.dtype) == (np.float32, np.int64)
        assert np.isfinite(made.boxes).all()
        assert len(made.boxes) == len(made.labels) == len(made.is_two_class)


def test_a_picture_without_faces_stays_without() -> None:
    """Nobody in the sources, nobody in what is made of them; shapes and types stay."""
    made = Augmenter(SIZE, ALWAYS)([ellipses([])] * 4, generator(0))

    assert (made.boxes.shape, made.boxes.dtype) == ((0, 4), np.float32)
    assert (made.labels.shape, made.labels.dtype) == ((0,), np.int64)


def test_no_face_is_too_small_to_learn() -> None:
    """Whatever is labelled as a face has at least 6 pixels on each side; no box is empty."""
    crowd = [(x, y, x + 12, y + 14) for x in range(0, 180, 20) for y in range(0, 140, 20)]
    for seed in range(30):
        made = Augmenter(SIZE, AugmentConfig())([ellipses(crowd)] * 4, generator(seed))

        sides = made.boxes[:, 2:] - made.boxes[:, :2]
        assert (sides > 0).all()
        assert (sides[made.labels >= 0] >= 6).all()
        assert set(made.labels.tolist()) <= {IGNORED, 0}


@pytest.mark.parametrize(
    ("box", "label"),
    [
        ((10, 10, 40, 50), 0),  # whole
        ((-20, 10, 40, 50), 0),  # two thirds
        ((-50, 10, 40, 50), IGNORED),  # four ninths
        ((-190, 10, 12, 50), IGNORED),  # 6 %
        ((-190, 10, 8, 50), -2),  # 4 %: out of view
        ((130, 10, 160, 50), -2),  # beside the picture
        ((10, 10, 15, 50), IGNORED),  # 5 pixels wide
        ((10, 10, 10, 50), -2),  # empty
    ],
)
def test_what_is_cut_or_small_is_neither_face_nor_background(
    box: tuple[float, float, float, float], label: int
) -> None:
    """Half of a face, 6 pixels wide, is a face; less is ignored; less than a twentieth is not there."""
    augmenter = Augmenter(SIZE, AugmentConfig())

    clipped, labels = augmenter._visible(np.array([box], np.float32), np.array([0]), SIZE, SIZE)

    assert labels.tolist() == [label]
    assert clipped.tolist() == [[min(max(side, 0), SIZE) for side in box]]


def test_a_region_to_ignore_stays_one() -> None:
    """What the annotation ignores is never turned into a face."""
    sample = replace(ellipses([(60, 30, 140, 130)]), labels=np.array([IGNORED]))
    for seed in range(10):
        made = Augmenter(SIZE, AugmentConfig())([sample] * 4, generator(seed))

        assert set(made.labels.tolist()) <= {IGNORED}


def test_what_is_left_of_a_large_region_is_one_still() -> None:
    """A hundredth of a crowd may fill a picture that is zoomed into it; only what is out of view goes."""
    crowd, elsewhere = (-10 * SIZE, -2 * SIZE, SIZE, SIZE), (-10 * SIZE, -2 * SIZE, -1, SIZE)
    boxes, labels = np.array([crowd, elsewhere], np.float32), np.array([IGNORED, IGNORED])

    clipped, left = Augmenter(SIZE, AugmentConfig())._visible(boxes, labels, SIZE, SIZE)

    assert left.tolist() == [IGNORED, -2]
    assert clipped[0].tolist() == [0, 0, SIZE, SIZE]


def test_a_crowd_is_cut_to_the_largest_faces() -> None:
    """Beyond max_faces the smallest are ignored, none is dropped."""
    sizes = range(10, 40, 3)
    boxes = [(5 + index, 5, 5 + index + size, 5 + size) for index, size in enumerate(sizes)]
    sample = ellipses(boxes)

    limited = Augmenter(SIZE, AugmentConfig(max_faces=4))._limit(sample)

    assert limited.labels.tolist() == [IGNORED] * 6 + [0] * 4
    assert np.array_equal(limited.boxes, sample.boxes)


def test_two_class_flags_stay_with_their_faces() -> None:
    """Each face keeps its label and its source's flag through a mosaic of different sources."""
    two = ellipses([(70, 40, 130, 120)])
    two = replace(two, is_two_class=np.ones(1, np.bool_), labels=np.array([1]))
    three = replace(ellipses([(60, 50, 120, 110)]), labels=np.array([2]))
    for seed in range(20):
        made = Augmenter(SIZE, AugmentConfig(mosaic=1.0))([two, three, two, three], generator(seed))

        faces = made.labels >= 0
        assert ((made.labels == 1) == made.is_two_class)[faces].all()


def coloured(**chances: float) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Mean colours of the red left and the green right of pictures that are varied in some ways only."""
    plain = np.full((40, 60, 3), (160, 60, 40), np.uint8)
    plain[:, 30:] = (50, 140, 70)
    for seed in range(20):
        made = photometric(plain, replace(GEOMETRY, **chances), generator(seed))
        yield made[:, :25].mean((0, 1)), made[:, 35:].mean((0, 1))


@pytest.mark.parametrize("way", ["blur", "noise", "jpeg"])
def test_what_spoils_a_picture_leaves_its_colours(way: str) -> None:
    """Lenses, sensors and codecs swap no channels, and shift no light."""
    for left, right in coloured(**{way: 1.0}):
        assert left == pytest.approx((160, 60, 40), abs=8)
        assert right == pytest.approx((50, 140, 70), abs=8)


def test_other_light_is_what_it_says() -> None:
    """Grey has no colour, dusk is darker, a bright door dims one side more than the other."""
    for left, right in coloured(grey=1.0):
        assert np.ptp(left) == np.ptp(right) == 0
    for left, right in coloured(dark=1.0):
        assert left[0] < 0.8 * 160
        assert right[1] < 0.8 * 140
    sides = [(left[0] / 160, right[1] / 140) for left, right in coloured(backlight=1.0)]
    assert {left < right for left, right in sides} == {True, False}
    assert all(max(each) > 1.3 * min(each) for each in sides)
