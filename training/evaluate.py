"""Measure a shipped model on the validation pictures, and write the figures into its manifest and card.

    python -m training.evaluate --model models/ssd_mobilenet_v2_320.tflite --data ../shared/data/val.json \
        --checkpoint training/runs/ssd/last.ckpt

The int8 file runs through pi_mask's own Detector; the float parent runs through the same one. Nothing is
tuned here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pi_mask.build import open_detector
from pi_mask.detector import Detector
from pi_mask.manifest import find_manifest, load_manifest
from pi_mask.settings import ModelSettings
from pi_mask.types import Detection, Frame
from training.card import write_card
from training.data import Picture, load_coco, read_rgb
from training.door_view import door_view
from training.float_parent import EVALUATION_MIN_SCORE, float_manifest
from training.metrics import average_precision, detect_all
from training.provenance import data_hash
from training.quantise import load_network, manifest_json
from training.torch_interpreter import TorchInterpreter

_LATENCY_RUNS = 200
Images = Sequence[NDArray[np.uint8]]


def run_model(
    model: Path, images: Images, *, min_score: float | None, threads: int = 2
) -> list[tuple[Detection, ...]]:
    """Detections of the .tflite file on every picture; the manifest's thresholds where none is given."""
    settings = ModelSettings(name=str(model), accelerator="cpu", threads=threads, min_score=min_score)
    with open_detector(settings) as opened:
        return detect_all(opened.detector, images)


def latency(model: Path, images: Images, threads: int) -> dict[str, float]:
    """Median milliseconds per stage."""
    settings = ModelSettings(name=str(model), accelerator="cpu", threads=threads)
    with open_detector(settings) as opened:
        frames = [Frame(images[i % len(images)], float(i), i) for i in range(_LATENCY_RUNS)]
        spent = [opened.detector.detect(frame)[1] for frame in frames][10:]
    stages = ("preprocess_ms", "inference_ms", "postprocess_ms")
    return {stage: round(float(np.median([getattr(one, stage) for one in spent])), 3) for stage in stages}


def float_latency(model: Path, threads: int) -> float:
    """Median milliseconds of the float32 .tflite file alone."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=threads)
    interpreter.allocate_tensors()
    spent = []
    for _ in range(_LATENCY_RUNS // 2):
        start = time.perf_counter()
        interpreter.invoke()
        spent.append((time.perf_counter() - start) * 1e3)
    return round(float(np.median(spent[10:])), 3)


def measure(model: Path, checkpoint: Path | None, pictures: Sequence[Picture]) -> dict[str, Any]:
    """All figures of a model."""
    images = [read_rgb(picture.path) for picture in pictures]
    manifest = load_manifest(find_manifest(str(model)))
    found = run_model(model, images, min_score=EVALUATION_MIN_SCORE)
    result: dict[str, Any] = {"int8": rounded(average_precision(pictures, found))}
    if checkpoint is not None:
        size = manifest.input.width
        detector = Detector(TorchInterpreter(load_network(checkpoint), size), float_manifest(size))
        result["float"] = rounded(average_precision(pictures, detect_all(detector, images)))
        result["loss_points"] = round(100 * (result["float"]["mAP50"] - result["int8"]["mAP50"]), 2)
    result["door"] = door_view(pictures, run_model(model, images, min_score=None))
    result["latency"] = {f"threads_{n}": latency(model, images, n) for n in (1, 2)}
    parent = checkpoint.parent / "float.tflite" if checkpoint else None
    if parent and parent.exists():
        result["latency"]["float32_inference_ms_threads_1"] = float_latency(parent, 1)
    return result


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four decimals: more is noise on 553 pictures."""
    return {name: round(value, 4) for name, value in figures.items()}


@click.command()
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(model: Path, data: Path, checkpoint: Path | None) -> None:
    """Evaluate a model and update its manifest and card."""
    pictures = load_coco(data)
    metrics = measure(model, checkpoint, pictures)
    metrics["data"] = {"file": data.name, "sha256": data_hash(data), "pictures": len(pictures)}
    path = find_manifest(str(model))
    manifest = load_manifest(path).model_copy(update={"metrics": metrics})
    path.write_text(manifest_json(manifest))
    write_card(path.parent)
    click.echo(manifest_json(manifest)[-3000:])


if __name__ == "__main__":
    main()
