"""Teach a network to see in a picture what it sees in its mirror image.

    python -m training.mirror --checkpoint training/runs/ssd/last.ckpt --data ../shared/data/train.json \
        --output training/runs/ssd-mirror/last.ckpt

Mirrored pictures are part of training, yet a network answers them a little otherwise, and the mean of both
answers is better than either (data distillation, Radosavovic et al. 2018, arXiv:1712.04440). The network
learns to give that mean at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import torch
from torch import Tensor, nn

from training.command import Command
from training.networks.base import DetectionNetwork
from training.networks.registry import Checkpoint
from training.precision import native_precision
from training.self_distil import Config, SelfTaught, by_anchor, options, run

# An hour on two cores. The rate is of the size that training itself has in its last cycles.
DEFAULT = Config(steps=1400, learning_rate=4e-4, precision=native_precision())
_ACROSS = 3  # the axis of a map from left to right


def mirrored(maps: Sequence[Tensor], network: DetectionNetwork) -> list[Tensor]:
    """What a network's maps of a picture say of its mirror image.

    Args:
        maps: Raw values, one N × channels × H × W map per level and kind, in the order of the file's outputs.
        network: Says how the maps are to be read.
    """
    counts = [max(1, len(anchors)) for anchors in network.level_anchors()]
    anchors = counts * len(network.kinds)
    return [
        network.mirror_boxes(by_anchor(x.flip(_ACROSS), n)).reshape(x.shape)
        if kind == "boxes"
        else x.flip(_ACROSS)
        for x, n, kind in zip(maps, anchors, network.output_kinds(), strict=True)
    ]


class MirrorTrainee(SelfTaught):
    """A network towards the mean of its answers to a picture and to its mirror image.

    Args:
        network: To train, in evaluation mode.
        config: Of the run.
    """

    def __init__(self, network: DetectionNetwork, config: Config) -> None:
        super().__init__(network, config)
        # Its convolutions know by this what is slow in bf16; batch norm's statistics stay.
        network.train()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()

    def answers(self, images: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """The network's answers to pictures and their mirror images, and the means of its former ones."""
        both = torch.cat([images, images.flip(_ACROSS)])
        straight, other = ([x.float() for x in self.teach(each)] for each in both.chunk(2))
        mean = [(x + y) / 2 for x, y in zip(straight, mirrored(other, self.network), strict=True)]
        wanted = [torch.cat(each) for each in zip(mean, mirrored(mean, self.network), strict=True)]
        maps: Sequence[Tensor] = self.network(both).flat()
        return maps, wanted


@click.command(cls=Command)
@options(DEFAULT)
def main(**given: Any) -> None:  # noqa: ANN401 they are the options
    """Train a network to see in a picture what it sees in its mirror image."""

    def begin(trained: Checkpoint, config: Config) -> MirrorTrainee:
        return MirrorTrainee(trained.network, config)

    before, after = run(begin, DEFAULT, **given)
    click.echo(f"{given['output']}: {after:.3g} away from the mean of both views, was {before:.3g}")


if __name__ == "__main__":
    main()
