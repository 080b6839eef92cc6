"""Judge a model as the door does: what is said of each face at the shipped thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import beta

from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.data import LABELS, Picture

# A face at the door is larger than one that only just counts for average precision.
MIN_SIDE_PX = 24.0
_MATCH_IOU = 0.5
MISSED = "missed"


def interval(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def share(hits: int, total: int) -> dict[str, Any]:
    """A share with its interval, ready for JSON."""
    low, high = interval(hits, total)
    value = hits / total if total else 0.0
    bounds = [round(low, 4), round(high, 4)]
    return {"hits": hits, "of": total, "share": round(value, 4), "interval95": bounds}


def judge(picture: Picture, found: Sequence[Detection]) -> tuple[list[tuple[str, str]], int]:
    """Compare one picture with its detections.

    Returns:
        (true label, said label or "missed") per face of at least 24 px, and the number of false boxes: those
        that overlap no annotated face of any size.
    """
    boxes = [BoundingBox(*map(float, box)) for box in picture.boxes]
    said: dict[int, str] = {}
    false_boxes = 0
    for detection in found:  # best score first: a face keeps its best box
        overlaps = [box.iou(detection.box) for box in boxes]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best < 0 or overlaps[best] < _MATCH_IOU:
            # Half on a face is imprecise, or a tiny face; only a box on no face at all is false.
            false_boxes += not any(overlap > 0.1 for overlap in overlaps)
        else:
            said.setdefault(best, detection.label.value)
    faces = [
        (LABELS[label].value, said.get(index, MISSED))
        for index, (box, label) in enumerate(zip(boxes, picture.labels, strict=True))
        if box.shorter_side >= MIN_SIDE_PX
    ]
    return faces, false_boxes


def door_view(pictures: Sequence[Picture], found: Sequence[Sequence[Detection]]) -> dict[str, Any]:
    """What would be said of every face, as shares with 95 % intervals."""
    confusion: Counter[tuple[str, str]] = Counter()
    false_boxes = 0
    for picture, detections in zip(pictures, found, strict=True):
        faces, wrong = judge(picture, detections)
        confusion.update(faces)
        false_boxes += wrong
    return {
        "min_side_px": MIN_SIDE_PX,
        **_shares(confusion),
        "false_boxes_per_picture": round(false_boxes / max(1, len(pictures)), 4),
        "confusion": {f"{truth} → {said}": n for (truth, said), n in sorted(confusion.items())},
    }


def _shares(confusion: Mapping[tuple[str, str], int]) -> dict[str, Any]:
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
