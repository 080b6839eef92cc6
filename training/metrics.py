"""Score detections against annotations with the COCO implementation everyone compares with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pi_mask.detector import Detector
from pi_mask.types import Detection, Frame
from training.data import LABELS, Picture

# Smaller faces (shorter side, in the 512 px pictures) are ignored: their mask can't be told by people either.
MIN_SIDE_PX = 16.0


def detect_all(detector: Detector, images: Sequence[NDArray[np.uint8]]) -> list[tuple[Detection, ...]]:
    """Run the detector on every picture."""
    return [detector.detect(Frame(image, float(i), i))[0] for i, image in enumerate(images)]


def average_precision(pictures: Sequence[Picture], found: Sequence[Sequence[Detection]]) -> dict[str, float]:
    """AP at IoU 0.5 per label, their mean (mAP50) and the mean over IoU 0.5 to 0.95 (mAP)."""
    truth = COCO()
    truth.dataset = _coco_truth(pictures)
    results = [_coco_result(i, detection) for i, row in enumerate(found) for detection in row]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        if not results:
            return {"mAP50": 0.0, "mAP": 0.0} | {f"AP50_{label.value}": 0.0 for label in LABELS}
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # IoU × recall × label, of all areas and up to 100 detections a picture.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    per_label = {
        f"AP50_{label.value}": _mean(precision[0, :, position]) for position, label in enumerate(LABELS)
    }
    return {"mAP50": float(np.mean(list(per_label.values()))), "mAP": _mean(precision)} | per_label


def _mean(precision: NDArray[np.float64]) -> float:
    valid = precision[precision > -1]
    return float(valid.mean()) if valid.size else 0.0


def _coco_truth(pictures: Sequence[Picture]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for index, picture in enumerate(pictures):
        for box, label in zip(picture.boxes, picture.labels, strict=True):
            width, height = (float(v) for v in box[2:] - box[:2])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": int(label),
                    "bbox": [float(box[0]), float(box[1]), width, height],
                    "area": width * height,
                    "iscrowd": int(min(width, height) < MIN_SIDE_PX),  # COCO's word for "ignore"
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
