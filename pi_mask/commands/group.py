"""Gather all commands under ``pi-mask``."""

from __future__ import annotations

import click

from pi_mask import __version__
from pi_mask.commands.bench import bench
from pi_mask.commands.calibrate import calibrate
from pi_mask.commands.config import config
from pi_mask.commands.detect import detect
from pi_mask.commands.doctor import doctor
from pi_mask.commands.models import models
from pi_mask.commands.record import record
from pi_mask.commands.run import run

_EPILOG = """\b
Exit codes:
  0    fine
  1    failure: a file cannot be read, a result cannot be written
  2    the command line or the configuration is wrong
  3    hardware is missing: camera, Edge TPU, pins
  4    a model is unusable
  130  interrupted by Ctrl-C

PI_MASK_DEBUG=1 shows where an error comes from. "pi-mask COMMAND --help" explains a command."""


@click.group(
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="pi-mask", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Tell people at a door, within a second, whether they wear their face mask properly."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (detect, run, models, config, bench, doctor, calibrate, record):
    cli.add_command(_command)
