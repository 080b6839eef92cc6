"""Hold boxes to where their faces are, however the picture was stored, and damaged ones to an error."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.importers.handmade import Box, coco, picture, run, text


def test_head_boxes_become_face_boxes(tmp_path: Path, output: Path) -> None:
    """Insets are fractions of the box's width and height: left, top, right, bottom."""
    picture(tmp_path / "in" / "a.jpg")
    source = coco(tmp_path / "in" / "all.json", [("with_mask", (10, 20, 40, 50))])

    imported = run(output, "coco", source, "--inset", "0.1,0.3,0.2,-0.1")

    assert imported.boxes == [[("with_mask", (14, 35, 42, 75))]]


def test_large_pictures_are_scaled_with_their_boxes(tmp_path: Path, output: Path) -> None:
    """The longer side is at most what was asked for; small pictures stay as they are."""
    picture(tmp_path / "in" / "a.jpg", (400, 200))
    source = coco(tmp_path / "in" / "all.json", [("with_mask", (100, 40, 80, 60))])
    source.write_text(source.read_text().replace('"width": 100, "height": 80', '"width": 400, "height": 200'))

    imported = run(output, "coco", source, "--long-side", "100")

    assert [(image.width, image.height) for image in imported.images] == [(100, 50)]
    assert imported.boxes == [[("with_mask", (25, 10, 45, 25))]]
    written = cv2.imread(str(output.parent / "images" / "all_00000.jpg"))
    assert written is not None
    assert written.shape == (50, 100, 3)


def with_orientation(path: Path, value: int) -> None:
    """Put an EXIF orientation (EXIF 2.32: one entry) into a JPEG's segment, a PNG's or a WebP's chunk."""
    tiff = b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([value, 0, 0, 0]) + b"\0" * 4
    data = path.read_bytes()
    match path.suffix:
        case ".jpg":
            segment = b"Exif\0\0" + tiff
            data = data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
        case ".png":  # the header is 33 bytes long
            chunk = b"eXIf" + tiff
            check = zlib.crc32(chunk).to_bytes(4, "big")
            data = data[:33] + len(tiff).to_bytes(4, "big") + chunk + check + data[33:]
        case ".webp":  # 100 × 80 in its extended form
            extended = b"VP8X\x0a\0\0\0\x08\0\0\0" + b"\x63\0\0\x4f\0\0"
            body = b"WEBP" + extended + data[12:] + b"EXIF" + len(tiff).to_bytes(4, "little") + tiff
            data = b"RIFF" + len(body).to_bytes(4, "little") + body
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_drawn_on_the_stored_picture_are_turned_with_it(
    tmp_path: Path, output: Path, orientation: int, suffix: str
) -> None:
    """Where the annotation's size is the stored picture's, boxes follow the picture set upright."""
    image = np.full((80, 100, 3), 128, np.uint8)
    image[20:60, 10:40] = (0, 0, 255)
    path = picture(tmp_path / "in" / f"a{suffix}")
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    with_orientation(path, orientation)
    source = coco(tmp_path / "in" / "all.json", [("with_mask", (10, 20, 30, 40))])
    is_ambiguous = orientation in {2, 3, 4}  # the size is the same either way: boxes are taken as upright

    imported = run(output, "coco", source)

    assert imported.code == 0, imported.err
    written = cv2.imread(str(output.parent / "images" / "all_00000.jpg"))
    assert written is not None
    if suffix == ".jpg":  # an old OpenCV turns no other kind
        assert written.shape[:2] == ((100, 80) if orientation >= 5 else (80, 100))
    red = np.argwhere((written[..., 2] > 180) & (written[..., 0] < 80))
    (ymin, xmin), (ymax, xmax) = red.min(0), red.max(0) + 1
    box = imported.images[0].faces[0].box
    if is_ambiguous:
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == (10, 20, 40, 60)
    else:
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx((xmin, ymin, xmax, ymax), abs=2)


def test_a_box_over_the_edge_is_clipped_and_one_outside_is_an_error(tmp_path: Path, output: Path) -> None:
    """Half outside is the picture's edge; more is the wrong picture, named by file and annotation."""
    picture(tmp_path / "in" / "a.jpg")
    edge = coco(tmp_path / "in" / "edge.json", [("with_mask", (-10, 20, 30, 40))])
    outside = coco(tmp_path / "in" / "outside.json", [("with_mask", (90, 20, 30, 40))])

    clipped = run(output, "coco", edge)
    refused = run(output.parent / "val.json", "coco", outside)

    assert clipped.boxes == [[("with_mask", (0, 20, 20, 60))]]
    assert refused.code == 1
    assert (
        f"{outside}, annotation 0 of a.jpg: the box from 90, 20 to 120, 60 is mostly outside" in refused.err
    )


BROKEN = {
    "an empty box": ([("with_mask", (10, 20, 0, 40))], "annotation 0 of a.jpg: a box of 0×40 pixels"),
    "fractions": ([("with_mask", (0.1, 0.2, 0.3, 0.4))], "annotation 0 of a.jpg: a box of fractions"),
    "no number": ([("with_mask", (10, 20, "x", 40))], "annotation 0 of a.jpg: 'x' is no finite number"),
    "too few numbers": ([("with_mask", (10, 20, 30))], "annotation 0 of a.jpg: a box of 3 numbers"),
}


@pytest.mark.parametrize(("faces", "message"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_box_ends_the_import_with_nothing_written(
    tmp_path: Path, output: Path, faces: list[tuple[str, Box]], message: str
) -> None:
    """One line names file and entry, exit code 1, and the output's folder is not even made."""
    picture(tmp_path / "in" / "a.jpg")
    source = coco(tmp_path / "in" / "all.json", faces)

    imported = run(output, "coco", source)

    assert (imported.code, imported.err.count("\n")) == (1, 1)
    assert f"{source}, {message}" in imported.err
    assert imported.err.endswith("Or leave such pictures out: --skip-damaged.\n")
    assert not output.parent.exists()


def test_a_speck_in_the_corner_is_no_box_in_other_units(tmp_path: Path, output: Path) -> None:
    """Where fractions are due, a box within the first pixel is a face too small to keep, as elsewhere."""
    picture(tmp_path / "in" / "a.jpg", (400, 200))
    text(tmp_path / "in" / "a.txt", "0 0.001 0.002 0.001 0.002", "0 0.5 0.5 0.1 0.2")

    imported = run(output, "yolo", tmp_path / "in", "--map", "0=with_mask")

    assert imported.boxes == [[("with_mask", (180, 80, 220, 120))]]
    assert "1 faces are smaller than a pixel and were left out." in imported.err


@pytest.mark.parametrize(
    ("stated", "code"), [((100, 80), 0), ((0, 0), 0), ((80, 100), 1), ((200, 160), 1)], ids=str
)
def test_boxes_for_a_picture_of_another_size_are_refused(
    tmp_path: Path, output: Path, stated: tuple[int, int], code: int
) -> None:
    """Also one with its sides swapped, where no EXIF data turns it; 0 × 0 says nothing."""
    picture(tmp_path / "in" / "a.jpg")
    size = dict(zip(("width", "height"), stated, strict=True))
    entry = {"id": 4, "file_name": "a.jpg", **size}
    source = coco(tmp_path / "in" / "all.json", [("with_mask", (10, 20, 30, 40))], images=[entry])

    imported = run(output, "coco", source)

    assert imported.code == code
    assert ("boxes are for a picture of {}×{}".format(*stated) in imported.err) == bool(code)
