"""Hold the search for near-duplicates to finding copies, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.training.checks.scenes import scene
from training.checks.near_duplicates import (
    MAX_DISTANCE,
    Fingerprint,
    connected,
    fingerprint,
    near_duplicates,
)

if TYPE_CHECKING:
    from pi_mask.types import Image


def jpeg(image: Image) -> Image:
    """Compress hard."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 15])
    decoded: Image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return decoded


def brighter(image: Image) -> Image:
    """Change light and contrast."""
    return np.clip(image.astype(np.float32) * 0.7 + 60, 0, 255).astype(np.uint8)


def with_mask(image: Image) -> Image:
    """Paste a white patch, as drawn masks are."""
    made = image.copy()
    made[60:90, 60:100] = 245
    return made


CHANGES = {
    "the same": lambda image: image,
    "compressed": jpeg,
    "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": brighter,
    "a pasted mask": with_mask,
    "a small crop": lambda image: np.ascontiguousarray(image[2:-2, 2:-2]),
}


@pytest.mark.parametrize("is_mirrored", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str, is_mirrored: bool) -> None:
    """A copy among strangers is found, mirrored or not, and nothing but the copy."""
    copy = CHANGES[change](scene(3))
    images = [scene(seed) for seed in range(12)]
    images.append(np.ascontiguousarray(copy[:, ::-1]) if is_mirrored else copy)

    pairs = near_duplicates([fingerprint(image) for image in images])

    assert [(pair.first, pair.second, pair.is_mirrored) for pair in pairs] == [(3, 12, is_mirrored)]
    assert change != "the same" or (pairs[0].distance, pairs[0].difference) == (0, pytest.approx(0, abs=1e-5))


@pytest.mark.parametrize("half", [scene(3), np.full((120, 160, 3), 200, np.uint8)], ids=["a scene", "flat"])
def test_a_symmetric_picture_has_copies_that_are_identical(half: Image) -> None:
    """A copy of a picture that is its own mirror image is the very same, not a mirrored one."""
    image = np.concatenate([half, half[:, ::-1]], axis=1)

    (pair,) = near_duplicates([fingerprint(image), fingerprint(image)])

    assert (pair.is_identical, pair.is_mirrored) == (True, False)


def test_the_better_of_two_likenesses_counts() -> None:
    """A mirrored copy of a nearly symmetric picture is a mirrored one, though it is alike as it stands."""
    image = np.concatenate([scene(3), scene(3)[:, ::-1]], axis=1)
    image[40:60, 20:40] = 255

    (pair,) = near_duplicates([fingerprint(image), fingerprint(np.ascontiguousarray(image[:, ::-1]))])

    assert (pair.is_mirrored, pair.difference) == (True, pytest.approx(0, abs=1e-5))


@pytest.mark.parametrize(
    ("distance", "difference", "is_found"),
    [(60, 0.27, True), (61, 0.0, False), (31, 0.29, False), (30, 0.59, True), (30, 0.61, False)],
)
def test_how_far_two_pictures_may_differ(distance: int, difference: float, is_found: bool) -> None:
    """By 60 of 256 bits and 0.28 of the thumbnails' deviation, or by 30 bits and 0.6."""
    one = fingerprint(scene(3))
    flips = np.where(np.arange(256) < distance, -1, 1).astype(np.float32)
    other = Fingerprint(one.signs * flips, -one.signs, one.thumbnail + np.float32(difference))

    found = near_duplicates([one, other])

    assert [(pair.distance, round(pair.difference, 4)) for pair in found] == [
        (distance, difference)
    ] * is_found


def test_flat_backgrounds_alone_are_no_copy() -> None:
    """Two people close by before the same white wall are two pictures, though their hashes are near."""
    images = []
    for seed in (6, 7):
        image = np.full((120, 160, 3), 250, np.uint8)
        image[10:, 35:125] = scene(seed, (90, 110))
        images.append(image)

    prints = [fingerprint(image) for image in images]
    assert (256 - prints[0].signs @ prints[1].signs) / 2 <= MAX_DISTANCE
    assert near_duplicates(prints) == []


def test_more_pictures_than_fit_a_chunk() -> None:
    """Pairs are found across the blocks that are compared at once."""
    prints = [fingerprint(scene(seed, (32, 24))) for seed in range(1100)]
    prints.append(prints[5])

    pairs = near_duplicates(prints)

    assert (5, 1100) in {(pair.first, pair.second) for pair in pairs}
    assert len(pairs) <= 3  # smooth noise of 48 patches may be alike by chance


def test_nothing_to_compare() -> None:
    """No pictures, no pairs."""
    assert near_duplicates([]) == []


def test_links_are_followed() -> None:
    """What is linked by way of others is one set."""
    roots = connected(6, [(0, 1), (3, 4), (4, 1)])

    assert len({roots[index] for index in (0, 1, 3, 4)}) == 1
    assert len(set(roots)) == 3
