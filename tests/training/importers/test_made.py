"""Hold the importer to taking nothing for a collection's picture that a command of ours made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.training.importers.handmade import coco, picture, run, text
from training.check import main as check


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """YOLO: a picture with a face and one without annotation."""
    folder = tmp_path / "in"
    picture(folder / "images" / "a.jpg")
    picture(folder / "images" / "empty.jpg")
    text(folder / "labels" / "a.txt", "0 0.25 0.5 0.3 0.5")
    text(folder / "classes.txt", "with_mask")
    return folder


def test_copies_of_an_import_are_no_pictures_of_the_collection(collection: Path, tmp_path: Path) -> None:
    """Where an output lies among the pictures, its copies, with their faces, are no empty scenes."""
    text(collection / "settings.json", "[no JSON]")
    options = ("yolo", collection / "labels", "--images", collection / "images")
    first = run(collection / "all.json", *options)

    second = run(tmp_path / "again" / "all.json", *options, "--unlabelled-are-empty")

    assert first.err.startswith("1 pictures have no annotation")
    assert [(image.original, len(image.faces)) for image in second.images] == [("a.jpg", 1), ("empty.jpg", 0)]
    assert second.err == "1 pictures that an import copied there, or a check drew, were left out.\n"


def test_pictures_of_somebody_elses_coco_file_stay(collection: Path, output: Path) -> None:
    """A COCO file that no import wrote says nothing of what YOLO's files leave out."""
    entries = [{"id": 4, "file_name": "empty.jpg", "width": 100, "height": 80}]
    coco(collection / "theirs.json", [], images=entries)

    imported = run(output, "yolo", collection, "--unlabelled-are-empty")

    assert [image.original for image in imported.images] == ["a.jpg", "empty.jpg"]


def test_the_pictures_of_a_report_are_none_of_the_collection(collection: Path, output: Path) -> None:
    """Charts and contact sheets of training.check may lie below it."""
    first = run(output, "yolo", collection)
    picture(collection / "sheet.png")
    result = CliRunner().invoke(check, [str(output), "--output", str(collection / "report")])
    drawn = len(list((collection / "report").glob("*.png")))

    imported = run(output.parent / "two" / "all.json", "yolo", collection, "--unlabelled-are-empty")

    assert (first.code, result.exit_code) == (0, 0)
    assert drawn >= 3
    assert [image.original for image in imported.images] == ["a.jpg", "empty.jpg", "sheet.png"]
    assert imported.err.startswith(f"{drawn} pictures that an import copied there, or a check drew,")


@pytest.mark.parametrize("name", ["coco", "csv"])
def test_one_part_of_a_split_gets_no_advice_about_the_other(
    collection: Path, output: Path, name: str
) -> None:
    """What a file about many pictures does not list may be in another one, with faces."""
    source = coco(collection / "train.json", [("with_mask", (10, 20, 30, 40))])
    if name == "csv":
        source = text(collection / "t.csv", "file,class,xmin,ymin,xmax,ymax", "a.jpg,with_mask,10,20,40,60")

    imported = run(output, name, source, "--images", collection / "images")

    assert imported.err == "1 pictures have no annotation in SOURCE and were left out.\n"
    assert json.loads(output.read_text())["images"][0]["original"] == "a.jpg"
