"""Hold both losses to what their descriptions come to, counted cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from tests.training.faces import Face, targets
from training.loss import IGNORED, DetectionLoss, LossConfig
from training.loss_anchors import AnchorLoss
from training.networks.base import Maps
from training.networks.yolov5 import DEFAULT_ANCHORS

HEIGHT, WIDTH, STRIDES = 64, 96, (8, 16, 32)
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
            said = logistic(logit)
            doubt = face is not None and face.is_two_class and label == CONFIG.incorrect_label
            scores += entropy(said, goal) * (said - goal) ** 2 * (CONFIG.two_class_weight if doubt else 1.0)
    return scores / max(1.0, total), CONFIG.box_weight * boxes / max(1.0, total)


def some_faces(seed: int) -> list[Face]:
    """One to four of any size, also over the edge, some regions to ignore or of a two-class source."""
    rng = np.random.default_rng(seed)
    faces = []
    for _ in range(rng.integers(1, 5)):
        (width, height), (x, y) = rng.uniform(4, 50, 2).tolist(), rng.uniform(-5, (80, 50)).tolist()
        label = int(rng.choice([0, 1, 2, IGNORED]))
        faces.append(Face((x, y, x + width, y + height), label, bool(rng.random() < 0.5)))
    return faces


def some_maps(seed: int, *depths: int) -> Maps:
    """Random outputs with so many channels for scores, boxes and objectness."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
    kinds = (
        [torch.randn(1, depth, *size, generator=generator) for size in sizes] if depth else []
        for depth in depths
    )
    return Maps(*kinds)


@pytest.mark.parametrize("seed", range(12))
def test_the_loss_is_that_of_its_description(seed: int) -> None:
    """Scores and boxes of any faces cost what was counted by hand."""
    maps, faces = some_maps(seed, 3, 4, 0), some_faces(seed)

    parts = DetectionLoss(HEIGHT, WIDTH)(maps, targets(faces))

    expected = by_hand(maps, faces)
    assert (float(parts["scores"]), float(parts["boxes"])) == pytest.approx(expected, rel=1e-4)
    assert float(parts["loss"]) == pytest.approx(sum(expected), rel=1e-4)


def logistic(value: float) -> float:
    """σ."""
    return 1 / (1 + math.exp(-value))


def entropy(said: float, goal: float) -> float:
    """Of a probability that should be another one."""
    return -goal * math.log(said) - (1 - goal) * math.log(1 - said)


def boxes_of(face: Face, level: int) -> list[tuple[int, int, int]]:
    """Anchor, row and column of a face's boxes: all similar anchors, in its cell and the two nearest ones."""
    width, height = face.box[2] - face.box[0], face.box[3] - face.box[1]
    x, y = ((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2)
    x, y = x / STRIDES[level], y / STRIDES[level]
    row, column = math.floor(y), math.floor(x)
    beside = (row, column + (1 if x - column >= 0.5 else -1))
    above = (row + (1 if y - row >= 0.5 else -1), column)
    return [
        (number, *cell)
        for number, (w, h) in enumerate(DEFAULT_ANCHORS[level])
        if max(w / width, width / w, h / height, height / h) < CONFIG.anchors.ratio
        for cell in ((row, column), beside, above)
        if 0 <= cell[0] < HEIGHT // STRIDES[level] and 0 <= cell[1] < WIDTH // STRIDES[level]
    ]


def level_by_hand(maps: Maps, level: int, faces: Sequence[Face]) -> tuple[float, float, float, int]:
    """Of a level: sums for scores and boxes, the mean for objectness, and the number of faces' boxes."""
    stride, cells = STRIDES[level], (HEIGHT // STRIDES[level], WIDTH // STRIDES[level])
    scores, values, sure = (
        kind[level][0].view(3, -1, *cells) for kind in (maps.scores, maps.boxes, maps.objectness)
    )
    goals, label_loss, box_loss, count = np.zeros((3, *cells)), 0.0, 0.0, 0
    for face in faces:
        for anchor, row, column in boxes_of(face, level) if face.label != IGNORED else ():
            said = [2 * logistic(v) for v in values[anchor, :, row, column].tolist()]
            x, y = (column - 0.5 + said[0]) * stride, (row - 0.5 + said[1]) * stride
            w, h = (each * said[2 + i] ** 2 / 2 for i, each in enumerate(DEFAULT_ANCHORS[level][anchor]))
            iou, generalised = overlap([x - w, y - h, x + w, y + h], face.box)
            goals[anchor, row, column] = max(goals[anchor, row, column], iou)
            box_loss += 1 - generalised
            count += 1
            for label, logit in enumerate(scores[anchor, :, row, column].tolist()):
                doubt = face.is_two_class and label == CONFIG.incorrect_label
                weight = CONFIG.two_class_weight if doubt else 1.0
                label_loss += weight * entropy(logistic(logit), float(label == face.label)) / 3
    present = []
    for place in np.ndindex(3, *cells):
        x, y = (place[2] + 0.5) * stride, (place[1] + 0.5) * stride
        held = [
            f
            for f in faces
            if (f.box[0] < x < f.box[2] and f.box[1] < y < f.box[3]) or place in boxes_of(f, level)
        ]
        if goals[place] > 0 or not any(face.label == IGNORED for face in held):
            present.append(entropy(logistic(float(sure[place[0], 0, place[1], place[2]])), goals[place]))
    return label_loss, box_loss, sum(present) / max(1, len(present)), count


@pytest.mark.parametrize("seed", range(12))
def test_the_loss_with_anchors_is_that_of_its_description(seed: int) -> None:
    """Scores, boxes and objectness of any faces cost what was counted by hand."""
    maps, faces = some_maps(seed, 9, 12, 3), some_faces(seed)

    parts = AnchorLoss(HEIGHT, WIDTH, DEFAULT_ANCHORS)(maps, targets(faces))

    labels, boxes, present, counts = zip(*(level_by_hand(maps, n, faces) for n in range(3)), strict=True)
    total, config = max(1, sum(counts)), CONFIG.anchors
    weighted = sum(share * each for share, each in zip(config.balance, present, strict=True))
    expected = {
        "scores": config.label_weight * sum(labels) / total,
        "boxes": config.box_weight * sum(boxes) / total,
        "objectness": config.objectness_weight * weighted * HEIGHT * WIDTH / 640**2,
    }
    expected["loss"] = sum(expected.values())
    assert {name: float(value) for name, value in parts.items()} == pytest.approx(expected, rel=1e-4)
