"""Make small recordings of a door for the tests of the policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pi_mask.policy import Decision, DoorPolicy
from pi_mask.settings import PolicySettings, TrackerSettings, Zone
from pi_mask.tracker import Tracker
from pi_mask.types import BoundingBox, Detection, MaskLabel, Verdict

MASKED, BARE, INCORRECT = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT
IDLE, CHECKING, MASK = Verdict.IDLE, Verdict.CHECKING, Verdict.MASK
FRAME_SIZE = (640, 480)
DEFAULTS = PolicySettings()
TRACKING = TrackerSettings()
WHOLE_FRAME, ZONE = Zone(0.0, 0.0, 1.0, 1.0), Zone(0.5, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a recording."""

    timestamp: float
    faces: tuple[Detection, ...]


Recording = Sequence[Moment]


def face(label: MaskLabel, x: float = 300.0, size: float = 80.0) -> Detection:
    """A square face whose box is centred at x, 200."""
    half = size / 2
    return Detection(BoundingBox(x - half, 200 - half, x + half, 200 + half), label, 0.9)


def film(frames: Iterable[Sequence[Detection] | None], fps: float = 10.0, start: float = 0.0) -> list[Moment]:
    """A recording at a steady rate; None is a frame without a face."""
    return [Moment(start + index / fps, tuple(faces or ())) for index, faces in enumerate(frames)]


def replay(recording: Recording, policy: PolicySettings = DEFAULTS) -> list[Decision]:
    """Run tracker and policy over a recording as the pipeline does."""
    tracker = Tracker(
        TRACKING.iou_threshold, TRACKING.max_age_s, TRACKING.max_votes, min_hits=TRACKING.min_hits
    )
    door = DoorPolicy(policy)
    decisions = []
    for moment in recording:
        tracks = tracker.update(door.eligible(moment.faces, FRAME_SIZE), moment.timestamp)
        decisions.append(door.decide(tracks, moment.timestamp, FRAME_SIZE))
    return decisions


def verdicts(recording: Recording, policy: PolicySettings = DEFAULTS) -> list[Verdict]:
    """The door's verdict per frame."""
    return [decision.verdict for decision in replay(recording, policy)]


def changes(shown: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts without repetitions."""
    return [verdict for index, verdict in enumerate(shown) if index == 0 or verdict is not shown[index - 1]]
