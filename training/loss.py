"""Compare what an anchor-free detector says with the annotated faces.

Quality focal loss after Li et al. 2020 (GFL): the score to learn is the overlap that the cell's own box
reaches. GIoU after Rezatofighi et al. 2019. Which cells are a face's is fixed by geometry, place and size, as
in FCOS (Tian et al. 2019) and ATSS (Zhang et al. 2020): assignment by the network's own predictions (TOOD)
needs many more epochs to settle, see LOG.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from training.networks.base import Maps, cell_centres

IGNORED = -1


@dataclass(slots=True)
class Targets:
    """Faces of a batch, padded to the same number; not frozen: Lightning moves it between devices in place.

    Attributes:
        boxes: N × M × 4 float, pixels.
        labels: N × M int64; −1 marks a region to ignore: neither a face nor background.
        is_two_class: N × M bool; the source has no class "incorrect", so its labels may hide some.
        is_present: N × M bool; False is padding.
    """

    boxes: Tensor
    labels: Tensor
    is_two_class: Tensor
    is_present: Tensor


@dataclass(frozen=True, slots=True)
class AnchorConfig:
    """What only networks with anchors need; as YOLOv5 has it, where nothing else is said."""

    ratio: float = 4.0  # a face is an anchor's if neither side is more than so many times the other's
    box_weight: float = 1.0
    label_weight: float = 1.0  # 2.7 times YOLOv5's: the labels differ less than COCO's, and cost more
    # At 640 × 640; times the area, for it is a mean over all cells. YOLOv5's own, 1.0 to 0.05 for the boxes
    # of each of three levels, is 7; three times that ranked training faces better (LOG.md, 27 November).
    objectness_weight: float = 20.0
    balance: tuple[float, ...] = (4.0, 1.0, 0.4)  # fine levels have more cells for as many faces


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss."""

    top_k: int = 9  # cells a face: the 3 × 3 around its centre, where the face is large enough to hold them
    strides_a_face: float = 4.0  # a level's typical face: 32, 64 and 128 px; the layers see ten times as far
    level_spread: float = 0.5  # in octaves: a face halfway between two levels belongs to both
    # Cells farther (squared) than a face's nearest by this are not its own; its 3 × 3 are within 4.5.
    # Without it a tiny face, which holds few fine cells, is also given coarse ones that can't see it.
    reach: float = 6.0
    box_weight: float = 2.0
    focal_power: float = 2.0
    # A wrongly worn mask in a two-class source is labelled as one of the other two. A face of such a source
    # says little about "incorrect", so that column counts this much there.
    two_class_weight: float = 0.25
    incorrect_label: int = 2
    anchors: AnchorConfig = field(default_factory=AnchorConfig)


def giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of boxes with equal leading shape; the last axis is xmin, ymin, xmax, ymax."""
    size_a, size_b = (a[..., 2:] - a[..., :2]).clamp(min=0), (b[..., 2:] - b[..., :2]).clamp(min=0)
    overlap = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    intersection = overlap.prod(-1)
    union = size_a.prod(-1) + size_b.prod(-1) - intersection
    hull_size = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = hull_size.clamp(min=0).prod(-1)
    iou = intersection / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def holds(boxes: Tensor, points: Tensor) -> Tensor:
    """N × M × points: whether the point (x, y) lies in the box (N × M × 4)."""
    low = points - boxes[..., None, :2]
    high = boxes[..., None, 2:] - points
    return torch.cat([low, high], dim=-1).amin(-1) > 0


def label_weights(is_two_class: Tensor, n_labels: int, config: LossConfig) -> Tensor:
    """Weight of each label's loss, ... × labels for faces of any shape: how far the annotation is trusted."""
    weights = torch.ones(*is_two_class.shape, n_labels, device=is_two_class.device)
    weights[..., config.incorrect_label] = torch.where(is_two_class, config.two_class_weight, 1.0)
    return weights


class DetectionLoss:
    """Computes the loss of a batch of a fixed input size."""

    def __init__(
        self, height: int, width: int, config: LossConfig | None = None, strides: Sequence[int] = (8, 16, 32)
    ) -> None:
        self.config = config or LossConfig()
        self.centres, self.strides = cell_centres(height, width, strides)

    def to(self, device: torch.device) -> None:
        """Move what the loss holds to where the batches will be."""
        self.centres, self.strides = self.centres.to(device), self.strides.to(device)

    def __call__(self, maps: Maps, targets: Targets) -> dict[str, Tensor]:
        """Return the parts and their sum as ``loss``; maps as the detector gives them."""
        logits = torch.cat([x.flatten(2) for x in maps.scores], dim=2).transpose(1, 2).float()
        values = torch.cat([x.flatten(2) for x in maps.boxes], dim=2).transpose(1, 2).float()
        distances = values.clamp(max=6.0).exp() * self.strides[:, None]
        predicted = torch.cat([self.centres - distances[..., :2], self.centres + distances[..., 2:]], dim=-1)
        with torch.no_grad():
            assigned, quality = self._assign(predicted, targets)
        score_loss = self._score_loss(logits, assigned, quality, targets)
        box_loss = self._box_loss(predicted, assigned, quality, targets)
        total = quality.sum().clamp(min=1.0)
        parts = {"scores": score_loss / total, "boxes": self.config.box_weight * box_loss / total}
        return parts | {"loss": parts["scores"] + parts["boxes"]}

    def _inside(self, targets: Targets) -> Tensor:
        """N × M × cells: the cell's centre lies in the box, or within a stride of a tiny face's centre."""
        inside = holds(targets.boxes, self.centres)
        centre = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / 2
        is_near = (self.centres - centre[..., None, :]).abs().amax(-1) < self.strides
        return inside | (is_near & (self.strides == self.strides.min()))

    def _distance(self, targets: Targets) -> Tensor:
        """N × M × cells: how far a cell is from the face in place (strides) and size (octaves), squared."""
        centre = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / 2
        offset = (self.centres - centre[..., None, :]) / self.strides[:, None]
        size = (targets.boxes[..., 2:] - targets.boxes[..., :2]).clamp(min=1.0).prod(-1).sqrt()
        octaves = torch.log2(size[..., None] / (self.config.strides_a_face * self.strides))
        return offset.square().sum(-1) + (octaves / self.config.level_spread).square()

    def _assign(self, predicted: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Per cell: index of its face (−1: background, −2: ignored) and its target quality, 0 to 1."""
        is_face = targets.is_present & (targets.labels >= 0)
        inside = self._inside(targets)
        distance = self._distance(targets).masked_fill(~(inside & is_face[..., None]), torch.inf)
        nearest = distance.topk(self.config.top_k, dim=-1, largest=False)
        own = nearest.values <= nearest.values[..., :1] + self.config.reach
        values = nearest.values.masked_fill(~own, torch.inf)
        chosen = torch.full_like(distance, torch.inf).scatter_(-1, nearest.indices, values)
        closest, face = chosen.min(dim=1)  # a cell between two faces is the nearer one's
        assigned = torch.where(closest < torch.inf, face, -1)
        ignored = (inside & (targets.is_present & ~is_face)[..., None]).any(1)
        assigned = torch.where((assigned == -1) & ignored, -2, assigned)
        own = targets.boxes.gather(1, assigned.clamp(min=0)[..., None].expand(-1, -1, 4))
        iou, _ = giou(predicted, own)
        return assigned, torch.where(assigned >= 0, iou, 0.0)

    def _score_loss(self, logits: Tensor, assigned: Tensor, quality: Tensor, targets: Targets) -> Tensor:
        config = self.config
        face = assigned.clamp(min=0)
        is_positive = assigned >= 0
        labels = targets.labels.gather(1, face).clamp(min=0)
        goal = functional.one_hot(labels, logits.shape[-1]) * (quality * is_positive)[..., None]
        loss = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")
        loss = loss * (logits.detach().sigmoid() - goal).abs() ** config.focal_power
        unsure = is_positive & targets.is_two_class.gather(1, face)
        weight = label_weights(unsure, logits.shape[-1], config) * (assigned != -2)[..., None]
        return (loss * weight).sum()

    @staticmethod
    def _box_loss(predicted: Tensor, assigned: Tensor, quality: Tensor, targets: Targets) -> Tensor:
        face = assigned.clamp(min=0)[..., None].expand(-1, -1, 4)
        is_positive = assigned >= 0
        _, overlap = giou(predicted[is_positive], targets.boxes.gather(1, face)[is_positive])
        return ((1.0 - overlap) * quality[is_positive]).sum()
