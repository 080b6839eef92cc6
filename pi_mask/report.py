"""Put results into words and into JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pi_mask.types import Verdict

if TYPE_CHECKING:
    from pi_mask.types import BoundingBox, Detection, Frame, Latency, Observation, Person

SCHEMA: Final = 1
"""Changes when a key of the JSON lines is removed or changes its meaning, not when one is added."""


def json_line(**fields: object) -> str:
    """One JSON object on one line; ``schema`` comes first.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps({"schema": SCHEMA, **fields}, allow_nan=False)


def frame_json(frame: Frame, detections: Sequence[Detection], latency: Latency) -> str:
    """What ``detect --json`` says about one frame: boxes in pixels, time in seconds and milliseconds."""
    height, width = frame.image.shape[:2]
    return json_line(
        source=frame.source,
        frame=frame.index,
        timestamp=_seconds(frame.timestamp),
        width=width,
        height=height,
        detections=[
            {"label": face.label.value, "score": round(face.score, 4), "box": _corners(face.box)}
            for face in detections
        ],
        latency_ms={
            "preprocess": round(latency.preprocess_ms, 3),
            "inference": round(latency.inference_ms, 3),
            "postprocess": round(latency.postprocess_ms, 3),
        },
    )


def frame_text(frame: Frame, detections: Sequence[Detection], *, is_video: bool) -> str:
    """What ``detect`` says about one frame."""
    place = f"{printable(frame.source)} frame {frame.index}" if is_video else printable(frame.source)
    faces = (
        f"{face.label.value} {face.score:.2f} ({', '.join(f'{value:.0f}' for value in _corners(face.box))})"
        for face in detections
    )
    return f"{place}: {', '.join(faces) or 'no face'}"


def verdict_json(observation: Observation) -> str:
    """What ``run --json`` says about a change of verdict.

    ``timestamp`` and ``frame`` are null for a fault without a frame. A person's ``verdict`` is null while
    they have no say at the door; ``last_seen`` is the time of the newest detection.
    """
    frame = observation.frame
    return json_line(
        event="verdict",
        timestamp=None if frame is None else _seconds(frame.timestamp),
        frame=None if frame is None else frame.index,
        verdict=observation.verdict.value,
        people=[_person(person) for person in observation.people],
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened in a run.

    Attributes:
        frames: Number of frames looked at.
        seconds: How long it took, on the clock on the wall.
        verdicts: How often each verdict came up.
        unreadable: Number of files that could not be read.
    """

    frames: int
    seconds: float
    verdicts: Mapping[Verdict, int]
    unreadable: int

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


class Tally:
    """Counts what comes out of a pipeline."""

    def __init__(self) -> None:
        self._frames = 0
        self._verdict: Verdict | None = None
        self._changes: Counter[Verdict] = Counter()

    def add(self, observation: Observation) -> bool:
        """Count an observation; True when its verdict differs from the one before."""
        self._frames += observation.frame is not None
        if observation.verdict is self._verdict:
            return False
        self._verdict = observation.verdict
        self._changes[observation.verdict] += 1
        return True

    def summary(self, seconds: float, unreadable: int) -> Summary:
        """What was counted so far."""
        changes = {verdict: self._changes[verdict] for verdict in Verdict}
        return Summary(self._frames, seconds, changes, unreadable)


def summary_json(summary: Summary) -> str:
    """The last line of ``run --json``."""
    return json_line(
        event="summary",
        frames=summary.frames,
        seconds=round(summary.seconds, 3),
        fps=round(summary.fps, 2),
        verdicts={verdict.value: count for verdict, count in summary.verdicts.items()},
        unreadable=summary.unreadable,
    )


def summary_text(summary: Summary) -> str:
    """The last line of ``run``."""
    shown = (f"{verdict.value} {count}×" for verdict, count in summary.verdicts.items() if count)
    verdicts = ", ".join(shown) or "none"
    speed = f"{summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} a second)"
    text = f"{speed}. Verdicts: {verdicts}."
    return f"{text} Unreadable files: {summary.unreadable}." if summary.unreadable else text


def printable(name: str) -> str:
    """A file's name on one line: it may hold line breaks and bytes that are no text."""
    return "".join(character if character.isprintable() else "�" for character in name)


def _person(person: Person) -> dict[str, object]:
    return {
        "id": person.track.id,
        "box": _corners(person.track.box),
        "verdict": person.verdict and person.verdict.value,
        "hits": person.track.hits,
        "last_seen": _seconds(person.track.last_seen),
    }


def _corners(box: BoundingBox) -> list[float]:
    """Tenths of a pixel: the models are not better than that."""
    return [round(value, 1) for value in (box.xmin, box.ymin, box.xmax, box.ymax)]


def _seconds(timestamp: float) -> float:
    """Microseconds tell the frames of any camera apart."""
    return round(timestamp, 6)
