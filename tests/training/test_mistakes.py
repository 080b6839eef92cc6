"""Hold the gallery to mistakes made on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pi_mask.types import BoundingBox, Detection, MaskLabel
from tests.training.colour_data import face, save_data
from training.data import Picture, load_coco
from training.mistakes import Kind, Mistake, as_table, draw_sheet, find_mistakes, main

MASKED, BARE, INCORRECT = MaskLabel
FACE = BoundingBox(10, 10, 50, 60)
FAR = BoundingBox(300, 300, 340, 350)


def annotated(label: MaskLabel) -> Picture:
    """A picture of one face that lies nowhere on disk."""
    labels = np.array([list(MaskLabel).index(label)])
    return Picture(Path("none.png"), np.array([[10, 10, 50, 60]], np.float32), labels, False, "drawn")


@pytest.mark.parametrize(
    ("truth", "said", "expected"),
    [
        (MASKED, MASKED, []),
        (BARE, MASKED, [Kind.WRONG_GREEN]),
        (INCORRECT, MASKED, [Kind.WRONG_GREEN]),
        (MASKED, BARE, [Kind.REFUSED]),
        (MASKED, INCORRECT, [Kind.REFUSED]),
        (BARE, INCORRECT, [Kind.MIXED_UP]),
        (INCORRECT, BARE, [Kind.MIXED_UP]),
        (BARE, None, [Kind.MISSED]),
    ],
)
def test_every_mistake_has_one_kind(truth: MaskLabel, said: MaskLabel | None, expected: list[Kind]) -> None:
    """What is right is none; the rest is sorted by what it means at the door."""
    found = [Detection(FACE, said, 0.9)] if said else []

    assert [mistake.kind for mistake in find_mistakes(annotated(truth), found)] == expected


def test_a_box_on_nothing_is_a_mistake_of_its_own() -> None:
    """It has no truth, its own box, and stands beside what was right."""
    false = Detection(FAR, MASKED, 0.6)

    mistakes = list(find_mistakes(annotated(BARE), [Detection(FACE, BARE, 0.9), false]))

    assert [(m.kind, m.box, m.truth, m.found) for m in mistakes] == [(Kind.FALSE_BOX, FAR, None, false)]
    assert str(mistakes[0]) == "nobody: with_mask 0.60, 40 px"


def test_sure_mistakes_and_large_missed_faces_weigh_most() -> None:
    """A score where there is one, else the shorter side; sizes below 16 px count to the smallest."""
    sure = Mistake(Kind.WRONG_GREEN, annotated(BARE), FACE, BARE, Detection(FACE, MASKED, 0.8))
    missed = Mistake(Kind.MISSED, annotated(BARE), FACE, BARE, None)
    tiny = Mistake(Kind.FALSE_BOX, annotated(BARE), BoundingBox(0, 0, 9, 9), None, Detection(FACE, BARE, 0.3))

    assert [m.weight for m in (sure, missed, tiny)] == [0.8, 40, 0.3]
    assert [m.size for m in (sure, missed, tiny)] == ["32–64", "32–64", "16–32"]
    assert as_table([sure, missed, missed]) == [
        f"{'':<30}    16–32    32–64   64–128     128+      all",
        f"{'wrong-green, without_mask':<30}        0        1        0        0        1",
        f"{'missed, without_mask':<30}        0        2        0        0        2",
    ]


def test_a_tile_shows_the_face_in_the_middle(tmp_path: Path) -> None:
    """Three times the box around it, the truth's box in white, the detection's frame and tag over it."""
    data = save_data(tmp_path, [((MASKED,), (BARE,))])
    (picture,) = load_coco(data)
    box = BoundingBox(*map(float, face(0)))
    found = Detection(box, MASKED, 0.9)

    sheet = draw_sheet([Mistake(Kind.WRONG_GREEN, picture, box, BARE, found)], [[found]])

    assert sheet.shape == (320, 1400, 3)
    assert sheet[140, 140].tolist() == [255, 0, 0]  # the patch itself
    assert (sheet[120:160, 105] == 255).all()  # the truth's left edge
    assert (sheet[5, 5].tolist(), sheet[5, 600].tolist()) == ([0, 0, 0], [246, 246, 246])


def test_the_command_writes_a_sheet_per_kind(tmp_path: Path, model: Path) -> None:
    """Two kinds of mistakes give two sheets, a list and a table; what is right gives nothing."""
    data = save_data(
        tmp_path / "data", [((MASKED,), (BARE,)), ((BARE,), (BARE,)), ((BARE,), ()), ((), (INCORRECT,))]
    )
    output = tmp_path / "sheets"
    output.mkdir()
    (output / "masked-refused.jpg").write_bytes(b"of an earlier model")
    options = ["--model", str(model), "--data", str(data), "--output", str(output), "--threads", "1"]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 0, result.output
    names = {"wrong-green.jpg", "false-box.jpg", "missed.jpg", "mistakes.json"}
    assert {path.name for path in output.iterdir()} == names
    listed = json.loads((output / "mistakes.json").read_text())
    assert [(each["kind"], each["file"]) for each in listed] == [
        ("wrong-green", "0.png"),
        ("false-box", "2.png"),
        ("missed", "3.png"),
    ]
    assert cv2.imread(str(output / "missed.jpg")).shape == (320, 1400, 3)
    assert "wrong-green, without_mask" in result.stdout
