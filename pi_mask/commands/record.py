"""Record the steps of a calibration."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pi_mask.commands.options import Given
from pi_mask.commands.signals import ending_on_signals
from pi_mask.commands.streams import configure_logging, is_somebody_there, say, tell
from pi_mask.commands.watching import (
    AtDoor,
    DoorOptions,
    door_options,
    open_camera_and_lamps,
    open_collecting,
)
from pi_mask.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pi_mask.calibrate.collected import Clip
    from pi_mask.calibrate.steps import Step
    from pi_mask.commands.watching import Pace
    from pi_mask.settings import Settings

# A literal, because importing the steps would take --help longer than all else; a test compares it.
STEPS = ("empty", "mask", "mask_near", "mask_far", "bare", "under_nose", "hand")
_ATTEMPTS = 3


@click.command(short_help="Record the steps of a calibration: stores pictures.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@door_options
@click.option(
    "--step",
    "names",
    type=click.Choice(STEPS),
    multiple=True,
    help="Only this step; may be given several times. All of them by default.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask; the notice is shown all the same.")
def record(folder: Path, given: Given, door: DoorOptions, names: tuple[str, ...], is_agreed: bool) -> None:
    """Store pictures of people: one clip for each step, for pi-mask calibrate --from DIR.

    This is the only command that stores what the camera at the door sees, and it never starts by itself. A
    clip appears when its step looks as said; Ctrl-C leaves no half one. Nothing there is overwritten.
    """
    from pi_mask.calibrate.steps import STEP_NAMES
    from pi_mask.record import prepare_folder
    from pi_mask.report import printable

    configure_logging("WARNING")
    chosen = [STEP_NAMES[name] for name in STEPS if not names or name in names]
    settings = given.load(door.preset).settings
    _notice(folder, chosen, door.pace.seconds)
    if not is_agreed and not _is_agreed():
        tell("Nothing is recorded.")
        return
    with ending_on_signals(), _private():
        prepare_folder(folder, chosen)
        is_any_kept = _record(folder, settings, chosen, door.pace)
    if not is_any_kept:
        tell("No clip is kept.")
        return
    say(printable(f"{folder} holds the clips. Next: pi-mask calibrate --from {shlex.quote(str(folder))}"))


def _notice(folder: Path, chosen: Sequence[Step], seconds: float) -> None:
    lines = (
        "NOTICE: this stores pictures of people.",
        f"What: {len(chosen)} video clips of {seconds:g} s, of everybody in view. Ask them first.",
        f"Where: {folder.absolute()}, for your own account only. Nothing is sent anywhere.",
        f"To delete them: {_removal(folder.absolute(), chosen)}",
    )
    width = max(map(len, lines))
    tell("!" * (width + 4))
    for line in lines:
        tell(f"! {line:<{width}} !")
    tell("!" * (width + 4))


def _removal(folder: Path, chosen: Sequence[Step]) -> str:
    """The command that deletes the clips, and nothing that lay in their folder before."""
    from pi_mask.record import clip_path

    try:
        is_shared = any(folder.iterdir())
    except OSError:  # there is none yet
        is_shared = False
    place = shlex.quote(str(folder))
    clips = " ".join(clip_path(folder, step).name for step in chosen)
    return f"cd {place} && rm {clips}" if is_shared else f"rm -r {place}"


def _is_agreed() -> bool:
    if not is_somebody_there():
        raise UsageError("There is nobody to ask. Add --yes to store pictures without asking.")
    return click.confirm("Store these pictures?", err=True)


def _record(folder: Path, settings: Settings, chosen: Sequence[Step], pace: Pace) -> bool:
    """Record the steps; whether any clip is kept, for an optional step that is refused leaves none."""
    from pi_mask.calibrate.checks import Yardstick
    from pi_mask.calibrate.visit import Terms, visit
    from pi_mask.record import clip_path, publish

    with ExitStack() as stack:
        opened = stack.enter_context(open_collecting(settings.model))
        camera, lamps = stack.enter_context(open_camera_and_lamps(settings, opened.manifest))
        # Within the folder, so that a clip is moved and never copied; gone afterwards, whatever happens.
        parts = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=".")))
        door = AtDoor(camera, opened, lamps, pace)

        yardstick = Yardstick(settings.tracker, opened.thresholds)
        accepted = visit(
            chosen,
            Terms(
                watch=lambda step: _film(step, door, parts),
                tell=tell,
                yardstick=yardstick,
                attempts=_ATTEMPTS,
                keep=lambda step: publish(clip_path(parts, step), clip_path(folder, step)),
            ),
        )
    return bool(accepted)


def _film(step: Step, door: AtDoor, parts: Path) -> Clip:
    """Watch a step and write what is seen, in place of an earlier attempt."""
    from pi_mask.record import ClipWriter, clip_path

    with ClipWriter(clip_path(parts, step)) as clip:
        return door.watch(step, lambda frame, _kept: clip.add(frame))


@contextmanager
def _private() -> Iterator[None]:
    """Files made meanwhile are their owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
