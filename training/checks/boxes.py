"""Find boxes that cannot be right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from pi_mask.types import BoundingBox
from training.annotations import AnnotatedImage
from training.checks.finding import Kind

_ROUNDING_PX = 1.0
_REPEATED_IOU = 0.9
_ODD_RATIO = 3.0
"""Faces are about 1.3 times as high as wide; at the picture's edge and in profile up to twice."""


def check_boxes(image: AnnotatedImage) -> Iterator[tuple[Kind, str]]:
    """What is wrong with the boxes of one picture, and where."""
    sound: list[BoundingBox] = []
    for face in image.faces:
        box = face.box
        corners = (box.xmin, box.ymin, box.xmax, box.ymax)
        where = " ".join(f"{value:.0f}" for value in corners)
        if not all(map(math.isfinite, corners)) or box.shorter_side < 1:
            yield Kind.EMPTY_BOX, where
            continue
        sound.append(box)
        if _overhang(box, image) > _ROUNDING_PX:
            yield Kind.OUTSIDE, f"{where} in {image.width}×{image.height}"
        if max(box.width / box.height, box.height / box.width) > _ODD_RATIO:
            yield Kind.ODD_SHAPE, f"{box.width:.0f}×{box.height:.0f} pixels"
    for one, other in combinations(sound, 2):
        if one.iou(other) > _REPEATED_IOU:
            yield Kind.REPEATED_BOX, f"IoU {one.iou(other):.2f} at {one.xmin:.0f} {one.ymin:.0f}"


def _overhang(box: BoundingBox, image: AnnotatedImage) -> float:
    """How far a box reaches beyond its picture, in pixels."""
    return max(-box.xmin, -box.ymin, box.xmax - image.width, box.ymax - image.height)
