"""Hold each annotation to its own picture, and each picture to its group."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.importers.handmade import picture, run, text

HEADER = "filename,class,xmin,ymin,xmax,ymax"


def table(folder: Path, *names: str) -> Path:
    """A table with one face in each of these pictures."""
    return text(folder / "table.csv", HEADER, *(f"{name},with_mask,10,20,40,60" for name in names))


def test_groups_come_from_names(tmp_path: Path, output: Path) -> None:
    """What the pattern's brackets hold is the group; a name that does not match stands alone."""
    rows = [f"{name},with_mask,10,20,40,60" for name in ("clip7_001.jpg", "clip7_002.jpg", "x.jpg")]
    for row in rows:
        picture(tmp_path / "in" / row.partition(",")[0])
    source = text(tmp_path / "in" / "table.csv", "filename,class,xmin,ymin,xmax,ymax", *rows)

    imported = run(output, "csv", source, "--group", "(clip[0-9]+)_", "--name", "hall", "--synthetic")

    found = [(image.group, image.is_synthetic) for image in imported.images]
    assert found == [("hall/clip7", True), ("hall/clip7", True), ("hall_00002.jpg", True)]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        ("(clip[0-9])/|(img[0-9])_", ["hall/clip1", "hall/clip2", "hall/img3"]),
        ("clip([0-9]*)", ["hall/1", "hall/2", "hall_00002.jpg"]),
        ("(x*)clip1/(0)", ["hall/0", "hall_00001.jpg", "hall_00002.jpg"]),
    ],
)
def test_groups_may_come_from_folders(tmp_path: Path, output: Path, pattern: str, groups: list[str]) -> None:
    """Any brackets that hold something count; else a picture stands alone, though its name occurs twice."""
    names = ("clip1/0.jpg", "clip2/0.jpg", "img3_7.jpg")
    for name in names:
        picture(tmp_path / "in" / name)

    imported = run(output, "csv", table(tmp_path / "in", *names), "--name", "hall", "--group", pattern)

    assert [image.group for image in imported.images] == groups


def test_two_annotations_of_one_picture_are_an_error(tmp_path: Path, output: Path) -> None:
    """Each would call the other's faces background; a file renamed without its annotation looks so too."""
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / "in" / name)
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    for name in ("1", "2"):
        text(
            tmp_path / "in" / f"{name}.xml",
            "<annotation><filename>1.jpg</filename>"
            f"<object><name>with_mask</name>{box}</object></annotation>",
        )

    imported = run(output, "voc", tmp_path / "in")

    assert (imported.code, imported.err.count("\n")) == (1, 1)
    second, first = tmp_path / "in" / "2.xml", tmp_path / "in" / "1.jpg"
    assert f"{second}: '1.jpg' is {first}, of which another annotation speaks already." in imported.err


def test_pictures_are_found_by_any_of_their_spellings(tmp_path: Path, output: Path) -> None:
    """Case, suffix, backslashes and decomposed accents may differ; folders decide between equal names."""
    for name in ("one/IMG 1.JPG", "two/img 1.png", "one/cafe\u0301.jpg"):
        picture(tmp_path / "in" / name)
    rows = [f"{name},with_mask,10,20,40,60" for name in ("two\\img 1.jpg", "café.jpeg", "one/img 1.jpg")]
    source = text(tmp_path / "in" / "table.csv", "filename,class,xmin,ymin,xmax,ymax", *rows)

    imported = run(output, "csv", source)

    assert [image.original for image in imported.images] == ["img 1.png", "cafe\u0301.jpg", "IMG 1.JPG"]


@pytest.mark.parametrize(
    ("name", "saved_as"), [("p.heic", "p.jpg"), ("p.heic", "p.heic.jpg"), ("p", "p.jpg")]
)
def test_a_picture_of_a_kind_that_is_not_read_is_named(
    tmp_path: Path, output: Path, name: str, saved_as: str
) -> None:
    """It is not called missing; saved as JPEG it is found under its old name too."""
    text(tmp_path / "in" / "p.HEIC", "as a telephone writes it")
    source = table(tmp_path / "in", name)

    alone = run(output, "csv", source)
    picture(tmp_path / "in" / saved_as)
    saved = run(output, "csv", source)

    assert (alone.code, alone.err) == (
        1,
        f"Error: {source}: {tmp_path / 'in' / 'p.HEIC'} is of a kind that is not read. "
        "Save it as JPEG or PNG. Or leave such pictures out: --skip-damaged.\n",
    )
    assert [image.original for image in saved.images] == [saved_as]


def test_jfif_is_jpeg(tmp_path: Path, output: Path) -> None:
    """Browsers on Windows save pictures under that suffix."""
    picture(tmp_path / "in" / "a.jpg").rename(tmp_path / "in" / "a.jfif")

    assert run(output, "csv", table(tmp_path / "in", "a.jfif")).code == 0


@pytest.mark.parametrize("name", ["/data/upload/7/a.jpg", "..\\media\\7\\a.jpg", "C:\\x\\7\\a.jpg"])
def test_paths_of_another_machine_are_found_by_their_end(tmp_path: Path, output: Path, name: str) -> None:
    """What agrees decides, as annotation tools write where a picture lay on their own machine."""
    for folder in ("7", "8"):
        picture(tmp_path / "in" / folder / "a.jpg")

    imported = run(output, "csv", table(tmp_path / "in", name), "--group", "(.*)/")

    assert [image.group for image in imported.images] == ["table/7"]


def test_folders_of_a_plain_name_must_agree(tmp_path: Path, output: Path) -> None:
    """A picture of that name in another folder is another picture."""
    picture(tmp_path / "in" / "val" / "a.jpg")

    imported = run(output, "csv", table(tmp_path / "in", "train/a.jpg"))

    assert imported.code == 1
    assert "picture 'train/a.jpg' is not in" in imported.err


def test_the_exact_name_comes_first(tmp_path: Path, output: Path) -> None:
    """Where two names differ in case only, each annotation gets its own picture."""
    for name in ("IMG1.jpg", "img1.jpg", "img1.png"):
        picture(tmp_path / "in" / name)

    imported = run(output, "csv", table(tmp_path / "in", "img1.jpg", "IMG1.jpg", "img1.png"))

    assert [image.original for image in imported.images] == ["img1.jpg", "IMG1.jpg", "img1.png"]


def test_two_pictures_of_one_name_are_not_guessed(tmp_path: Path, output: Path) -> None:
    """Where nothing decides between two pictures, both are named."""
    for name in ("one/a.jpg", "two/a.jpg"):
        picture(tmp_path / "in" / name)
    source = text(
        tmp_path / "in" / "t.csv", "filename,class,xmin,ymin,xmax,ymax", "a.jpg,with_mask,1,2,30,40"
    )

    imported = run(output, "csv", source)

    both = [str(tmp_path / "in" / name / "a.jpg") for name in ("one", "two")]
    assert imported.code == 1
    assert f"'a.jpg' may be {both[0]} or {both[1]}" in imported.err


def test_linked_folders_are_entered_once(tmp_path: Path, output: Path) -> None:
    """Pictures and annotations may lie on another disk; links in a circle end, and count nothing twice."""
    picture(tmp_path / "disk" / "deep" / "a.jpg")
    text(tmp_path / "disk" / "labels" / "a.txt", "0 0.25 0.5 0.3 0.5")
    picture(tmp_path / "in" / "own" / "b.jpg")
    for name, target in (("images", "disk/deep"), ("labels", "disk/labels"), ("a-loop", "in"), ("z", "disk")):
        (tmp_path / "in" / name).symlink_to(tmp_path / target, target_is_directory=True)
    (tmp_path / "in" / "gone").symlink_to(tmp_path / "nowhere")

    imported = run(output, "yolo", tmp_path / "in", "--map", "0=with_mask", "--unlabelled-are-empty")

    assert [(image.original, len(image.faces)) for image in imported.images] == [("a.jpg", 1), ("b.jpg", 0)]


def test_a_folder_that_lies_there_goes_before_links_to_it(tmp_path: Path, output: Path) -> None:
    """Annotations name it by its own path, whatever else leads to it."""
    picture(tmp_path / "in" / "b" / "a.jpg")
    (tmp_path / "in" / "a").symlink_to("b", target_is_directory=True)

    assert run(output, "csv", table(tmp_path / "in", "b/a.jpg")).code == 0
