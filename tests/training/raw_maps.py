"""Make raw values in the shapes of a network's outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from training.networks.base import DetectionNetwork

SIDE = 64


def random_maps(network: DetectionNetwork, seed: int) -> tuple[Tensor, ...]:
    """One of each output, for one picture of ``SIDE`` px."""
    torch.manual_seed(seed)
    return tuple(
        3 * torch.randn(1, depth, rows, columns) for _, rows, columns, depth in network.output_shapes(SIDE)
    )
