"""MobileNetV2 as a feature extractor (Sandler et al. 2018, arXiv:1801.04381)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from training.networks.layers import conv_bn_relu6, scaled_width

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
# The last stages at strides 8, 16 and 32.
_TAPPED = (32, 96, 320)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


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

    Args:
        width: Multiple of the paper's channels; ImageNet's weights are for 1.0.
        n_frozen: So many first layers keep their weights and statistics. Edges and colours serve faces as
            they serve ImageNet, and the backward pass of the first four, at strides 2 and 4, costs more than
            all the rest (54 % of a step on two CPU cores).
    """

    def __init__(self, width: float = 1.0, n_frozen: int = 4) -> None:
        super().__init__()
        inputs = scaled_width(32, width)
        layers: list[nn.Module] = [conv_bn_relu6(3, inputs, 3, 2)]
        taps = []
        for expansion, channels, blocks, first_stride in _STAGES:
            outputs = scaled_width(channels, width)
            for block in range(blocks):
                layers.append(InvertedResidual(inputs, outputs, first_stride if block == 0 else 1, expansion))
                inputs = outputs
            if channels in _TAPPED:
                taps.append(len(layers) - 1)
        self.channels = tuple(scaled_width(channels, width) for channels in _TAPPED)
        self.n_frozen = n_frozen
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
