"""Define the frozen values that travel from the camera to the indicators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image: TypeAlias = NDArray[np.uint8]


class MaskLabel(Enum):
    """How a face wears its mask; the value is the name used in JSON, manifests and data sets."""

    WITH_MASK = "with_mask"
    WITHOUT_MASK = "without_mask"
    INCORRECT = "incorrect"


class Verdict(Enum):
    """What the door says; the value is the name used in JSON."""

    IDLE = "idle"
    CHECKING = "checking"
    MASK = "mask"
    INCORRECT = "incorrect"
    NO_MASK = "no_mask"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a camera.

    Attributes:
        image: RGB, uint8, height × width × 3, C-contiguous.
        timestamp: Seconds on a monotonic clock, stamped by the camera; a file's own time for files.
        index: Number of the frame within its source, from 0.
        source: Path, URL or device the frame came from.
    """

    image: Image
    timestamp: float
    index: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An axis-parallel box in frame pixels, ``xmin ≤ xmax`` and ``ymin ≤ ymax``."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def width(self) -> float:
        """Extent along x in pixels."""
        return self.xmax - self.xmin

    @property
    def height(self) -> float:
        """Extent along y in pixels."""
        return self.ymax - self.ymin

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def shorter_side(self) -> float:
        """The smaller of width and height, in pixels."""
        return min(self.width, self.height)

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the box as (x, y)."""
        return (self.xmin + self.xmax) / 2, (self.ymin + self.ymax) / 2

    def iou(self, other: BoundingBox) -> float:
        """Intersection over union with another box, 0 to 1; 0 where both are empty."""
        width = min(self.xmax, other.xmax) - max(self.xmin, other.xmin)
        height = min(self.ymax, other.ymax) - max(self.ymin, other.ymin)
        if width <= 0 or height <= 0:
            return 0.0
        intersection = width * height
        union = self.area + other.area - intersection
        return intersection / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Detection:
    """One face in one frame.

    Attributes:
        box: Where, clipped to the frame.
        label: The label whose score exceeds its threshold by the largest factor.
        score: Score of that label, 0 to 1.
        scores: Score of every label, 0 to 1; they need not sum to 1.
    """

    box: BoundingBox
    label: MaskLabel
    score: float
    scores: Mapping[MaskLabel, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vote:
    """What one fresh detection said about one person at one moment."""

    timestamp: float
    label: MaskLabel
    score: float


@dataclass(frozen=True, slots=True)
class Track:
    """One person over time.

    Attributes:
        id: Unique within a run, from 1.
        box: The newest box, in frame pixels.
        hits: Number of detections associated so far.
        age: Seconds since the first detection.
        last_seen: Timestamp of the newest detection; older than the frame while the track coasts.
        votes: One per associated detection, oldest first, bounded by the tracker.
    """

    id: int
    box: BoundingBox
    hits: int
    age: float
    last_seen: float
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """The policy's opinion of one track: its verdict so far; None while it has no say at the door."""

    track: Track
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds spent per stage of one detection."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What one turn of the loop saw.

    Attributes:
        frame: The frame; None when the camera or the model failed (verdict FAULT).
        detections: Faces in the frame, best score first.
        people: One per living track, with the policy's opinion.
        verdict: What the door says now.
        is_degraded: True while the CPU stands in for a lost Edge TPU.
        latency: None when nothing was inferred.
        fault: One line for the log while the verdict is FAULT, else "".
    """

    frame: Frame | None
    detections: tuple[Detection, ...]
    people: tuple[Person, ...]
    verdict: Verdict
    is_degraded: bool = False
    latency: Latency | None = None
    fault: str = ""
