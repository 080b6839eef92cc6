"""Choose a model's thresholds per label, on varied training pictures, and write them into its manifest.

    python -m training.thresholds --model models/ssd_mobilenet_v2_512.tflite --data ../shared/data/train.json

The validation pictures play no part. The training pictures are varied anew (light, blur, scale, tilt),
because on the plain ones the network is surer than it will be at the door.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pi_mask.build import open_detector
from pi_mask.commands.streams import tell
from pi_mask.detector import Detector
from pi_mask.errors import UsageError
from pi_mask.manifest import Manifest, find_manifest, load_manifest
from pi_mask.output import prepare_folder
from pi_mask.settings import ModelSettings
from pi_mask.types import BoundingBox, Frame, MaskLabel
from training.annotations import write_text
from training.augment import AugmentConfig, Sample
from training.command import Command
from training.data import LABELS, TrainingSet, load_coco
from training.door_view import is_ignored
from training.intervals import interval
from training.manifests import manifest_json
from training.provenance import provenance

_LOWEST = 0.1
_MATCH_IOU = 0.5
_MIN_SIDE = 24 / 512  # of the network's input, as training.door_view asks of the pictures
_MASKED = LABELS.index(MaskLabel.WITH_MASK)


@dataclass(frozen=True)
class Config:
    """What a wrong answer costs, in wrong answers of the cheapest kind, and where to look."""

    passed: float = 4.0  # a bare or wrongly masked face shown green: what the door is there to prevent
    refused: float = 2.0  # a masked face shown red: annoys an honest person
    missed: float = 1.0  # the next frame sees the face again
    mixed_up: float = 0.5  # no mask and a wrong one both say red
    false_box: float = 1.0  # per picture; the votes of several frames forgive one
    # What the door promises of single frames, and of the 95 % interval's upper end: it has to hold elsewhere.
    passed_at_most: float = 0.03
    refused_at_most: float = 0.04
    # A picture; half of what the door promises, for pictures that were trained on show fewer.
    false_boxes_at_most: float = 0.05
    pictures: int = 2000
    seed: int = 7
    grid: tuple[float, ...] = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the model said about known pictures.

    Attributes:
        truth: N labels of faces.
        scores: N × labels, the scores of each face's box; zeros where none was found.
        false_scores: K × labels, the scores of boxes on no face, as large as the faces that count.
        pictures: Number of pictures.
    """

    truth: NDArray[np.int64]
    scores: NDArray[np.float64]
    false_scores: NDArray[np.float64]
    pictures: int


def gather(detector: Detector, data: TrainingSet, count: int) -> Evidence:
    """Run the detector on ``count`` varied pictures."""
    truth: list[int] = []
    scores: list[list[float]] = []
    false_scores: list[list[float]] = []
    for index in range(count):
        sample = data[index][1]
        _match(detector, sample, truth, scores, false_scores)
    found, false = (np.array(rows, np.float64).reshape(-1, len(LABELS)) for rows in (scores, false_scores))
    return Evidence(np.array(truth, np.int64), found, false, count)


def _match(
    detector: Detector,
    sample: Sample,
    truth: list[int],
    scores: list[list[float]],
    false_scores: list[list[float]],
) -> None:
    found, _ = detector.detect(Frame(sample.image, 0.0, 0))
    min_side = _MIN_SIDE * len(sample.image)
    boxes = [BoundingBox(*map(float, box)) for box in sample.boxes]
    best: dict[int, list[float]] = {}
    for detection in found:
        row = [detection.scores[label] for label in LABELS]
        overlaps = [box.iou(detection.box) for box in boxes]
        nearest = int(np.argmax(overlaps)) if overlaps else -1
        if nearest >= 0 and overlaps[nearest] >= _MATCH_IOU:
            best.setdefault(nearest, row)
        elif not (
            detection.box.shorter_side < min_side
            or any(overlap > 0.1 for overlap in overlaps)
            or is_ignored(detection.box, boxes, sample.labels)
        ):
            false_scores.append(row)
    for index, (box, label) in enumerate(zip(boxes, sample.labels, strict=True)):
        # A two-class source may call a wrongly worn mask by another name: it can't tell right from wrong.
        if label >= 0 and not sample.is_two_class[index] and box.shorter_side >= min_side:
            truth.append(int(label))
            scores.append(best.get(index, [0.0] * len(LABELS)))


def cost(evidence: Evidence, thresholds: NDArray[np.float64], config: Config) -> float:
    """Mean cost per label, so that the scarce one counts as much, plus that of the false boxes."""
    ratios = evidence.scores / thresholds
    said = ratios.argmax(axis=1)
    is_missed = ratios.max(axis=1) < 1
    price = np.where(said == evidence.truth, 0.0, config.mixed_up)
    price = np.where((evidence.truth != _MASKED) & (said == _MASKED), config.passed, price)
    price = np.where((evidence.truth == _MASKED) & (said != _MASKED), config.refused, price)
    price = np.where(is_missed, config.missed, price)
    per_label = [price[evidence.truth == label].mean() for label in np.unique(evidence.truth)]
    return float(np.mean(per_label)) + config.false_box * _false_boxes(evidence, thresholds)


def _false_boxes(evidence: Evidence, thresholds: NDArray[np.float64]) -> float:
    """A picture."""
    is_said = (evidence.false_scores / thresholds).max(axis=1, initial=0.0) >= 1
    return int(is_said.sum()) / evidence.pictures


def keeps_promises(evidence: Evidence, thresholds: NDArray[np.float64], config: Config) -> bool:
    """Whether surely few enough of the faces are passed and refused, and few enough boxes lie on nobody."""
    if _false_boxes(evidence, thresholds) > config.false_boxes_at_most:
        return False
    ratios = evidence.scores / thresholds
    is_green = ratios.argmax(axis=1) == _MASKED
    is_said = ratios.max(axis=1) >= 1
    is_masked = evidence.truth == _MASKED
    passed = interval(int((is_said & is_green & ~is_masked).sum()), int((~is_masked).sum()))
    refused = interval(int((is_said & ~is_green & is_masked).sum()), int(is_masked.sum()))
    return passed[1] <= config.passed_at_most and refused[1] <= config.refused_at_most


def choose(evidence: Evidence, config: Config) -> tuple[dict[MaskLabel, float], float]:
    """The cheapest combination on the grid that keeps the promises, or of all if none does; and its cost."""
    grid = [np.array(each) for each in itertools.product(config.grid, repeat=len(LABELS))]
    promising = [each for each in grid if keeps_promises(evidence, each, config)]
    best = min(promising or grid, key=lambda each: cost(evidence, each, config))
    return dict(zip(LABELS, best.tolist(), strict=True)), cost(evidence, best, config)


def _still_true(manifest: Manifest, thresholds: Mapping[MaskLabel, float]) -> dict[str, Any]:
    """The manifest's figures, without what was measured at other thresholds than the new ones."""
    figures = dict(manifest.metrics)
    if thresholds != manifest.thresholds:
        at_others = [figures.pop(name, None) for name in ("door", "marked", "stress")]
        if any(at_others):
            tell("The figures at the old thresholds are out of the manifest: run training.evaluate.")
    return figures


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--pictures", type=click.IntRange(min=1), default=Config.pictures, show_default=True)
def main(model: Path, data: Path, pictures: int) -> None:
    """Choose thresholds and write them into the model's manifest."""
    config = Config(pictures=pictures)
    path = find_manifest(str(model))
    manifest = load_manifest(path)
    prepare_folder(path.parent)
    single = AugmentConfig(mosaic=0.0)
    samples = TrainingSet(
        load_coco(data), manifest.input.width, single, incorrect_weight=3.0, seed=config.seed
    )
    with open_detector(ModelSettings(name=str(model), accelerator="cpu", min_score=_LOWEST)) as opened:
        evidence = gather(opened.detector, samples, config.pictures)
    if not len(evidence.truth):
        raise UsageError(
            f"{data} shows no face to choose by: a twentieth of the input or larger, from a source that "
            f'calls some masks "{MaskLabel.INCORRECT.value}". Annotate such faces, or give more --pictures.'
        )
    thresholds, price = choose(evidence, config)
    if not keeps_promises(evidence, np.array(list(thresholds.values())), config):
        click.echo(
            f"On {len(evidence.truth)} faces no thresholds surely pass at most {config.passed_at_most:.0%} "
            f"and refuse at most {config.refused_at_most:.0%}, with at most {config.false_boxes_at_most:g} "
            "false boxes a picture; these are the cheapest. Train on, or give more faces.",
            err=True,
        )
    record = {**manifest.training, "thresholds": provenance(asdict(config), [data])}
    changes = {"thresholds": thresholds, "training": record, "metrics": _still_true(manifest, thresholds)}
    write_text(path, manifest_json(manifest.model_copy(update=changes)))
    named = ", ".join(f"{label.value} {value:g}" for label, value in thresholds.items())
    click.echo(f"{named}: cost {price:.4f} on {len(evidence.truth)} faces in {evidence.pictures} pictures")


if __name__ == "__main__":
    main()
