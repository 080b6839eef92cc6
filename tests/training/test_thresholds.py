"""Thresholds are the cheapest of the grid for what the evidence shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pi_mask.detector import Detector
from pi_mask.manifest import load_manifest
from pi_mask.testing import ScriptedInterpreter
from pi_mask.types import MaskLabel
from tests.hand_made import manifest, model_spec, nobody, say
from tests.training.colour_data import save_data
from training.augment import Sample
from training.data import LABELS
from training.loss import IGNORED
from training.provenance import data_hash
from training.thresholds import Config, Evidence, choose, cost, gather, keeps_promises, main

MASKED, BARE, INCORRECT = (LABELS.index(label) for label in LABELS)


def evidence(
    truth: list[int],
    scores: list[list[float]],
    false_scores: list[list[float]] | None = None,
    pictures: int = 1,
) -> Evidence:
    """Evidence from plain lists."""
    return Evidence(
        np.array(truth), np.array(scores), np.array(false_scores or np.zeros((0, 3))).reshape(-1, 3), pictures
    )


EQUAL = np.array([0.4, 0.4, 0.4])
WEAK_INCORRECT = [0.5, 0.1, 0.35]
"""What a mask under the nose often gets: most like a proper one, and a little like a wrong one."""


def test_right_answers_cost_nothing() -> None:
    """Faces named rightly, with no false box, cost nothing."""
    seen = evidence([MASKED, BARE, INCORRECT], [[0.9, 0, 0], [0, 0.9, 0], [0, 0, 0.9]])
    assert cost(seen, EQUAL, Config()) == 0.0


@pytest.mark.parametrize(
    ("truth", "scores", "expected"),
    [
        (BARE, [0.9, 0.1, 0.1], Config.passed),
        (INCORRECT, [0.9, 0.1, 0.1], Config.passed),
        (MASKED, [0.1, 0.9, 0.1], Config.refused),
        (MASKED, [0.3, 0.1, 0.1], Config.missed),
        (BARE, [0.1, 0.1, 0.9], Config.mixed_up),
    ],
)
def test_each_mistake_has_its_price(truth: int, scores: list[float], expected: float) -> None:
    """One face with one mistake costs what the configuration says."""
    assert cost(evidence([truth], [scores]), EQUAL, Config()) == expected


def test_false_boxes_count_by_picture() -> None:
    """A box on no face costs its price a picture when above its threshold, nothing when below."""
    seen = evidence([MASKED], [[0.9, 0, 0]], [[0.1, 0.5, 0.1], [0.3, 0.3, 0.3]], pictures=4)
    assert cost(seen, EQUAL, Config()) == Config.false_box / 4


def test_scarce_label_counts_as_much() -> None:
    """One wrong face among one of its label weighs as much as all wrong among a hundred of another."""
    few = evidence([INCORRECT, *[MASKED] * 100], [[0, 0, 0], *[[0.9, 0, 0]] * 100])
    many = evidence([INCORRECT, *[MASKED] * 100], [[0, 0, 0.9], *[[0, 0, 0]] * 100])
    assert cost(few, EQUAL, Config()) == pytest.approx(cost(many, EQUAL, Config()))


def test_promises_come_before_the_cost() -> None:
    """Where the cheapest thresholds refuse too many of the masked, dearer ones that don't are taken."""
    # A low threshold finds a third more of the wrong masks, but says red to one masked face in ten too.
    wrong, refused = [[0.0, 0.0, 0.3]] * 200 + [[0.0, 0.0, 0.22]] * 100, [[0.0, 0.0, 0.22]] * 40
    seen = evidence(
        [INCORRECT] * 300 + [MASKED] * 400 + [BARE] * 300,
        wrong + refused + [[0.9, 0.0, 0.0]] * 360 + [[0.0, 0.9, 0.0]] * 300,
    )
    careless = Config(refused_at_most=1.0)

    assert choose(seen, careless)[0][MaskLabel.INCORRECT] == 0.2
    thresholds, price = choose(seen, Config())
    assert thresholds[MaskLabel.INCORRECT] == 0.25
    assert price == cost(seen, np.array(list(thresholds.values())), Config())


def test_boxes_on_nobody_are_kept_few() -> None:
    """Where the cheapest thresholds show boxes on nobody in every tenth picture, dearer ones are taken."""
    # One bare face in ten is seen only as surely as the boxes on nobody are.
    bare = [[0.0, 0.9, 0.0]] * 450 + [[0.0, 0.3, 0.0]] * 50
    others = [[0.9, 0.0, 0.0]] * 500 + [[0.0, 0.0, 0.9]] * 500
    labels = [BARE] * 500 + [MASKED] * 500 + [INCORRECT] * 500
    seen = evidence(labels, bare + others, [[0.0, 0.3, 0.0]] * 60, pictures=1000)
    careless = Config(false_box=0.1, false_boxes_at_most=1.0)

    assert choose(seen, careless)[0][MaskLabel.WITHOUT_MASK] <= 0.3
    assert choose(seen, Config(false_box=0.1))[0][MaskLabel.WITHOUT_MASK] > 0.3


def test_promises_that_cannot_be_kept_leave_the_cheapest() -> None:
    """Ten faces prove nothing; the choice falls back on the cost alone."""
    seen = evidence([MASKED] * 10, [[0.5, 0.0, 0.0]] * 10)
    assert not keeps_promises(seen, EQUAL, Config())
    assert choose(seen, Config())[1] == 0.0


def test_doubtful_masks_lower_their_threshold() -> None:
    """Where wrongly worn masks look like proper ones, "incorrect" gets a lower threshold than "with_mask"."""
    seen = evidence([INCORRECT] * 5 + [MASKED] * 5, [WEAK_INCORRECT] * 5 + [[0.8, 0.05, 0.1]] * 5)
    chosen, price = choose(seen, Config())
    assert price == 0.0
    assert chosen[MaskLabel.INCORRECT] < chosen[MaskLabel.WITH_MASK]


@pytest.mark.parametrize(("size", "count"), [(320, 2), (448, 1)])
def test_faces_too_small_for_the_door_do_not_count(size: int, count: int) -> None:
    """Smaller than 24 of 512 px are none to choose by, whatever the input's size."""
    described = manifest(size=(size, size), stride=32)
    sides = (16, 60)
    boxes = np.array([(100, 100, 100 + side, 100 + side) for side in sides], np.float32)
    sample = Sample(
        np.zeros((size, size, 3), np.uint8), boxes, np.array([BARE, MASKED]), np.zeros(2, np.bool_)
    )
    detector = Detector(ScriptedInterpreter(model_spec(described), [nobody(described)]), described)

    seen = gather(detector, [(None, sample)], 1)  # type: ignore[arg-type]

    assert seen.truth.tolist() == [BARE, MASKED][-count:]
    assert seen.scores.tolist() == [[0.0] * 3] * count


def test_small_boxes_on_nobody_do_not_count() -> None:
    """The door asks nothing of boxes that are smaller than the faces it judges."""
    described = manifest(size=(320, 320), stride=32)
    outputs = nobody(described)
    say(outputs, (0, 0), (10, 10, 22, 22), (0.9, 0.1, 0.1))
    say(outputs, (4, 4), (120, 120, 180, 180), (0.1, 0.8, 0.1))
    nothing = Sample(
        np.zeros((320, 320, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0, bool)
    )
    detector = Detector(ScriptedInterpreter(model_spec(described), [outputs]), described)

    seen = gather(detector, [(None, nothing)], 1)  # type: ignore[arg-type]

    assert seen.false_scores == pytest.approx(np.array([[0.1, 0.8, 0.1]]))


def test_faces_in_a_region_to_ignore_are_not_false() -> None:
    """A crowd's region is far larger than the faces in it, which nobody annotated one by one."""
    described = manifest(size=(320, 320), stride=32)
    outputs = nobody(described)
    say(outputs, (1, 1), (30, 30, 70, 70), (0.9, 0.1, 0.1))
    say(outputs, (8, 8), (250, 250, 290, 290), (0.1, 0.8, 0.1))
    crowd = Sample(
        np.zeros((320, 320, 3), np.uint8),
        np.array([(0, 0, 200, 320)], np.float32),
        np.array([IGNORED]),
        np.zeros(1, bool),
    )
    detector = Detector(ScriptedInterpreter(model_spec(described), [outputs]), described)

    seen = gather(detector, [(None, crowd)], 1)  # type: ignore[arg-type]

    assert seen.false_scores == pytest.approx(np.array([[0.1, 0.8, 0.1]]))
    assert not len(seen.truth)


def test_a_face_is_judged_by_its_best_box() -> None:
    """A second, weaker box that fits it too changes nothing, and is on no nobody."""
    described = manifest(size=(320, 320), stride=32)
    outputs = nobody(described)
    say(outputs, (2, 2), (40, 40, 120, 120), (0.1, 0.9, 0.1))
    say(outputs, (3, 3), (62, 62, 120, 120), (0.6, 0.1, 0.1))
    face = Sample(
        np.zeros((320, 320, 3), np.uint8),
        np.array([(40, 40, 120, 120)], np.float32),
        np.array([BARE]),
        np.zeros(1, bool),
    )
    detector = Detector(ScriptedInterpreter(model_spec(described), [outputs]), described, iou_threshold=0.9)

    seen = gather(detector, [(None, face)], 1)  # type: ignore[arg-type]

    assert seen.scores == pytest.approx(np.array([[0.1, 0.9, 0.1]]))
    assert not len(seen.false_scores)


def test_figures_at_other_thresholds_do_not_stay(model: Path, tmp_path: Path) -> None:
    """What the door says changes with them; precision and latency do not."""
    shown = (MaskLabel.WITH_MASK, MaskLabel.INCORRECT)
    data = save_data(tmp_path / "data", [(shown, shown)])
    path = model.with_suffix(".json")
    figures = {
        "int8": {"mAP50": 0.9},
        "latency": {},
        "door": {"right": 1},
        "stress": {"dark": 1},
        "marked": {},
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": figures}))
    options = ["--model", str(model), "--data", str(data), "--pictures", "3"]

    first = CliRunner().invoke(main, options)
    chosen = json.loads(path.read_text())
    path.write_text(json.dumps(chosen | {"metrics": figures}))
    again = CliRunner().invoke(main, options)

    assert chosen["metrics"] == {"int8": {"mAP50": 0.9}, "latency": {}}
    assert "run training.evaluate" in first.stderr
    assert json.loads(path.read_text())["metrics"] == figures
    assert "run training.evaluate" not in again.stderr


def test_the_command_says_what_the_thresholds_come_from(model: Path, tmp_path: Path) -> None:
    """They are in the manifest, with the pictures' hash and what a wrong answer costs; all else stays."""
    shown = (MaskLabel.WITH_MASK, MaskLabel.INCORRECT)
    data = save_data(tmp_path / "data", [(shown, shown)])
    before = load_manifest(model.with_suffix(".json"))

    result = CliRunner().invoke(main, ["--model", str(model), "--data", str(data), "--pictures", "3"])

    assert result.exit_code == 0, result.output
    after = load_manifest(model.with_suffix(".json"))
    record = after.training["thresholds"]
    assert record["data"] == {data.name: data_hash(data)}
    assert (record["config"]["pictures"], record["config"]["passed"]) == (3, 4.0)
    assert set(after.thresholds.values()) <= set(Config.grid)
    changed = {"thresholds": before.thresholds, "training": before.training}
    assert after.model_copy(update=changed) == before


def test_sources_that_know_no_wrong_masks_are_no_evidence(model: Path, tmp_path: Path) -> None:
    """Nobody knows what their masks are; the user is told what to annotate."""
    data = save_data(tmp_path / "data", [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))])
    before = model.with_suffix(".json").read_bytes()

    result = CliRunner().invoke(main, ["--model", str(model), "--data", str(data), "--pictures", "3"])

    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {data} shows no face to choose by")
    assert model.with_suffix(".json").read_bytes() == before


@pytest.mark.parametrize(("name", "count"), [("missing.json", "3"), ("annotations.json", "0")])
def test_what_cannot_be_used_leaves_the_manifest(name: str, count: str, model: Path, tmp_path: Path) -> None:
    """One line says what is wrong; damaged annotations are named too."""
    (tmp_path / "annotations.json").write_text("{")
    before = model.with_suffix(".json").read_bytes()

    for options in (["--pictures", count], []):
        arguments = ["--model", str(model), "--data", str(tmp_path / name), *options]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code in {1, 2}, result.output
        assert result.output.strip().splitlines()[-1].startswith("Error: ")
        assert model.with_suffix(".json").read_bytes() == before
