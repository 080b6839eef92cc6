"""Compare what a detector with anchors says with the annotated faces.

The assignment is YOLOv5's as its documentation describes it: a face belongs to every anchor of a similar
width and height, in the cell of its centre and in the two cells nearest to that, so that each face has many
examples. What objectness learns is the overlap that the box reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from training.loss import LossConfig, Targets, giou, holds, label_weights
from training.networks.base import Anchors, Maps, cell_centres

_PUBLISHED_SIZE = 640


@dataclass(frozen=True, slots=True)
class _Matches:
    """K pairs of a face and a box: positions in the level's maps and among the picture's faces."""

    picture: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    face: Tensor


@dataclass(frozen=True, slots=True)
class _LevelLoss:
    """Sums over the matched boxes of a level, their number, and the mean over its cells."""

    boxes: Tensor
    labels: Tensor
    objectness: Tensor
    count: int


class AnchorLoss:
    """Computes the loss of a batch of a fixed input size.

    Args:
        height: Of the input in pixels.
        width: Of the input in pixels.
        anchors: The network's, per level.
        config: Weights.
        strides: Of the levels.
    """

    def __init__(
        self,
        height: int,
        width: int,
        anchors: Anchors,
        config: LossConfig | None = None,
        strides: tuple[int, ...] = (8, 16, 32),
    ) -> None:
        self.config = config or LossConfig()
        self._anchors = [torch.tensor(level, dtype=torch.float32) for level in anchors]
        self._strides = strides
        self._centres = [cell_centres(height, width, [stride])[0] for stride in strides]
        self._area = height * width / _PUBLISHED_SIZE**2

    def to(self, device: torch.device) -> None:
        """Move what the loss holds to where the batches will be."""
        self._anchors = [anchors.to(device) for anchors in self._anchors]
        self._centres = [centres.to(device) for centres in self._centres]

    def __call__(self, maps: Maps, targets: Targets) -> dict[str, Tensor]:
        """Return the parts and their sum as ``loss``; maps as the detector gives them."""
        config = self.config.anchors
        levels = [self._level(level, maps, targets) for level in range(len(self._strides))]
        total = max(1, sum(level.count for level in levels))
        objectness = [b * level.objectness for b, level in zip(config.balance, levels, strict=True)]
        parts = {
            "boxes": config.box_weight * torch.stack([level.boxes for level in levels]).sum() / total,
            "scores": config.label_weight * torch.stack([level.labels for level in levels]).sum() / total,
            "objectness": config.objectness_weight * self._area * torch.stack(objectness).sum(),
        }
        return parts | {"loss": torch.stack(list(parts.values())).sum()}

    def _level(self, level: int, maps: Maps, targets: Targets) -> _LevelLoss:
        scores, boxes, objectness = (
            _by_anchor(x[level], len(self._anchors[level]))
            for x in (maps.scores, maps.boxes, maps.objectness)
        )
        m = self.match(level, targets, scores.shape[2], scores.shape[3])
        place = (m.picture, m.anchor, m.row, m.column)
        iou, overlap = giou(self._decode(level, boxes[place], m), targets.boxes[m.picture, m.face])
        goal = torch.zeros(objectness.shape[:-1], device=objectness.device)
        # Two faces may share a box: it is as good as the better of its overlaps.
        flat = torch.arange(goal.numel(), device=goal.device).view_as(goal)[place]
        goal.view(-1).scatter_reduce_(0, flat, iou.detach(), "amax")
        labels = one_hot(targets.labels[m.picture, m.face].clamp(min=0), scores.shape[-1]).float()
        weights = label_weights(targets.is_two_class[m.picture, m.face], scores.shape[-1], self.config)
        found = binary_cross_entropy_with_logits(scores[place], labels, weights, reduction="sum")
        counts = self._counts(level, targets, goal)
        present = binary_cross_entropy_with_logits(objectness[..., 0], goal, counts, reduction="sum")
        return _LevelLoss(
            (1.0 - overlap).sum(), found / scores.shape[-1], present / counts.sum().clamp(min=1), len(m.face)
        )

    def match(self, level: int, targets: Targets, rows: int, columns: int) -> _Matches:
        """Which boxes of a level are which face's."""
        return self._match(level, targets.boxes, targets.is_present & (targets.labels >= 0), rows, columns)

    def _match(self, level: int, faces: Tensor, is_meant: Tensor, rows: int, columns: int) -> _Matches:
        ratio = (faces[..., 2:] - faces[..., :2]).clamp(min=1e-3)[:, :, None] / self._anchors[level]
        fits = torch.maximum(ratio, 1 / ratio).amax(-1) < self.config.anchors.ratio
        fits = fits & is_meant[..., None]
        centre = (faces[..., :2] + faces[..., 2:]) / 2 / self._strides[level]
        own = centre.floor()
        # Of the cells half a cell to either side one is the face's own; the other is its nearest neighbour.
        near = (centre - 0.5).floor() + (centre + 0.5).floor() - own
        beside, above = (
            torch.stack(xy, -1) for xy in ((near[..., 0], own[..., 1]), (own[..., 0], near[..., 1]))
        )
        cells = torch.stack([own, beside, above], dim=2)
        is_inside = (cells >= 0).all(-1) & (cells[..., 0] < columns) & (cells[..., 1] < rows)
        picture, face, anchor, cell = (fits[..., None] & is_inside[:, :, None]).nonzero(as_tuple=True)
        column, row = cells[picture, face, cell].long().unbind(-1)
        return _Matches(picture, anchor, row, column, face)

    def _decode(self, level: int, values: Tensor, m: _Matches) -> Tensor:
        """K × 4 boxes in pixels of K × 4 raw values, as :mod:`pi_mask.decoder` does it."""
        activated = 2 * values.sigmoid()
        cells = torch.stack([m.column, m.row], dim=-1) + 0.5
        centres = (cells + activated[:, :2] - 1) * self._strides[level]
        halves = activated[:, 2:] ** 2 * self._anchors[level][m.anchor] / 2
        return torch.cat([centres - halves, centres + halves], dim=-1)

    def _counts(self, level: int, targets: Targets, goal: Tensor) -> Tensor:
        """1 where a box is a face's or background, 0 where it is a region's to ignore; shaped as the goal."""
        is_ignored = targets.is_present & (targets.labels < 0)
        held = (holds(targets.boxes, self._centres[level]) & is_ignored[..., None]).any(1)
        ignored = held.reshape(goal.shape[0], 1, *goal.shape[2:]).expand_as(goal).clone()
        # A tiny face may lie between the cells' middles.
        m = self._match(level, targets.boxes, is_ignored, *goal.shape[2:])
        ignored[m.picture, m.anchor, m.row, m.column] = True
        return ((goal > 0) | ~ignored).float()


def _by_anchor(x: Tensor, n_anchors: int) -> Tensor:
    """N × (anchors × values) × H × W becomes N × anchors × H × W × values."""
    count, _, rows, columns = x.shape
    return x.float().view(count, n_anchors, -1, rows, columns).permute(0, 1, 3, 4, 2)
