"""Make one box of the many that a network draws around each face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from pi_mask.decoder import Candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_CANDIDATES: Final = 1000
"""Bounds the work on a frame of noise. YOLOv5s draws a dozen boxes a face: of a crowd of 46 faces a bound of
300 kept 40."""
_AGREEING_IOU: Final = 0.8
"""Boxes with this overlap are two views of one face; looser ones may hold the head where others hold the
face, and their mean would be neither. Chosen on training pictures, see training/LOG.md."""


def strongest(candidates: Candidates) -> Candidates:
    """The best thousand; in their order where there are no more."""
    if len(candidates.boxes) <= _MAX_CANDIDATES:
        return candidates
    best = np.argpartition(-candidates.scores.max(axis=1), _MAX_CANDIDATES)[:_MAX_CANDIDATES]
    return Candidates(candidates.boxes[best], candidates.scores[best])


def suppress(candidates: Candidates, iou_threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression over all labels together: one face never carries two labels.

    Returns:
        Positions of the kept candidates, best score first.
    """
    if not len(candidates.boxes):
        return np.zeros(0, np.intp)
    sizes = candidates.boxes[:, 2:] - candidates.boxes[:, :2]
    rectangles = np.concatenate([candidates.boxes[:, :2], sizes], axis=1)
    kept = cv2.dnn.NMSBoxes(rectangles, candidates.scores.max(axis=1), 0.0, iou_threshold)  # type: ignore[arg-type]
    return np.asarray(kept, np.intp).reshape(-1)


def agreed_boxes(candidates: Candidates, kept: NDArray[np.intp]) -> NDArray[np.float32]:
    """The mean box of all candidates that agree with each kept one, weighted by their best scores.

    Box voting (Gidaris and Komodakis 2015, arXiv:1505.01749): what several cells measured is steadier than
    what one did.

    Args:
        candidates: Before suppression.
        kept: Positions of K of them.

    Returns:
        K × 4: xmin, ymin, xmax, ymax in input pixels.
    """
    left, top, right, bottom = candidates.boxes.T
    own = kept[:, np.newaxis]
    widths = np.minimum(right[own], right) - np.maximum(left[own], left)
    heights = np.minimum(bottom[own], bottom) - np.maximum(top[own], top)
    intersections = widths.clip(0) * heights.clip(0)
    areas = (right - left) * (bottom - top)
    agrees = intersections >= _AGREEING_IOU * (areas[own] + areas - intersections)
    weights = agrees * candidates.scores.max(axis=1)
    means: NDArray[np.float32] = weights @ candidates.boxes / weights.sum(axis=1, keepdims=True)
    return means
