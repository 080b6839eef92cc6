"""Hold the loss to what its description comes to, counted cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from tests.training.faces import Face, targets
from training.loss import IGNORED, DetectionLoss, LossConfig
from training.networks.base import Maps

SIDE, STRIDES = 64, (8, 16, 32)
CONFIG = LossConfig()
Box = Sequence[float]


def overlap(one: Box, other: Box) -> tuple[float, float]:
    """IoU, and GIoU after Rezatofighi et al. 2019."""

    def area(box: Box) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    both = [max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])]
    hull = [min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])]
    union = area(one) + area(other) - area(both)
    return area(both) / union, area(both) / union - (area(hull) - union) / area(hull)


def cells(maps: Maps) -> Iterator[tuple[float, float, int, list[float], list[float]]]:
    """Middle, stride, logits and box of each cell of a single picture."""
    for stride, scores, boxes in zip(STRIDES, maps.scores, maps.boxes, strict=True):
        for row, column in np.ndindex(*scores.shape[2:]):
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            left, top, right, bottom = (stride * math.exp(v) for v in boxes[0, :, row, column].tolist())
            logits = scores[0, :, row, column].tolist()
            yield x, y, stride, logits, [x - left, y - top, x + right, y + bottom]


def is_held(x: float, y: float, stride: int, box: Box) -> bool:
    """Whether a cell lies in a face or, at the finest level, within a stride of its middle."""
    off = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2))
    return (box[0] < x < box[2] and box[1] < y < box[3]) or (stride == STRIDES[0] and off < stride)


def distance(x: float, y: float, stride: int, box: Box) -> float:
    """Squared, in strides and in halves of an octave."""
    width, height = box[2] - box[0], box[3] - box[1]
    across, down = x - (box[0] + box[2]) / 2, y - (box[1] + box[3]) / 2
    octaves = math.log2(math.sqrt(width * height) / (CONFIG.strides_a_face * stride))
    return (across**2 + down**2) / stride**2 + (octaves / CONFIG.level_spread) ** 2


def assigned(maps: Maps, faces: Sequence[Face]) -> dict[int, Face]:
    """The face of each cell that has one: of its nine best, those not much farther than its nearest."""
    nearest: dict[int, tuple[float, Face]] = {}
    for face in faces:
        if face.label == IGNORED:
            continue
        places = enumerate(cells(maps))
        own = [(distance(*c[:3], face.box), n) for n, c in places if is_held(*c[:3], face.box)]
        for far, number in sorted(own)[: CONFIG.top_k]:
            if far <= min(own)[0] + CONFIG.reach and far < nearest.get(number, (math.inf, face))[0]:
                nearest[number] = far, face
    return {number: face for number, (_, face) in nearest.items()}


def by_hand(maps: Maps, faces: Sequence[Face]) -> tuple[float, float]:
    """The losses of scores and boxes of a single picture."""
    face_of = assigned(maps, faces)
    scores = boxes = total = 0.0
    for number, (x, y, stride, logits, box) in enumerate(cells(maps)):
        face, quality = face_of.get(number), 0.0
        if face is not None:
            quality, generalised = overlap(box, face.box)
            boxes += quality * (1 - generalised)
            total += quality
        elif any(each.label == IGNORED and is_held(x, y, stride, each.box) for each in faces):
            continue
        for label, logit in enumerate(logits):
            goal = quality if face is not None and label == face.label else 0.0
            said = 1 / (1 + math.exp(-logit))
            entropy = -goal * math.log(said) - (1 - goal) * math.log(1 - said)
            doubt = face is not None and face.is_two_class and label == CONFIG.incorrect_label
            scores += entropy * (said - goal) ** 2 * (CONFIG.two_class_weight if doubt else 1.0)
    return scores / max(1.0, total), CONFIG.box_weight * boxes / max(1.0, total)


@pytest.mark.parametrize("seed", range(12))
def test_the_loss_is_that_of_its_description(seed: int) -> None:
    """Faces of all sizes, regions to ignore and two-class sources: both parts are those counted by hand."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    faces = []
    for _ in range(rng.integers(1, 5)):
        size, corner = rng.uniform(4, 50, 2), rng.uniform(-5, 50, 2)
        box = tuple(float(v) for v in (*corner, *(corner + size)))
        faces.append(Face(box, int(rng.choice([0, 1, 2, IGNORED])), bool(rng.random() < 0.5)))
    scores, values = (
        [torch.randn(1, depth, SIDE // s, SIDE // s, generator=generator) for s in STRIDES]
        for depth in (3, 4)
    )
    maps = Maps(scores, values, [])

    parts = DetectionLoss(SIDE, SIDE)(maps, targets(faces))

    expected = by_hand(maps, faces)
    assert (float(parts["scores"]), float(parts["boxes"])) == pytest.approx(expected, rel=1e-4)
    assert float(parts["loss"]) == pytest.approx(sum(expected), rel=1e-4)
