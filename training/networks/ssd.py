"""SSD-MobileNetV2: a single-shot detector with a light feature pyramid.

Backbone as in SSDLite (Sandler et al. 2018), top-down pyramid (Lin et al. 2017) of depthwise-separable
convolutions, one anchor-free box a cell (Tian et al. 2019).
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.mobilenet_v2 import MobileNetV2Features, conv_bn_relu6

STRIDES = (8, 16, 32)
# Focal loss's prior (Lin et al. 2017): at the start every cell says "1 % face", so that the many empty cells
# don't drown the few faces.
_PRIOR = 0.01


def _separable(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(conv_bn_relu6(inputs, inputs, kernel, groups=inputs), conv_bn_relu6(inputs, outputs))


class _Branch(nn.Sequential):
    """Two separable convolutions and the prediction, for one level and one kind."""

    def __init__(self, width: int, outputs: int, bias: float) -> None:
        prediction = nn.Conv2d(width, outputs, 1)
        nn.init.normal_(prediction.weight, std=0.01)
        nn.init.constant_(prediction.bias, bias)  # type: ignore[arg-type]
        super().__init__(_separable(width, width), _separable(width, width), prediction)


class SsdMobileNetV2(nn.Module):
    """Detector for H × W pictures, both multiples of 32.

    Args:
        n_labels: Number of classes.
        width: Channels of the pyramid.
    """

    strides = STRIDES
    head = "ssd"

    def __init__(self, n_labels: int = 3, width: int = 96) -> None:
        super().__init__()
        self.backbone = MobileNetV2Features()
        self.lateral = nn.ModuleList(conv_bn_relu6(channels, width) for channels in self.backbone.channels)
        self.smooth = nn.ModuleList(_separable(width, width, 5) for _ in STRIDES)
        prior = -math.log((1 - _PRIOR) / _PRIOR)
        self.scores = nn.ModuleList(_Branch(width, n_labels, prior) for _ in STRIDES)
        self.boxes = nn.ModuleList(_Branch(width, 4, math.log(2.0)) for _ in STRIDES)

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Map N × 3 × H × W, 0 to 1, to raw maps per level.

        Returns:
            Scores (N × labels × H/S × W/S, logits) and boxes (N × 4 × H/S × W/S, log distances in strides).
        """
        maps = [lateral(x) for lateral, x in zip(self.lateral, self.backbone(image), strict=True)]
        for level in reversed(range(len(maps) - 1)):
            coarser = functional.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
            maps[level] = maps[level] + coarser
        maps = [smooth(x) for smooth, x in zip(self.smooth, maps, strict=True)]
        return (
            [branch(x) for branch, x in zip(self.scores, maps, strict=True)],
            [branch(x) for branch, x in zip(self.boxes, maps, strict=True)],
        )


class ExportedSsd(nn.Module):
    """The detector with one flat tuple of outputs, scores then boxes level by level, for conversion."""

    def __init__(self, detector: SsdMobileNetV2) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map 1 × 3 × H × W to (scores₈, scores₁₆, scores₃₂, boxes₈, boxes₁₆, boxes₃₂)."""
        scores, boxes = self.detector(image)
        return (*scores, *boxes)


def cell_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres (cells × 2, pixels, x then y) and strides (cells) of all levels, in flattened maps' order."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres.append((torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def load_weights(network: SsdMobileNetV2, checkpoint: Path) -> None:
    """Load the averaged weights of a training checkpoint.

    Raises:
        RuntimeError: They belong to another network.
    """
    # Lightning's checkpoints hold more than tensors; load only your own.
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    prefix = "network."
    network.load_state_dict({n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)})
