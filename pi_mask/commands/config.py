"""Make, show and check the configuration."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from pi_mask.commands.options import Given, json_option, settings_options
from pi_mask.commands.streams import say
from pi_mask.errors import OutputError


@click.group(short_help="Make, show and check the configuration.", invoke_without_command=True)
@click.pass_context
def config(context: click.Context) -> None:
    """Make, show and check the configuration.

    A flag beats the environment (PI_MASK_<SECTION>_<KEY>), which beats the file, which beats the default. The
    file is the one that --config or PI_MASK_CONFIG names, else ~/.config/pi-mask/config.toml, else
    /etc/pi-mask/config.toml.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@config.command(short_help="Write all settings, each explained, into a file.")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept as FILE.old.")
def init(path: Path | None, *, force: bool) -> None:
    """Write all settings with their defaults, each explained, into a TOML file.

    Without PATH it is your own configuration, ~/.config/pi-mask/config.toml.
    """
    from pi_mask.report import printable
    from pi_mask.settings import Settings, render_toml, user_config
    from pi_mask.settings_edit import replace_file

    target = path or user_config(os.environ)
    try:
        # Links in a circle are an error here; resolve() itself takes them from Python 3.13 on.
        with suppress(FileNotFoundError, NotADirectoryError):
            target.stat()
        target = target.resolve()
        is_there = target.exists()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{target} cannot be reached: {error}. Choose another path.") from error
    if is_there and not force:
        raise OutputError(f"{target} exists. Choose another path, or replace it with --force.")
    old = replace_file(target, render_toml(Settings()), "Choose another path.")
    say(printable(f"{target} is written." + (f" The file as it was is {old}." if old else "")))


@config.command(short_help="Show what is in force, and where it comes from.")
@settings_options()
@json_option
def show(given: Given, *, as_json: bool) -> None:
    """Show every setting that is in force, and where it comes from."""
    from pi_mask.report import json_line, printable
    from pi_mask.settings import render_value, value_of

    loaded = given.load()
    for key, source in loaded.sources.items():
        value = value_of(loaded.settings, key)
        if as_json:
            say(json_line(key=key, value=value, source=source))
        else:
            say(f"{key} = {render_value(value)}  # {printable(source)}")


@config.command(short_help="Find all mistakes in a configuration file.")
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
def check(path: Path | None) -> None:
    """Check a configuration file together with the environment; exit code 2 names all that is wrong."""
    from pi_mask.report import printable

    loaded = Given({}, path).load()
    found = (
        f"{loaded.config} is fine." if loaded.config else "There is no configuration file; defaults apply."
    )
    say(printable(found))
