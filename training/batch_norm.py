"""Measure batch norm's statistics anew: averaged weights make other activations than any of their members.

As stochastic weight averaging does (Izmailov et al. 2018). torch.optim.swa_utils.update_bn would also reset
the layers that training keeps frozen, and leave them empty.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pi_mask.errors import UsageError
from training.augment import AugmentConfig
from training.data import TrainingSet, collate, load_coco
from training.networks.base import DetectionNetwork
from training.precision import native_precision
from training.trainee import Config


def training_batches(
    data: Path, size: int, augment: AugmentConfig, count: int, batch: int = Config.batch
) -> Iterable[Tensor]:
    """``count`` batches of training pictures, varied as in training: batch × 3 × size × size, 0 to 1.

    Raises:
        UsageError: There are fewer pictures than one batch holds.
    """
    pictures = TrainingSet(load_coco(data), size, augment, Config.incorrect_weight, Config.seed)
    if len(pictures) < batch:
        raise UsageError(f"{data} has {len(pictures)} pictures; give at least {batch}, a batch of them.")
    loader = DataLoader(pictures, batch, collate_fn=collate, drop_last=True)
    return islice(_epochs(pictures, loader, size), count)


def _epochs(pictures: TrainingSet, loader: DataLoader[Any], size: int) -> Iterator[Tensor]:
    for epoch in itertools.count():
        pictures.begin(epoch, size, use_mosaic=True)
        yield from (images.float() / 255 for images, _ in loader)


@torch.no_grad()
def measure_statistics(network: DetectionNetwork, batches: Iterable[Tensor]) -> None:
    """Replace means and variances by their averages over batches, but for frozen layers.

    Args:
        network: Left in evaluation mode.
        batches: N × 3 × H × W, 0 to 1, at least one.
    """
    network.train()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.training]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for a plain average
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for images in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=native_precision() == "bf16"):
            network(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.eval()
