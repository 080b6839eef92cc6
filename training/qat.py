"""Teach a network to do with what int8 leaves of it (quantisation-aware training).

    python -m training.qat --checkpoint training/runs/ssd/last.ckpt --data ../shared/data/train.json \
        --output training/runs/ssd-int8/last.ckpt

For networks that lose more than a point in ``training.quantise``. The network computes as its int8 file will
and learns to give what it gave in float. Quantise the result as any checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from training.command import Command
from training.data import load_coco
from training.fake_int8 import FakeInt8
from training.networks.base import DetectionNetwork
from training.networks.registry import Checkpoint
from training.quantise import Config as QuantiseConfig
from training.quantise import calibration_images, output_limits
from training.self_distil import Config, SelfTaught, options, run

# Ten to twenty-five minutes on two cores; no other number of steps was tried. A rate of 1e-4 led away from
# the float network. float32: bf16 rounds as coarsely as int8.
DEFAULT = Config(steps=300, learning_rate=1e-5, precision="float32")


class QuantisedTrainee(SelfTaught):
    """A network as int8 computes it, towards what it was in float.

    Args:
        network: To train, in evaluation mode.
        ranges: N × 3 × H × W pictures, 0 to 1, that give the tensors' ranges.
        config: Of the run.
    """

    def __init__(self, network: DetectionNetwork, ranges: Iterable[Tensor], config: Config) -> None:
        super().__init__(network.requires_grad_(True), config)
        self._limits = output_limits(network)
        self._rounded = FakeInt8(network, ranges, self._limits)

    def answers(self, images: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Rounded, and in float; what int8 cuts off is no error."""
        cut = [x.clamp(low, high) for x, (low, high) in zip(self.teach(images), self._limits, strict=True)]
        return self._rounded.run(images), cut


@click.command(cls=Command)
@options(DEFAULT)
def main(data: Path, **given: Any) -> None:  # noqa: ANN401 they are the options
    """Train a network to do in int8 what it does in float."""

    def begin(trained: Checkpoint, config: Config) -> QuantisedTrainee:
        pictures = calibration_images(load_coco(data), QuantiseConfig(size=trained.size))
        ranges = (torch.from_numpy(image).permute(0, 3, 1, 2) for image in pictures)
        return QuantisedTrainee(trained.network, ranges, config)

    before, after = run(begin, DEFAULT, data=data, **given)
    click.echo(f"{given['output']}: in int8 {after:.3g} away from the float network, was {before:.3g}")


if __name__ == "__main__":
    main()
