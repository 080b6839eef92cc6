"""YOLOv5 in version 6.0's published shape, for int8 and the Edge TPU.

Own code after the description of the architecture: cross-stage partial blocks (CSPNet, Wang et al. 2020) with
three convolutions, a fast spatial pyramid pooling at the end of the backbone (SPP, He et al. 2015), a neck
that goes up and down again (PANet, Liu et al. 2018), three anchors a cell (YOLOv3, Redmon and Farhadi 2018).
Unlike there the activation is ReLU6, and boxes, objectness and scores are outputs of their own: each has its
own scale in int8.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.base import Anchors, DetectionNetwork, Maps
from training.networks.layers import PRIOR_LOGIT, conv_bn_relu6, prediction, scaled_width

# python -m training.anchors --data train.json, over the 14,105 training faces letterboxed to 320 px. As
# training scales them: mean best IoU 0.783, 99.8 % of the faces above 0.5; on val as it is: 0.787, 99.9 %.
DEFAULT_ANCHORS: Anchors = (
    ((7.8, 8.6), (11.3, 13.1), (16.4, 18.9)),
    ((23.9, 27.1), (34.5, 39.4), (51.5, 59.2)),
    ((81.1, 94.1), (135.6, 155.6), (252.3, 278.6)),
)


class _Bottleneck(nn.Module):
    """Squeeze 1 × 1, filter 3 × 3, add."""

    def __init__(self, width: int, *, is_residual: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv_bn_relu6(width, width), conv_bn_relu6(width, width, 3))
        self.is_residual = is_residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.is_residual else y


class _Csp(nn.Module):
    """Half of the channels go through the bottlenecks, half around them."""

    def __init__(self, inputs: int, outputs: int, depth: int, *, is_residual: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.through = nn.Sequential(
            conv_bn_relu6(inputs, half), *(_Bottleneck(half, is_residual=is_residual) for _ in range(depth))
        )
        self.around = conv_bn_relu6(inputs, half)
        self.join = conv_bn_relu6(2 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(torch.cat([self.through(x), self.around(x)], dim=1))
        return joined


class _PyramidPooling(nn.Module):
    """Maxima over 5 × 5, 9 × 9 and 13 × 13 cells, by three poolings in a row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.squeeze = conv_bn_relu6(width, half)
        self.join = conv_bn_relu6(4 * half, width)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.squeeze(x)]
        for _ in range(3):
            maps.append(functional.max_pool2d(maps[-1], 5, 1, 2))
        joined: Tensor = self.join(torch.cat(maps, dim=1))
        return joined


def _up(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class YoloV5(DetectionNetwork):
    """Detector with anchors.

    Args:
        width: Multiple of the large network's channels.
        depth: Multiple of the large network's blocks.
        n_labels: Number of classes.
        anchors: Per level, fine levels first.
    """

    kinds: ClassVar = {"scores": 3, "boxes": 4, "objectness": 1}
    head_kind: ClassVar = "yolov5"

    def __init__(
        self, width: float, depth: float, n_labels: int = 3, anchors: Anchors = DEFAULT_ANCHORS
    ) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (scaled_width(channels, width) for channels in (64, 128, 256, 512, 1024))
        d3, d6, d9 = (max(1, round(blocks * depth)) for blocks in (3, 6, 9))
        self.stage2 = nn.Sequential(conv_bn_relu6(3, c1, 6, 2), _down(c1, c2, d3))
        self.stage3 = _down(c2, c3, d6)
        self.stage4 = _down(c3, c4, d9)
        self.stage5 = nn.Sequential(_down(c4, c5, d3), _PyramidPooling(c5))
        self.lateral5, self.lateral4 = conv_bn_relu6(c5, c4), conv_bn_relu6(c4, c3)
        self.up4 = _Csp(2 * c4, c4, d3, is_residual=False)
        self.up3 = _Csp(2 * c3, c3, d3, is_residual=False)
        self.step4, self.step5 = conv_bn_relu6(c3, c3, 3, 2), conv_bn_relu6(c4, c4, 3, 2)
        self.down4 = _Csp(2 * c3, c4, d3, is_residual=False)
        self.down5 = _Csp(2 * c4, c5, d3, is_residual=False)
        self._add_heads((c3, c4, c5), n_labels, anchors)
        # In the state, so that a checkpoint can't be read with other anchors.
        self.anchors: Tensor
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))

    def _add_heads(self, widths: tuple[int, ...], n_labels: int, anchors: Anchors) -> None:
        """A face has one label of three at first; its box is its anchor."""
        share = -math.log(n_labels - 1) if n_labels > 1 else 0.0
        for kind, depth, bias in (
            ("scores", n_labels, share),
            ("boxes", 4, 0.0),
            ("objectness", 1, PRIOR_LOGIT),
        ):
            heads = (
                prediction(width, depth * len(level), bias)
                for width, level in zip(widths, anchors, strict=True)
            )
            self.add_module(kind, nn.ModuleList(heads))

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Maps after the way down to the coarsest and up again, and once more down."""
        fine = self.stage3(self.stage2(image))
        middle = self.stage4(fine)
        top = self.lateral5(self.stage5(middle))
        middle = self.lateral4(self.up4(torch.cat([_up(top), middle], dim=1)))
        fine = self.up3(torch.cat([_up(middle), fine], dim=1))
        middle = self.down4(torch.cat([self.step4(fine), middle], dim=1))
        coarse = self.down5(torch.cat([self.step5(middle), top], dim=1))
        return [fine, middle, coarse]

    def predict(self, pyramid: list[Tensor]) -> Maps:
        """Scores, boxes and objectness, each a convolution."""
        return Maps(*(self._predict(kind, pyramid) for kind in self.kinds))

    def _predict(self, kind: str, maps: list[Tensor]) -> list[Tensor]:
        heads = self.get_submodule(kind)
        assert isinstance(heads, nn.ModuleList)  # noqa: S101 for the type checker
        return [head(x) for head, x in zip(heads, maps, strict=True)]

    def set_anchors(self, anchors: Anchors) -> None:
        """Replace the anchors, before training; as many as there are.

        Raises:
            ValueError: They are another number, or no sizes.
        """
        sizes = torch.tensor(anchors, dtype=torch.float32)
        if sizes.shape != self.anchors.shape or not bool((sizes > 0).all()):
            raise ValueError(f"anchors of shape {tuple(sizes.shape)}, not {tuple(self.anchors.shape)}")
        self.anchors.copy_(sizes)

    def level_anchors(self) -> Anchors:
        """Anchors per level in input pixels."""
        return tuple(tuple((round(w, 2), round(h, 2)) for w, h in level) for level in self.anchors.tolist())


def _down(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Halve the map, then look closer."""
    return nn.Sequential(
        conv_bn_relu6(inputs, outputs, 3, 2), _Csp(outputs, outputs, depth, is_residual=True)
    )


class YoloV5s(YoloV5):
    """The small one: 7.0 million weights."""

    description = "YOLOv5s with ReLU6, int8"

    def __init__(self) -> None:
        super().__init__(width=0.5, depth=0.33)


class YoloV5n(YoloV5):
    """The nano one: 1.8 million weights."""

    description = "YOLOv5n with ReLU6, int8"

    def __init__(self) -> None:
        super().__init__(width=0.25, depth=0.33)
