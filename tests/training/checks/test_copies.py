"""Hold the check of a data set to telling copies, groups and leaks between files apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pi_mask.types import BoundingBox, MaskLabel
from tests.training.checks.checking import run
from tests.training.checks.scenes import FACE, annotated, coco, face, save, scene, wall
from training.annotations import Face, read_annotations

BARE = MaskLabel.WITHOUT_MASK


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
    train = coco(tmp_path, "train.json", *(annotated(f"{i}.jpg", group="anna") for i in (0, 1)))
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


def half_as_large(is_mirrored: bool, *boxes: tuple[float, float, float, float]) -> list[BoundingBox]:
    """What boxes in a picture of 320 × 240 are in its copy of 160 × 120."""
    halves = [BoundingBox(*(side / 2 for side in box)) for box in boxes]
    if not is_mirrored:
        return halves
    return [BoundingBox(160 - box.xmax, box.ymin, 160 - box.xmin, box.ymax) for box in halves]


@pytest.mark.parametrize("is_mirrored", [False, True], ids=["", "mirrored"])
def test_copies_of_two_sizes_agree_wherever_their_faces_are(tmp_path: Path, is_mirrored: bool) -> None:
    """A small face in each corner is carried to its place; regions to ignore and tiny faces may differ."""
    large, small = scene(1, (320, 240)), scene(1)
    save(tmp_path, "a.jpg", large)
    save(tmp_path, "b.jpg", np.ascontiguousarray(small[:, ::-1]) if is_mirrored else small)
    corners = [(4.0, 4.0), (290.0, 4.0), (4.0, 210.0), (280.0, 200.0)]
    boxes = [(x, y, x + 20, y + 24) for x, y in corners]
    labels = [*MaskLabel, MaskLabel.WITH_MASK]
    faces = [Face(BoundingBox(*box), label) for box, label in zip(boxes, labels, strict=True)]
    carried = zip(half_as_large(is_mirrored, *boxes), labels, strict=True)
    region, tiny = Face(BoundingBox(100, 100, 200, 200), None), Face(BoundingBox(150, 20, 165, 60), BARE)
    first = annotated("a.jpg", *faces, region, tiny, size=(320, 240), group="g")
    second = annotated("b.jpg", *(Face(*each) for each in carried), group="g")

    assert run(coco(tmp_path, "train.json", first, second)).findings == []
    assert run(coco(tmp_path, "train.json", second, first)).findings == []


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((0, 120), (0, 160)), ((2, 117), (0, 160)), ((0, 117), (0, 156))],
    ids=["pasted", "cropped, as its shape tells", "cropped, as its looks tell"],
)
def test_only_copies_of_the_whole_picture_are_held_against_each_other(
    tmp_path: Path, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    """A pasted mask is another label, and in a crop a face is elsewhere: neither is a mistake."""
    save(tmp_path, "a.jpg", scene(1))
    part = scene(1)[slice(*rows), slice(*columns)]
    save(tmp_path, "b.jpg", part)
    size = (part.shape[1], part.shape[0])
    is_pasted = size == (160, 120)
    second = annotated("b.jpg", face(BARE, 70), size=size, group="g", is_synthetic=is_pasted)

    found = run(coco(tmp_path, "train.json", annotated("a.jpg", FACE, group="g"), second))

    assert not [kind for kind, _ in found.findings if kind.startswith("copies differ")]
    assert len(found.report["near_duplicates"]) == 1


@pytest.mark.parametrize("is_mirrored", [False, True], ids=["", "mirrored"])
def test_copies_that_are_annotated_differently_are_found(tmp_path: Path, is_mirrored: bool) -> None:
    """Of two copies of a picture, one at half the size, one label and a face of each differ."""
    large, small = scene(1, (320, 240)), scene(1)
    save(tmp_path, "a.jpg", large)
    save(tmp_path, "b.jpg", np.ascontiguousarray(small[:, ::-1]) if is_mirrored else small)
    mask, bare = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK
    first = annotated("a.jpg", face(mask, 20, 60), face(mask, 200, 60), size=(320, 240), group="g")
    copied = (Face(box, bare) for box in half_as_large(is_mirrored, (20, 20, 80, 92), (100, 120, 160, 192)))

    outcome = run(coco(tmp_path, "train.json", first, annotated("b.jpg", *copied, group="g")))

    both = ["train.json: a.jpg", "train.json: b.jpg"]
    assert outcome.findings == [("copies differ in their faces", both), ("copies differ in a label", both)]
    assert [finding["detail"] for finding in outcome.report["findings"]] == [
        "2 of 2 and 2 faces are in one copy only",
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
