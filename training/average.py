"""Average the weights of several runs of one network that went on from one another.

    python -m training.average --checkpoint training/runs/one/last.ckpt \
        --checkpoint training/runs/other/last.ckpt --output training/runs/mean.ckpt

"Model soups" (Wortsman et al. 2022): runs that share their first weights end in one basin, and its middle
generalises better than its rim, at no cost in the finished model. Runs with different first weights share no
basin; their mean finds nothing. Batch norm's statistics are averaged too, or, with ``--data``, measured anew
on varied training pictures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from pi_mask.errors import ModelError, UsageError
from pi_mask.output import prepare_folder
from training.annotations import write_text
from training.augment import parse_augment
from training.batch_norm import measure_statistics, training_batches
from training.command import Command
from training.networks.base import Anchors
from training.networks.registry import Checkpoint, load_checkpoint, save_checkpoint
from training.provenance import provenance, with_parents
from training.prune import SUFFIXES


def average(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The mean of the weights and of batch norm's statistics; in the first one's network and size.

    Args:
        checkpoints: At least one; their networks are of one name, shape and set of anchors.

    Raises:
        ModelError: They are not.
    """
    first = checkpoints[0]
    states = [each.network.state_dict() for each in checkpoints]
    for position, (each, state) in enumerate(zip(checkpoints, states, strict=True), 1):
        if each.name != first.name or _shapes(state) != _shapes(states[0]):
            raise ModelError(
                f"Checkpoint {position} ({each.name}) is not built like the first ({first.name}): it is "
                "another network, or pruned differently. Give runs of one network."
            )
        if not _same_anchors(each.network.level_anchors(), first.network.level_anchors()):
            raise ModelError("The networks have different anchors. Give runs with the same.")
    mean = {name: _mean([state[name] for state in states]) for name in states[0]}
    first.network.load_state_dict(mean)
    return first


def _same_anchors(one: Anchors, other: Anchors) -> bool:
    """But for rounding: weights were once published with anchors of half precision."""
    return np.allclose(np.array(one), np.array(other), rtol=1e-3)


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _mean(values: Sequence[Tensor]) -> Tensor:
    """Of floats; counters, which no mean is wanted of, are the first's."""
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack([value.double() for value in values]).mean(0).to(values[0].dtype)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.option("--checkpoint", "paths", type=_FILE, required=True, multiple=True, help="Two or more.")
@click.option(
    "--data", type=_FILE, help="COCO file to measure batch norm's statistics on; else they are averaged."
)
@click.option(
    "--augment",
    multiple=True,
    metavar="NAME=VALUE",
    help="How its pictures are varied, as for training.train.",
)
@click.option(
    "--batches",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="So many are measured.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .ckpt file."
)
def main(
    paths: tuple[Path, ...], data: Path | None, augment: tuple[str, ...], batches: int, output: Path
) -> None:
    """Average checkpoints; the result has the input size of the first."""
    if len(paths) < 2:
        raise UsageError("One checkpoint has no mean. Give --checkpoint at least twice.")
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output} does not end in .ckpt. Name it so: other commands read it by that.")
    if augment and data is None:
        raise UsageError("Nothing is varied without pictures. Give --data too, or leave --augment out.")
    prepare_folder(output.parent)
    record = with_parents(provenance({}, []), averaged=paths)
    mean = average([load_checkpoint(path) for path in paths])
    if data is not None:
        variations = parse_augment(augment)
        measure_statistics(mean.network, training_batches(data, mean.size, variations, batches))
        record |= provenance({"augment": asdict(variations), "batches": batches}, [data])
    save_checkpoint(mean, output)
    write_text(output.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    click.echo(f"{output}: the mean of {len(paths)} checkpoints, {mean.name} at {mean.size} px")


if __name__ == "__main__":
    main()
