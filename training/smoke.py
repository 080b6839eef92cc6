"""Run every stage of training on drawn faces in a minute or two, to prove that they still fit together.

    python -m training.smoke

The stages are import, train, prune, train on, quantise, report and evaluate. The figures mean nothing; only
that the int8 file at the end runs in pi_mask's Detector.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pi_mask.commands.streams import tell
from pi_mask.manifest import load_manifest
from training import evaluate, prune, quantise
from training.command import Command
from training.drawn import NAMES, write_voc
from training.edgetpu.__main__ import report
from training.importers import __main__ as importers
from training.networks.registry import DEFAULT_NETWORK, NETWORKS
from training.run_folder import Run
from training.train import train
from training.trainee import Config

_VALIDATION_PICTURES = 8


def smoke(
    folder: Path, *, network: str = DEFAULT_NETWORK, size: int = 128, epochs: int = 2, pictures: int = 32
) -> dict[str, Any]:
    """Run every stage in a folder; return the evaluation's figures."""
    data, models = folder / "data", folder / "models"
    for name, count, seed in (("train", pictures, 1), ("val", _VALIDATION_PICTURES, 2)):
        import_drawn(write_voc(folder / "voc" / name, count, seed), data / f"{name}.json")
    run = Run(data / "train.json", data / "val.json", folder / "whole")
    config = Config(
        network=network, size=size, batch=8, epochs=epochs, warmup_steps=2, val_every_epochs=1, workers=0
    )
    train(config, run)
    pruned = folder / "pruned.ckpt"
    _command(prune.main, "--checkpoint", run.output / "last.ckpt", "--share", 0.25, "--output", pruned)
    run = replace(run, output=folder / "run", start=pruned)
    train(replace(config, epochs=1), run)
    files = ("--checkpoint", run.output / "last.ckpt")
    _command(quantise.main, *files, "--data", run.data, "--output", models, "--name", "smoke")
    model = models / "smoke.tflite"
    _command(report, model)
    _command(evaluate.main, *files, "--model", model, "--data", run.val, "--output", folder / "evaluation")
    return dict(load_manifest(model.with_suffix(".json")).metrics)


def import_drawn(source: Path, output: Path) -> None:
    """Import what :func:`training.drawn.write_voc` wrote."""
    meanings = (f"--map={name}={label.value}" for label, name in NAMES.items())
    _command(importers.main, "voc", source, "--output", output, "--name", "drawn", *meanings)


def _command(command: click.Command, *arguments: object) -> None:
    """Run a stage as its command does, in this process."""
    command.main([str(argument) for argument in arguments], standalone_mode=False)


@click.command(cls=Command)
@click.option("--network", type=click.Choice(list(NETWORKS)), default=DEFAULT_NETWORK, show_default=True)
def main(network: str) -> None:
    """Run the whole training chain on drawn faces."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = smoke(Path(folder), network=network)
    click.echo(json.dumps({name: figures[name] for name in ("int8", "float", "loss_points", "latency")}))
    tell(f"All stages ran, in {time.monotonic() - start:.0f} s. The figures mean nothing.")


if __name__ == "__main__":
    main()
