"""Test pi_mask.calibrate.people."""

from __future__ import annotations

from pi_mask.calibrate.people import people_in
from tests.calibrate.scenes import BARE, MASKED, TRACKING, clip, standing


def test_one_person_is_one() -> None:
    """Somebody who stands there is seen once, in every frame, with median size and score."""
    (person,) = people_in(standing(size=80, count=20), TRACKING)

    assert sorted(person.faces) == list(range(20))
    assert (round(person.size_px), round(person.score, 3)) == (80, 0.9)


def test_somebody_lost_and_found_is_one() -> None:
    """Tracks that never share a frame are one person."""
    frames = [[(300.0, 80.0, MASKED)]] * 10 + [[]] * 20 + [[(300.0, 80.0, MASKED)]] * 10

    assert [len(person.faces) for person in people_in(clip(frames), TRACKING)] == [20]


def test_two_people_are_two_longest_first() -> None:
    """Who shares a frame with another is another; a single false alarm is nobody."""
    both = [(200.0, 80.0, MASKED), (450.0, 60.0, BARE)]
    frames = [[both[0]]] * 10 + [both] * 10 + [[both[0], (600.0, 30.0, BARE)]] * 2

    assert [len(person.faces) for person in people_in(clip(frames), TRACKING)] == [22, 10]


def test_a_box_within_a_face_is_nobody_else() -> None:
    """A second box in the middle of a face is that face once more."""
    frames = [[(300.0, 120.0, MASKED), (300.0, 30.0, BARE)]] * 10

    assert len(people_in(clip(frames), TRACKING)) == 1


def test_somebody_who_passes_behind_is_somebody_else() -> None:
    """For some of the time the middle of the smaller face lies within the larger one."""
    frames = [[(300.0, 120.0, MASKED), (450.0 - 4 * index, 80.0, BARE)] for index in range(40)]

    assert len(people_in(clip(frames), TRACKING)) == 2
