"""Find faces in frames with a detection model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from pi_mask.decoder import Candidates, Decoder
from pi_mask.errors import ModelError
from pi_mask.suppression import agreed_boxes, strongest, suppress
from pi_mask.types import BoundingBox, Detection, Latency, MaskLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.inference.base import Interpreter, ModelSpec
    from pi_mask.manifest import Manifest, ModelInput
    from pi_mask.types import Frame, Image

_ROUNDING: Final = 1e-6
"""The decoder compares in the tensor's own units, a look in float32: no score may fall between the two."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a frame lies in the model's input: ``input = frame × scale + offset``."""

    scale_x: float
    scale_y: float
    offset_x: int
    offset_y: int
    width: int
    height: int


def place(frame_width: int, frame_height: int, width: int, height: int, *, letterbox: bool) -> Placement:
    """Fit a frame into the input: centred with its proportions kept, or stretched.

    Args:
        frame_width: Of the frame, pixels, at least 1.
        frame_height: Of the frame, pixels, at least 1.
        width: Of the model's input, pixels.
        height: Of the model's input, pixels.
        letterbox: Keep the proportions and pad.
    """
    if not letterbox:
        return Placement(width / frame_width, height / frame_height, 0, 0, width, height)
    scale = min(width / frame_width, height / frame_height)
    inner_width = min(width, max(1, round(frame_width * scale)))
    inner_height = min(height, max(1, round(frame_height * scale)))
    return Placement(
        inner_width / frame_width,
        inner_height / frame_height,
        (width - inner_width) // 2,
        (height - inner_height) // 2,
        inner_width,
        inner_height,
    )


def letterbox(image: Image, wanted: ModelInput) -> Image:
    """A new picture of the model's input size, made as the detector makes it; for calibration.

    Args:
        image: RGB, uint8, height × width × 3.
        wanted: From the manifest.
    """
    canvas = np.full((wanted.height, wanted.width, 3), wanted.fill, np.uint8)
    height, width = image.shape[:2]
    _draw(image, canvas, place(width, height, wanted.width, wanted.height, letterbox=wanted.letterbox))
    return canvas


def _draw(image: Image, canvas: Image, p: Placement) -> None:
    """Scale the picture into its place on the canvas, without a copy in between."""
    region = canvas[p.offset_y : p.offset_y + p.height, p.offset_x : p.offset_x + p.width]
    height, width = image.shape[:2]
    if (p.width, p.height) == (width, height):
        np.copyto(region, image)
        return
    # Area averaging when shrinking: bilinear would skip pixels and small faces would flicker.
    method = cv2.INTER_AREA if p.width < width else cv2.INTER_LINEAR
    cv2.resize(image, (p.width, p.height), dst=region, interpolation=method)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is believed of what the network saw.

    Attributes:
        labels: In the order of the scores.
        limits: Lowest score per label, 0 to 1 exclusive.
        iou_threshold: Overlap above which two boxes are one face.
    """

    labels: tuple[MaskLabel, ...]
    limits: NDArray[np.float64]
    iou_threshold: float


@dataclass(frozen=True, slots=True)
class Look:
    """All that the network saw in one frame: rules at least as strict as the detector's can be tried on it.

    Attributes:
        candidates: Before suppression.
        placement: Of the frame in the model's input.
        size: Width and height of the frame in pixels.
    """

    candidates: Candidates
    placement: Placement
    size: tuple[int, int]

    def reaching(self, limits: NDArray[np.float64]) -> Look:
        """The look as a detector with these limits, none below its own, would have had it."""
        passing = (self.candidates.scores >= limits - _ROUNDING).any(axis=1)
        kept = Candidates(self.candidates.boxes[passing], self.candidates.scores[passing])
        return replace(self, candidates=kept)


def faces_in(look: Look, rules: Rules) -> tuple[Detection, ...]:
    """The faces that the rules make of a look that reaches their limits, best score first."""
    candidates, placement = strongest(look.candidates), look.placement
    kept = suppress(candidates, rules.iou_threshold)
    if not len(kept):
        return ()
    offset = np.array([placement.offset_x, placement.offset_y] * 2, np.float32)
    scale = np.array([placement.scale_x, placement.scale_y] * 2, np.float32)
    limit = np.array(look.size * 2, np.float32)
    boxes = ((agreed_boxes(candidates, kept) - offset) / scale).clip(0, limit)
    scores = candidates.scores[kept]
    # Measured in its own threshold: a low threshold for "incorrect" makes the door doubt a mask sooner.
    # With equal thresholds it is the highest score. Divided by the smallest of numbers it would be infinite.
    winners = (scores * (rules.limits.min() / rules.limits)).argmax(axis=1)
    detections = (
        Detection(
            BoundingBox(*map(float, box)),
            rules.labels[winner],
            float(row[winner]),
            dict(zip(rules.labels, map(float, row), strict=True)),
        )
        for box, row, winner in zip(boxes, scores, winners, strict=True)
        if box[2] > box[0] and box[3] > box[1]  # all of it lay in the padding
    )
    # A winner by its threshold need not have the score that suppression sorted by.
    return tuple(sorted(detections, key=lambda detection: -detection.score))


class Detector:
    """Runs one model on frames of any size.

    Not safe for use by several threads: the input tensor is one buffer, filled anew for each frame.

    Args:
        interpreter: The loaded model; the caller closes it.
        manifest: Labels, head and thresholds of that model.
        thresholds: Lowest score per label, 0 to 1, in place of the manifest's.
        iou_threshold: Overlap above which two boxes are one face, in place of the manifest's.

    Raises:
        ModelError: The model's tensors are not what the manifest says.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        manifest: Manifest,
        *,
        thresholds: Mapping[MaskLabel, float] | None = None,
        iou_threshold: float | None = None,
    ) -> None:
        self._interpreter = interpreter
        self._manifest = manifest
        limits = thresholds or manifest.thresholds
        ordered = [limits[label] for label in manifest.labels]
        self.rules = Rules(
            tuple(manifest.labels), np.asarray(ordered), iou_threshold or manifest.iou_threshold
        )
        _check_input(interpreter.spec, manifest)
        self._decoder = Decoder(manifest.head, interpreter.spec, ordered, manifest.min_side_px)
        self._input = np.full(interpreter.spec.input.shape, manifest.input.fill, np.uint8)
        self._last_size: tuple[int, int] = (0, 0)
        self._placement = Placement(1.0, 1.0, 0, 0, 1, 1)

    def detect(self, frame: Frame) -> tuple[tuple[Detection, ...], Latency]:
        """Detections of one frame, best score first, with the milliseconds they took.

        Raises:
            EdgeTpuError: The accelerator failed.
            ModelError: The runtime refused.
        """
        start = time.perf_counter()
        placement = self._fill_input(frame.image)
        filled = time.perf_counter()
        outputs = self._interpreter.invoke(self._input)
        inferred = time.perf_counter()
        found = self._look(outputs, placement, frame.image)
        detections = faces_in(found, self.rules)
        end = time.perf_counter()
        return detections, Latency((filled - start) * 1e3, (inferred - filled) * 1e3, (end - inferred) * 1e3)

    def look(self, frame: Frame) -> Look:
        """What :meth:`detect` makes its detections of, to judge it by other rules later.

        Raises:
            EdgeTpuError: The accelerator failed.
            ModelError: The runtime refused.
        """
        placement = self._fill_input(frame.image)
        return self._look(self._interpreter.invoke(self._input), placement, frame.image)

    def _look(self, outputs: Sequence[NDArray[Any]], placement: Placement, image: Image) -> Look:
        return Look(self._decoder.decode(outputs), placement, (image.shape[1], image.shape[0]))

    def _fill_input(self, image: Image) -> Placement:
        """Scale the frame into the input buffer; a new size of the frame repaints the padding."""
        size = (image.shape[1], image.shape[0])
        if size != self._last_size:
            self._last_size = size
            wanted = self._manifest.input
            self._placement = place(*size, wanted.width, wanted.height, letterbox=wanted.letterbox)
            self._input.fill(wanted.fill)
        _draw(image, self._input[0], self._placement)
        return self._placement


def _check_input(spec: ModelSpec, manifest: Manifest) -> None:
    expected = (1, manifest.input.height, manifest.input.width, 3)
    if spec.input.shape != expected or spec.input.dtype != "uint8":
        raise ModelError(
            f"Model {manifest.name} takes {spec.input.dtype} {spec.input.shape}, its manifest says "
            f"uint8 {expected}. Use the manifest that came with the model."
        )
