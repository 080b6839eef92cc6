"""Compute in float as the int8 file will: every tensor and every weight rounded to its 256 values.

Gradients pass the rounding as if it were not there (straight-through, Bengio et al. 2013; Jacob et al. 2018),
so that a network can learn to do with what int8 leaves of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from training.networks.base import DetectionNetwork, Exported

_STEPS = 255
_LOW, _HIGH = -128, 127
_MOST = 127  # of a weight: its zero is 0
_LEAST_SCALE = 1e-9  # a channel that is pruned to nothing has no range

Range = tuple[float, float]


class _Tracer(fx.Tracer):
    """Sees each layer of torch's kinds as a whole, ours that inherit from one too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


class FakeInt8(fx.Interpreter):
    """A network as its int8 file computes it; it shares the network's weights.

    Args:
        network: In evaluation mode: its batch norms are part of the convolutions there.
        images: N × 3 × H × W, 0 to 1, at least one; they give each tensor's range, its extremes.
        limits: Smallest and largest value that means something, per output.

    Attributes:
        held: The operations whose values are tensors of the file.
    """

    def __init__(self, network: DetectionNetwork, images: Iterable[Tensor], limits: Sequence[Range]) -> None:
        exported = Exported(network)
        super().__init__(fx.GraphModule(exported, _Tracer().trace(exported)))
        self.held = {node for node in self.graph.nodes if self._is_held(node)}
        self._ranges: dict[fx.Node, Range] = {}
        self._is_measuring = True
        with torch.no_grad():
            for batch in images:
                self.run(batch)
        self._is_measuring = False
        self._limit(limits)

    def run_node(self, n: fx.Node) -> Any:  # noqa: ANN401 as torch.fx has it
        """torch.fx's hook: one operation, and the rounding of what it gives."""
        value = super().run_node(n)
        if n not in self.held:
            return value
        if self._is_measuring:
            low, high = self._ranges.get(n, (0.0, 0.0))
            self._ranges[n] = min(low, float(value.min())), max(high, float(value.max()))
            return value
        return round_to_int8(value, self._ranges[n])

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """torch.fx's hook: a convolution with rounded weights."""
        layer = self.fetch_attr(target)
        if self._is_measuring or not isinstance(layer, nn.Conv2d):
            return super().call_module(target, args, kwargs)
        weight = _round_weights(layer.weight)
        return functional.conv2d(
            args[0], weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
        )

    def _is_held(self, node: fx.Node) -> bool:
        """Convolution, batch norm and ReLU6 are one operation in the file."""
        if node.op == "output":
            return False
        users = [self._layer(user) for user in node.users]
        layer = self._layer(node)
        is_fused = (isinstance(layer, nn.Conv2d) and isinstance(users[0], nn.BatchNorm2d)) or (
            isinstance(layer, nn.BatchNorm2d) and isinstance(users[0], nn.ReLU6)
        )
        return not (is_fused and len(users) == 1)

    def _layer(self, node: fx.Node) -> Any:  # noqa: ANN401
        return self.fetch_attr(str(node.target)) if node.op == "call_module" else None

    def _limit(self, limits: Sequence[Range]) -> None:
        ends = next(node for node in self.graph.nodes if node.op == "output").args[0]
        for node, (least, most) in zip(ends, limits, strict=True):
            low, high = self._ranges[node]
            self._ranges[node] = max(low, least), min(high, most)


def round_to_int8(value: Tensor, extremes: Range) -> Tensor:
    """The nearest of 256 values evenly spread between two extremes, of which one is 0.

    Args:
        value: Any; what lies beyond the extremes becomes the nearer of them.
        extremes: The first is at most 0, the second at least 0.
    """
    low, high = extremes
    scale = max((high - low) / _STEPS, _LEAST_SCALE)
    return torch.fake_quantize_per_tensor_affine(value, scale, round(_LOW - low / scale), _LOW, _HIGH)


def _round_weights(weight: Tensor) -> Tensor:
    """Each output channel by a scale of its own; batch norm's factor, applied later, changes nothing."""
    scale = (weight.detach().abs().amax((1, 2, 3)) / _MOST).clamp(min=_LEAST_SCALE)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -_MOST, _MOST)
