"""Hold our COCO form to being read as it was written, and to plain words about what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.errors import InputError, OutputError
from pi_mask.types import BoundingBox, MaskLabel
from training.annotations import AnnotatedImage, Face, read_annotations, write_annotations, write_text
from training.exif import orientation, swaps_sides, turned

ENTRY = {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}
CATEGORIES = [{"id": 5, "name": "incorrect"}]


def save(path: Path, **parts: object) -> Path:
    """Write a COCO file."""
    content = {"images": [ENTRY], "annotations": [], "categories": CATEGORIES, **parts}
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Pictures, faces, regions to ignore, sources, groups and origins survive."""
    faces = (
        Face(BoundingBox(1.5, 2.25, 30, 40), MaskLabel.INCORRECT),
        Face(BoundingBox(0, 0, 5, 5), None),
        Face(BoundingBox(50, 10, 70, 30), MaskLabel.WITHOUT_MASK),
    )
    images = [
        AnnotatedImage("a.jpg", 100, 80, faces, "hall", "hall/clip7", False, "Foto ä.JPG"),
        AnnotatedImage("b.jpg", 64, 48, (), "drawn", "b.jpg", True),
    ]
    path = tmp_path / "deep" / "train.json"

    write_annotations(path, images)

    assert read_annotations(path) == images
    assert [entry.name for entry in path.parent.iterdir()] == ["train.json"]


def test_only_name_and_box_are_needed(tmp_path: Path) -> None:
    """A plain COCO file is read: no source, a group of its own, a size of 0 where none is stated."""
    path = save(
        tmp_path / "a.json",
        images=[{"id": "x", "file_name": "a.jpg"}],
        annotations=[{"image_id": "x", "category_id": 5, "bbox": [1, 2, 3, 4]}],
    )

    face = Face(BoundingBox(1, 2, 4, 6), MaskLabel.INCORRECT)
    assert read_annotations(path) == [AnnotatedImage("a.jpg", 0, 0, (face,), "", "a.jpg")]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"categories": [{"id": 1, "name": "mask"}]}, r"categories \['mask'\] are none of .*--map"),
        ({"categories": 3}, "is no COCO detection file of this form"),
        ({"images": [{"id": 1}]}, r"is no COCO detection file of this form \(KeyError: 'file_name'\)"),
        ({"images": [ENTRY, ENTRY]}, "a picture's id occurs twice"),
        (
            {"annotations": [{"image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}]},
            "annotations of the unlisted picture 7",
        ),
        ({"annotations": [{"image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]}]}, "KeyError: 9"),
        ({"annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 3]}]}, "ValueError: not enough"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, parts: dict[str, object], message: str) -> None:
    """A file of another form is one line that names it."""
    path = save(tmp_path / "a.json", **parts)

    with pytest.raises(InputError, match=message) as caught:
        read_annotations(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [', r"a\.json is no whole JSON"),
        (b'{"a":\n"\xe4"}', r"a\.json, line 2: no UTF-8 text"),
        (b"[" * 100_000, r"a\.json is no whole JSON"),
        (None, r"a\.json cannot be read: No such file"),
    ],
    ids=["truncated", "latin-1", "deep", "missing"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    """Truncated, in another encoding, or not there: one line."""
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=message):
        read_annotations(path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """The error names the file, and no half of it stays behind."""
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)

    with pytest.raises(OutputError, match="folder cannot be written"):
        write_text(path, "text")

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder"]


BOXES = st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(50, 100)] * 2).map(lambda v: BoundingBox(*v))


@given(BOXES, st.integers(1, 8))
def test_turning_keeps_a_box_within_its_picture(box: BoundingBox, value: int) -> None:
    """In the upright picture the box has the same area, its sides swapped where the picture's are."""
    width, height = 120.0, 100.0
    upright = (height, width) if swaps_sides(value) else (width, height)

    found = turned(box, value, width, height)

    sides = (box.height, box.width) if swaps_sides(value) else (box.width, box.height)
    assert (found.width, found.height) == pytest.approx(sides)
    assert min(found.xmin, found.ymin) >= 0
    assert (found.xmax, found.ymax) <= (upright[0] + 1e-9, 1e9)
    assert found.ymax <= upright[1] + 1e-9


@pytest.mark.parametrize(
    ("tiff", "expected"),
    [
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 6),
        (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 8),
        (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x2a\0\0\0", 1),
        (b"II*\0\x08\0\0\0\x09\0\x12", 1),
        (b"??", 1),
    ],
    ids=["little-endian", "big-endian", "no such value", "truncated", "no TIFF"],
)
def test_orientation_is_read_in_either_byte_order(tmp_path: Path, tiff: bytes, expected: int) -> None:
    """What makes no sense counts as upright."""
    assert orientation(b"\xff\xd8\xff\xe1\0\0Exif\0\0" + tiff) == expected
    assert orientation(b"\xff\xd8 no EXIF") == 1
