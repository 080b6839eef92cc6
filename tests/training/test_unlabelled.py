"""Hold the marking of faces that nobody annotated to faces left out on purpose."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pi_mask.demo.photograph import find_photograph
from pi_mask.types import BoundingBox, MaskLabel
from tests.training.colour_data import save_data
from training.annotations import AnnotatedImage, Face, read_annotations, write_annotations
from training.unlabelled import main, mark

MASKED, BARE, INCORRECT = MaskLabel
FACE = Face(BoundingBox(10, 10, 50, 60), BARE)
IMAGE = AnnotatedImage("a.jpg", 400, 400, (FACE,), "hall", "1")


@pytest.mark.parametrize(
    ("box", "is_added"),
    [
        (BoundingBox(100, 10, 140, 60), True),
        (BoundingBox(45, 10, 85, 60), True),  # beside the face, an eighth of it shared
        (BoundingBox(20, 20, 30, 30), False),  # within the face
        (BoundingBox(0, 0, 100, 120), False),  # the whole head
        (BoundingBox(12, 12, 52, 62), False),
    ],
)
def test_only_what_lies_on_no_annotation_is_added(box: BoundingBox, is_added: bool) -> None:
    """A box that is mostly an annotated face's is left out; another one becomes a region to ignore."""
    marked = mark(IMAGE, [box])

    assert marked.faces == ((FACE, Face(box, None)) if is_added else (FACE,))
    assert (marked.file_name, marked.source, marked.group) == ("a.jpg", "hall", "1")


def test_the_command_marks_left_out_faces_and_leaves_out_pictures(model: Path, tmp_path: Path) -> None:
    """What only the model sees is to be ignored; annotated faces stay; a named picture goes."""
    data = save_data(
        tmp_path / "data", [([MASKED, BARE], [MASKED]), ([INCORRECT], [INCORRECT]), ([BARE], [BARE])]
    )
    names, output = tmp_path / "copies.txt", tmp_path / "marked.json"
    names.write_text("\ufeff2.png\r\n", "utf-8")
    options = ["--model", str(model), "--data", str(data), "--output", str(output), "--without", str(names)]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 0, result.output
    marked = [[face.label for face in image.faces] for image in read_annotations(output)]
    assert marked == [[MASKED, None], [INCORRECT]]
    assert "2 pictures, 1 regions to ignore added" in result.output


def test_what_is_marked_already_is_not_marked_again() -> None:
    """The model sees most of what the face finder has found."""
    region = Face(BoundingBox(100, 10, 140, 60), None)

    marked = mark(mark(IMAGE, [region.box]), [BoundingBox(102, 12, 142, 62), BoundingBox(200, 10, 240, 60)])

    assert marked.faces == (FACE, region, Face(BoundingBox(200, 10, 240, 60), None))


def test_without_a_model_the_face_finder_marks_alone(tmp_path: Path) -> None:
    """A real face that nobody annotated becomes a region, an annotated one stays as it is."""
    (tmp_path / "images").mkdir()
    shutil.copy(find_photograph(), tmp_path / "images" / "open.png")
    shutil.copy(find_photograph(), tmp_path / "images" / "known.png")
    face = Face(BoundingBox(176, 62, 272, 192), BARE)
    images = [
        AnnotatedImage(name, 512, 512, faces, "hall", name)
        for name, faces in (("open.png", ()), ("known.png", (face,)))
    ]
    write_annotations(tmp_path / "data.json", images)
    output = tmp_path / "marked.json"

    result = CliRunner().invoke(main, ["--data", str(tmp_path / "data.json"), "--output", str(output)])

    assert result.exit_code == 0, result.output
    marked, known = read_annotations(output)
    assert [each.label for each in marked.faces] == [None]
    assert abs(marked.faces[0].box.center[0] - face.box.center[0]) < 20
    assert known.faces == (face,)


@pytest.mark.parametrize("score", ["0", "1", "nan"])
def test_a_score_that_no_model_runs_with_is_a_usage_error(score: str, model: Path, tmp_path: Path) -> None:
    """Everything, or nothing, would be found."""
    data = save_data(tmp_path / "data", [([BARE], [BARE])])
    options = ["--model", str(model), "--data", str(data), "--output", str(tmp_path / "m.json")]

    result = CliRunner().invoke(main, [*options, "--min-score", score])

    assert result.exit_code == 2
    assert "--min-score" in result.stderr
    assert not (tmp_path / "m.json").exists()


def test_a_name_that_no_picture_has_is_an_error(model: Path, tmp_path: Path) -> None:
    """A misspelt copy of a validation picture would stay in; a blank is part of a name."""
    data, names = save_data(tmp_path / "data", [([BARE], [BARE])]), tmp_path / "copies.txt"
    names.write_text("0.png 1.png\n")
    options = ["--model", str(model), "--data", str(data), "--output", str(tmp_path / "m.json")]

    result = CliRunner().invoke(main, [*options, "--without", str(names)])

    assert result.exit_code == 1
    assert f"{names}: no picture is called '0.png 1.png'" in result.stderr
    assert not (tmp_path / "m.json").exists()
