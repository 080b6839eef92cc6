"""Score detections against annotations with the COCO implementation everyone compares with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pi_mask.detector import Detector
from pi_mask.types import Detection, Frame
from training.data import LABELS, Picture

# Smaller faces (shorter side, in the 512 px pictures) are ignored: their mask can't be told by people either.
MIN_SIDE_PX = 16.0
SIZES_PX: Final = ((16.0, 32.0), (32.0, 64.0), (64.0, 128.0), (128.0, 1e5))
"""Bounds of the shorter side, lower included: from the far end of a hall to right before the lens."""
RECALLS: Final = np.linspace(0, 1, 101)
"""Where COCO reads the precision-recall curve."""
_IOU_50 = 0


def detect_all(detector: Detector, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detection, ...]]:
    """Run the detector on every picture."""
    return [detector.detect(Frame(image, float(i), i))[0] for i, image in enumerate(images)]


def precisions(pictures: Sequence[Picture], found: Sequence[Sequence[Detection]]) -> NDArray[np.float64]:
    """COCO's precision array.

    Returns:
        IoU (0.5 to 0.95) × recall (``RECALLS``) × label × size (all, then ``SIZES_PX``), up to 100 detections
        a picture; −1 where there is no such face.
    """
    truth = COCO()
    truth.dataset = _coco_truth(pictures)
    results = [_coco_result(i, detection) for i, row in enumerate(found) for detection in row]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        answers = truth.loadRes(results or [_NOTHING])
        for annotation in answers.dataset["annotations"]:
            annotation["area"] = min(annotation["bbox"][2:]) ** 2
        evaluation = COCOeval(truth, answers, "bbox")
        # COCO's areas are the square of the shorter side here; its upper bounds are included, ours are not.
        evaluation.params.areaRng = [[0, 1e10], *([low**2, high**2 - 1e-6] for low, high in SIZES_PX)]
        evaluation.params.areaRngLbl = ["all", *map(size_name, SIZES_PX)]
        evaluation.evaluate()
        evaluation.accumulate()
    array: NDArray[np.float64] = evaluation.eval["precision"][..., -1]
    return array


def average_precision(pictures: Sequence[Picture], found: Sequence[Sequence[Detection]]) -> dict[str, float]:
    """AP at IoU 0.5 per label that occurs, their mean (mAP50) and the mean over IoU 0.5 to 0.95 (mAP)."""
    return summarise(precisions(pictures, found))


def summarise(precision: NDArray[np.float64]) -> dict[str, float]:
    """The same from the array of ``precisions``."""
    means = {
        f"AP50_{label.value}": _mean(precision[_IOU_50, :, position, 0])
        for position, label in enumerate(LABELS)
    }
    return {
        "mAP50": _mean(precision[_IOU_50, ..., 0]) or 0.0,
        "mAP": _mean(precision[..., 0]) or 0.0,
    } | {name: value for name, value in means.items() if value is not None}


def by_size(precision: NDArray[np.float64]) -> dict[str, dict[str, float | None]]:
    """AP at IoU 0.5 per size of the face and label, and their mean; None where there is no such face."""
    table: dict[str, dict[str, float | None]] = {}
    for column, size in enumerate(SIZES_PX, 1):
        row = {
            f"AP50_{label.value}": _mean(precision[_IOU_50, :, position, column])
            for position, label in enumerate(LABELS)
        }
        table[size_name(size)] = {"mAP50": _mean(precision[_IOU_50, :, :, column]), **row}
    return table


def curves(precision: NDArray[np.float64]) -> dict[str, list[float]]:
    """Precision at IoU 0.5 per label that occurs, at ``RECALLS``; zeros above the recall reached."""
    return {
        label.value: precision[_IOU_50, :, position, 0].round(4).tolist()
        for position, label in enumerate(LABELS)
        if _mean(precision[_IOU_50, :, position, 0]) is not None
    }


def size_name(size: tuple[float, float]) -> str:
    """The heading of a size: "16–32" or "128+"."""
    low, high = size
    return f"{low:g}+" if high >= 1e5 else f"{low:g}–{high:g}"


def _mean(precision: NDArray[np.float64]) -> float | None:
    valid = precision[precision > -1]
    return float(valid.mean()) if valid.size else None


_NOTHING: Final = {"image_id": 0, "category_id": 0, "bbox": [-1.0, -1.0, 0.0, 0.0], "score": 0.0}
"""Beside every face: COCO's code takes no empty list."""


def _coco_truth(pictures: Sequence[Picture]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for index, picture in enumerate(pictures):
        for box, label in zip(picture.boxes, picture.labels, strict=True):
            width, height = (float(v) for v in box[2:] - box[:2])
            # A region to ignore counts for no label, so it is one to ignore for each.
            for category in range(len(LABELS)) if label < 0 else (int(label),):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": index,
                        "category_id": category,
                        "bbox": [float(box[0]), float(box[1]), width, height],
                        "area": min(width, height) ** 2,
                        # COCO's word for "ignore".
                        "iscrowd": int(label < 0 or min(width, height) < MIN_SIDE_PX),
                    }
                )
    return {
        "info": {},
        "images": [{"id": index} for index in range(len(pictures))],
        "categories": [{"id": position, "name": label.value} for position, label in enumerate(LABELS)],
        "annotations": annotations,
    }


def _coco_result(image: int, detection: Detection) -> dict[str, Any]:
    box = detection.box
    return {
        "image_id": image,
        "category_id": LABELS.index(detection.label),
        "bbox": [box.xmin, box.ymin, box.width, box.height],
        "score": detection.score,
    }
