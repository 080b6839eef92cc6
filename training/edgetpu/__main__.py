"""Report on a model's chances on the Edge TPU, or compile it.

python -m training.edgetpu report models/ssd_mobilenet_v2_512.tflite
python -m training.edgetpu compile models/ssd_mobilenet_v2_512.tflite
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from training.command import Command
from training.edgetpu import compile as compilation
from training.edgetpu import report as reporting

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def cli() -> None:
    """Bring an int8 model to the Coral Edge TPU."""


@cli.command(cls=Command)
@_FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def report(file: Path, *, as_json: bool) -> None:
    """Predict which operations of FILE run on the Edge TPU, and why the others don't."""
    result = reporting.report(file, file.read_bytes())
    text = [json.dumps(reporting.as_json(result))] if as_json else reporting.as_text(result)
    click.echo("\n".join(text))


@cli.command("compile", cls=Command)
@_FILE
def compile_(file: Path) -> None:
    """Compile FILE with edgetpu_compiler and name the result in the manifest beside it."""
    target, log = compilation.compile_model(file)
    mapped = sum(line.count for line in log.lines if line.is_mapped)
    total = sum(line.count for line in log.lines)
    click.echo(
        f"{target}: {mapped} of {total} operations on the Edge TPU, compiler {log.version or 'unknown'}"
    )


if __name__ == "__main__":
    cli()
