"""Tell faces that never move from people."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pi_mask.types import BoundingBox, Track

logger = logging.getLogger(__name__)

_SMOOTHING_S: Final = 1.0
"""Time constant of the average that takes the detector's jitter out of a box; people sway more slowly."""
_JITTER: Final = 0.06
"""How far, in face sizes, a smoothed box may stray and still count as not moved."""
_DEPARTURE: Final = 0.1
"""How far it must stray to count as moved again, once it has been still: 1.5 cm of an adult's face."""
_MEMORY_S: Final = 600.0
"""How long a still face that is hidden, or missed by the detector, is known again at its place."""
_SHORT_MEMORY_S: Final = 10.0
"""The same for one that has not been there for long enough yet, such as a false alarm that comes and goes;
short, for the next visitor may stop at the very spot of the one before."""


@dataclass(frozen=True, slots=True)
class _Face:
    """One track as it is watched.

    Attributes:
        box: Smoothed over time.
        anchor: Where it has stayed.
        since: When it came there, had it been seen ever since.
        seen: Timestamp of the newest look.
    """

    box: BoundingBox
    anchor: BoundingBox
    since: float
    seen: float


@dataclass(frozen=True, slots=True)
class _Stay:
    """How long a face has been at one place, all in all, and when it last was."""

    seconds: float
    seen: float


class StillFaces:
    """Watch the tracks for faces that do not move: a poster, a picture on a screen, a dummy.

    A face is still once its box, smoothed over a second, has stayed within jitter of one place and size for
    ``after_s``; it is a person again as soon as it has left that place. A track that begins at the place of
    an earlier one, which vanished without moving, goes on with that one's time: a poster that people hide,
    or a false alarm that the detector sees now and then, does not get its time anew.

    Only boxes count. Scores and labels drift with the light on a poster as well, and who pulls a mask down
    moves the head by far more than the detector's jitter.

    Measured with the shipped model: six people who stand and talk (two recordings, 7 to 13 s each, faces of
    120 to 150 px) moved by more than 0.06 face sizes within 2 s and by more than 0.1 within 3 s. The boxes
    of photographs vary by 0.01 (one standard deviation) and drift with the daylight; docs/faults.md has more.

    Args:
        after_s: Seconds without movement.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._faces: dict[int, _Face] = {}
        self._places: dict[BoundingBox, _Stay] = {}

    def update(self, tracks: Sequence[Track], now: float) -> frozenset[int]:
        """Take in the tracks after a frame.

        Args:
            tracks: The living ones; those that coast are taken to be where they were.
            now: The frame's time in seconds.

        Returns:
            The ids of those that are still.
        """
        self._places = {place: stay for place, stay in self._places.items() if self._is_known(stay, now)}
        self._faces = {track.id: self._watch(track, now) for track in tracks}
        still = frozenset(track_id for track_id, face in self._faces.items() if self._is_still(face, now))
        for track_id, face in self._faces.items():
            self._remember(face, now, is_still=track_id in still)
        return still

    def _watch(self, track: Track, now: float) -> _Face:
        face = self._faces.get(track.id)
        if face is None:
            return self._meet(track)
        if track.last_seen == face.seen:
            return face
        box = _between(face.box, track.box, 1 - math.exp((face.seen - track.last_seen) / _SMOOTHING_S))
        was_still = self._is_still(face, now)
        if _distance(box, face.anchor) <= (_DEPARTURE if was_still else _JITTER):
            return replace(face, box=box, seen=track.last_seen)
        self._places.pop(face.anchor, None)
        return _Face(box, box, now, track.last_seen)

    def _meet(self, track: Track) -> _Face:
        """A new track, or a face that was there before and is found again."""
        for place, stay in self._places.items():
            if _distance(track.box, place) <= _DEPARTURE:
                return _Face(track.box, place, track.last_seen - stay.seconds, track.last_seen)
        return _Face(track.box, track.box, track.last_seen, track.last_seen)

    def _is_still(self, face: _Face, now: float) -> bool:
        return now - face.since >= self._after_s

    def _is_known(self, stay: _Stay, now: float) -> bool:
        memory_s = _MEMORY_S if stay.seconds >= self._after_s else _SHORT_MEMORY_S
        return now - stay.seen <= memory_s

    def _remember(self, face: _Face, now: float, *, is_still: bool) -> None:
        before = self._places.get(face.anchor)
        if is_still and (before is None or before.seconds < self._after_s):
            x, y = face.anchor.center
            logger.info(
                "A face at %.0f, %.0f has not moved for %g s: it has no say until it does.",
                x,
                y,
                self._after_s,
            )
        self._places[face.anchor] = _Stay(now - face.since, now)


def _between(box: BoundingBox, other: BoundingBox, weight: float) -> BoundingBox:
    """The box at ``weight``, 0 to 1, of the way to the other."""

    def mix(side: float, other_side: float) -> float:
        return side + weight * (other_side - side)

    return BoundingBox(
        mix(box.xmin, other.xmin),
        mix(box.ymin, other.ymin),
        mix(box.xmax, other.xmax),
        mix(box.ymax, other.ymax),
    )


def _distance(box: BoundingBox, other: BoundingBox) -> float:
    """The largest difference in place, width or height, in sizes of the other box; inf if that is empty."""
    size = math.sqrt(other.area)
    if size <= 0:
        return math.inf
    (x, y), (other_x, other_y) = box.center, other.center
    differences = (x - other_x, y - other_y, box.width - other.width, box.height - other.height)
    return max(map(abs, differences)) / size
