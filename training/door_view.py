"""Judge a model as the door does: what is said of each face at the shipped thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.data import LABELS, Picture
from training.intervals import mean_interval, share

# A face at the door is larger than one that only just counts for average precision.
MIN_SIDE_PX = 24.0
_MATCH_IOU = 0.5
MISSED = "missed"


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """An annotated face of at least 24 px and its best detection; None where it was missed."""

    box: BoundingBox
    truth: MaskLabel
    found: Detection | None

    @property
    def said(self) -> str:
        """The label that was said, or "missed"."""
        return self.found.label.value if self.found else MISSED


@dataclass(frozen=True, slots=True)
class Judgement:
    """One picture against its detections.

    Attributes:
        false_boxes: Detections that lie on no annotated face, of whatever size, nor on a region to ignore.
    """

    faces: tuple[JudgedFace, ...]
    false_boxes: tuple[Detection, ...]


def judge(picture: Picture, found: Sequence[Detection]) -> Judgement:
    """Compare one picture with its detections, best score first."""
    boxes = [BoundingBox(*map(float, box)) for box in picture.boxes]
    best: dict[int, Detection] = {}
    false_boxes = []
    for detection in found:  # best score first: a face keeps its best box
        overlaps = [box.iou(detection.box) for box in boxes]
        nearest = int(np.argmax(overlaps)) if overlaps else -1
        if nearest >= 0 and overlaps[nearest] >= _MATCH_IOU:
            best.setdefault(nearest, detection)
        # Half on a face is imprecise, or a tiny face; only a box on no face at all is false.
        elif not any(overlap > 0.1 for overlap in overlaps) and not is_ignored(
            detection.box, boxes, picture.labels
        ):
            false_boxes.append(detection)
    faces = (
        JudgedFace(box, LABELS[label], best.get(index))
        for index, (box, label) in enumerate(zip(boxes, picture.labels, strict=True))
        if label >= 0 and box.shorter_side >= MIN_SIDE_PX
    )
    return Judgement(tuple(faces), tuple(false_boxes))


def is_ignored(found: BoundingBox, boxes: Sequence[BoundingBox], labels: Iterable[int]) -> bool:
    """Whether half of a found box lies in a region to ignore, which may be far larger than a face.

    Args:
        found: What the detector drew.
        boxes: Annotated faces and regions.
        labels: Of each; below 0 for a region.
    """
    return any(label < 0 and _covered(found, box) >= 0.5 for box, label in zip(boxes, labels, strict=True))


def _covered(box: BoundingBox, region: BoundingBox) -> float:
    """Share of a box that lies in a region."""
    width = min(box.xmax, region.xmax) - max(box.xmin, region.xmin)
    height = min(box.ymax, region.ymax) - max(box.ymin, region.ymin)
    return max(0.0, width) * max(0.0, height) / box.area if box.area else 0.0


def door_view(
    pictures: Sequence[Picture],
    found: Sequence[Sequence[Detection]],
    groups: Sequence[Hashable] | None = None,
) -> dict[str, Any]:
    """What would be said of every face, as shares with 95 % intervals, and boxes on nobody, per picture.

    Args:
        pictures: Annotated.
        found: Detections of each.
        groups: Near-duplicates share one; by default each picture is its own.
    """
    judged = [judge(picture, detections) for picture, detections in zip(pictures, found, strict=True)]
    confusion = Counter((face.truth.value, face.said) for one in judged for face in one.faces)
    groups = groups or range(len(judged))
    return {
        "min_side_px": MIN_SIDE_PX,
        **shares(confusion),
        "false_boxes": _a_picture([len(one.false_boxes) for one in judged], groups),
        "large_false_boxes": _a_picture([_count_large(one.false_boxes) for one in judged], groups),
        "confusion": {f"{truth} → {said}": n for (truth, said), n in sorted(confusion.items())},
    }


def _count_large(boxes: Sequence[Detection]) -> int:
    """How many are as large as the faces that are judged."""
    return sum(detection.box.shorter_side >= MIN_SIDE_PX for detection in boxes)


def _a_picture(counts: Sequence[int], groups: Sequence[Hashable]) -> dict[str, Any]:
    low, high = mean_interval(counts, groups)
    mean = sum(counts) / max(1, len(counts))
    return {"per_picture": round(mean, 4), "interval95": [round(low, 4), round(high, 4)]}


def shares(confusion: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """The four shares that matter at the door, from the number of faces per (true label, what was said)."""
    masked = MaskLabel.WITH_MASK.value
    totals: Counter[str] = Counter()
    right = passed = refused = missed = 0
    for (truth, said), count in confusion.items():
        totals[truth] += count
        right += count * (said == truth)
        missed += count * (said == MISSED)
        passed += count * (truth != masked and said == masked)
        refused += count * (truth == masked and said not in (masked, MISSED))
    return {
        "right": share(right, totals.total()),
        "unmasked_or_wrong_passed_as_masked": share(passed, totals.total() - totals[masked]),
        "masked_refused": share(refused, totals[masked]),
        "missed": share(missed, totals.total()),
    }
