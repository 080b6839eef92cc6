"""MobileNetV2 as a feature extractor (Sandler et al. 2018, arXiv:1801.04381)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

# expansion, channels, blocks, stride: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class _Float32Conv2d(nn.Conv2d):
    """A convolution that leaves bf16 autocast while it trains.

    oneDNN has no fast bf16 gradient for depthwise convolutions of stride 2 or of 5 × 5: they take 4 to 8
    times as long as in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve as :class:`torch.nn.Conv2d` does."""
        if not self.training:
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


def conv_bn_relu6(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU6."""
    is_slow_in_bf16 = groups > 1 and (stride == 2 or kernel > 3)
    convolution = _Float32Conv2d if is_slow_in_bf16 else nn.Conv2d
    return nn.Sequential(
        convolution(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; added to the input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [conv_bn_relu6(inputs, hidden)]
        layers.append(conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map N × inputs × H × W to N × outputs × H/stride × W/stride."""
        y: Tensor = self.conv(x)
        return x + y if self.is_residual else y


class MobileNetV2Features(nn.Module):
    """The convolutions up to 320 channels, giving maps at strides 8, 16 and 32.

    The layers keep torchvision's names, so that its published ImageNet weights load.
    """

    channels = (32, 96, 320)
    # Edges and colours serve faces as they serve ImageNet. Their backward pass at strides 2 and 4 costs more
    # than all the rest (54 % of a step on two CPU cores), so these layers keep their weights and statistics.
    n_frozen = 4

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn_relu6(3, 32, 3, 2)]
        inputs, taps = 32, []
        for expansion, outputs, blocks, first_stride in _STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(inputs, outputs, first_stride if block == 0 else 1, expansion))
                inputs = outputs
            if outputs in self.channels:
                taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self._taps = tuple(taps)
        self.features[: self.n_frozen].requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switch to training, except for the frozen layers."""
        super().train(mode)
        self.features[: self.n_frozen].eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map N × 3 × H × W, 0 to 1, to three maps."""
        maps, x = [], image
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                maps.append(x)
        return maps

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Load torchvision's weights, with ImageNet's normalisation folded into the first layer.

        The network then takes plain 0-to-1 pixels, which is what uint8 bytes with scale 1/255 are.
        """
        own = {name: value for name, value in weights.items() if name in self.state_dict()}
        missing = [n for n in self.state_dict() if n not in own and not n.endswith("num_batches_tracked")]
        if missing:
            raise ValueError(f"not MobileNetV2-1.0 weights: {missing[:3]} missing")
        self.load_state_dict(own, strict=False)
        convolution, norm = self.features[0][0], self.features[0][1]  # type: ignore[index]
        mean, std = torch.tensor(_IMAGENET_MEAN), torch.tensor(_IMAGENET_STD)
        with torch.no_grad():
            convolution.weight /= std.view(1, 3, 1, 1)
            norm.running_mean += (convolution.weight * mean.view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
