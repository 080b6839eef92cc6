"""Promises of pi_mask.policy about who has no say: bystanders and what fills the frame."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pi_mask.policy import Decision, DoorPolicy
from pi_mask.settings import PolicySettings, Zone
from pi_mask.types import BoundingBox, Detection, Person, Track, Verdict, Vote
from tests.door_films import (
    BARE,
    CHECKING,
    DEFAULTS,
    FRAME_SIZE,
    IDLE,
    MASK,
    MASKED,
    ZONE,
    changes,
    face,
    film,
    verdicts,
)

EVERYBODY = PolicySettings(who="everybody")


def test_tracks_of_bystanders_have_no_say() -> None:
    """Fed with tracks outside the zone or too small, the policy gives them None and stays IDLE."""
    door = DoorPolicy(PolicySettings(zone=ZONE))
    votes = tuple(Vote(index / 10, BARE, 0.9) for index in range(5))
    outside = Track(1, face(BARE, x=100).box, 5, 0.4, 0.4, votes)
    small = Track(2, face(BARE, x=500, size=39).box, 5, 0.4, 0.4, votes)

    decision = door.decide([outside, small], 0.4, FRAME_SIZE)

    assert decision == Decision(IDLE, (Person(outside, None), Person(small, None)))


def test_eligible_is_inclusive() -> None:
    """A face counts with its centre on the zone's edge and its shorter side exactly as long as asked."""
    door = DoorPolicy(PolicySettings(zone=ZONE))
    low = Detection(BoundingBox(400, 200, 500, 239.9), BARE, 0.9)
    faces = [face(BARE, x=320, size=40), face(BARE, x=319), face(BARE, x=500, size=39.9), low]

    assert door.eligible(faces, FRAME_SIZE) == (faces[0],)


def test_the_zone_scales_with_the_frame() -> None:
    """The zone is a fraction of the frame that is given, not of the configured camera."""
    door = DoorPolicy(PolicySettings(zone=ZONE))

    assert door.eligible([face(BARE, x=320)], (1280, 960)) == ()


@pytest.mark.parametrize(
    ("width", "height", "counts"), [(600, 450, True), (608, 300, False), (400, 456, False), (637, 464, False)]
)
def test_what_fills_the_frame_is_nobody(width: int, height: int, counts: bool) -> None:
    """A box of 95 % of the frame's width or height is no face before a door, but a model's error."""
    box = BoundingBox(2, 2, 2 + width, 2 + height)
    filling = Detection(box, MASKED, 0.9)

    assert (DoorPolicy(DEFAULTS).eligible([filling], FRAME_SIZE) == (filling,)) is counts


_JITTER = (0.0, 0.9, -0.6, 0.2, -1.0, 0.7, -0.3, 1.0, -0.8, 0.4)
"""By how much the box differs from frame to frame, as shares of the largest difference."""


@pytest.mark.parametrize("fps", [3, 10, 30])
@pytest.mark.parametrize(
    "people",
    [
        [face(MASKED, 300 + 4 * index % 9, 40 + each) for index, each in enumerate(6 * _JITTER)],
        [face(MASKED, 320 + 2 * each) for each in 6 * _JITTER],
    ],
    ids=["smallest face", "edge of the zone"],
)
def test_who_stands_at_a_limit_does_not_flicker(people: Sequence[Detection], fps: float) -> None:
    """A box varies a little from frame to frame; who has a say keeps it."""
    policy = PolicySettings(zone=ZONE) if people[0].box.center[0] >= 320 else DEFAULTS

    assert changes(verdicts(film([[each] for each in people], fps), policy)) == [IDLE, CHECKING, MASK]


@pytest.mark.parametrize(("size", "verdict"), [(36, MASK), (35.9, IDLE)])
def test_who_steps_back_loses_their_say(size: float, verdict: Verdict) -> None:
    """A tenth of the smallest face is forgiven, no more."""
    shown = verdicts(film([[face(MASKED, size=40)]] * 5 + [[face(MASKED, size=size)]] * 20))

    assert (shown[4], set(shown[-10:])) == (MASK, {verdict})


@pytest.mark.parametrize(
    ("x", "y", "outwards"),
    [(160, 240, (-1, 0)), (480, 240, (1, 0)), (320, 120, (0, -1)), (320, 360, (0, 1))],
    ids=["left", "right", "top", "bottom"],
)
def test_who_steps_out_of_the_zone_loses_their_say(x: int, y: int, outwards: tuple[int, int]) -> None:
    """At each side the middle of a new face may be on the edge, that of a known one a tenth of it outside."""

    def beyond(px: float) -> Detection:
        left, top = x - 20 + px * outwards[0], y - 20 + px * outwards[1]
        return Detection(BoundingBox(left, top, left + 40, top + 40), MASKED, 0.9)

    door = DoorPolicy(PolicySettings(zone=Zone(0.25, 0.25, 0.75, 0.75)))
    as_new = door.eligible([beyond(0), beyond(0.5)], FRAME_SIZE)
    door.decide([Track(1, beyond(0).box, 1, 0.0, 0.0, ())], 0.0, FRAME_SIZE)
    as_known = door.eligible([beyond(4), beyond(4.5)], FRAME_SIZE)

    assert (as_new, as_known) == ((beyond(0),), (beyond(4),))


def test_a_stranger_gets_no_leeway() -> None:
    """A face that is a little too small has no say, though somebody beside it has."""
    shown = verdicts(film([[face(MASKED, 400), face(BARE, 500, 38)]] * 10), EVERYBODY)

    assert changes(shown) == [IDLE, CHECKING, MASK]
