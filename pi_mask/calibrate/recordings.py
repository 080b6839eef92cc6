"""Find the recordings of the steps in a folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pi_mask.calibrate.steps import STEP_NAMES, STEPS
from pi_mask.camera.files import VIDEO_SUFFIXES
from pi_mask.errors import InputError

if TYPE_CHECKING:
    from pi_mask.calibrate.steps import Step


def find_recordings(folder: Path) -> Mapping[Step, tuple[Path, ...]]:
    """The clips per step, in the order of the steps.

    A clip is called after its step (``mask.mp4``); a folder called so holds several clips of one step.

    Args:
        folder: As ``pi-mask record`` fills it.

    Raises:
        InputError: The folder or what is in it cannot be reached, or a step is missing that nothing can be
            chosen without.
    """
    try:
        found = {step: _clips_of(folder, step) for step in STEPS}
    except OSError as error:
        raise InputError(
            f"{error.filename} cannot be reached: {error.strerror}. Check the path and its permissions."
        ) from error
    missing = [step.name for step, clips in found.items() if step.is_required and not clips]
    if missing:
        first, names = missing[0], ", ".join(missing)
        steps = " ".join(f"--step {name}" for name in missing)
        raise InputError(
            f"{folder} has no clip of: {names} (such as {first}.mp4, or a folder {first} with clips). "
            f"Record with: pi-mask record {shlex.quote(str(folder))} {steps}"
        )
    return {step: clips for step, clips in found.items() if clips}


def strangers(folder: Path) -> tuple[str, ...]:
    """Names of clips and folders that belong to no step, such as misspelt ones."""
    entries = sorted(entry for entry in _entries(folder) if entry.is_dir() or _is_clip(entry))
    return tuple(entry.name for entry in entries if _name(entry) not in STEP_NAMES)


def _clips_of(folder: Path, step: Step) -> tuple[Path, ...]:
    clips: list[Path] = []
    for entry in sorted(_entries(folder)):
        if _name(entry) == step.name:
            inner = [entry] if entry.is_file() else sorted(_entries(entry))
            clips += [path for path in inner if _is_clip(path)]
    return tuple(clips)


def _entries(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]


def _name(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.stem


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
