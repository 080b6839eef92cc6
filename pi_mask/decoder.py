"""Turn a network's raw output tensors into candidate boxes.

Heads (S = stride, cx, cy = the cell's centre in input pixels, t = dequantised raw values, σ = logistic
function):

- ``ssd``: anchor-free, one box a cell. Scores are ``σ(t)`` per label. The four box values are the logarithms
  of the distances to the left, top, right and bottom edge in strides: ``xmin = cx − S·exp(t₀)`` and so on
  (FCOS, Tian et al. 2019). Quantising the logarithm makes the error relative to the face's size: 8 bits
  over e⁻¹·⁵…e³ are steps of 1.8 %.
- ``yolov5``: A anchors a cell, tensors with A·C channels. Score = ``σ(objectness)·σ(t)``;
  ``centre = cx + S·(2σ(t₀) − 1)``, ``size = anchor·(2σ(t₂))²`` (YOLOv5 v6.0).

Raw integers are compared with a threshold moved into the integer domain first; only survivors are
dequantised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pi_mask.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.inference.base import ModelSpec, TensorSpec
    from pi_mask.manifest import Head, Level

Float = np.float32
# exp(t) beyond this is wider than any input: it keeps garbage finite.
_MAX_LOG_DISTANCE = 6.0
_BOX_VALUES = 4


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes above the threshold, before suppression.

    Attributes:
        boxes: N × 4 float32: xmin, ymin, xmax, ymax in input pixels, not clipped.
        scores: N × labels float32, 0 to 1, in the manifest's order of labels.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


def logit(probability: float) -> float:
    """Inverse of the logistic function."""
    return math.log(probability / (1.0 - probability))


def quantised_threshold(real: float, spec: TensorSpec) -> float:
    """Smallest value in the tensor's own units that means at least ``real``; its type may not hold it."""
    if spec.scale == 0.0:
        return real
    # The rounding guard: a real value that is exactly a step must not be lifted to the next one.
    return math.ceil(real / spec.scale + spec.zero_point - 1e-6)


def dequantise(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real values of raw ones; float tensors pass through."""
    if spec.scale == 0.0:
        return values.astype(Float, copy=False)
    return (values.astype(Float) - Float(spec.zero_point)) * Float(spec.scale)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logistic function by tanh, which cannot overflow."""
    half = Float(0.5)  # of a plain number some of NumPy's type stubs make float64
    result: NDArray[np.float32] = half + half * np.tanh(half * values)
    return result


class _LevelDecoder:
    """Decodes one pyramid level of either head; the constants are computed once."""

    def __init__(self, head: str, level: Level, spec: ModelSpec, thresholds: Sequence[float]) -> None:
        self._index = dict(level.outputs)
        self._n_labels = len(thresholds)
        self._n_anchors = max(1, len(level.anchors))
        rows, columns = spec.input.shape[1] // level.stride, spec.input.shape[2] // level.stride
        self._spec = self._matching(level, spec, (1, rows, columns))
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
        centres = (cells + 0.5) * level.stride
        self._centres = np.repeat(centres, self._n_anchors, axis=0).astype(Float)
        anchors = np.asarray(level.anchors or [(0.0, 0.0)], Float)
        self._anchors = np.tile(anchors, (rows * columns, 1))
        self._stride = Float(level.stride)
        self._decode_boxes = self._distances if head == "ssd" else self._anchored
        self._thresholds = np.asarray(thresholds, Float)
        # A score is at most its factor: testing each factor alone never loses a candidate.
        self._limits = [quantised_threshold(logit(p), self._spec["scores"]) for p in thresholds]
        if "objectness" in self._spec:
            least = logit(min(thresholds))
            self._objectness_limit = quantised_threshold(least, self._spec["objectness"])

    def _matching(self, level: Level, spec: ModelSpec, cells: tuple[int, int, int]) -> dict[str, TensorSpec]:
        """The model's outputs by kind, once their shapes are what the manifest says."""
        last = max(self._index.values())
        if last >= len(spec.outputs):
            raise ModelError(
                f"The manifest names output {last}, the model has {len(spec.outputs)} (from 0). "
                "Use the manifest that came with the model."
            )
        tensors: dict[str, TensorSpec] = {
            kind: spec.outputs[position] for kind, position in self._index.items()
        }
        depth = {"scores": self._n_labels, "boxes": _BOX_VALUES, "objectness": 1}
        for kind, tensor in tensors.items():
            expected = (*cells, self._n_anchors * depth[kind])
            if tensor.shape != expected:
                raise ModelError(
                    f"Output {tensor.name} has shape {tensor.shape}, the manifest says {expected} "
                    f"({kind} at stride {level.stride}). Use the manifest that came with the model."
                )
        return tensors

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Candidates whose best label reaches its threshold."""
        raw = outputs[self._index["scores"]].reshape(-1, self._n_labels)
        passing = raw[:, 0] >= self._limits[0]
        for label in range(1, self._n_labels):
            passing |= raw[:, label] >= self._limits[label]
        if "objectness" in self._index:
            passing &= outputs[self._index["objectness"]].reshape(-1) >= self._objectness_limit
        return self._survivors(outputs, np.flatnonzero(passing))

    def _survivors(self, outputs: Sequence[NDArray[Any]], kept: NDArray[np.intp]) -> Candidates:
        """Dequantise the kept cells only; what a broken float model makes of them may not be finite."""
        real = {
            kind: dequantise(outputs[index].reshape(len(self._centres), -1)[kept], self._spec[kind])
            for kind, index in self._index.items()
        }
        is_sound = np.logical_and.reduce([np.isfinite(values).all(axis=1) for values in real.values()])
        scores = sigmoid(real["scores"])
        if "objectness" in real:
            scores = scores * sigmoid(real["objectness"])
            is_sound &= (scores >= self._thresholds).any(axis=1)
        boxes = self._decode_boxes(real["boxes"][is_sound], kept[is_sound])
        return Candidates(boxes, scores[is_sound])

    def _distances(self, values: NDArray[np.float32], kept: NDArray[np.intp]) -> NDArray[np.float32]:
        distances = np.exp(np.minimum(values, _MAX_LOG_DISTANCE)) * self._stride
        centres = self._centres[kept]
        return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)

    def _anchored(self, values: NDArray[np.float32], kept: NDArray[np.intp]) -> NDArray[np.float32]:
        activated = 2.0 * sigmoid(values)
        centres = self._centres[kept] + (activated[:, :2] - 1.0) * self._stride
        halves = 0.5 * activated[:, 2:] ** 2 * self._anchors[kept]
        return np.concatenate([centres - halves, centres + halves], axis=1)


class Decoder:
    """Decodes all levels of a model.

    Args:
        head: From the manifest.
        spec: From the model file; shapes are checked against the head.
        thresholds: Lowest score per label, 0 to 1 exclusive, in the manifest's order of labels.
        min_side_px: Shorter side of the smallest box that is believed, in input pixels.

    Raises:
        ModelError: The model's outputs are not what the head describes.
    """

    def __init__(
        self, head: Head, spec: ModelSpec, thresholds: Sequence[float], min_side_px: float = 0.0
    ) -> None:
        self._levels = [_LevelDecoder(head.kind, level, spec, thresholds) for level in head.levels]
        named = sum(len(level.outputs) for level in head.levels)
        if named < len(spec.outputs):
            raise ModelError(
                f"The manifest names {named} outputs, the model has {len(spec.outputs)}: faces would be "
                "missed. Use the manifest that came with the model."
            )
        self._min_side_px = min_side_px

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Candidates of all levels; cells with NaN or infinite values, of a broken float model, never are."""
        found = [level.decode(outputs) for level in self._levels]
        boxes = np.concatenate([candidates.boxes for candidates in found])
        scores = np.concatenate([candidates.scores for candidates in found])
        is_large = (boxes[:, 2:] - boxes[:, :2] >= self._min_side_px).all(axis=1)
        return Candidates(boxes[is_large], scores[is_large])
