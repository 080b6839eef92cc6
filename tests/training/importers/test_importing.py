"""Hold the import of any format to being right, whole or nothing, and plain about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.importers.handmade import Box, coco, picture, run, text
from training.importers.base import IGNORED
from training.importers.convert import DROPPED

ONE: Box = (10, 20, 30, 40)


def files(folder: Path) -> list[str]:
    """All files and folders below, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A COCO file with one picture and two of its faces."""
    picture(tmp_path / "in" / "a.jpg")
    return coco(tmp_path / "in" / "all.json", [("mask", ONE), ("bare", (50, 10, 20, 30))])


def test_the_result_is_summed_up(source: Path, output: Path) -> None:
    """The one line on standard output counts pictures and boxes."""
    imported = run(output, "coco", source, "--map", "mask=with_mask", "--map", "bare=without_mask")

    assert imported.out == (
        f"{output}: 1 pictures (0 without faces, 0 left out); "
        "boxes: 1 with_mask, 1 without_mask, 0 incorrect, 0 ignored\n"
    )
    assert (imported.code, imported.err) == (0, "")
    assert files(output.parent) == ["images", "images/all_00000.jpg", "train.json"]


def test_labels_without_a_meaning_are_named_all_at_once(source: Path, output: Path) -> None:
    """Every unknown label, how often and where first; exit code 2, nothing written, not even a folder."""
    imported = run(output, "coco", source)

    assert imported.code == 2
    assert imported.err == (
        f"Error: Labels without a meaning: 'mask' (1 boxes, first in {source}, annotation 0 of a.jpg), "
        f"'bare' (1 boxes, first in {source}, annotation 1 of a.jpg). Give each one with --map "
        "LABEL=MEANING; meanings are with_mask, without_mask, incorrect, ignore, drop.\n"
    )
    assert not output.parent.exists()


def test_labels_may_be_ignored_or_dropped(source: Path, output: Path) -> None:
    """An ignored box stays as a region that does not count; a dropped one is background."""
    imported = run(output, "coco", source, "--map", f"mask={IGNORED}", "--map", f"bare={DROPPED}")

    assert imported.boxes == [[("ignore", (10, 20, 40, 60))]]


def test_our_own_labels_need_no_map(tmp_path: Path, output: Path) -> None:
    """A collection that uses our names is imported as it is."""
    picture(tmp_path / "in" / "a.jpg")

    imported = run(output, "coco", coco(tmp_path / "in" / "all.json", [("incorrect", ONE)]))

    assert imported.boxes == [[("incorrect", (10, 20, 40, 60))]]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--map", "mask"), "--map mask is not LABEL=MEANING"),
        (("--map", "mask=yes"), "--map mask=yes is not LABEL=MEANING"),
        (("--inset", "0.1,0.2"), "--inset 0.1,0.2 is not four fractions"),
        (("--inset", "0.5,0,0.5,0"), "Insets of opposite sides must add up to a number below 1"),
        (("--inset", "nan,0,0,0"), "Insets of opposite sides must add up to a number below 1"),
        (("--group", "(clip"), "--group (clip is no regular expression"),
        (("--group", "clip"), "--group clip marks no part of the name"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    source: Path, output: Path, option: tuple[str, str], message: str
) -> None:
    """An option that makes no sense is a line that says how to write it, and exit code 2."""
    imported = run(output, "coco", source, *option)

    assert (imported.code, imported.err.count("\n")) == (2, 1)
    assert message in imported.err
    assert not output.parent.exists()


def two_pictures(folder: Path) -> Path:
    """A table of two pictures, of which only the first is there."""
    picture(folder / "a.jpg")
    return text(
        folder / "table.csv",
        "filename,class,xmin,ymin,xmax,ymax",
        "a.jpg,with_mask,10,20,40,60",
        "b.jpg,with_mask,10,20,40,60",
    )


def test_a_missing_picture_ends_the_import_with_nothing_written(tmp_path: Path, output: Path) -> None:
    """What was converted before the missing picture is gone again."""
    source = two_pictures(tmp_path / "in")

    imported = run(output, "csv", source)

    assert (imported.code, imported.err.count("\n")) == (1, 1)
    assert f"{source}: picture 'b.jpg' is not in {source.parent} or below" in imported.err
    assert not output.parent.exists()


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"], ids=["empty", "text", "cut"]
)
def test_a_damaged_picture_can_be_left_out(tmp_path: Path, output: Path, content: bytes) -> None:
    """With --skip-damaged the rest is imported and what was left out is listed."""
    source = two_pictures(tmp_path / "in")
    (tmp_path / "in" / "b.jpg").write_bytes(content)

    imported = run(output, "csv", source, "--skip-damaged")

    assert (imported.code, imported.boxes) == (0, [[("with_mask", (10, 20, 40, 60))]])
    assert imported.err.startswith(f"Left out: {tmp_path / 'in' / 'b.jpg'} is ")
    assert "1 left out" in imported.out


def test_pictures_without_annotation_are_counted_or_taken(tmp_path: Path, output: Path) -> None:
    """YOLO wants no text file where nobody is; whether that is so only their owner knows."""
    folder = tmp_path / "in"
    for name in ("a", "empty", "unseen"):
        picture(folder / f"{name}.jpg")
    text(folder / "a.txt", "0 0.25 0.5 0.3 0.5")
    text(folder / "classes.txt", "mask")
    options = ("yolo", folder, "--map", "mask=with_mask")

    left_out = run(output, *options)
    taken = run(tmp_path / "all" / "train.json", *options, "--unlabelled-are-empty")
    both = run(tmp_path / "no" / "train.json", *options, "--unlabelled-are-empty", "--skip-damaged")

    assert [len(boxes) for boxes in left_out.boxes] == [1]
    assert "2 pictures have no annotation and were left out." in left_out.err
    assert [len(boxes) for boxes in taken.boxes] == [1, 0, 0]
    assert "no annotation" not in taken.err
    assert both.code == 2


@pytest.mark.parametrize("name", ["coco", "csv", "fddb", "labelbox", "mafa", "widerface"])
def test_pictures_beside_a_list_are_not_taken_for_empty_ones(tmp_path: Path, output: Path, name: str) -> None:
    """They may be another part's or skipped by who labelled, with faces: a list has its empty ones itself."""
    picture(tmp_path / "in" / "of-val.jpg")

    imported = run(output, name, text(tmp_path / "in" / "train"), "--unlabelled-are-empty")

    assert imported.code == 2
    assert "Leave out --unlabelled-are-empty" in imported.err
    assert not output.exists()


def test_nothing_left_is_an_error(tmp_path: Path, output: Path) -> None:
    """An import that leaves everything out says what that was, and writes no file without pictures."""
    source = two_pictures(tmp_path / "in")
    (tmp_path / "in" / "a.jpg").write_bytes(b"")

    imported = run(output, "csv", source, "--skip-damaged")

    first, second, last = imported.err.splitlines()
    assert (imported.code, last) == (
        1,
        "Error: No picture was imported. Check the format's name, and what was left out.",
    )
    assert first == f"Left out: {tmp_path / 'in' / 'a.jpg'} is empty. Copy the file again."
    assert second.startswith(f"Left out: {source}: picture 'b.jpg' is not in ")
    assert not output.parent.exists()


def test_text_in_another_encoding_is_named_by_line(tmp_path: Path, output: Path) -> None:
    """A label file that is no UTF-8 is an error with its line; a byte order mark is none."""
    picture(tmp_path / "in" / "a.jpg")
    source = tmp_path / "in" / "table.csv"
    lines = "\ufefffilename,class,xmin,ymin,xmax,ymax\na.jpg,müll,10,20,40,60\n"
    source.write_bytes(lines.encode("latin-1", "ignore"))

    refused = run(output, "csv", source)
    source.write_bytes(lines.encode())
    taken = run(output, "csv", source, "--map", "müll=incorrect")

    assert refused.code == 1
    assert f"{source}, line 2: no UTF-8 text" in refused.err
    assert taken.boxes == [[("incorrect", (10, 20, 40, 60))]]


def test_an_import_adds_to_another(source: Path, output: Path) -> None:
    """--append keeps what is there and takes new names; without it an existing file is left alone."""
    pairs = ("--map", "mask=with_mask", "--map", "bare=without_mask")
    first = run(output, "coco", source, *pairs)

    again = run(output, "coco", source, *pairs)
    second = run(output, "coco", source, *pairs, "--append", "--name", "our hall")

    assert (again.code, again.images) == (2, first.images)
    assert "exists; use --append or another name" in again.err
    assert [(image.file_name, image.source) for image in second.images] == [
        ("all_00000.jpg", "all"),
        ("our-hall_00001.jpg", "our hall"),
    ]
    assert files(output.parent / "images") == ["all_00000.jpg", "our-hall_00001.jpg"]


def test_adding_that_fails_leaves_everything_as_it_was(tmp_path: Path, source: Path, output: Path) -> None:
    """Neither a picture nor an entry is added when one of the new pictures is missing."""
    run(output, "coco", source, "--map", "mask=with_mask", "--map", "bare=without_mask")
    before = {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()}

    imported = run(output, "csv", two_pictures(tmp_path / "more"), "--append")

    assert imported.code == 1
    assert {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()} == before
    assert files(output.parent) == ["images", "images/all_00000.jpg", "train.json"]


def test_a_file_where_the_output_folder_should_be(source: Path, tmp_path: Path) -> None:
    """An output below a file cannot be written: one line, exit code 1."""
    blocked = text(tmp_path / "file", "not a folder")
    pairs = ("--map", "mask=with_mask", "--map", "bare=without_mask")

    imported = run(blocked / "all.json", "coco", source, *pairs)

    assert (imported.code, imported.err) == (
        1,
        f"Error: {blocked} cannot be written: File exists. Choose another --output.\n",
    )


def test_a_blocked_picture_folder_leaves_nothing(source: Path, output: Path) -> None:
    """When the pictures cannot go to their place the COCO file is not written either."""
    text(output.parent / "images", "in the way")
    pairs = ("--map", "mask=with_mask", "--map", "bare=without_mask")

    imported = run(output, "coco", source, *pairs)

    assert (imported.code, imported.err.count("\n")) == (1, 1)
    assert files(output.parent) == ["images"]


def test_a_pattern_that_no_picture_matches_is_an_error(source: Path, output: Path) -> None:
    """A misspelt --group would let a split divide a film."""
    pairs = ("--map", "mask=with_mask", "--map", "bare=without_mask")

    imported = run(output, "coco", source, *pairs, "--group", "(film[0-9])")

    assert imported.code == 2
    assert f"--group (film[0-9]) is in no picture's path below {source.parent}, such as a.jpg" in imported.err
    assert not output.parent.exists()


def test_faces_that_become_smaller_than_a_pixel_are_left_out_and_counted(
    tmp_path: Path, output: Path
) -> None:
    """They would be empty boxes to every later stage."""
    picture(tmp_path / "in" / "a.jpg", (1024, 512))
    source = text(
        tmp_path / "in" / "t.csv",
        "filename,class,xmin,ymin,xmax,ymax",
        "a.jpg,with_mask,100,100,101,102",
        "a.jpg,incorrect,10,20,40,60",
    )

    imported = run(output, "csv", source)

    assert imported.boxes == [[("incorrect", (5, 10, 20, 30))]]
    assert imported.err == "1 faces are smaller than a pixel and were left out.\n"


def test_a_new_output_folder_is_gone_after_an_error_with_those_above(tmp_path: Path) -> None:
    """An import that fails leaves no empty folder."""
    source = two_pictures(tmp_path / "in")

    assert run(tmp_path / "new" / "deeper" / "all.json", "csv", source).code == 1
    assert files(tmp_path) == ["in", "in/a.jpg", "in/table.csv"]


def test_a_picture_of_another_size_is_refused(tmp_path: Path, output: Path) -> None:
    """Boxes for a picture of another size would be wrong: both sizes are named."""
    picture(tmp_path / "in" / "a.jpg", (50, 40))
    source = coco(tmp_path / "in" / "all.json", [("with_mask", (1, 2, 10, 10))])

    imported = run(output, "coco", source)

    assert imported.code == 1
    assert f"boxes are for a picture of 100×80, {tmp_path / 'in' / 'a.jpg'} has 50×40" in imported.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 4, "file_name": "a.jpg"}, {"id": 4, "file_name": "a.jpg"}]}, "id occurs twice"),
        ({"annotations": [{"image_id": 9}]}, "annotations belong to pictures not listed, first 9"),
        (
            {"annotations": [{"image_id": 4, "category_id": [1], "bbox": [1, 2, 3, 4]}]},
            "lacks a box or a cat",
        ),
        (
            {"images": [{"id": 4, "file_name": "a.jpg", "width": float("inf"), "height": 80}]},
            "inf is no fin",
        ),
        ({"annotations": [{"image_id": 4, "category_id": 0, "bbox": [1, 2, 3, 10**400]}]}, "is no finite"),
        ({"images": [{"id": 4}]}, "picture 4 has no file_name"),
        ({"images": 7}, "is no COCO detection file"),
    ],
)
def test_a_damaged_coco_file_is_refused(
    tmp_path: Path, output: Path, change: dict[str, object], message: str
) -> None:
    """What does not fit together is one line, not a traceback."""
    picture(tmp_path / "in" / "a.jpg")

    imported = run(output, "coco", coco(tmp_path / "in" / "all.json", [("with_mask", ONE)], **change))

    assert (imported.code, imported.err.count("\n")) == (1, 1)
    assert message in imported.err


def test_our_own_file_can_be_imported_again(source: Path, output: Path) -> None:
    """What was written is a plain COCO file that the importer reads: same faces, sources and groups."""
    first = run(output, "coco", source, "--map", "mask=ignore", "--map", "bare=incorrect", "--name", "hall")

    second = run(output.parent / "again" / "val.json", "coco", output)

    assert second.boxes == first.boxes == [[("ignore", (10, 20, 40, 60)), ("incorrect", (50, 10, 70, 40))]]
    assert [image.group for image in second.images] == [image.group for image in first.images]
    assert json.loads(output.read_text())["categories"][0] == {"id": 1, "name": "with_mask"}
