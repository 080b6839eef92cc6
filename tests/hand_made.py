"""Make models by hand whose every answer is chosen by the test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pi_mask.detector import Detector
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.manifest import Head, Level, Manifest, ModelFile, ModelInput
from pi_mask.testing import ScriptedInterpreter
from pi_mask.types import BoundingBox, Detection, Frame, MaskLabel

MASKED, BARE, INCORRECT = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT
HALVES: Mapping[MaskLabel, float] = dict.fromkeys(MaskLabel, 0.5)
SIDE, STRIDE = 64, 32
CELLS = SIDE // STRIDE
GREY = 114


def manifest(
    *, size: tuple[int, int] = (SIDE, SIDE), stride: int = STRIDE, is_letterboxed: bool = True, **changes: Any
) -> Manifest:
    """A hand-made manifest of an anchor-free head with one level."""
    return Manifest(
        **{
            "schema": 1,
            "name": "hand-made",
            "description": "",
            "cpu": ModelFile(file="hand-made.tflite", sha256="0" * 64),
            "labels": (MASKED, BARE, INCORRECT),
            "input": ModelInput(width=size[0], height=size[1], letterbox=is_letterboxed, fill=GREY),
            "head": Head(kind="ssd", levels=(Level(stride=stride, outputs={"scores": 0, "boxes": 1}),)),
            "thresholds": HALVES,
            "iou_threshold": 0.5,
            "training": {},
            "metrics": {},
            **changes,
        }
    )


def model_spec(described: Manifest) -> ModelSpec:
    """The borders of a float model that fits a manifest."""
    width, height, stride = described.input.width, described.input.height, described.head.levels[0].stride
    maps = [
        TensorSpec(name, (1, height // stride, width // stride, depth), "float32", 0.0, 0)
        for name, depth in (("scores", 3), ("boxes", 4))
    ]
    return ModelSpec(TensorSpec("image", (1, height, width, 3), "uint8", 1 / 255, 0), tuple(maps))


class WatchedInterpreter(ScriptedInterpreter):
    """Remembers which array it was given, and a copy of what was in it."""

    def __init__(self, spec: ModelSpec, script: Sequence[Any]) -> None:
        super().__init__(spec, script)
        self.buffers: list[int] = []
        self.images: list[NDArray[np.uint8]] = []

    def invoke(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.generic], ...]:
        self.buffers.append(id(image))
        self.images.append(image[0].copy())
        return super().invoke(image)


def logits(*probabilities: float) -> list[float]:
    """What a network must say for these scores."""
    return [math.log(p / (1 - p)) for p in probabilities]


def nobody(described: Manifest) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Output tensors without a face."""
    scores, boxes = model_spec(described).outputs
    return np.full(scores.shape, -9.0, np.float32), np.zeros(boxes.shape, np.float32)


def say(
    outputs: tuple[Any, Any], cell: tuple[int, int], box: Sequence[float], scores: Sequence[float]
) -> None:
    """Let a cell (row, column) of 32 pixels answer a box, in input pixels, with these scores per label."""
    row, column = cell
    x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
    distances = (x - box[0], y - box[1], box[2] - x, box[3] - y)
    outputs[0][0, row, column] = logits(*scores)
    outputs[1][0, row, column] = [math.log(distance / STRIDE) for distance in distances]


def frame(width: int, height: int, value: int = 200, index: int = 0) -> Frame:
    """A frame of one grey level."""
    return Frame(np.full((height, width, 3), value, np.uint8), index / 10, index)


def run(
    described: Manifest, outputs: tuple[Any, Any], shown: Frame | None = None, **options: Any
) -> tuple[Detection, ...]:
    """Detections in one frame, by default of the input's own size."""
    interpreter = ScriptedInterpreter(model_spec(described), [outputs])
    return Detector(interpreter, described, **options).detect(shown or frame(SIDE, SIDE))[0]


def corners(box: BoundingBox) -> list[float]:
    """A box as a list."""
    return [box.xmin, box.ymin, box.xmax, box.ymax]
