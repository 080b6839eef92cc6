"""Hold pictures without a group to standing alone on every way through split, import and check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pi_mask.types import MaskLabel
from tests.training.checks.scenes import annotated, coco, face, save, scene
from tests.training.importers.handmade import run
from training.check import check
from training.split import main as split


def handmade_set(folder: Path, first_scene: int) -> Path:
    """Ten pictures in our form, without groups, called as those of every other such set."""
    names = [f"{index:04}.jpg" for index in range(10)]
    for index, name in enumerate(names):
        save(folder, name, scene(first_scene + index))
    path = coco(folder, "all.json", *(annotated(name, face(MaskLabel.WITH_MASK)) for name in names))
    content = json.loads(path.read_text())
    for entry in content["images"]:
        entry.pop("group", None)
    path.write_text(json.dumps(content))
    return path


def test_sets_with_the_same_file_names_share_no_group(tmp_path: Path) -> None:
    """Each set is split, then all parts are put together: strangers are not taken for one person."""
    outputs = [tmp_path / "all" / name for name in ("train.json", "val.json")]
    for number in (1, 2):
        source = handmade_set(tmp_path / str(number), 10 * number)
        options = ("--share", "0.4", "--seed", str(number))
        assert CliRunner().invoke(split, [str(source), *options]).exit_code == 0
        for output in outputs:
            append = ["--append"] if number == 2 else []
            assert run(output, "coco", source.parent / output.name, *append).code == 0

    checked = check(outputs)

    assert len(checked.entries) == 20
    assert checked.findings == []


def test_options_go_before_what_the_file_says(tmp_path: Path, output: Path) -> None:
    """A name that is given replaces the file's; so does a group, in each picture that the pattern is in."""
    for number, name in enumerate(("film1_0.jpg", "b.jpg")):
        save(tmp_path, name, scene(number))
    own = [annotated(name, source="own", group="own/1") for name in ("film1_0.jpg", "b.jpg")]
    source = coco(tmp_path, "mine.json", *own)

    named = run(output, "coco", source, "--name", "hall", "--group", "(film[0-9]+)_")
    kept = run(output.parent / "kept" / "all.json", "coco", source)

    assert [(image.source, image.group) for image in named.images] == [
        ("hall", "hall/film1"),
        ("hall", "own/1"),
    ]
    assert [(image.source, image.group) for image in kept.images] == [("own", "own/1")] * 2


@pytest.mark.parametrize("group", [None, "", "a.jpg"], ids=["null", "empty", "its own name"])
def test_a_group_that_nobody_gave_is_none(tmp_path: Path, output: Path, group: str | None) -> None:
    """Null is no name; and a file name, which a split once wrote, joins nothing."""
    save(tmp_path, "a.jpg", scene(1))
    entry = {"id": 1, "file_name": "a.jpg", "source": None, "group": group, "original": None}
    content = {"images": [entry], "annotations": [], "categories": []}
    source = tmp_path / "mine.json"
    source.write_text(json.dumps(content))

    imported = run(output, "coco", source)
    (checked,) = check([source]).entries

    assert [(image.source, image.group) for image in imported.images] == [("mine", "mine_00000.jpg")]
    assert (checked.image.source, checked.image.group, checked.image.original) == ("", "a.jpg", "")
    assert "group" not in json.loads(output.read_text())["images"][0]
