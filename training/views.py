"""Look at pictures with one model in two ways: with low thresholds for precision, with the door's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pi_mask.build import open_detector
from pi_mask.detector import Detector
from pi_mask.settings import ModelSettings
from pi_mask.types import Detection, Frame, MaskLabel
from training.float_parent import EVALUATION_MIN_SCORE

if TYPE_CHECKING:
    from pi_mask.inference.base import Interpreter, ModelSpec
    from pi_mask.types import Image

Detections: TypeAlias = tuple[Detection, ...]


class _Remembering:
    """An interpreter that answers the same picture from memory.

    Thresholds decide which boxes suppress which, so the door's view can't be had from the low one's boxes;
    but inference, nearly all of the time, is the same for both.
    """

    def __init__(self, inner: Interpreter) -> None:
        self._inner = inner
        self._image: Image | None = None
        self._outputs: tuple[NDArray[np.generic], ...] = ()

    @property
    def spec(self) -> ModelSpec:
        """Of the model."""
        return self._inner.spec

    @property
    def device(self) -> str:
        """Of the model."""
        return self._inner.device

    def invoke(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model, unless the last picture is shown again."""
        if self._image is None or not np.array_equal(image, self._image):
            self._outputs = self._inner.invoke(image)
            self._image = image.copy()
        return self._outputs

    def close(self) -> None:
        """Nothing: who opened the model closes it."""


@dataclass(frozen=True, slots=True)
class Views:
    """One model's two detectors.

    Attributes:
        low: With thresholds for the whole precision-recall curve.
        door: With the manifest's thresholds.
    """

    low: Detector
    door: Detector

    def detect(self, image: Image) -> tuple[Detections, Detections]:
        """What is found in one picture: in the low view, in the door's."""
        frame = Frame(image, 0.0, 0)
        return self.low.detect(frame)[0], self.door.detect(frame)[0]

    def detect_all(self, images: Sequence[Image]) -> tuple[list[Detections], list[Detections]]:
        """The same for many pictures."""
        pairs = [self.detect(image) for image in images]
        return [low for low, _ in pairs], [door for _, door in pairs]


@contextmanager
def open_views(model: Path, threads: int = 2) -> Iterator[Views]:
    """Open a model's int8 file on the CPU.

    Raises:
        ModelError: The model or its manifest is unusable.
    """
    settings = ModelSettings(name=str(model), accelerator="cpu", threads=threads)
    with open_detector(settings) as opened:
        memory = _Remembering(opened.interpreter)
        low = dict.fromkeys(MaskLabel, EVALUATION_MIN_SCORE)
        yield Views(Detector(memory, opened.manifest, thresholds=low), Detector(memory, opened.manifest))
