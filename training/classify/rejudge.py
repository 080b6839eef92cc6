"""Measure whether a second look at unsure faces helps the door.

    python -m training.classify.rejudge --model models/ssd_mobilenet_v2_512.tflite \
        --classifier training/runs/classifier/classifier.tflite --data ../shared/data/val.json

Prints the door's view without the second look and with it, as JSON. Nothing here is part of pi-mask's own
pipeline.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from pi_mask.camera.picture import decode_picture
from pi_mask.commands.options import FiniteRange
from pi_mask.decoder import dequantise, sigmoid
from pi_mask.errors import ModelError
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.classify.crops import face_crop
from training.classify.network import SIDE
from training.command import Command
from training.data import LABELS, Picture, load_coco
from training.door_view import door_view
from training.views import open_views

if TYPE_CHECKING:
    from pi_mask.types import Image

_SHARES = ("right", "unmasked_or_wrong_passed_as_masked", "masked_refused")


@dataclass
class Judge:
    """The classifier's int8 file.

    Args:
        model: The file's content.

    Raises:
        ModelError: It is no classifier of faces.
    """

    model: bytes
    spent_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the file."""
        self._interpreter = CpuInterpreter(self.model, threads=1)
        spec = self._interpreter.spec
        shapes = (spec.input.shape, *(output.shape for output in spec.outputs))
        if shapes != ((1, SIDE, SIDE, 3), (1, len(LABELS))):
            raise ModelError(f"The classifier has tensors {shapes}. Give one of training.classify.train.")

    def scores(self, image: Image, box: BoundingBox) -> Mapping[MaskLabel, float]:
        """What it says of one face."""
        start = time.perf_counter()
        picture = face_crop(image, (box.xmin, box.ymin, box.xmax, box.ymax))
        raw = self._interpreter.invoke(picture[None])[0]
        values = sigmoid(dequantise(raw, self._interpreter.spec.outputs[0]))[0]
        self.spent_ms.append((time.perf_counter() - start) * 1e3)
        return dict(zip(LABELS, map(float, values), strict=True))


def is_unsure(detection: Detection, below: float) -> bool:
    """Whether the best score is low, or the runner-up is more than half as high."""
    others = [score for label, score in detection.scores.items() if label is not detection.label]
    return detection.score < below or max(others, default=0.0) > detection.score / 2


def rejudge(detection: Detection, image: Image, judge: Judge, below: float) -> Detection:
    """The detection; where it was unsure, with the mean of both opinions."""
    if not is_unsure(detection, below):
        return detection
    second = judge.scores(image, detection.box)
    both = {label: (detection.scores[label] + second[label]) / 2 for label in LABELS}
    label = max(both, key=lambda each: both[each])
    return replace(detection, label=label, score=both[label], scores=both)


def compare(
    pictures: Sequence[Picture],
    images: Sequence[Image],
    found: Sequence[Sequence[Detection]],
    judge: Judge,
    below: float,
) -> dict[str, Any]:
    """The door's view without and with a second look, and what that costs.

    Args:
        pictures: Annotated.
        images: Their pixels.
        found: What the detector said of each at the door's thresholds.
        judge: Takes the second look.
        below: A best score under this is unsure.
    """
    again = [
        [rejudge(detection, image, judge, below) for detection in one]
        for one, image in zip(found, images, strict=True)
    ]
    views = [door_view(pictures, each) for each in (found, again)]
    without, with_ = ({name: view[name] for name in (*_SHARES, "missed")} for view in views)
    total = sum(len(one) for one in found)
    return {
        "without": without,
        "with": with_,
        "below": below,
        "rejudged_share": round(len(judge.spent_ms) / max(1, total), 4),
        "ms_a_face": round(float(np.median(judge.spent_ms)), 2) if judge.spent_ms else None,
        "helps": helps(without, with_),
    }


def helps(without: Mapping[str, Any], with_: Mapping[str, Any]) -> bool:
    """More right answers, and neither more passed nor more refused wrongly."""
    before, after = ([view[name]["share"] for name in _SHARES] for view in (without, with_))
    return bool(after[0] > before[0] and after[1] <= before[1] and after[2] <= before[2])


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--classifier", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--below",
    type=FiniteRange(0, 1),
    default=0.6,
    show_default=True,
    help="Faces whose best score is lower are judged again; 1: all faces.",
)
def main(model: Path, classifier: Path, data: Path, below: float) -> None:
    """Print the door's view without and with a second look at unsure faces."""
    judge = Judge(classifier.read_bytes())
    pictures = load_coco(data)
    images = [decode_picture(picture.path) for picture in pictures]
    with open_views(model) as views:
        _, found = views.detect_all(images)
    click.echo(json.dumps(compare(pictures, images, found, judge, below), indent=2))


if __name__ == "__main__":
    main()
