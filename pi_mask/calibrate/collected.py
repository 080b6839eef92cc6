"""Hold what was seen in each step, so that any settings can be tried on it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pi_mask.calibrate.steps import Step
    from pi_mask.detector import Look
    from pi_mask.types import Detection


@dataclass(frozen=True, slots=True)
class Light:
    """Mean brightness (luma, 0 to 255) of the surest face and of the whole frame."""

    face: float
    frame: float


@dataclass(frozen=True, slots=True)
class CollectedFrame:
    """What is kept of one frame; never the picture.

    Attributes:
        timestamp: Seconds, as the camera stamped it.
        look: What the network saw, at the collecting thresholds.
        faces: What these thresholds make of it, each with the score of every label.
        light: None without a face.
    """

    timestamp: float
    look: Look
    faces: tuple[Detection, ...]
    light: Light | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.look.size


Clip: TypeAlias = tuple[CollectedFrame, ...]
"""One uninterrupted watch, at least one frame."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A step and its clips: one from the door, any number from recordings."""

    step: Step
    clips: tuple[Clip, ...]

    @property
    def frames(self) -> int:
        """Number of frames in all clips."""
        return sum(map(len, self.clips))

    @property
    def seconds(self) -> float:
        """Duration of all clips together."""
        return sum(map(duration, self.clips))


def duration(clip: Clip) -> float:
    """Seconds that a clip lasts, its last frame included."""
    span = clip[-1].timestamp - clip[0].timestamp
    return span * len(clip) / (len(clip) - 1) if len(clip) > 1 else 0.0
