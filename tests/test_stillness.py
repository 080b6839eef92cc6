"""Test that posters are told from people."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from pi_mask.settings import PolicySettings
from pi_mask.stillness import StillFaces
from pi_mask.types import BoundingBox, Track, Verdict
from tests.door_films import (
    BARE,
    CHECKING,
    DEFAULTS,
    IDLE,
    MASK,
    MASKED,
    Moment,
    face,
    film,
    replay,
    verdicts,
)
from tests.test_policy_invariants import policies, recordings

AFTER_S, FPS = 30.0, 5.0
SIZE = 80.0


def track(at: float, x: float, *, size: float = SIZE, track_id: int = 1) -> Track:
    """Somebody who is seen at this time with the face centred at x, 200."""
    return Track(track_id, face(MASKED, x, size).box, hits=9, age=at, last_seen=at, votes=())


def still_times(places: Callable[[float], float], seconds: float) -> list[float]:
    """When somebody counts as still whose face, in sizes from x = 300, is where ``places`` says."""
    faces = StillFaces(AFTER_S)
    times = [index / FPS for index in range(round(seconds * FPS))]
    return [at for at in times if faces.update([track(at, 300 + SIZE * places(at))], at)]


def jittering(scale: float) -> Callable[[float], float]:
    """A place that the detector finds with normal errors of this many face sizes."""
    random = np.random.default_rng(0)
    return lambda _: float(random.normal(0, scale))


@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.03])
def test_a_face_that_only_jitters_is_still_in_time(jitter: float) -> None:
    """It counts for the first 30 s and not at any time after, for an hour."""
    times = still_times(jittering(jitter), 3600)

    assert times == [index / FPS for index in range(round(AFTER_S * FPS), round(3600 * FPS))]


@pytest.mark.parametrize("sway", [0.12, 0.3])
@pytest.mark.parametrize("period_s", [4.0, 20.0])
def test_a_face_that_sways_is_a_person(sway: float, period_s: float) -> None:
    """Who moves by an eighth of a face to each side, quickly or slowly, counts for an hour."""
    assert still_times(lambda at: sway * math.sin(2 * math.pi * at / period_s), 3600) == []


def test_a_face_that_grows_is_a_person() -> None:
    """Leaning forward counts as moving, though the middle of the face stays."""
    faces = StillFaces(AFTER_S)
    steps = [(at, SIZE * (1 + 0.1 * math.sin(at))) for at in (index / FPS for index in range(500))]

    assert not any(faces.update([track(at, 300, size=size)], at) for at, size in steps)


def watched_poster(seconds: float = 40.0) -> tuple[StillFaces, float]:
    """A watch that has seen track 1 stand still at x = 300 for so long, and the time."""
    faces = StillFaces(AFTER_S)
    for index in range(round(seconds * FPS) + 1):
        faces.update([track(index / FPS, 300)], index / FPS)
    return faces, seconds


def test_who_moves_counts_at_once() -> None:
    """A movement by a third of the face ends the stillness within a second; its place is no poster's."""
    faces, now = watched_poster()

    moving = [bool(faces.update([track(now + at, 300 + SIZE / 3)], now + at)) for at in (0.2, 0.4, 0.6)]
    next_one = faces.update([track(now + 0.8, 300, track_id=2)], now + 0.8)

    assert moving == [True, False, False]
    assert next_one == frozenset()


@pytest.mark.parametrize(("hidden_s", "is_known"), [(1.0, True), (599.0, True), (601.0, False)])
def test_a_poster_that_was_hidden_is_known_again(hidden_s: float, is_known: bool) -> None:
    """Found again at its place within ten minutes, as a new track, it has no say from the first look."""
    faces, now = watched_poster()
    faces.update([], now)
    later = now + hidden_s

    assert bool(faces.update([track(later, 302, track_id=2)], later)) is is_known


def test_a_false_alarm_that_comes_and_goes_is_still_in_the_end() -> None:
    """Seen for a second in every three, as a new track each time, it counts for 30 s of being seen."""
    faces, looks = StillFaces(AFTER_S), []
    for index in range(round(120 * FPS)):
        at, is_seen = index / FPS, index % 15 < 6
        still = faces.update([track(at, 300, track_id=index // 15)] if is_seen else [], at)
        looks += [bool(still)] if is_seen else []

    first = looks.index(True)
    assert all(looks[first:])
    assert first == 6 * AFTER_S - 1  # the sixth look of each visit is a second after its first


def test_short_stays_at_one_place_are_forgotten_within_seconds() -> None:
    """Visitors who appear and vanish at the same spot, one after the other, never add up to a poster."""
    faces = StillFaces(AFTER_S)
    visits = [(number * 13 + index / FPS, number) for number in range(60) for index in range(11)]

    assert not any(faces.update([track(at, 300, track_id=visit)], at) for at, visit in visits)


def test_somebody_who_walks_to_the_place_of_a_poster_counts() -> None:
    """Who comes from elsewhere and stops in front of the poster has the same time as everybody."""
    faces, now = watched_poster()
    walk = [(now + index / FPS, 300 + SIZE * max(0.0, 3 - index / 3)) for index in range(60)]

    assert not any(faces.update([track(at, x, track_id=2)], at) for at, x in walk)


def test_a_face_that_is_missed_stays_what_it_is() -> None:
    """While a track coasts nothing is learnt: neither movement nor a new beginning."""
    faces, now = watched_poster()
    coasting = track(now, 300)

    assert [faces.update([coasting], now + late) for late in (0.2, 0.4)] == [frozenset({1})] * 2


def test_an_empty_box_has_no_place() -> None:
    """A box without area is no face to wait for, and breaks nothing."""
    faces = StillFaces(AFTER_S)
    empty = replace(track(0, 300), box=BoundingBox(5, 5, 5, 5))

    assert [faces.update([replace(empty, last_seen=at)], at) for at in (0.0, 40.0)] == [frozenset()] * 2


def test_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line per place, also when the detector loses the poster again and again."""
    caplog.set_level(logging.INFO, "pi_mask.stillness")
    faces, now = watched_poster()
    for index in range(20):
        faces.update([], now + 2 * index)
        faces.update([track(now + 2 * index + 1, 300, track_id=2 + index)], now + 2 * index + 1)

    assert caplog.messages == ["A face at 300, 200 has not moved for 30 s: it has no say until it does."]


POSTER_X = 60.0


def with_poster(moments: Iterable[Moment]) -> list[Moment]:
    """Hang a poster of a masked face on the left, large and near, 40 s before anything happens."""
    poster = face(MASKED, POSTER_X, 100.0)
    alone = film([[poster]] * 200, FPS, start=-41.0)
    return alone + [Moment(moment.timestamp, (poster, *moment.faces)) for moment in moments]


@pytest.mark.parametrize("who", ["nearest", "everybody"])
def test_a_poster_gets_its_time_and_no_more(who: str) -> None:
    """A masked face that never moves is green for 30 s, then the door is idle for the rest of an hour."""
    policy = PolicySettings(who=who)  # type: ignore[arg-type]

    shown = verdicts(film([[face(MASKED)]] * round(3600 * FPS), FPS), policy)

    first = round(AFTER_S * FPS) + 1  # from the track's first look, one frame before it is reported
    assert shown[:first] == [IDLE, CHECKING, *[MASK] * (first - 2)]
    assert set(shown[first:]) == {IDLE}


def test_a_person_beside_a_poster_is_judged() -> None:
    """Who comes beside a larger, nearer poster gets a verdict of their own, and the door is idle after."""
    person = [[face(BARE, 350 + 3 * (index % 7))] for index in range(20)]
    came = film([[]] * 5 + person + [[]] * 10, 10.0)

    shown = verdicts(with_poster(came))[200:]

    assert shown == verdicts(came)
    assert (shown[4], shown[10], shown[-1]) == (IDLE, Verdict.NO_MASK, IDLE)


@given(recording=recordings(), policy=policies())
@settings(deadline=None, derandomize=True)
def test_a_poster_changes_no_verdict(recording: list[Moment], policy: PolicySettings) -> None:
    """Once it is known, a poster changes nothing for whoever stays clear of it, whatever the time does."""
    beside = [
        Moment(moment.timestamp, tuple(each for each in moment.faces if each.box.xmin > 200))
        for moment in recording
    ]

    assert verdicts(with_poster(beside), policy)[200:] == verdicts(beside, policy)


@pytest.mark.parametrize("step", [5, 10, 15])
def test_who_passes_before_a_poster_does_not_wake_it(step: int) -> None:
    """A visitor hides the poster for a while and goes on: they are judged, and it stays without a say."""
    poster = face(MASKED, 320, 100)
    walk = [face(BARE, x, 100) for x in range(0, 640, step)]
    scene = [[each] if abs(each.box.center[0] - 320) < 50 else [each, poster] for each in walk]
    shown = verdicts(film([[poster]] * 400 + scene + [[poster]] * 100, FPS))

    assert Verdict.NO_MASK in shown[400:]
    assert MASK not in shown[400:]
    assert set(shown[-80:]) == {IDLE}


def test_the_poster_is_listed_without_a_verdict() -> None:
    """Who reads the people along with the verdict sees that this one has no say."""
    decision = replay(film([[face(MASKED)]] * 200, FPS), DEFAULTS)[-1]

    assert [person.verdict for person in decision.people] == [None]
