"""Publish a run's weights, small enough for the repository, so that anybody can train on from them.

    python -m training.publish --checkpoint training/runs/ssd/last.ckpt \
        --output training/weights/ssd_mobilenet_v2_512.safetensors

Writes the averaged weights without the optimiser's state, and what they came from (``run.json``) beside them.
``training.train --start`` reads the file, and so does every other stage that takes a checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from pi_mask.errors import UsageError
from training.annotations import write_text
from training.command import Command
from training.networks.registry import load_checkpoint, save_checkpoint
from training.provenance import run_record


@click.command(cls=Command)
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(checkpoint: Path, output: Path) -> None:
    """Write the weights of a checkpoint as a small .safetensors file."""
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors. Name it so: it holds weights and no code.")
    record = run_record(checkpoint)
    save_checkpoint(load_checkpoint(checkpoint), output)
    write_text(output.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
