"""Take the weakest channels out of a trained network, which then has to be retrained.

    python -m training.prune --checkpoint training/runs/ssd/last.ckpt --share 0.3 \
        --output training/runs/slim/pruned.ckpt
    python -m training.train --start training/runs/slim/pruned.ckpt --output training/runs/slim \
        --data ../shared/data/train.json --val ../shared/data/val.json

Whole channels go (structured pruning, with Torch-Pruning), so the network gets smaller and faster on any
machine. Until it is retrained it finds hardly anything. Layers that training keeps frozen stay as they are,
for they could not recover.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from torch import nn

from pi_mask.commands.options import FiniteRange
from pi_mask.errors import UsageError
from training.annotations import write_text
from training.command import Command
from training.networks.base import DetectionNetwork, count_weights
from training.networks.layers import scaled_width
from training.networks.registry import load_checkpoint, save_checkpoint
from training.networks.slim import shrink
from training.provenance import with_parents

SUFFIXES = (".ckpt", ".safetensors")


def prune(network: DetectionNetwork, share: float) -> None:
    """Remove about this share of the channels of every layer, in place.

    Each layer keeps a multiple of 8 channels, at least 8, as int8 kernels and TPUs like them. All layers lose
    the same share: the norms by which channels are ranked don't compare between layers.

    Args:
        network: Any detector.
        share: 0 to 1, exclusive.
    """
    widths = {
        name: scaled_width(module.out_channels, 1.0 - share)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.weight.requires_grad
    }
    shrink(network, widths)


@click.command(cls=Command)
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--share",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=0.3,
    show_default=True,
    help="Of each layer's channels to remove; half of them are about three quarters of the weights.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .ckpt file."
)
def main(checkpoint: Path, share: float, output: Path) -> None:
    """Remove the weakest channels and write a checkpoint for training.train --start."""
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output} does not end in .ckpt. Name it so: training.train --start reads it.")
    whole = load_checkpoint(checkpoint)
    record = with_parents({"pruned_share": share}, start=checkpoint)
    before = count_weights(whole.network)
    prune(whole.network, share)
    save_checkpoint(whole, output)
    write_text(output.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    after = count_weights(whole.network)
    click.echo(f"{output}: {after:,} of {before:,} weights. Retrain it: training.train --start {output}")


if __name__ == "__main__":
    main()
