"""SSD-MobileNetV2: a single-shot detector with a light feature pyramid.

Backbone as in SSDLite (Sandler et al. 2018), top-down pyramid (Lin et al. 2017) of depthwise-separable
convolutions, one anchor-free box a cell (Tian et al. 2019).
"""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from training.networks.base import DetectionNetwork, Maps
from training.networks.layers import PRIOR_LOGIT, conv_bn_relu6, prediction
from training.networks.mobilenet_v2 import MobileNetV2Features


def _separable(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(conv_bn_relu6(inputs, inputs, kernel, groups=inputs), conv_bn_relu6(inputs, outputs))


class _Branch(nn.Sequential):
    """Two separable convolutions and the prediction, for one level and one kind."""

    def __init__(self, width: int, outputs: int, bias: float) -> None:
        super().__init__(_separable(width, width), _separable(width, width), prediction(width, outputs, bias))


class SsdMobileNetV2(DetectionNetwork):
    """Anchor-free detector.

    Args:
        n_labels: Number of classes.
        width: Channels of the pyramid.
        backbone: Gives maps at the three strides; MobileNetV2-1.0 with its first layers frozen by default.
    """

    description: ClassVar = "SSD-MobileNetV2-FPN-lite, anchor-free, int8"
    kinds: ClassVar = {"scores": 3, "boxes": 4}
    head_kind: ClassVar = "ssd"
    takes_imagenet: ClassVar[bool] = True

    def __init__(
        self, n_labels: int = 3, width: int = 96, backbone: MobileNetV2Features | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone or MobileNetV2Features()
        self.lateral = nn.ModuleList(conv_bn_relu6(channels, width) for channels in self.backbone.channels)
        self.smooth = nn.ModuleList(_separable(width, width, 5) for _ in self.strides)
        self.scores = nn.ModuleList(_Branch(width, n_labels, PRIOR_LOGIT) for _ in self.strides)
        self.boxes = nn.ModuleList(_Branch(width, 4, math.log(2.0)) for _ in self.strides)

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Maps of ``width`` channels, each with what the coarser ones see added."""
        maps = [lateral(x) for lateral, x in zip(self.lateral, self.backbone(image), strict=True)]
        for level in reversed(range(len(maps) - 1)):
            coarser = functional.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
            maps[level] = maps[level] + coarser
        return [smooth(x) for smooth, x in zip(self.smooth, maps, strict=True)]

    def predict(self, pyramid: list[Tensor]) -> Maps:
        """Scores and boxes, from branches of their own."""
        return Maps(
            [branch(x) for branch, x in zip(self.scores, pyramid, strict=True)],
            [branch(x) for branch, x in zip(self.boxes, pyramid, strict=True)],
            [],
        )


class SsdMobileNetV2Nano(SsdMobileNetV2):
    """Half as wide: 0.6 million weights. Nothing is frozen: there are no ImageNet weights of this width."""

    description = "SSD-MobileNetV2-FPN-lite at width 0.5, anchor-free, int8"
    takes_imagenet = False

    def __init__(self) -> None:
        super().__init__(width=64, backbone=MobileNetV2Features(width=0.5, n_frozen=0))
