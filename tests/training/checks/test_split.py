"""Hold the split, as a user runs it, to leaking nothing and writing both files or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pi_mask.types import MaskLabel
from tests.training.checks.scenes import annotated, coco, face, save, scene, wall
from training.annotations import read_annotations
from training.check import check
from training.split import main

LABELS = list(MaskLabel)


def run(*arguments: object) -> Result:
    """Split with these arguments."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty pictures, ten of them mirrored copies of the first ten, two synthetic."""
    images = []
    for index in range(30):
        image = scene(index % 20)
        save(tmp_path, f"{index}.jpg", np.ascontiguousarray(image[:, ::-1]) if index >= 20 else image)
        images.append(
            annotated(f"{index}.jpg", face(LABELS[index % 3]), is_synthetic=index in {3, 28}, source="hall")
        )
    return coco(tmp_path, "all.json", *images)


def test_nothing_leaks(data: Path) -> None:
    """All pictures are in one part, copies on the same side, synthetic ones and their copies in train."""
    result = run(data, "--share", "0.3")

    train, val = (read_annotations(data.parent / name) for name in ("train.json", "val.json"))
    assert result.exit_code == 0
    assert sorted(image.file_name for image in train + val) == sorted(f"{n}.jpg" for n in range(30))
    assert 5 <= len(val) <= 10
    assert not {"3.jpg", "23.jpg", "28.jpg", "8.jpg"} & {image.file_name for image in val}
    checked = check([data.parent / "train.json", data.parent / "val.json"])
    assert checked.errors == 0
    assert len(checked.pairs) == 10


def test_the_parts_are_tabulated(data: Path) -> None:
    """Standard output holds the numbers of both parts."""
    result = run(data)

    header, pictures, *labels = result.stdout.splitlines()
    assert header.split() == ["train.json", "val.json", "share"]
    assert sum(map(int, pictures.split()[1:3])) == 30
    assert [line.split()[0] for line in labels] == ["with_mask", "without_mask", "incorrect", "ignore"]


def test_existing_files_are_left_alone(data: Path) -> None:
    """Without --force nothing is replaced; with it the parts can be put together and split anew."""
    run(data)
    before = {path: path.read_bytes() for path in data.parent.glob("*.json")}
    parts = [data.parent / name for name in ("train.json", "val.json")]

    refused = run(data, "--seed", "2")
    again = run(*parts, "--seed", "2", "--force")

    assert (refused.exit_code, refused.stderr) == (
        2,
        f"Error: {parts[0]} exists. Replace it with --force, or choose another name.\n",
    )
    assert again.exit_code == 0
    assert len(read_annotations(parts[0])) + len(read_annotations(parts[1])) == 30
    assert parts[1].read_bytes() != before[parts[1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--val", "train.json"), "--train and --val are both train.json"),
        (("--val", "sub/val.json"), "val.json must be a name, not a path"),
    ],
)
def test_names_that_cannot_work(data: Path, arguments: tuple[str, ...], message: str) -> None:
    """Two parts need two names in the pictures' folder: exit code 2, nothing written."""
    result = run(data, *arguments)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert [path.name for path in data.parent.glob("*.json")] == ["all.json"]


def test_data_with_errors_are_not_split(data: Path) -> None:
    """A missing picture is named, exit code 1, nothing written."""
    (data.parent / "images" / "7.jpg").unlink()

    result = run(data)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(
        "Error: 1 errors in the data, first all.json: 7.jpg: unreadable picture ("
    )
    assert [path.name for path in data.parent.glob("*.json")] == ["all.json"]


def test_one_group_cannot_be_divided(tmp_path: Path) -> None:
    """Where all pictures belong together there is nothing to measure on, and it says so."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    path = coco(tmp_path, "all.json", *(annotated(f"{index}.jpg", group="one") for index in range(3)))

    result = run(path)

    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Nothing is left to measure on at --share 0.1: 3 pictures in 1 group. Units left to choose "
        "from: 1. Add pictures of other scenes.\n",
    )


def test_a_larger_share_is_advised_where_it_helps(tmp_path: Path) -> None:
    """Of three pictures a tenth is none, a half is one."""
    for index in range(3):
        save(tmp_path, f"{index}.jpg", scene(index))
    path = coco(tmp_path, "all.json", *(annotated(f"{index}.jpg") for index in range(3)))

    result = run(path)

    assert result.stderr == (
        "Error: Nothing is left to measure on at --share 0.1: 3 pictures in 3 groups. Units left to choose "
        "from: 3. Add pictures of other scenes, or choose a larger share.\n"
    )
    assert run(path, "--share", "0.5").exit_code == 0


def test_pictures_of_one_wall_are_said_to_look_alike(tmp_path: Path) -> None:
    """A fixed camera's pictures are one scene by their looks: no share divides them, and none is advised."""
    result = run(wall(tmp_path, *[""] * 30), "--share", "0.3")

    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Nothing is left to measure on at --share 0.3: 30 pictures in 30 groups, 30 of them look like "
        "one of another group and stay with it. Units left to choose from: 1. Add pictures of other "
        "scenes. If a fixed camera took these, give each person or visit a group, and add --groups-decide.\n",
    )


def test_groups_may_decide_for_a_fixed_camera(tmp_path: Path) -> None:
    """Whoever gave each visit a group can divide pictures of one wall by them; no visit is on both sides."""
    path = wall(tmp_path, *(f"visit {index // 3}" for index in range(30)))
    assert run(path).exit_code == 1

    result = run(path, "--groups-decide", "--share", "0.3")

    parts = [tmp_path / name for name in ("train.json", "val.json")]
    train, val = ({image.group for image in read_annotations(part)} for part in parts)
    assert result.exit_code == 0
    assert (len(train), len(val), train & val) == (7, 3, set())
    assert check(parts, groups_decide=True).errors == 0
    assert check(parts).errors > 0


def test_pictures_without_a_group_stay_with_what_they_look_like(tmp_path: Path) -> None:
    """Nobody said of them that they show somebody else."""
    path = wall(tmp_path, *(f"visit {index // 3}" * (index > 2) for index in range(30)))

    result = run(path, "--groups-decide", "--share", "0.3")

    assert result.exit_code == 1
    assert "Units left to choose from: 1." in result.stderr


def test_synthetic_pictures_alone_measure_nothing(tmp_path: Path) -> None:
    """They stay in training, with what belongs to them; real ones are asked for."""
    for index in range(4):
        save(tmp_path, f"{index}.jpg", scene(index))
    made = [annotated(f"{index}.jpg", is_synthetic=True, group="g" * (index == 2)) for index in range(3)]

    result = run(coco(tmp_path, "all.json", *made, annotated("3.jpg", group="g")))

    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Nothing is left to measure on at --share 0.1: 4 pictures in 3 groups, 4 are synthetic or "
        "belong to one that is, and stay in training. Units left to choose from: 0. Add real pictures.\n",
    )


def test_files_of_several_folders_are_refused(tmp_path: Path, data: Path) -> None:
    """Pictures lie beside their file, so that parts of two folders would miss some."""
    other = coco(tmp_path / "other", "all.json")

    result = run(data, other)

    assert result.exit_code == 2
    assert "The files are in several folders" in result.stderr


def test_files_that_share_a_picture_are_not_put_together(data: Path) -> None:
    """It would be listed twice afterwards."""
    run(data)

    result = run(data, data.parent / "train.json", "--force")

    assert result.exit_code == 1
    assert " is listed 2 times. Split files that have no picture in common." in result.stderr


def test_a_folder_in_the_way_leaves_both_files_as_they_were(data: Path) -> None:
    """--force replaces files only."""
    (data.parent / "val.json").mkdir()

    result = run(data, "--force")

    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {data.parent / 'val.json'} is a folder. Choose another name.\n",
    )
    assert not (data.parent / "train.json").exists()
