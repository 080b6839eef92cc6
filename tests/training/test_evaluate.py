"""Evaluate a real model of colours on pictures whose figures are known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from pi_mask.errors import InputError
from pi_mask.manifest import load_manifest
from pi_mask.types import MaskLabel
from tests.training.colour_data import face, save_data
from training.data import load_coco
from training.evaluate import Config, evaluate, main, measure
from training.networks.registry import Checkpoint, save_checkpoint
from training.networks.yolov5 import YoloV5n

MASKED, BARE, INCORRECT = MaskLabel
# Four faces rightly called, one bare face annotated where a mask is shown, one box on nothing.
PICTURES = [
    ((MASKED, BARE), (MASKED, BARE)),
    ((INCORRECT, MASKED), (INCORRECT, MASKED)),
    ((MASKED,), (BARE,)),
    ((BARE,), ()),
]

STAGES = {"preprocess_ms": 0.25, "inference_ms": 10.0, "postprocess_ms": 0.125}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The pictures above."""
    return save_data(tmp_path / "data", PICTURES)


def test_figures_are_those_counted_by_hand(data: Path, model: Path) -> None:
    """Precision, shares and false boxes; neither latency nor stress where they are not wanted."""
    config = Config(with_latency=False, with_stress=False, threads=1)

    figures, precision = evaluate(model, load_coco(data), config)

    assert set(figures) == {"int8", "door"}
    assert figures["int8"]["AP50_incorrect"] == 1.0
    assert 0.4 < figures["int8"]["AP50_without_mask"] < 0.6
    assert figures["door"]["right"]["hits"] == 4
    assert figures["door"]["unmasked_or_wrong_passed_as_masked"]["hits"] == 1
    assert figures["door"]["false_boxes"]["per_picture"] == 0.25
    assert precision.shape == (10, 101, 3, 5)


def mark(data: Path, picture: int, *, moved: float = 0) -> Path:
    """The same data with a picture's first face as a region to ignore, and all faces moved by some pixels."""
    content = json.loads(data.read_text())
    for annotation in content["annotations"]:
        annotation["bbox"][0] += moved
    xmin, ymin, xmax, ymax = face(0)
    region = {"image_id": picture, "category_id": 0, "iscrowd": 1}
    boxes = [xmin, ymin, xmax - xmin, ymax - ymin], [100, 100, 15, 40]
    content["annotations"] += [region | {"id": 90 + i, "bbox": box} for i, box in enumerate(boxes)]
    path = data.parent / "marked.json"
    path.write_text(json.dumps(content))
    return path


def test_what_nobody_annotated_can_be_left_out_beside(tmp_path: Path, model: Path) -> None:
    """The box on it is no longer false, in figures of their own; the others are what they were."""
    data = save_data(tmp_path / "data", [((BARE,), ()), ((BARE,), (BARE,))])
    plain = Config(with_latency=False, with_stress=False, threads=1)

    figures, _ = evaluate(model, load_coco(data), replace(plain, marked=mark(data, 0)))

    marked = figures.pop("marked")
    assert figures == evaluate(model, load_coco(data), plain)[0]
    assert figures["int8"]["AP50_without_mask"] == pytest.approx(0.5)
    assert figures["door"]["false_boxes"]["per_picture"] == 0.5
    assert marked["int8"]["AP50_without_mask"] == pytest.approx(1.0)
    assert marked["false_boxes"]["per_picture"] == marked["large_false_boxes"]["per_picture"] == 0
    assert marked["regions"] == 1


def test_marks_of_other_annotations_are_refused(data: Path, model: Path) -> None:
    """Figures beside each other are of the same faces, or they say nothing."""
    config = Config(with_latency=False, with_stress=False, threads=1, marked=mark(data, 3, moved=1))

    with pytest.raises(InputError, match=r"marked\.json is not what training\.unlabelled makes of the data"):
        evaluate(model, load_coco(data), config)


def test_the_basic_figures_need_no_files(data: Path, model: Path) -> None:
    """measure() is what other stages call: precision, door, latency with one and two threads."""
    figures = measure(model, None, load_coco(data))

    assert set(figures) == {"int8", "door", "latency"}
    assert set(figures["latency"]) == {"threads_1", "threads_2"}


def test_the_command_writes_manifest_pictures_and_card(data: Path, model: Path, tmp_path: Path) -> None:
    """All figures are in the manifest and the card; what was not measured again stays."""
    manifest = model.with_suffix(".json")
    content = json.loads(manifest.read_text())
    names = ("mAP50", "mAP", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect")
    same = {"sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    content["metrics"] = {"int8": {}, "float": dict.fromkeys(names, 0.875), "data": same}
    manifest.write_text(json.dumps(content))
    output = tmp_path / "out"
    options = ["--model", str(model), "--data", str(data), "--output", str(output), "--no-latency"]

    result = CliRunner().invoke(main, [*options, "--marked", str(mark(data, 3))])

    assert result.exit_code == 0, result.output
    metrics = load_manifest(manifest).metrics
    assert set(metrics) == {"int8", "float", "marked", "door", "stress", "sizes", "data", "pictures"}
    assert metrics["float"]["mAP50"] == 0.875
    assert metrics["data"]["pictures"] == 4
    assert metrics["sizes"]["32–64"]["AP50_incorrect"] == pytest.approx(1.0)
    assert metrics["sizes"]["128+"]["mAP50"] is None
    folder = output / "colours"
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json",
        "precision-recall.png",
        "confusion.png",
    }
    record = json.loads((folder / "evaluation.json").read_text())
    assert len(record["curves"]["incorrect"]) == 101
    assert set(record["origin"]) == {"config", "commit", "data", "versions"}
    for linked in metrics["pictures"]:
        assert cv2.imread(str(manifest.parent / linked)) is not None
    card = (manifest.parent / "README.md").read_text()
    assert all(f"]({linked})" in card for linked in metrics["pictures"])
    assert "| JPEG 10 |" in card


def test_a_missing_picture_is_one_line(data: Path, model: Path, tmp_path: Path) -> None:
    """Exit code 1, the file's name and advice; nothing is written."""
    (data.parent / "images" / "0.png").unlink()
    before = model.with_suffix(".json").read_text()
    options = ["--model", str(model), "--data", str(data), "--output", str(tmp_path / "out")]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 1
    assert "0.png cannot be read" in result.output
    assert model.with_suffix(".json").read_text() == before


def test_figures_of_other_pictures_do_not_stay(data: Path, model: Path) -> None:
    """Only the latency does; all goes beside a model that is not shipped, as its annotations may lie."""
    manifest = model.with_suffix(".json")
    content = json.loads(manifest.read_text())
    before = {"float": {}, "loss_points": 1.0, "stress": {}, "data": {"sha256": "0" * 64}}
    content["metrics"] = before | {"latency": {"threads_1": STAGES, "threads_2": STAGES}}
    manifest.write_text(json.dumps(content))
    images, own = model.parent / "images", model.parent / "val.json"
    images.symlink_to(data.parent / "images")
    own.write_text(data.read_text())
    options = ["--model", str(model), "--data", str(own), "--no-latency", "--no-stress"]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 0, result.output
    metrics = load_manifest(manifest).metrics
    assert set(metrics) == {"int8", "door", "latency", "sizes", "data", "pictures"}
    assert (model.parent / "evaluation" / "colours" / "evaluation.json").exists()
    assert "float32 parent" not in (model.parent / "README.md").read_text()


def test_latencies_of_two_machines_are_not_mixed(data: Path, model: Path, tmp_path: Path) -> None:
    """Measured again without a checkpoint, the model has its new latency alone: not its parent's of then."""
    manifest = model.with_suffix(".json")
    content = json.loads(manifest.read_text())
    ratio, same = {"int8_over_float32": 0.5}, {"sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    latency = {"threads_1": STAGES | ratio, "threads_2": STAGES, "float32_inference_ms_threads_1": 1.5}
    content["metrics"] = {"data": same, "latency": latency}
    manifest.write_text(json.dumps(content))
    options = ["--model", str(model), "--data", str(data), "--output", str(tmp_path), "--no-stress"]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 0, result.output
    now = load_manifest(manifest).metrics["latency"]
    assert set(now) == {"threads_1", "threads_2"}
    assert set(now["threads_1"]) == set(STAGES)
    assert now["threads_1"] != STAGES


def test_the_parent_of_another_model_is_refused(data: Path, model: Path, tmp_path: Path) -> None:
    """Its figures would be called those before quantising; nothing is measured or written."""
    checkpoint = tmp_path / "last.ckpt"
    save_checkpoint(Checkpoint("yolov5n", 64, YoloV5n()), checkpoint)
    before = model.with_suffix(".json").read_text()
    options = ["--model", str(model), "--data", str(data), "--checkpoint", str(checkpoint)]

    result = CliRunner().invoke(main, options)

    assert result.exit_code == 1
    assert f"{checkpoint} is not what {model} was made from" in result.stderr
    assert model.with_suffix(".json").read_text() == before
