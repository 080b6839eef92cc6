"""Decide what the door says about the people before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pi_mask.stillness import StillFaces
from pi_mask.types import BoundingBox, Detection, MaskLabel, Person, Track, Verdict

if TYPE_CHECKING:
    from pi_mask.settings import PolicySettings

_RED: Final = (Verdict.NO_MASK, Verdict.INCORRECT)
_WORST_FIRST: Final = (*_RED, Verdict.CHECKING, Verdict.MASK)
_FILLING: Final = 0.95
"""Share of the frame's width or height from which on a face is none: nobody's nose touches the lens, but a
model that was shown pure noise saw a masked face that filled the frame."""

_LEEWAY: Final = 0.1
"""Share of its size by which somebody who has a say may fall short of a limit, be it the smallest face or the
zone: several times a box's jitter, which would make the lamps flicker for who stands right there."""
_SAME: Final = 0.3
"""Overlap from which on a face counts as that of somebody who was there in the frame before."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the door says about one frame.

    Attributes:
        verdict: For the door; never FAULT, which is not the policy's to say.
        people: One per track, in the order of the tracks.
    """

    verdict: Verdict
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class _Opinion:
    """A person's verdict with the time at which fresh looks last confirmed it."""

    verdict: Verdict
    confirmed: float


_UNSURE: Final = _Opinion(Verdict.CHECKING, -math.inf)


@dataclass(frozen=True, slots=True)
class _Looks:
    """How many looks within the window saw what, and whether the newest one saw a mask."""

    masked: int
    bare: int
    incorrect: int
    ends_masked: bool

    @property
    def red(self) -> int:
        return self.bare + self.incorrect

    @property
    def all(self) -> int:
        return self.masked + self.red


class DoorPolicy:
    """The rules of one door.

    A person's verdict rests on the looks (votes) of the last ``vote_window_s``; coasting adds none:

    * Green and red each need ``min_votes`` looks of their own colour and their share of all looks in the
      window; a verdict already shown stays with the smaller ``keep_share``. All else is CHECKING. Red names
      what most red looks saw; in a tie NO_MASK, the worse.
    * A verdict changes to green or red only in a frame that shows the person, and to green only if that
      very look sees a mask. While the track coasts its verdict can only stay or fall back to CHECKING.
    * Green outlasts the last look by at most ``hold_green_s``, and only while the looks within the window
      still carry it; looks that no longer do end it at once. Red outlasts its last confirmation by at most
      ``hold_red_s``, whether the person is missed or has become unsure, unless green is confirmed
      meanwhile.
    * All these times are the frames' own: while a camera delivers none, nothing is decided, and the pipeline
      shows FAULT after a second.
    * Every hold ends with its track, so that the door is IDLE as soon as the tracker has dropped everybody.

    The door takes the verdict of the nearest person, or the worst of all: NO_MASK, INCORRECT, CHECKING,
    MASK; somebody still being checked holds back everybody's green. The nearest is the largest face. Who is
    nearest stays so until gone or until another face is ``takeover_ratio`` times as large. While all who
    decide are missed, green may go on but not begin, and CHECKING stands in its place if somebody who is
    seen has red.

    Bystanders, outside the zone or smaller than ``min_face_px``, have no say, nor has what fills the frame.
    Who has a say keeps it until a tenth of the face's size beyond these limits.
    Give the tracker only what :meth:`eligible` lets through: a bystander's face can then never be taken for
    the person's next one.
    A face that has not moved for ``still_after_s`` has no say either until it moves: a poster must not hold
    the door's verdict for ever.
    """

    def __init__(self, settings: PolicySettings) -> None:
        """Start without an opinion of anybody."""
        self._settings = settings
        self._opinions: dict[int, _Opinion] = {}
        self._inside: dict[int, BoundingBox] = {}
        self._nearest_id: int | None = None
        self._shown = Verdict.IDLE
        self._still_faces = StillFaces(settings.still_after_s)

    def eligible(self, detections: Sequence[Detection], frame_size: tuple[int, int]) -> tuple[Detection, ...]:
        """Leave out the bystanders.

        Args:
            detections: Faces of one frame, boxes in its pixels.
            frame_size: Width and height of the frame in pixels.
        """
        return tuple(
            face
            for face in detections
            if self._counts(face.box, frame_size, is_known=self._was_inside(face.box))
        )

    def decide(self, tracks: Sequence[Track], timestamp: float, frame_size: tuple[int, int]) -> Decision:
        """Form an opinion of everybody, then of the door.

        Args:
            tracks: The living tracks after this frame.
            timestamp: The frame's time in seconds, the same that the tracker was given.
            frame_size: Width and height of the frame in pixels.

        Returns:
            The door's verdict, and the people with theirs: None for bystanders and still faces.
        """
        still = self._still_faces.update(tracks, timestamp)
        self._inside = {
            track.id: track.box
            for track in tracks
            if self._counts(track.box, frame_size, is_known=track.id in self._inside)
        }
        counted = [track for track in tracks if track.id in self._inside and track.id not in still]
        self._opinions = {track.id: self._opinion(track, timestamp) for track in counted}
        verdicts = {track_id: opinion.verdict for track_id, opinion in self._opinions.items()}
        people = tuple(Person(track, verdicts.get(track.id)) for track in tracks)
        self._shown = self._door(counted, verdicts, timestamp)
        return Decision(self._shown, people)

    def _was_inside(self, box: BoundingBox) -> bool:
        return any(box.iou(before) >= _SAME for before in self._inside.values())

    def _counts(self, box: BoundingBox, frame_size: tuple[int, int], *, is_known: bool) -> bool:
        zone, (width, height), (x, y) = self._settings.zone, frame_size, box.center
        leeway = _LEEWAY if is_known else 0.0
        margin = leeway * box.shorter_side
        is_inside = (
            zone.xmin * width - margin <= x <= zone.xmax * width + margin
            and zone.ymin * height - margin <= y <= zone.ymax * height + margin
        )
        is_filling = box.width >= _FILLING * width or box.height >= _FILLING * height
        is_large = box.shorter_side >= (1 - leeway) * self._settings.min_face_px
        return is_inside and is_large and not is_filling

    def _door(self, tracks: Sequence[Track], verdicts: dict[int, Verdict], now: float) -> Verdict:
        if not tracks:
            return Verdict.IDLE
        deciding = tracks
        if self._settings.who == "nearest":
            deciding = [self._nearest(tracks)]
            self._nearest_id = deciding[0].id
        verdict = min((verdicts[track.id] for track in deciding), key=_WORST_FIRST.index)
        if verdict is Verdict.MASK and all(track.last_seen < now for track in deciding):
            # Whoever decides may have gone: red would be rash, green would open the door to the next one.
            is_red_seen = any(verdicts[track.id] in _RED for track in tracks if track.last_seen == now)
            if is_red_seen or self._shown is not Verdict.MASK:
                return Verdict.CHECKING
        return verdict

    def _nearest(self, tracks: Sequence[Track]) -> Track:
        """The largest face (of equals the first), unless the one before is still about as large."""
        largest = max(tracks, key=lambda track: track.box.area)
        for track in tracks:
            if track.id == self._nearest_id:
                needed = math.sqrt(track.box.area) * self._settings.takeover_ratio
                return largest if math.sqrt(largest.box.area) >= needed else track
        return largest

    def _opinion(self, track: Track, now: float) -> _Opinion:
        before = self._opinions.get(track.id, _UNSURE)
        looks = self._looks(track, now)
        if track.last_seen < now:
            return before if self._is_held(before, looks, now) else _UNSURE
        verdict = self._confirmed(looks, before.verdict)
        if verdict is not Verdict.CHECKING:
            return _Opinion(verdict, now)
        is_red_held = before.verdict in _RED and now - before.confirmed <= self._settings.hold_red_s
        return before if is_red_held else _UNSURE

    def _is_held(self, before: _Opinion, looks: _Looks, now: float) -> bool:
        """Whether a person who is not in this frame keeps the verdict from before."""
        elapsed = now - before.confirmed
        if before.verdict is Verdict.MASK:
            return elapsed <= self._settings.hold_green_s and self._is_green(looks, Verdict.MASK)
        return elapsed <= self._settings.hold_red_s

    def _looks(self, track: Track, now: float) -> _Looks:
        start = now - self._settings.vote_window_s
        labels = [vote.label for vote in track.votes if start < vote.timestamp <= now]
        return _Looks(
            masked=labels.count(MaskLabel.WITH_MASK),
            bare=labels.count(MaskLabel.WITHOUT_MASK),
            incorrect=labels.count(MaskLabel.INCORRECT),
            ends_masked=labels[-1:] == [MaskLabel.WITH_MASK],
        )

    def _confirmed(self, looks: _Looks, shown: Verdict) -> Verdict:
        """What the looks say by themselves, given what is shown."""
        if self._is_red(looks, shown):
            return self._which_red(looks, shown)
        return Verdict.MASK if self._is_green(looks, shown) else Verdict.CHECKING

    def _is_green(self, looks: _Looks, shown: Verdict) -> bool:
        settings = self._settings
        is_kept = shown is Verdict.MASK
        share = settings.keep_share if is_kept else settings.green_share
        is_enough = looks.masked >= settings.min_votes and looks.masked >= share * looks.all
        return is_enough and (is_kept or looks.ends_masked)

    def _is_red(self, looks: _Looks, shown: Verdict) -> bool:
        settings = self._settings
        share = settings.keep_share if shown in _RED else settings.red_share
        return looks.red >= settings.min_votes and looks.red >= share * looks.all

    def _which_red(self, looks: _Looks, shown: Verdict) -> Verdict:
        """NO_MASK or INCORRECT; the one that is shown gives way to a clear majority only."""
        if shown is Verdict.NO_MASK:
            is_bare = looks.incorrect < self._settings.red_share * looks.red
        elif shown is Verdict.INCORRECT:
            is_bare = looks.bare >= self._settings.red_share * looks.red
        else:
            is_bare = looks.bare >= looks.incorrect
        return Verdict.NO_MASK if is_bare else Verdict.INCORRECT
