"""Say what every detection network is to the rest of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from pi_mask.manifest import Head, Level

Kind: TypeAlias = Literal["scores", "boxes", "objectness"]
Anchors: TypeAlias = tuple[tuple[tuple[float, float], ...], ...]
"""Per level the width and height of each anchor in input pixels."""


@dataclass(frozen=True, slots=True)
class Maps:
    """Raw outputs, one N × channels × H/S × W/S tensor per level and kind, fine levels first.

    Attributes:
        scores: Logits, labels (times anchors) channels.
        boxes: Four values a box; :mod:`pi_mask.decoder` says what they mean.
        objectness: Logits, one channel an anchor; empty where the head has none.
    """

    scores: list[Tensor]
    boxes: list[Tensor]
    objectness: list[Tensor]

    def flat(self) -> tuple[Tensor, ...]:
        """All maps in the order of the model file's outputs: kind by kind, level by level."""
        return (*self.scores, *self.boxes, *self.objectness)


class DetectionNetwork(nn.Module, ABC):
    """Maps N × 3 × H × W pictures, 0 to 1, H and W multiples of 32, to :class:`Maps`."""

    description: ClassVar[str]
    """Goes into the manifest."""
    kinds: ClassVar[Mapping[Kind, int]]
    """Channels of each kind of output per box, in the order of the outputs."""
    head_kind: ClassVar[Literal["ssd", "yolov5"]]
    strides: ClassVar[tuple[int, ...]] = (8, 16, 32)

    @abstractmethod
    def pyramid(self, image: Tensor) -> list[Tensor]:
        """What the network sees: one N × channels × H/S × W/S map per level, fine levels first."""

    @abstractmethod
    def predict(self, pyramid: list[Tensor]) -> Maps:
        """What it makes of that."""

    def forward(self, image: Tensor) -> Maps:
        """Map N × 3 × H × W, 0 to 1, to raw maps, as :mod:`pi_mask.decoder` reads them."""
        return self.predict(self.pyramid(image))

    def level_anchors(self) -> Anchors:
        """Anchors per level; none for an anchor-free head."""
        return ((),) * len(self.strides)

    def head(self) -> Head:
        """What the manifest says of the outputs."""
        count = len(self.strides)
        return Head(
            kind=self.head_kind,
            levels=tuple(
                Level(
                    stride=stride,
                    outputs={kind: row * count + level for row, kind in enumerate(self.kinds)},
                    anchors=anchors,
                )
                for level, (stride, anchors) in enumerate(
                    zip(self.strides, self.level_anchors(), strict=True)
                )
            ),
        )

    def output_kinds(self) -> list[Kind]:
        """Kind of each output, in order."""
        return [kind for kind in self.kinds for _ in self.strides]

    def output_shapes(self, size: int) -> list[tuple[int, int, int, int]]:
        """Shape of each output for one size × size picture, channels last, in order."""
        return [
            (1, size // stride, size // stride, depth * max(1, len(anchors)))
            for depth in self.kinds.values()
            for stride, anchors in zip(self.strides, self.level_anchors(), strict=True)
        ]


class Exported(nn.Module):
    """A detector with one flat tuple of outputs, for conversion."""

    def __init__(self, detector: DetectionNetwork) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map 1 × 3 × H × W to the maps of :meth:`Maps.flat`."""
        maps: Maps = self.detector(image)
        return maps.flat()


def count_weights(network: nn.Module) -> int:
    """Number of trainable and frozen weights."""
    return sum(parameter.numel() for parameter in network.parameters())


def cell_centres(height: int, width: int, strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Centres (cells × 2, pixels, x then y) and strides (cells) of all levels, in flattened maps' order."""
    centres, sizes = [], []
    for stride in strides:
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres.append((torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride)
        sizes.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(centres), torch.cat(sizes)
