"""Hold the reader of YOLO to choosing the right files, and to taking their classes as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from pi_mask.errors import InputError
from tests.training.importers.handmade import picture, read_all, run, text
from training.importers import yolo

MAPPED = ("--map", "mask=with_mask")


@pytest.mark.parametrize(
    ("name", "content"),
    [("classes.txt", "bare\nmask\n"), ("data.yaml", "names:\n  0: bare\n  1: mask\n")],
    ids=["list", "yaml mapping"],
)
def test_yolo_class_names(tmp_path: Path, name: str, content: str) -> None:
    """Names come from a list or a mapping; a class without a name keeps its number."""
    text(tmp_path / name, content)
    text(tmp_path / "a.txt", "1 0.5 0.5 0.1 0.1", "7 0.5 0.5 0.1 0.1")

    assert [face.label for face in read_all(yolo.read, tmp_path)[0].faces] == ["mask", "7"]
    with pytest.raises(InputError, match=r"a\.txt holds no list 'names'|a\.yaml, line|holds no list"):
        yolo.class_names(text(tmp_path / "other.yaml", "nc: 2"))


def test_yolo_takes_every_file_of_a_labels_folder(tmp_path: Path) -> None:
    """There "test.txt" is a picture's; "classes.txt" is where LabelImg writes the names."""
    for name in ("test", "notes"):
        picture(tmp_path / "images" / f"{name}.jpg")
        text(tmp_path / "labels" / f"{name}.txt", "0 0.25 0.5 0.3 0.5")
    text(tmp_path / "labels" / "classes.txt", "mask")
    text(tmp_path / "train.txt", "images/test.jpg")
    (tmp_path / "labels" / "._test.txt").write_bytes(b"\0\5\x16\7")

    below = run(tmp_path / "out" / "all.json", "yolo", tmp_path, *MAPPED)
    named = run(
        tmp_path / "o" / "a.json", "yolo", tmp_path / "labels", "--images", tmp_path / "images", *MAPPED
    )

    assert below.boxes == named.boxes == [[("with_mask", (10, 20, 40, 60))]] * 2


def test_yolo_takes_text_files_beside_their_pictures(tmp_path: Path) -> None:
    """Whatever they are called, and whether or not there is a folder of labels as well."""
    line = "0 0.25 0.5 0.3 0.5"
    picture(tmp_path / "both" / "a" / "images" / "p.jpg")
    text(tmp_path / "both" / "a" / "labels" / "p.txt", line)
    for path in (tmp_path / "both" / "b" / "q", tmp_path / "flat" / "test", tmp_path / "flat" / "Readme"):
        picture(path.with_suffix(".JPG"))
        text(path.with_suffix(".txt"), line)
    text(tmp_path / "both" / "b" / "notes.txt", "no label file")
    text(tmp_path / "flat" / "train.txt", "test.JPG")

    both = read_all(yolo.read, tmp_path / "both")
    flat = read_all(yolo.read, tmp_path / "flat")

    assert [(raw.names, len(raw.faces)) for raw in both] == [(("p",), 1), (("q",), 1)]
    assert [(raw.names, len(raw.faces)) for raw in flat] == [(("Readme",), 1), (("test",), 1)]


def test_yolo_polygons_of_seven_points(tmp_path: Path) -> None:
    """They have as many numbers as a box with landmarks, which no box of theirs would hold."""
    line = "0 0.1 0.2 0.2 0.1 0.3 0.1 0.4 0.2 0.4 0.5 0.3 0.6 0.2 0.6"

    (found,) = read_all(yolo.read, text(tmp_path / "a.txt", line))

    assert [face.box for face in found.faces] == [(0.1, 0.1, 0.4, 0.6)]
