"""Promises of pi_mask.tracker."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_mask.tracker import Tracker
from pi_mask.types import BoundingBox, Detection, MaskLabel, Track, Vote

MASKED, BARE = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK


def face(x: float, y: float = 100.0, size: float = 80.0, label: MaskLabel = MASKED) -> Detection:
    """A square face with its top left corner at x, y."""
    return Detection(BoundingBox(x, y, x + size, y + size), label, 0.9)


def new_tracker(min_hits: int = 1, max_votes: int = 64) -> Tracker:
    """A tracker with the default thresholds."""
    return Tracker(iou_threshold=0.3, max_age_s=0.8, max_votes=max_votes, min_hits=min_hits)


def replay(
    tracker: Tracker, recording: Sequence[tuple[float, Sequence[Detection]]]
) -> list[tuple[Track, ...]]:
    """The tracks after each frame."""
    return [tracker.update(detections, timestamp) for timestamp, detections in recording]


def coordinates() -> st.SearchStrategy[float]:
    """A coarse grid, so that boxes often touch, coincide or are empty."""
    return st.integers(0, 32).map(lambda cell: cell * 20.0)


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    """A face anywhere, of any shape."""
    xs = sorted((draw(coordinates()), draw(coordinates())))
    ys = sorted((draw(coordinates()), draw(coordinates())))
    label = draw(st.sampled_from(MaskLabel))
    return Detection(BoundingBox(xs[0], ys[0], xs[1], ys[1]), label, draw(st.sampled_from([0.5, 0.9])))


def recordings() -> st.SearchStrategy[list[tuple[float, list[Detection]]]]:
    """Frames at any time, also standing still, running backwards and after stalls."""
    steps = st.sampled_from([-1.0, 0.0, 0.1, 0.1, 0.33, 0.8, 0.9, 10.0])
    frames = st.lists(st.tuples(steps, st.lists(detections(), max_size=6)), max_size=12)

    def at_times(recording: list[tuple[float, list[Detection]]]) -> list[tuple[float, list[Detection]]]:
        times = [sum(step for step, _ in recording[: index + 1]) for index in range(len(recording))]
        return [(time, faces) for time, (_, faces) in zip(times, recording, strict=True)]

    return frames.map(at_times)


def test_somebody_who_stays_is_one_track() -> None:
    """A face that moves a little keeps its id and gathers one vote per detection."""
    tracks = replay(new_tracker(), [(1.0, [face(100)]), (1.5, [face(110, label=BARE)])])[-1]

    votes = (Vote(1.0, MASKED, 0.9), Vote(1.5, BARE, 0.9))
    assert tracks == (Track(1, face(110).box, hits=2, age=0.5, last_seen=1.5, votes=votes),)


def test_coasting_adds_nothing_but_age() -> None:
    """Without a detection a track keeps its box, its votes and the time it was last seen."""
    tracks = replay(new_tracker(), [(1.0, [face(100)]), (1.5, [])])[-1]

    vote = Vote(1.0, MASKED, 0.9)
    assert tracks == (Track(1, face(100).box, hits=1, age=0.5, last_seen=1.0, votes=(vote,)),)


def test_a_track_lives_for_max_age() -> None:
    """A track is there at exactly max_age after its last detection and gone past it."""
    seen = replay(new_tracker(), [(0.0, [face(100)]), (0.8, []), (0.81, [])])

    assert [[track.id for track in tracks] for tracks in seen] == [[1], [1], []]


@pytest.mark.parametrize("timestamp", [5.0, 4.0, 15.0, -math.inf, math.nan])
def test_time_that_does_not_go_on_starts_anew(timestamp: float) -> None:
    """Time that stands still, runs backwards, stalls or is no number drops all tracks and raises nothing."""
    tracks = replay(new_tracker(), [(5.0, [face(100)]), (timestamp, [face(100)])])[-1]

    assert [(track.id, track.hits, track.age) for track in tracks] == [(2, 1, 0.0)]


def test_time_goes_on_after_running_backwards() -> None:
    """A clock set back costs the tracks of one frame, not all that follow."""
    recording = [(100.0, [face(100)]), (0.0, [face(100)]), (0.1, [face(100)])]

    assert [(track.id, track.hits) for track in replay(new_tracker(), recording)[-1]] == [(2, 2)]


def test_min_hits_hides_single_frames() -> None:
    """With min_hits 2 a false face of one frame is never reported, a person from the second frame on."""
    recording = [(0.0, [face(100), face(400)]), (0.1, [face(100)]), (0.2, [face(100)])]

    seen = replay(new_tracker(min_hits=2), recording)

    assert [[(track.id, track.hits) for track in tracks] for tracks in seen] == [[], [(1, 2)], [(1, 3)]]


def test_the_best_pair_comes_first() -> None:
    """Between two tracks a face goes to the one that it overlaps more, whichever is older."""
    tracker = new_tracker()
    tracker.update([face(100), face(150)], 0.0)

    tracks = tracker.update([face(140)], 0.1)

    assert [(track.id, track.last_seen) for track in tracks] == [(1, 0.0), (2, 0.1)]


def test_the_nearest_pair_comes_first_without_overlap() -> None:
    """Between two tracks that a face has left behind it goes to the nearer one, whichever is older."""
    tracks = replay(new_tracker(), [(0.0, [face(100), face(196)]), (0.1, [face(150)])])[-1]

    assert [(track.id, track.last_seen) for track in tracks] == [(1, 0.0), (2, 0.1)]


def test_a_face_that_moves_far_between_slow_frames_is_followed() -> None:
    """At 3 frames a second a face that shifts by 0.65 of its size is still the same."""
    assert face(100).box.iou(face(152).box) < 0.3

    tracks = replay(new_tracker(), [(0.0, [face(100)]), (0.33, [face(152)])])[-1]

    assert [(track.id, track.hits) for track in tracks] == [(1, 2)]


def test_overlap_comes_before_distance() -> None:
    """A face goes on in the box that overlaps it, not in a smaller one nearer to its centre."""
    smaller, shifted = face(120, y=120, size=40), face(120)

    tracks = replay(new_tracker(), [(0.0, [face(100)]), (0.1, [smaller, shifted])])[-1]

    assert [(track.hits, track.box) for track in tracks] == [(2, shifted.box), (1, smaller.box)]


def test_a_face_out_of_reach_is_somebody_else() -> None:
    """A face that is 0.7 of its size away or further is a new track."""
    tracks = replay(new_tracker(), [(0.0, [face(100)]), (0.33, [face(156)])])[-1]

    assert [(track.id, track.hits) for track in tracks] == [(1, 1), (2, 1)]


def test_reach_is_that_of_the_smaller_face() -> None:
    """Somebody far away behind a near face is not taken for it."""
    tracks = replay(new_tracker(), [(0.0, [face(0, size=300)]), (0.1, [face(200, size=40)])])[-1]

    assert [track.id for track in tracks] == [1, 2]


def test_the_next_in_the_queue_is_somebody_else() -> None:
    """A near face goes and a far one stands right behind it: no votes are inherited."""
    tracks = replay(new_tracker(), [(0.0, [face(0, 0, size=200)]), (0.1, [face(65, 65, size=70)])])[-1]

    assert [(track.id, len(track.votes)) for track in tracks] == [(1, 1), (2, 1)]


def test_who_is_seen_chooses_before_who_is_hidden() -> None:
    """Somebody passes before a face: the hidden one's place fits better by then, yet they stay themselves."""
    recording = [(0.0, [face(100), face(20)]), (0.1, [face(50)]), (0.2, [face(80)]), (0.3, [face(110)])]

    *_, tracks = replay(new_tracker(), recording)

    (passing,) = (track for track in tracks if track.last_seen == 0.3)
    assert len(passing.votes) == 4


def test_who_comes_back_to_their_place_goes_on_there() -> None:
    """Somebody hides a face and goes: what is seen there then is the hidden one, not who stood close by."""
    recording = [(0.0, [face(100), face(150)]), (0.1, [face(150)]), (0.2, [face(100)])]

    tracks = replay(new_tracker(), recording)[-1]

    assert [(track.id, track.hits) for track in tracks] == [(1, 2), (2, 2)]


def test_empty_boxes_are_never_followed() -> None:
    """A box without area has no overlap and no reach: each is a track of its own, and nothing raises."""
    tracks = replay(new_tracker(), [(0.0, [face(100, size=0)]), (0.1, [face(100, size=0)])])[-1]

    assert [(track.id, track.hits) for track in tracks] == [(1, 1), (2, 1)]


def test_equal_faces_are_two_people() -> None:
    """Two detections that are equal in everything are two tracks, not one."""
    tracks = replay(new_tracker(), [(0.0, [face(100), face(100)]), (0.1, [face(100), face(100)])])[-1]

    assert [(track.id, track.hits) for track in tracks] == [(1, 2), (2, 2)]


def test_fifty_faces_keep_their_ids() -> None:
    """A crowd of fifty that sways keeps its fifty ids."""
    crowd = [face(x * 100.0, y * 100.0) for x in range(10) for y in range(5)]
    swayed = [face(x * 100.0 + 8, y * 100.0) for x in range(10) for y in range(5)]

    first, second = replay(new_tracker(), [(0.0, crowd), (0.1, swayed[::-1])])

    assert [(track.id, track.box.xmin + 8) for track in first] == [
        (track.id, track.box.xmin) for track in second
    ]


@given(recording=recordings(), max_votes=st.integers(1, 4))
@settings(deadline=None, derandomize=True)
def test_votes_are_bounded_and_fresh(recording: list[tuple[float, list[Detection]]], max_votes: int) -> None:
    """Whatever is seen: votes are bounded, in order, end when last seen, and come from detections only."""
    given_votes = {
        Vote(timestamp, detection.label, detection.score)
        for timestamp, faces in recording
        for detection in faces
    }
    for tracks in replay(new_tracker(max_votes=max_votes), recording):
        for track in tracks:
            times = [vote.timestamp for vote in track.votes]
            assert len(times) == min(track.hits, max_votes)
            assert times == sorted(set(times))
            assert times[-1] == track.last_seen
            assert set(track.votes) <= given_votes


@given(recording=recordings())
@settings(deadline=None, derandomize=True)
def test_each_detection_is_one_track_and_ids_are_never_used_twice(
    recording: list[tuple[float, list[Detection]]],
) -> None:
    """In each frame the fresh tracks are exactly the detections, and a dropped id never comes back."""
    dropped: set[int] = set()
    before: set[int] = set()
    for (timestamp, faces), tracks in zip(recording, replay(new_tracker(), recording), strict=True):
        fresh = [
            (track.box, track.votes[-1].label, track.votes[-1].score)
            for track in tracks
            if track.last_seen == timestamp
        ]
        ids = [track.id for track in tracks]
        assert sorted(map(repr, fresh)) == sorted(repr((one.box, one.label, one.score)) for one in faces)
        assert ids == sorted(set(ids))
        dropped |= before - set(ids)
        assert not dropped & set(ids)
        before = set(ids)


@given(recording=recordings(), data=st.data())
@settings(deadline=None, derandomize=True)
def test_the_order_of_detections_changes_nothing(
    recording: list[tuple[float, list[Detection]]], data: st.DataObject
) -> None:
    """Any order of the detections within each frame gives equal tracks, ids included."""
    shuffled = [(timestamp, data.draw(st.permutations(faces))) for timestamp, faces in recording]

    assert replay(new_tracker(), shuffled) == replay(new_tracker(), recording)
