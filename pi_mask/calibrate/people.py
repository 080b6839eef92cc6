"""Find out who was before the camera."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from pi_mask.tracker import Tracker

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Clip
    from pi_mask.settings import TrackerSettings
    from pi_mask.types import BoundingBox, Detection

_MIN_HITS: Final = 3
"""A box seen less often is a false alarm and nobody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody, or something that looked like a face, in one clip.

    Attributes:
        faces: The face per number of the frame; frames that miss it are left out.
    """

    faces: Mapping[int, Detection]

    @property
    def score(self) -> float:
        """Median of the best score."""
        return median(best_score(face) for face in self.faces.values())

    @property
    def size_px(self) -> float:
        """Median size: square root of the box's area."""
        return median(face_size(face.box) for face in self.faces.values())


def best_score(face: Detection) -> float:
    """The score of the likeliest label."""
    return max(face.scores.values())


def face_size(box: BoundingBox) -> float:
    """Square root of the area, by which the door tells who is nearest."""
    return float(box.area**0.5)


def people_in(clip: Clip, settings: TrackerSettings) -> list[Seen]:
    """Everybody in a clip, who was seen longest and most surely first.

    Tracks that never share a frame are one person, lost for a while and found again. A box within the face
    of somebody else is that face once more.
    """
    tracker = Tracker(settings.iou_threshold, settings.max_age_s, max_votes=1)
    tracks: defaultdict[int, dict[int, Detection]] = defaultdict(dict)
    for index, frame in enumerate(clip):
        by_box = {face.box: face for face in frame.faces}
        for track in tracker.update(frame.faces, frame.timestamp):
            if track.last_seen == frame.timestamp:
                tracks[track.id][index] = by_box[track.box]
    found: list[dict[int, Detection]] = []
    for faces in sorted(tracks.values(), key=_weight, reverse=True):
        if len(faces) >= _MIN_HITS and not any(_is_part_of(faces, other) for other in found):
            absent = next((other for other in found if other.keys().isdisjoint(faces)), None)
            if absent is None:
                found.append(faces)
            else:
                absent.update(faces)
    return [Seen(faces) for faces in sorted(found, key=_weight, reverse=True)]


def _weight(faces: Mapping[int, Detection]) -> float:
    return sum(map(best_score, faces.values()))


def _is_part_of(faces: Mapping[int, Detection], other: Mapping[int, Detection]) -> bool:
    """Whether most of these boxes have their middle within the other's box of the same frame."""
    shared = [index for index in faces if index in other]
    inside = sum(_holds(other[index].box, faces[index].box) for index in shared)
    return inside * 2 > len(faces)


def _holds(box: BoundingBox, other: BoundingBox) -> bool:
    x, y = other.center
    return box.xmin <= x <= box.xmax and box.ymin <= y <= box.ymax
