"""Propose settings for a door from what was seen there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.calibrate import light
from pi_mask.calibrate.looks import looks_of
from pi_mask.calibrate.place import door_zone, smallest_face
from pi_mask.calibrate.replay import Door, Replayed, replay
from pi_mask.calibrate.thresholds import Choice, Costs, choose
from pi_mask.calibrate.voting import CANDIDATES, SLOWEST, choose_voting
from pi_mask.settings import ThresholdSettings, value_of

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Collected
    from pi_mask.settings import ModelSettings, Settings
    from pi_mask.types import MaskLabel

KEYS: Final = (
    "model.min_score",
    *(f"model.thresholds.{name}" for name in ThresholdSettings.model_fields),
    *(f"policy.{name}" for name in ("zone", "min_face_px", *CANDIDATES)),
)
"""Every setting that a proposal may change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that the proposal changes."""

    key: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step under the current and the proposed settings."""

    collected: Collected
    current: Replayed
    proposed: Replayed


@dataclass(frozen=True, slots=True)
class Proposal:
    """What calibration found.

    Attributes:
        settings: The current ones with the changes.
        changes: In the order of the settings.
        steps: What both would have done.
        choice: The thresholds and what to expect of single looks.
        hints: About the light.
    """

    settings: Settings
    changes: tuple[Change, ...]
    steps: tuple[StepResult, ...]
    choice: Choice
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings in force.

    Attributes:
        settings: As loaded.
        door: The same as they work on the frames that were seen.
        camera_px: Pixels of the camera's own size, in which the settings count, per pixel of these frames.
    """

    settings: Settings
    door: Door
    camera_px: float = 1.0


def propose(
    steps: Sequence[Collected], now: InForce, costs: Costs, on_trial: Callable[[], None] = lambda: None
) -> Proposal:
    """Choose thresholds, then place, then votes, each with what was chosen before.

    Args:
        steps: All that were accepted.
        now: What to start from.
        costs: Of the answers.
        on_trial: Called before each trial of the voting, for a bar.
    """
    door = now.door
    current = dict(zip(door.rules.labels, map(float, door.rules.limits), strict=True))
    choice = choose([looks_of(each, door.tracking) for each in steps], current, costs)
    limits = np.array([choice.thresholds[label] for label in door.rules.labels])
    smallest = float(math.floor(smallest_face(steps, door.tracking) * now.camera_px))
    place = {"zone": door_zone(steps, door.tracking), "min_face_px": smallest / now.camera_px}
    placed = door.policy.model_copy(update=place)
    better = Door(replace(door.rules, limits=limits), door.tracking, placed)
    fewest_looks = min(SLOWEST, now.settings.camera.fps)
    voting = choose_voting(steps, better, costs, on_trial, fewest_looks=fewest_looks)
    better = replace(better, policy=voting)
    policy = voting.model_copy(update={"min_face_px": smallest})
    after = now.settings.model_copy(
        update={"policy": policy, "model": _model(now.settings.model, choice, current)}
    )
    results = (StepResult(each, replay(each, door), replay(each, better)) for each in steps)
    return Proposal(after, _changes(now.settings, after), tuple(results), choice, light.hints(steps))


def _model(settings: ModelSettings, choice: Choice, current: Mapping[MaskLabel, float]) -> ModelSettings:
    """Name a threshold only where it moved, so that the others follow the next model's own."""
    moved = {label.value: value for label, value in choice.thresholds.items() if value != current[label]}
    if not moved:
        return settings
    if settings.min_score is not None:  # it would beat the thresholds, and it spoke for all three
        moved = {label.value: value for label, value in choice.thresholds.items()}
    thresholds = settings.thresholds.model_copy(update=moved)
    return settings.model_copy(update={"min_score": None, "thresholds": thresholds})


def _changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    pairs = ((key, value_of(before, key), value_of(after, key)) for key in KEYS)
    return tuple(Change(key, old, new) for key, old, new in pairs if old != new)
