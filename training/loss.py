"""Detection loss: task-aligned assignment, quality focal loss for scores, GIoU for boxes.

Assignment after TOOD (Feng et al. 2021): each face takes the cells whose prediction agrees best with it in
both score and overlap. Quality focal loss after Li et al. 2020 (GFL), GIoU after Rezatofighi et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.networks.ssd import cell_centres

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
class LossConfig:
    """Weights of the loss."""

    top_k: int = 10  # cells a face; TOOD's 13 suits five levels, three levels hold fewer good cells
    score_power: float = 0.5  # alpha, beta: YOLOv8-style 0.5 / 6 trusts overlap while scores are still random
    iou_power: float = 6.0
    box_weight: float = 2.0
    focal_power: float = 2.0
    # A wrongly worn mask in a two-class source is labelled as one of the other two. A face of such a source
    # says little about "incorrect", so that column counts this much there.
    two_class_weight: float = 0.25
    incorrect_label: int = 2


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


class DetectionLoss:
    """Computes the loss of a batch of a fixed input size."""

    def __init__(self, height: int, width: int, config: LossConfig | None = None) -> None:
        self.config = config or LossConfig()
        self.centres, self.strides = cell_centres(height, width)

    def __call__(self, scores: list[Tensor], boxes: list[Tensor], targets: Targets) -> dict[str, Tensor]:
        """Return the parts and their sum as ``loss``; maps as the detector gives them."""
        logits = torch.cat([x.flatten(2) for x in scores], dim=2).transpose(1, 2).float()
        values = torch.cat([x.flatten(2) for x in boxes], dim=2).transpose(1, 2).float()
        distances = values.clamp(max=6.0).exp() * self.strides[:, None]
        predicted = torch.cat([self.centres - distances[..., :2], self.centres + distances[..., 2:]], dim=-1)
        with torch.no_grad():
            assigned, quality = self._assign(logits.sigmoid(), predicted, targets)
        score_loss = self._score_loss(logits, assigned, quality, targets)
        box_loss = self._box_loss(predicted, assigned, quality, targets)
        total = quality.sum().clamp(min=1.0)
        parts = {"scores": score_loss / total, "boxes": self.config.box_weight * box_loss / total}
        return parts | {"loss": parts["scores"] + parts["boxes"]}

    def _inside(self, targets: Targets) -> Tensor:
        """N × M × cells: the cell's centre lies in the box, or within a stride of a tiny face's centre."""
        low = self.centres - targets.boxes[..., None, :2]
        high = targets.boxes[..., None, 2:] - self.centres
        inside = torch.cat([low, high], dim=-1).amin(-1) > 0
        centre = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / 2
        is_near = (self.centres - centre[..., None, :]).abs().amax(-1) < self.strides
        return inside | (is_near & (self.strides == self.strides.min()))

    def _assign(self, scores: Tensor, predicted: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Per cell: index of its face (−1: background, −2: ignored) and its target quality, 0 to 1."""
        config = self.config
        is_face = targets.is_present & (targets.labels >= 0)
        inside = self._inside(targets)
        iou, _ = giou(predicted[:, None], targets.boxes[:, :, None])
        per_label = scores.transpose(1, 2)
        index = targets.labels.clamp(min=0)[..., None].expand(-1, -1, per_label.shape[-1])
        alignment = per_label.gather(1, index) ** config.score_power * iou**config.iou_power
        alignment = alignment * (inside & is_face[..., None])
        best = alignment.topk(config.top_k, dim=-1)
        chosen = torch.zeros_like(alignment).scatter_(-1, best.indices, best.values)
        chosen = torch.where(chosen > 1e-12, alignment, 0.0)
        strongest, face = chosen.max(dim=1)
        # Scale so that a face's best cell gets its own IoU as its target quality.
        peak = chosen.amax(-1, keepdim=True).clamp(min=1e-12)
        quality = (chosen / peak * (iou * (chosen > 0)).amax(-1, keepdim=True)).gather(1, face[:, None])[:, 0]
        assigned = torch.where(strongest > 0, face, -1)
        ignored = (inside & (targets.is_present & ~is_face)[..., None]).any(1)
        assigned = torch.where((assigned == -1) & ignored, -2, assigned)
        return assigned, torch.where(assigned >= 0, quality, 0.0)

    def _score_loss(self, logits: Tensor, assigned: Tensor, quality: Tensor, targets: Targets) -> Tensor:
        config = self.config
        face = assigned.clamp(min=0)
        is_positive = assigned >= 0
        labels = targets.labels.gather(1, face).clamp(min=0)
        goal = functional.one_hot(labels, logits.shape[-1]) * (quality * is_positive)[..., None]
        loss = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")
        loss = loss * (logits.detach().sigmoid() - goal).abs() ** config.focal_power
        weight = (assigned != -2).float()[..., None].repeat(1, 1, logits.shape[-1])
        unsure = is_positive & targets.is_two_class.gather(1, face)
        weight[..., config.incorrect_label] *= torch.where(unsure, config.two_class_weight, 1.0)
        return (loss * weight).sum()

    @staticmethod
    def _box_loss(predicted: Tensor, assigned: Tensor, quality: Tensor, targets: Targets) -> Tensor:
        face = assigned.clamp(min=0)[..., None].expand(-1, -1, 4)
        is_positive = assigned >= 0
        _, overlap = giou(predicted[is_positive], targets.boxes.gather(1, face)[is_positive])
        return ((1.0 - overlap) * quality[is_positive]).sum()
