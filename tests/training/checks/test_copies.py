"""Hold the check of a data set to telling copies, groups and leaks between files apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pi_mask.types import BoundingBox, MaskLabel
from tests.training.checks.checking import run
from tests.training.checks.scenes import annotated, coco, face, save, scene, wall
from training.annotations import Face, read_annotations


def test_a_file_without_sizes_is_compared_by_its_pictures(tmp_path: Path) -> None:
    """A COCO file need not state width and height: boxes and copies are judged by the pictures' own."""
    for name in ("a.jpg", "b.jpg"):
        save(tmp_path, name, scene(1))
    labels = {"a.jpg": MaskLabel.WITH_MASK, "b.jpg": MaskLabel.INCORRECT}
    images = [annotated(name, face(label), group="g", size=(0, 0)) for name, label in labels.items()]

    assert run(coco(tmp_path, "train.json", *images)).findings == [
        ("same picture twice in a group", ["train.json: a.jpg", "train.json: b.jpg"]),
        ("copies differ in a label", ["train.json: a.jpg", "train.json: b.jpg"]),
    ]


def test_a_picture_in_both_files_is_an_error_that_names_the_pair(tmp_path: Path) -> None:
    """The same scene on both sides: exit code 1, both pictures named, and how to split again."""
    save(tmp_path, "a.jpg", scene(1))
    save(tmp_path, "b.jpg", np.ascontiguousarray(scene(1)[:, ::-1]), quality=40)
    save(tmp_path, "c.jpg", scene(2))
    train = coco(tmp_path, "train.json", annotated("a.jpg"), annotated("c.jpg"))
    val = coco(tmp_path, "val.json", annotated("b.jpg"))

    outcome = run(train, val)

    assert outcome.findings == [("near-duplicates in both files", ["train.json: a.jpg", "val.json: b.jpg"])]
    assert outcome.report["findings"][0]["detail"].endswith(", mirrored")
    assert (outcome.code, outcome.report["errors"]) == (1, 1)
    assert outcome.err == (
        "Error: 1 errors in the data. Correct them before training; where pictures are in both files, split "
        "them again: python -m training.split --help. If a fixed camera took them, with a group per person "
        "or visit, add --groups-decide.\n"
    )


def test_groups_may_decide_for_a_fixed_camera(tmp_path: Path) -> None:
    """Pictures of one wall leak by their looks, but by given groups they do not, if people say so."""
    images = read_annotations(wall(tmp_path, *"aabbcc"))
    files = [coco(tmp_path, "train.json", *images[:4]), coco(tmp_path, "val.json", *images[4:])]

    strict, told = run(*files), run(*files, "--groups-decide")

    assert (strict.code, strict.report["errors"]) == (1, 8)
    assert (told.code, told.err, told.report["errors"]) == (0, "", 0)
    assert {kind for kind, _ in told.findings} == {"copies differ in their faces"}  # of one group each
    assert told.report["near_duplicates"] == strict.report["near_duplicates"]


@pytest.mark.parametrize("group", ["", "hall/visits/4.jpg", "a"], ids=["none", "imported without", "same"])
def test_groups_that_nobody_gave_decide_nothing(tmp_path: Path, group: str) -> None:
    """A picture that stands alone, or is of the other's group, still leaks by its looks."""
    images = read_annotations(wall(tmp_path, "a", group))
    files = [coco(tmp_path, "train.json", images[0]), coco(tmp_path, "val.json", images[1])]

    found = run(*files, "--groups-decide")

    assert found.code == 1
    assert ("near-duplicates in both files", ["train.json: 0.jpg", "val.json: 1.jpg"]) in found.findings


def test_no_group_tells_a_picture_from_itself(tmp_path: Path) -> None:
    """The very same picture in two groups was imported twice."""
    for name in ("a.jpg", "b.jpg"):
        save(tmp_path, name, scene(1))
    train = coco(tmp_path, "train.json", annotated("a.jpg", group="a"))
    val = coco(tmp_path, "val.json", annotated("b.jpg", group="b"))

    found = run(train, val, "--groups-decide")

    assert (found.code, [kind for kind, _ in found.findings]) == (1, ["near-duplicates in both files"])


def test_a_group_in_both_files_is_an_error(tmp_path: Path) -> None:
    """Pictures of one person on both sides leak even where they look different."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    train = coco(tmp_path, "train.json", annotated("0.jpg", group="anna"), annotated("1.jpg"))
    val = coco(tmp_path, "val.json", annotated("2.jpg", group="anna"))

    outcome = run(train, val)

    assert (outcome.code, outcome.findings) == (
        1,
        [("group in both files", ["train.json: 0.jpg", "val.json: 2.jpg"])],
    )


def test_near_duplicates_of_one_file_belong_to_one_group(tmp_path: Path) -> None:
    """Within a file a copy is fine, but a later split must know: worth a look unless they share a group."""
    save(tmp_path, "a.jpg", scene(1))
    save(tmp_path, "b.jpg", scene(1), quality=60)
    apart = coco(tmp_path, "apart.json", annotated("a.jpg", source="x"), annotated("b.jpg", source="y"))
    together = coco(tmp_path, "together.json", *(annotated(name, group="g") for name in ("a.jpg", "b.jpg")))

    found = run(apart)

    assert (found.code, found.findings) == (
        0,
        [("near-duplicates in different groups", ["apart.json: a.jpg", "apart.json: b.jpg"])],
    )
    assert run(together).findings == []


@pytest.mark.parametrize("is_mirrored", [False, True], ids=["", "mirrored"])
def test_copies_that_are_annotated_differently_are_found(tmp_path: Path, is_mirrored: bool) -> None:
    """Of two copies of a picture, one at half the size, one label and one face differ."""
    large, small = scene(1, (320, 240)), scene(1)
    save(tmp_path, "a.jpg", large)
    save(tmp_path, "b.jpg", np.ascontiguousarray(small[:, ::-1]) if is_mirrored else small)
    mask, bare = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK
    first = annotated("a.jpg", face(mask, 20, 60), face(mask, 200, 60), size=(320, 240), group="g")
    copied = Face(BoundingBox(10, 10, 40, 46), bare)
    if is_mirrored:
        copied = Face(BoundingBox(120, 10, 150, 46), bare)

    outcome = run(coco(tmp_path, "train.json", first, annotated("b.jpg", copied, group="g")))

    both = ["train.json: a.jpg", "train.json: b.jpg"]
    assert outcome.findings == [("copies differ in their faces", both), ("copies differ in a label", both)]
    assert [finding["detail"] for finding in outcome.report["findings"]] == [
        "1 of 2 and 1 faces are in one copy only",
        "with_mask and without_mask at 20 20",
    ]


def test_pictures_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    """A picture without a group stands alone, whatever another folder's is called."""
    files = []
    for seed, name in enumerate(("train", "val"), 1):
        save(tmp_path / name, "0.jpg", scene(seed))
        files.append(coco(tmp_path / name, f"{name}.json", annotated("0.jpg")))

    assert (run(*files).code, run(*files).findings) == (0, [])


def test_the_same_picture_twice_in_a_group_is_worth_a_look(tmp_path: Path) -> None:
    """Frames of a film are alike; a collection that was imported twice is the same."""
    for name in ("a.jpg", "b.jpg"):
        save(tmp_path, name, scene(1))

    found = run(coco(tmp_path, "all.json", *(annotated(name, group="g") for name in ("a.jpg", "b.jpg"))))

    assert (found.code, found.findings) == (
        0,
        [("same picture twice in a group", ["all.json: a.jpg", "all.json: b.jpg"])],
    )
