"""Look at the validation pictures once with the shipped model."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pi_mask.build import open_detector
from pi_mask.calibrate.collect import COLLECTING
from pi_mask.calibrate.looks import LABELS, Looks
from pi_mask.calibrate.people import best_score
from pi_mask.calibrate.steps import Truth
from pi_mask.camera.picture import decode_picture
from pi_mask.settings import ModelSettings
from pi_mask.types import BoundingBox, Detection, Frame, MaskLabel

VAL = Path(__file__).parents[3] / "shared" / "data" / "val.json"
EMPTY = "empty"
_SAME_FACE = 0.5
_SMALLEST_PX = 24.0


@dataclass(frozen=True, slots=True)
class Row:
    """One look: what is there, the picture's group, the scores."""

    step: str
    group: int
    scores: tuple[float, ...]


def truth_of(step: str) -> Truth:
    """What the door should make of a step."""
    if step == EMPTY:
        return Truth.EMPTY
    return Truth.MASKED if step == MaskLabel.WITH_MASK.value else Truth.STOPPED


def look_at_val(path: Path) -> tuple[Row, ...]:
    """Every face of at least 24 px, and every picture without anybody."""
    document = json.loads(path.read_text())
    names = {each["id"]: each["name"] for each in document["categories"]}
    faces: defaultdict[int, list[tuple[str, BoundingBox]]] = defaultdict(list)
    for each in document["annotations"]:
        x, y, width, height = each["bbox"]
        faces[each["image_id"]].append((names[each["category_id"]], BoundingBox(x, y, x + width, y + height)))
    numbers: dict[object, int] = {}
    rows: list[Row] = []
    with open_detector(ModelSettings(accelerator="cpu", min_score=COLLECTING)) as opened:
        for image in document["images"]:
            picture = decode_picture(path.parent / "images" / image["file_name"])
            found, _ = opened.detector.detect(Frame(picture, 0.0, 0))
            group = numbers.setdefault(image.get("group", image["file_name"]), len(numbers))
            rows += [Row(step, group, scores) for step, scores in _looks(faces[image["id"]], found)]
    return tuple(rows)


def _looks(
    faces: list[tuple[str, BoundingBox]], found: tuple[Detection, ...]
) -> list[tuple[str, tuple[float, ...]]]:
    """The best detection that overlaps a face by half is the look at it."""
    if not faces:
        return [(EMPTY, _scores(max(found, key=best_score) if found else None))]
    return [
        (name, _scores(next((each for each in found if each.box.iou(box) >= _SAME_FACE), None)))
        for name, box in faces
        if box.shorter_side >= _SMALLEST_PX
    ]


def _scores(face: Detection | None) -> tuple[float, ...]:
    return tuple(face.scores[label] if face else 0.0 for label in LABELS)


def steps_of(rows: tuple[Row, ...], groups: set[int]) -> list[Looks]:
    """The looks of these groups, a step for each thing that is there."""
    by_step: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.group):
        if row.group in groups:
            by_step[row.step].append(row)
    return [
        Looks(truth_of(step), np.array([row.scores for row in each]), np.array([row.group for row in each]))
        for step, each in sorted(by_step.items())
    ]
