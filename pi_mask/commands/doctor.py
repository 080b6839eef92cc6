"""Find out what is wrong at the door."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pi_mask.commands.options import Given, json_option, settings_options
from pi_mask.commands.run import DESKTOP
from pi_mask.commands.signals import ending_on_signals
from pi_mask.commands.streams import say, tell

if TYPE_CHECKING:
    from pi_mask.doctor.base import Result
    from pi_mask.errors import SettingsError
    from pi_mask.settings import LoadedSettings

ROOT: Final = Path("/")
"""Where the examined machine's file system begins; tests have their own."""
_COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red"}


@click.command(short_help="Find out what is wrong at the door.")
@settings_options("camera.kind", "camera.source", "model.name", "model.accelerator", "indicator.kind")
@click.option(
    "--desktop",
    "is_desktop",
    is_flag=True,
    help="As in run: webcam, CPU and console, where no other flag says otherwise.",
)
@click.option(
    "--no-camera", "has_camera", is_flag=True, flag_value=False, default=True, help="Leave the camera alone."
)
@click.option(
    "--bundle",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Pack the results for a bug report into a new .zip or .tar.gz: no pictures, no secrets.",
)
@json_option
def doctor(given: Given, *, is_desktop: bool, has_camera: bool, target: Path | None, as_json: bool) -> None:
    """Check machine, service, configuration, model, Coral, camera and pins, with advice for what is wrong.

    Each result is ok, a warning or a fault; docs/troubleshooting.md has an entry for each word in brackets.
    No pin changes its level, and no picture is kept. Nothing is looked at that the running service holds.

    \b
    Exit codes, the first that applies:
      3  a device is missing or fails    4  the model is unusable
      2  the configuration is wrong      1  any other fault
      0  no fault; warnings do not count
    """  # noqa: D301 \b is click's mark for text that is not to be filled
    from pi_mask.doctor.bundle import check_target, write_bundle
    from pi_mask.doctor.examination import examine, exit_code
    from pi_mask.doctor.machine import Machine, query_service
    from pi_mask.doctor.report import changed_lines, report_json, summary_line

    if target is not None:
        check_target(target)
    machine, loaded = Machine(ROOT, query_service()), _load(given, is_desktop=is_desktop)
    results = []
    with ending_on_signals():  # a check that hangs ends too, rather than keep its device
        for result in examine(machine, loaded, has_camera=has_camera):
            results.append(result)
            if not as_json:
                _show(result)
    if not (machine.is_raspberry_pi or is_desktop):
        tell("This is no Raspberry Pi: --desktop looks at webcam, CPU and console instead.")
    if as_json:
        say(report_json(results, loaded))
    else:
        for line in ("", *changed_lines(loaded), summary_line(results)):
            say(line)
    if target is not None:
        write_bundle(target, results, loaded)
        tell(f"{target} is written. It is text; read it before you send it.")
    raise SystemExit(exit_code(results))


def _load(given: Given, *, is_desktop: bool) -> LoadedSettings | SettingsError:
    """The settings, or what is wrong with them, which is a finding like others."""
    from pi_mask.errors import SettingsError

    try:
        return given.load(DESKTOP if is_desktop else None)
    except SettingsError as error:
        return error


def _show(result: Result) -> None:
    from pi_mask.doctor.report import result_lines

    first, *others = result_lines(result)
    status = result.status.value
    if _takes_colour():
        first = click.style(status, fg=_COLOURS[status]) + first[len(status) :]
    for line in (first, *others):
        say(line)


def _takes_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
