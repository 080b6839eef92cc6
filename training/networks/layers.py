"""Build the layers that all networks share."""

from __future__ import annotations

import math

from torch import Tensor, autocast, nn

# Focal loss's prior (Lin et al. 2017): at the start every cell says "1 % face", so that the many empty cells
# don't drown the few faces.
PRIOR_LOGIT = -math.log((1 - 0.01) / 0.01)


class _Float32Conv2d(nn.Conv2d):
    """A convolution that leaves bf16 autocast while it trains.

    oneDNN, which computes on the CPU, has no fast bf16 gradient for depthwise convolutions of stride 2 or of
    5 × 5: they take 4 to 8 times as long as in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve as :class:`torch.nn.Conv2d` does."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        with autocast("cpu", enabled=False):
            return super().forward(x.float())


def conv_bn_relu6(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU6; H × W become H/stride × W/stride."""
    is_slow_in_bf16 = groups > 1 and (stride == 2 or kernel > 3)
    convolution = _Float32Conv2d if is_slow_in_bf16 else nn.Conv2d
    return nn.Sequential(
        convolution(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


def prediction(inputs: int, outputs: int, bias: float) -> nn.Conv2d:
    """The last convolution of a head, which starts by saying the same everywhere."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
    return layer


def scaled_width(channels: int, multiple: float) -> int:
    """Channels times a width multiple, to the nearest multiple of 8: what int8 kernels and TPUs like."""
    return max(8, round(channels * multiple / 8) * 8)
