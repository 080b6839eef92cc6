"""Show what the door would have done with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from pi_mask.calibrate.collected import duration
from pi_mask.calibrate.interval import interval
from pi_mask.calibrate.looks import LABELS, independent_looks, looks_of
from pi_mask.calibrate.steps import Answer, answer
from pi_mask.detector import Rules, faces_in
from pi_mask.policy import DoorPolicy
from pi_mask.tracker import Tracker
from pi_mask.types import Verdict

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Clip, Collected
    from pi_mask.settings import PolicySettings, TrackerSettings
    from pi_mask.types import Detection

    Faces: TypeAlias = tuple[tuple[Detection, ...], ...]


class Shown(Enum):
    """What people see; the value is its name in JSON."""

    GREEN = "green"
    RED = "red"
    CHECKING = "checking"
    IDLE = "idle"


_SHOWN: Final = {
    Verdict.MASK: Shown.GREEN,
    Verdict.NO_MASK: Shown.RED,
    Verdict.INCORRECT: Shown.RED,
    Verdict.CHECKING: Shown.CHECKING,
    Verdict.IDLE: Shown.IDLE,
}


@dataclass(frozen=True, slots=True)
class Door:
    """The settings that decide; pixels are those of the frames."""

    rules: Rules
    tracking: TrackerSettings
    policy: PolicySettings


@dataclass(frozen=True, slots=True)
class Share:
    """Of the time; the true one, of this person on this day, lies between the bounds in 19 of 20 cases."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a door shows in one step.

    Attributes:
        shares: Per kind of light.
        answers: Share of the time per answer.
        looks: Independent looks at the verdict that this rests on.
    """

    shares: Mapping[Shown, Share]
    answers: Mapping[Answer, float]
    looks: float


def faces_of(collected: Collected, rules: Rules) -> tuple[Faces, ...]:
    """The faces per clip and frame that a detector with these rules finds."""
    return tuple(
        tuple(faces_in(frame.look.reaching(rules.limits), rules) for frame in clip)
        for clip in collected.clips
    )


def verdicts(clip: Clip, faces: Faces, tracking: TrackerSettings, policy: PolicySettings) -> list[Verdict]:
    """The verdict of each frame, by the door's own tracker and policy, started for this clip."""
    tracker = Tracker(
        tracking.iou_threshold, tracking.max_age_s, tracking.max_votes, min_hits=tracking.min_hits
    )
    door = DoorPolicy(policy)
    said = []
    for frame, found in zip(clip, faces, strict=True):
        tracks = tracker.update(door.eligible(found, frame.size), frame.timestamp)
        said.append(door.decide(tracks, frame.timestamp, frame.size).verdict)
    return said


def replay(collected: Collected, door: Door, faces: Sequence[Faces] | None = None) -> Replayed:
    """Run the door over a step.

    Args:
        collected: The step.
        door: Settings to try.
        faces: From :func:`faces_of` with the door's rules, where known.
    """
    times = _times(collected, door, faces_of(collected, door.rules) if faces is None else faces)
    looks = _independent_verdicts(collected, door)
    shown = {kind: sum(share for said, share in times.items() if _SHOWN[said] is kind) for kind in Shown}
    shares = {kind: Share(share, *interval(share * looks, looks)) for kind, share in shown.items()}
    return Replayed(shares, _answers(times, collected), looks)


def answers_over_time(collected: Collected, door: Door, faces: Sequence[Faces]) -> Mapping[Answer, float]:
    """Share of the time per answer, without the interval, which takes most of the work."""
    return _answers(_times(collected, door, faces), collected)


def _answers(times: Mapping[Verdict, float], collected: Collected) -> Mapping[Answer, float]:
    truth = collected.step.truth
    return {
        kind: sum(share for said, share in times.items() if answer(truth, said) is kind) for kind in Answer
    }


def _times(collected: Collected, door: Door, faces: Sequence[Faces]) -> dict[Verdict, float]:
    """Share of the time per verdict: one of a frame lasts until the next frame."""
    times = dict.fromkeys(_SHOWN, 0.0)
    for clip, found in zip(collected.clips, faces, strict=True):
        stamps = [frame.timestamp for frame in clip]
        stamps.append(clip[0].timestamp + duration(clip))
        said = verdicts(clip, found, door.tracking, door.policy)
        for verdict, length in zip(said, np.diff(stamps), strict=True):
            times[verdict] += float(length)
    total = sum(times.values())
    return {verdict: min(1.0, length / total) if total else 0.0 for verdict, length in times.items()}


def _independent_verdicts(collected: Collected, door: Door) -> float:
    """A verdict rests on the looks of one window, and looks stay alike for a while: both must pass by."""
    limits = dict(zip(door.rules.labels, map(float, door.rules.limits), strict=True))
    looks = looks_of(collected, door.tracking)
    alike_s = collected.seconds / independent_looks(looks, {label: limits[label] for label in LABELS})
    each = door.policy.vote_window_s + alike_s
    return sum(max(1.0, duration(clip) / each) for clip in collected.clips)
