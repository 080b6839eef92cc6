"""Hold the check of a data set, as a user runs it, to finding what is wrong and to saying so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pi_mask.types import BoundingBox, MaskLabel
from tests.training.checks.checking import run
from tests.training.checks.scenes import FACE, annotated, coco, face, save, scene
from training.annotations import Face
from training.check import main
from training.checks.counts import SIZES_PX, size_bin


def test_good_data_pass(tmp_path: Path) -> None:
    """Nothing wrong: exit code 0, no finding, and everything counted."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    ignored = Face(BoundingBox(100, 10, 120, 40), None)
    images = [
        annotated("0.jpg", FACE, face(MaskLabel.INCORRECT, 90), source="b", group="g"),
        annotated("1.jpg", ignored, source="a", group="g", is_synthetic=True),
        annotated("2.jpg", source="a"),
    ]

    outcome = run(coco(tmp_path, "train.json", *images))

    assert (outcome.code, outcome.err, outcome.findings) == (0, "", [])
    counts = outcome.report["files"]["train.json"]
    assert (counts["pictures"], counts["without_faces"], counts["synthetic"], counts["groups"]) == (
        3,
        1,
        1,
        2,
    )
    assert counts["faces"] == {"with_mask": 1, "without_mask": 0, "incorrect": 1, "ignore": 1}
    assert counts["sources"]["a"] == {
        **{"pictures": 2, "with_mask": 0, "without_mask": 0, "incorrect": 0},
        "ignore": 1,
    }
    assert counts["sizes_px"]["with_mask"]["32"] == counts["sizes_px"]["ignore"]["16"] == 1


BAD_BOXES = {
    "empty box": BoundingBox(20, 20, 20, 60),
    "box outside the picture": BoundingBox(120, 20, 170, 80),
    "box of an odd shape": BoundingBox(10, 10, 150, 40),
}


@pytest.mark.parametrize("kind", BAD_BOXES)
def test_boxes_that_cannot_be_right_are_found(tmp_path: Path, kind: str) -> None:
    """Empty boxes and boxes outside are errors; a very long one is worth a look."""
    save(tmp_path, "a.jpg", scene(1))
    bad = Face(BAD_BOXES[kind], MaskLabel.WITH_MASK)

    outcome = run(coco(tmp_path, "train.json", annotated("a.jpg", bad)))

    assert outcome.findings == [(kind, ["train.json: a.jpg"])]
    assert outcome.code == (0 if kind == "box of an odd shape" else 1)


def test_a_picture_that_cannot_be_read_leaves_the_others_their_names(tmp_path: Path) -> None:
    """The copies behind it in the list are the ones that are named."""
    for name in ("b.jpg", "c.jpg"):
        save(tmp_path, name, scene(1))
    save(tmp_path, "a.jpg", scene(2)).write_bytes(b"")

    outcome = run(coco(tmp_path, "train.json", *(annotated(name) for name in ("a.jpg", "b.jpg", "c.jpg"))))

    assert outcome.findings == [
        ("unreadable picture", ["train.json: a.jpg"]),
        ("near-duplicates in different groups", ["train.json: b.jpg", "train.json: c.jpg"]),
    ]


def test_each_file_is_counted_by_itself(tmp_path: Path) -> None:
    """Two parts have their own numbers of pictures and faces."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    train = coco(tmp_path, "train.json", annotated("0.jpg", FACE), annotated("1.jpg", FACE))
    val = coco(tmp_path, "val.json", annotated("2.jpg"))

    files = run(train, val).report["files"]

    assert {name: (counts["pictures"], counts["faces"]["with_mask"]) for name, counts in files.items()} == {
        "train.json": (2, 2),
        "val.json": (1, 0),
    }


def test_the_edge_and_rounding_are_no_error(tmp_path: Path) -> None:
    """A box that ends at the edge, or a pixel beyond, is right."""
    save(tmp_path, "a.jpg", scene(1))
    edge = Face(BoundingBox(110, 60, 160.9, 121), MaskLabel.WITH_MASK)

    assert run(coco(tmp_path, "train.json", annotated("a.jpg", edge))).findings == []


def test_the_same_box_twice_is_found(tmp_path: Path) -> None:
    """Two labels for one face are worth a look."""
    save(tmp_path, "a.jpg", scene(1))
    twice = annotated("a.jpg", FACE, Face(BoundingBox(20, 20, 60, 71), MaskLabel.WITHOUT_MASK))

    assert run(coco(tmp_path, "train.json", twice)).findings == [("same box twice", ["train.json: a.jpg"])]


def test_pictures_that_do_not_fit_are_found(tmp_path: Path) -> None:
    """Missing, damaged, of another size, on their side, listed twice: each an error of its own."""
    save(tmp_path, "size.jpg", scene(1, (200, 120)))
    save(tmp_path, "side.jpg", scene(2, (120, 160)))
    save(tmp_path, "twice.jpg", scene(3))
    save(tmp_path, "damaged.jpg", scene(4)).write_bytes(b"\xff\xd8\xff\xe0 cut")
    names = ("missing.jpg", "damaged.jpg", "size.jpg", "side.jpg", "twice.jpg", "twice.jpg")

    outcome = run(coco(tmp_path, "train.json", *map(annotated, names)))

    assert outcome.code == 1
    assert [finding for finding in outcome.findings if "near" not in finding[0]] == [
        ("picture listed twice", ["train.json: twice.jpg"]),
        ("unreadable picture", ["train.json: missing.jpg"]),
        ("unreadable picture", ["train.json: damaged.jpg"]),
        ("size differs from the annotation", ["train.json: size.jpg"]),
        ("sides swapped against the annotation", ["train.json: side.jpg"]),
    ]


def test_a_turned_picture_is_found(tmp_path: Path) -> None:
    """EXIF that turns a picture is worth a look: annotation tools differ in whether they heed it."""
    path = save(tmp_path, "a.jpg", scene(1))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])

    outcome = run(coco(tmp_path, "train.json", annotated("a.jpg", FACE)))

    assert (outcome.code, outcome.findings) == (0, [("EXIF orientation", ["train.json: a.jpg"])])
    assert outcome.report["findings"][0]["detail"].startswith("3: boxes must be those of the upright")


def test_a_long_list_says_how_to_see_the_rest(tmp_path: Path) -> None:
    """Nine alike boxes are 36 pairs: eight are shown, and no file is named that nobody asked for."""
    save(tmp_path, "a.jpg", scene(1))
    path = coco(tmp_path, "train.json", annotated("a.jpg", *[FACE] * 9))

    result = CliRunner().invoke(main, [str(path)])

    assert result.stdout.endswith("  and 28 more: --json lists them all\n")


def test_the_report_is_written_as_text_and_pictures(tmp_path: Path) -> None:
    """The folder holds text, JSON, charts and sheets that are PNG files of the promised contents."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    images = [annotated(f"{index}.jpg", face(label)) for index, label in enumerate(MaskLabel)]
    bad = annotated("missing.jpg", Face(BoundingBox(20, 20, 20, 20), MaskLabel.WITH_MASK))
    output = tmp_path / "report"

    outcome = run(coco(tmp_path, "train.json", *images, bad), "--output", output)

    assert outcome.code == 1
    names = ["charts.png", "faces-incorrect.png", "faces-with_mask.png", "faces-without_mask.png"]
    names += ["findings.png", "report.json", "report.txt", "sheet.png"]
    assert sorted(path.name for path in output.iterdir()) == names
    text = (output / "report.txt").read_text()
    assert "train.json: 4 pictures in 4 groups, 0 without faces, 0 synthetic" in text
    assert "ERROR: unreadable picture: 1\n  train.json: missing.jpg  (" in text
    assert json.loads((output / "report.json").read_text()) == outcome.report
    sheets = {name: cv2.imread(str(output / name)) for name in names if name.endswith("png")}
    assert all(sheet is not None for sheet in sheets.values())
    tile = sheets["faces-incorrect.png"][:180, :180]
    orange = (tile[..., 2] == 230) & (tile[..., 1] == 159) & (tile[..., 0] == 0)
    assert orange.sum() > 100  # the box is drawn in the label's colour
    assert sheets["sheet.png"].shape[1] == 4 * 180


def test_sheets_show_every_source(tmp_path: Path) -> None:
    """However large another source is, each has its pictures on the sheet."""
    images = [annotated(f"{index}.jpg", source="large" if index else "tiny") for index in range(9)]
    for index in range(9):
        save(tmp_path, f"{index}.jpg", scene(index) if index else np.full((120, 160, 3), 255, np.uint8))

    run(coco(tmp_path, "train.json", *images), "--output", tmp_path / "report", "--sheet", "2")

    sheet = cv2.imread(str(tmp_path / "report" / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] == 2 * 180
    whites = [(sheet[:120, left : left + 160] > 250).all() for left in (0, 180)]
    assert sorted(map(bool, whites)) == [False, True]


def test_the_text_is_for_people(tmp_path: Path) -> None:
    """Without --json the same is printed as a table and a list."""
    save(tmp_path, "a.jpg", scene(1))
    path = coco(tmp_path, "train.json", annotated("a.jpg", FACE))

    result = CliRunner().invoke(main, [str(path)])

    assert result.exit_code == 0
    assert "Near-duplicates: 0 pairs, 0 across sources, 0 mirrored" in result.stdout
    assert result.stdout.endswith("Nothing wrong was found.\n")


def test_a_damaged_coco_file_ends_the_check(tmp_path: Path) -> None:
    """One line, exit code 1; the same file twice is exit code 2."""
    path = tmp_path / "train.json"
    path.write_text('{"images": ')

    assert (run(path).code, run(path).err.count("\n")) == (1, 1)
    path = coco(tmp_path, "fine.json")
    assert (run(path, path).code, run(path, path).err) == (
        2,
        "Error: A file is named twice. Name each once.\n",
    )


def test_sizes_fall_into_the_bin_below_them() -> None:
    """A bin holds its lower end."""
    assert [size_bin(side) for side in (0, 15.9, 16, 255, 256, 1000)] == [0, 0, 16, 192, 256, 256]
    assert list(SIZES_PX) == sorted(SIZES_PX)


@pytest.mark.parametrize(
    "change", [{"images": [], "annotations": []}, {"images": [{"id": 0, "file_name": 7}]}]
)
def test_files_that_list_nothing_end_the_check(tmp_path: Path, change: dict[str, Any]) -> None:
    """No picture, or one without a name, is one line, also beside a file that lists some."""
    save(tmp_path, "a.jpg", scene(1))
    full, other = coco(tmp_path, "full.json", annotated("a.jpg")), tmp_path / "other.json"
    other.write_text(json.dumps({**json.loads(full.read_text()), "annotations": [], **change}))

    result = CliRunner().invoke(main, [str(full), str(other)])

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"Error: {other}")


def test_boxes_that_are_no_numbers_are_drawn_as_nothing(tmp_path: Path) -> None:
    """The report is written, and names them."""
    save(tmp_path, "a.jpg", scene(1))
    box = BoundingBox(float("nan"), 1, float("inf"), 20)
    file = coco(tmp_path, "all.json", annotated("a.jpg", Face(box, MaskLabel.INCORRECT)))

    outcome = run(file, "--output", tmp_path / "report")

    assert outcome.findings == [("empty box", ["all.json: a.jpg"])]
    assert (tmp_path / "report" / "faces-incorrect.png").exists()
