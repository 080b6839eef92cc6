"""Fit the settings to one door."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pi_mask.commands.options import FiniteRange, Given, json_option
from pi_mask.commands.signals import ending_on_signals
from pi_mask.commands.streams import configure_logging, is_somebody_there, progress, say, tell
from pi_mask.commands.watching import (
    AtDoor,
    DoorOptions,
    door_options,
    open_camera_and_lamps,
    open_collecting,
)
from pi_mask.errors import InputError, UsageError

if TYPE_CHECKING:
    from pi_mask.calibrate.checks import Yardstick
    from pi_mask.calibrate.collected import Clip, Collected
    from pi_mask.calibrate.proposal import Proposal
    from pi_mask.calibrate.steps import Step
    from pi_mask.commands.watching import Collecting, Pace
    from pi_mask.detector import Detector
    from pi_mask.settings import LoadedSettings, Settings

_ATTEMPTS = 3
_NOTE = "calibrate"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be looked at, and what is to happen with the proposal; one attribute a flag."""

    wrong_green_costs: float
    has_hand: bool
    keep_doubtful: bool
    is_dry: bool
    is_agreed: bool
    as_json: bool

    def check(self) -> None:
        """Refuse to take an owner's five minutes when there is nobody to say yes in the end."""
        if not (self.is_dry or self.is_agreed or is_somebody_there()):
            raise UsageError("There is nobody to ask. Add --yes to write, or --dry-run to look only.")

    def wants(self, step: Step) -> bool:
        """Whether this step is looked at."""
        from pi_mask.calibrate.steps import HAND

        return self.has_hand or step.name != HAND


@click.command(short_help="Fit the settings to one door.")
@door_options
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Work on recordings (see pi-mask record): one clip, or a folder of clips, named after each step.",
)
@click.option(
    "--wrong-green-costs",
    type=FiniteRange(1, 1000),
    default=5.0,
    show_default=True,
    help="What a wrong green costs, in wrong reds.",
)
@click.option(
    "--without-hand",
    "has_hand",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave out the optional step with a hand before the mouth.",
)
@click.option(
    "--keep-doubtful",
    is_flag=True,
    help="Use recordings that look as if the mask was on or off against what was said.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Write nothing.")
@click.option("--yes", "is_agreed", is_flag=True, help="Write without asking.")
@json_option
def calibrate(
    given: Given,
    door: DoorOptions,
    folder: Path | None,
    **wishes: Any,  # noqa: ANN401 what click makes of it
) -> None:
    """Watch a person do a few things at the door, then choose thresholds, zone, smallest face and votes.

    The lamps and a line of text say what to do: empty doorway; mask at the usual spot, near, far; no mask;
    mask under the nose; a hand before the mouth. A step that does not look as said is asked for again. Then
    both settings, those in force and those proposed, are tried on what was seen; after a yes the new ones go
    into the configuration, comments kept, the old file beside it. Stop the service first: it has the camera.

    No picture is stored. Ctrl-C leaves everything as it was. docs/calibration.md explains the figures.
    """
    configure_logging("WARNING")
    wish = _Wish(**wishes)
    wish.check()
    loaded = given.load(door.preset)
    target = _target(loaded)
    if not wish.is_dry:
        _check_target(target, loaded)
    with ending_on_signals():
        if folder is None:
            proposal, model = _at_door(loaded.settings, door.pace, wish)
        else:
            proposal, model = _from_recordings(loaded, folder, wish)
    _conclude(proposal, model, loaded, target, wish)


def _from_recordings(loaded: LoadedSettings, folder: Path, wish: _Wish) -> tuple[Proposal, str]:
    from pi_mask.calibrate.checks import Yardstick
    from pi_mask.calibrate.collected import Collected
    from pi_mask.calibrate.recordings import find_recordings, strangers

    found = find_recordings(folder)
    found = {step: clips for step, clips in found.items() if wish.wants(step)}
    for name in strangers(folder):
        tell(f"Warning: {name} is no step, and is left out.")
    model = loaded.settings.model
    if loaded.sources["model.accelerator"] == "default":  # at a desk the CPU is nothing to warn about
        model = model.model_copy(update={"accelerator": "cpu"})
    with open_collecting(model) as opened:
        steps = []
        with progress("Watching", sum(map(len, found.values()))) as advance:
            for step, paths in found.items():
                clips = [_clip(path, opened.detector, advance) for path in paths]
                steps.append(Collected(step, tuple(clips)))
        _size_of(steps)
        _check(steps, found, Yardstick(loaded.settings.tracker, opened.thresholds), wish)
        return _propose(steps, loaded.settings, opened, wish), opened.manifest.name


def _clip(path: Path, detector: Detector, advance: Callable[[], None]) -> Clip:
    from pi_mask.calibrate.collect import watch
    from pi_mask.camera.files import FilesCamera

    with closing(FilesCamera([path])) as camera:
        clip = watch(camera, detector, None)
    advance()
    return clip


def _check(
    steps: Sequence[Collected], paths: Mapping[Step, Sequence[Path]], yardstick: Yardstick, wish: _Wish
) -> None:
    """Refuse recordings with every step that does not look as said, a line each."""
    from pi_mask.calibrate.checks import check

    accepted: dict[str, Collected] = {}
    refused = []
    for collected in steps:
        name, clips = collected.step.name, paths[collected.step]
        problem = check(collected, accepted, yardstick)
        if problem is None or problem.is_doubt:
            accepted[name] = collected
        if problem is None:
            continue
        which = "" if problem.clip is None or len(clips) == 1 else f" ({clips[problem.clip]})"
        line = f"{name}{which}: {problem.text}"
        if problem.is_doubt and wish.keep_doubtful:
            tell(f"Warning: {line}")
        else:
            refused.append(
                line + (" If the model is wrong, add --keep-doubtful." if problem.is_doubt else "")
            )
    if refused:
        raise InputError(*refused)


def _at_door(settings: Settings, pace: Pace, wish: _Wish) -> tuple[Proposal, str]:
    from pi_mask.calibrate.checks import Yardstick
    from pi_mask.calibrate.steps import STEPS
    from pi_mask.calibrate.visit import Terms, visit

    chosen = [step for step in STEPS if wish.wants(step)]
    tell(f"{len(chosen)} steps of {pace.pause_s + pace.seconds:g} s. No picture is stored. Ctrl-C ends it.")
    with ExitStack() as stack:
        opened = stack.enter_context(open_collecting(settings.model))
        with open_camera_and_lamps(settings, opened.manifest) as (camera, indicator):
            door = AtDoor(camera, opened, indicator, pace)
            yardstick = Yardstick(settings.tracker, opened.thresholds)
            steps = visit(chosen, Terms(door.watch, tell, yardstick, _ATTEMPTS))
        return _propose(steps, settings, opened, wish), opened.manifest.name


def _propose(steps: Sequence[Collected], settings: Settings, opened: Collecting, wish: _Wish) -> Proposal:
    from pi_mask.calibrate.proposal import InForce, propose
    from pi_mask.calibrate.replay import Door
    from pi_mask.calibrate.thresholds import Costs
    from pi_mask.calibrate.voting import trials

    camera = settings.camera
    camera_px = camera.width / _size_of(steps)[0] if camera.kind == "picamera" else 1.0
    policy = settings.policy
    on_frames = policy.model_copy(update={"min_face_px": policy.min_face_px / camera_px})
    door = Door(opened.rules, settings.tracker, on_frames)
    with progress("Choosing", trials()) as advance:
        now = InForce(settings, door, camera_px)
        return propose(steps, now, Costs(wrong_green=wish.wrong_green_costs), advance)


def _size_of(steps: Sequence[Collected]) -> tuple[int, int]:
    """Width and height of all frames; nothing can be compared where they differ."""
    sizes = {frame.size for each in steps for clip in each.clips for frame in clip}
    if len(sizes) > 1:
        named = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise InputError(f"The clips are of different sizes ({named}). Record all with one camera.")
    return sizes.pop()


def _target(loaded: LoadedSettings) -> Path:
    from pi_mask.settings import user_config

    return loaded.config or user_config(os.environ)


def _check_target(target: Path, loaded: LoadedSettings) -> None:
    """Refuse a file that will not take what may be proposed, before anybody's time is spent."""
    from pi_mask.calibrate.proposal import KEYS
    from pi_mask.settings import value_of
    from pi_mask.settings_edit import check_writable, edited

    check_writable(target)
    edited(_text_of(target), {key: value_of(loaded.settings, key) for key in KEYS}, _NOTE)


def _text_of(target: Path) -> str:
    return target.read_bytes().decode("utf-8-sig") if target.exists() else ""


def _conclude(proposal: Proposal, model: str, loaded: LoadedSettings, target: Path, wish: _Wish) -> None:
    """Show the proposal, ask, write."""
    from pi_mask.calibrate.report import proposal_json, proposal_lines

    lines = proposal_lines(proposal)
    for line in lines:
        (tell if wish.as_json else say)(line)
    _warn_of_another_model(proposal, model, loaded)
    is_written = bool(proposal.changes) and not wish.is_dry and _is_wanted(target, wish)
    if is_written:
        _write(proposal, model, loaded, target)
    elif proposal.changes:
        tell("Nothing is written.")
    if wish.as_json:
        written = target if is_written else None
        say(proposal_json(proposal, model=model, wrong_green_costs=wish.wrong_green_costs, written=written))


def _warn_of_another_model(proposal: Proposal, model: str, loaded: LoadedSettings) -> None:
    """Thresholds are one model's: the file must not hold them without it."""
    source = loaded.sources["model.name"]
    is_parted = source.startswith(("environment", "flag"))
    if is_parted and any(change.key.startswith("model.thresholds.") for change in proposal.changes):
        tell(f"Warning: these thresholds fit {model} only, which the {source} names. Name it in the file.")


def _is_wanted(target: Path, wish: _Wish) -> bool:
    from pi_mask.report import printable

    return wish.is_agreed or click.confirm(f"Write these changes to {printable(str(target))}?", err=True)


def _write(proposal: Proposal, model: str, loaded: LoadedSettings, target: Path) -> None:
    from datetime import UTC, datetime

    from pi_mask.settings import SYSTEM_CONFIG
    from pi_mask.settings_edit import edited, replace_file

    values = {change.key: change.after for change in proposal.changes}
    note = f"{_NOTE}, {datetime.now(UTC):%Y-%m-%d}, {model}"
    old = replace_file(target, edited(_text_of(target), values, note))
    tell(f"{target} is written." + (f" The file as it was is {old}." if old else ""))
    for key in values:
        source = loaded.sources[key]
        if source.startswith(("environment", "flag")):
            tell(f"Warning: {key} is also set by the {source}, which beats the file. Take it away there.")
    if target == SYSTEM_CONFIG:
        tell("The service reads them when it starts: sudo systemctl restart pi-mask")
