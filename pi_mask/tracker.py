"""Follow faces from frame to frame."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from pi_mask.types import BoundingBox, Detection, Track, Vote

_GATE: Final = 0.7
"""Reach of the second round, in face sizes. A face is about 15 cm wide: 0.7 of it within a third of a second
is a person who shifts by 30 cm/s, while two heads side by side cannot come closer than one face."""
_LARGEST_GROWTH: Final = 2.0
"""In the second round, the factor in size from which on it is somebody else, nearer or farther off: the next
in a queue stands right behind."""

_Likeness: TypeAlias = Callable[[BoundingBox, BoundingBox], float | None]


class Tracker:
    """Greedy association of boxes, in the words of SORT (Bewley et al. 2016), without its Kalman filter.

    Each frame goes through two rounds, the best pair first in both. The first pairs tracks and detections
    by intersection over union. The second pairs what is left by the distance of the centres, because at 3
    frames a second a face can move by more than its overlap. In both, tracks that the frame before showed
    choose before those that coast: a face that is hidden waits just where whoever hides it is seen (the
    matching cascade of DeepSORT, Wojke et al. 2017). Labels play no part: that a label changes is what the
    votes are there to record. The order of the detections within a frame changes nothing, ids included.

    Only a fresh detection gives a track a vote. Without one the track coasts: box, votes and ``last_seen``
    stay as they are, until it is dropped because ``last_seen`` is more than ``max_age_s`` ago. After a
    stall longer than that, and after time that stood still or ran backwards, all start anew. Ids are never
    used twice.
    """

    def __init__(self, iou_threshold: float, max_age_s: float, max_votes: int, min_hits: int = 1) -> None:
        """Start with nobody.

        Args:
            iou_threshold: Smallest overlap of a face with its last box, above 0 and below 1.
            max_age_s: Seconds after the last detection until a track is dropped.
            max_votes: Newest votes kept per track, at least 1.
            min_hits: Detections before a track is reported; 1 reports every one at once.
        """
        self._iou_threshold = iou_threshold
        self._max_age_s = max_age_s
        self._max_votes = max_votes
        self._min_hits = min_hits
        self._tracks: tuple[Track, ...] = ()
        self._timestamp = -math.inf
        self._last_id = 0

    def update(self, detections: Sequence[Detection], timestamp: float) -> tuple[Track, ...]:
        """Take in one frame's detections.

        Args:
            detections: Faces of one frame, in any order.
            timestamp: The frame's time in seconds.

        Returns:
            The living tracks that had ``min_hits`` detections, oldest (smallest id) first; those that coast
            have a ``last_seen`` before ``timestamp``.
        """
        alive = self._alive(timestamp)
        faces = sorted(detections, key=_order)
        pairs = self._associate(alive, faces)
        followed = (
            self._follow(track, faces[pairs[track.id]], timestamp) if track.id in pairs else track
            for track in alive
        )
        left = (face for index, face in enumerate(faces) if index not in pairs.values())
        self._tracks = (*followed, *(self._start(face, timestamp) for face in left))
        self._timestamp = timestamp
        return tuple(track for track in self._tracks if track.hits >= self._min_hits)

    def forget(self) -> None:
        """Drop everybody, as after a stall: nobody knows what happened meanwhile."""
        self._tracks = ()

    def _alive(self, timestamp: float) -> list[Track]:
        """The tracks that go on into this frame, their age brought up to it; none when time stood still."""
        elapsed = timestamp - self._timestamp
        return [
            replace(track, age=track.age + elapsed)
            for track in self._tracks
            if elapsed > 0 and timestamp - track.last_seen <= self._max_age_s
        ]

    def _associate(self, tracks: Sequence[Track], faces: Sequence[Detection]) -> dict[int, int]:
        """Pair one to one; the result maps a track's id to the index of its face."""
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        shown = [track for track in tracks if track.last_seen == self._timestamp]
        coasting = [track for track in tracks if track.last_seen < self._timestamp]
        for likeness, group in itertools.product((self._overlap, _nearness), (shown, coasting)):
            for track_id, index in _best_first(group, faces, likeness):
                if track_id not in pairs and index not in taken:
                    pairs[track_id] = index
                    taken.add(index)
        return pairs

    def _overlap(self, box: BoundingBox, other: BoundingBox) -> float | None:
        iou = box.iou(other)
        return iou if iou >= self._iou_threshold else None

    def _start(self, face: Detection, timestamp: float) -> Track:
        self._last_id += 1
        vote = Vote(timestamp, face.label, face.score)
        return Track(self._last_id, face.box, hits=1, age=0.0, last_seen=timestamp, votes=(vote,))

    def _follow(self, track: Track, face: Detection, timestamp: float) -> Track:
        vote = Vote(timestamp, face.label, face.score)
        votes = (*track.votes, vote)[-self._max_votes :]
        return replace(track, box=face.box, hits=track.hits + 1, last_seen=timestamp, votes=votes)


def _order(face: Detection) -> tuple[float, float, float, float, str, float]:
    """Sort key that depends on nothing but what a track takes over from a detection."""
    box = face.box
    return box.xmin, box.ymin, box.xmax, box.ymax, face.label.value, face.score


def _best_first(
    tracks: Sequence[Track], faces: Sequence[Detection], likeness: _Likeness
) -> Iterator[tuple[int, int]]:
    """Give (track id, face index) of all pairs that are alike, on equal likeness the oldest track first."""
    ranked = [
        (-alike, track.id, index)
        for track in tracks
        for index, face in enumerate(faces)
        if (alike := likeness(track.box, face.box)) is not None
    ]
    for _, track_id, index in sorted(ranked):
        yield track_id, index


def _nearness(box: BoundingBox, other: BoundingBox) -> float | None:
    """Distance of the centres in sizes of the smaller box, negated; None out of reach, as for empty boxes."""
    (x, y), (other_x, other_y) = box.center, other.center
    distance = math.hypot(x - other_x, y - other_y)
    size, larger = sorted((math.sqrt(box.area), math.sqrt(other.area)))
    is_alike = larger < _LARGEST_GROWTH * size and distance < _GATE * size
    return -distance / size if is_alike else None
