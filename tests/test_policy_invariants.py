"""Promises of pi_mask.policy that hold for any recording."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pi_mask.policy import Decision
from pi_mask.settings import PolicySettings
from pi_mask.types import Detection, MaskLabel, Person, Verdict
from tests.door_films import (
    CHECKING,
    IDLE,
    MASK,
    MASKED,
    TRACKING,
    WHOLE_FRAME,
    ZONE,
    Moment,
    face,
    film,
    replay,
    verdicts,
)

RED_LEAVES = film(
    [*[[face(MaskLabel.WITHOUT_MASK, 200, 150), face(MASKED, 450)]] * 10, *[[face(MASKED, 450)]] * 8, None]
)
"""Somebody without a mask leaves; when that one is forgotten, somebody with a mask is missed."""


def policies() -> st.SearchStrategy[PolicySettings]:
    """Policies of every kind, the defaults among them."""
    return st.builds(
        PolicySettings,
        who=st.sampled_from(["nearest", "everybody"]),
        zone=st.sampled_from([WHOLE_FRAME, ZONE]),
        min_votes=st.integers(1, 4),
        vote_window_s=st.sampled_from([0.5, 1.5]),
        green_share=st.sampled_from([0.6, 0.75, 1.0]),
        red_share=st.sampled_from([0.51, 0.6, 0.9]),
        keep_share=st.sampled_from([0.1, 0.5]),
        hold_green_s=st.sampled_from([0.0, 0.4]),
        hold_red_s=st.sampled_from([0.0, 0.8, 5.0]),
    )


@st.composite
def any_face(draw: st.DrawFn) -> Detection:
    """Mostly one of two people who stand still, so that verdicts come about; else anywhere, any size."""
    label = draw(st.sampled_from(MaskLabel))
    x, size = draw(
        st.sampled_from([(450.0, 80.0), (560.0, 90.0)])
        | st.tuples(st.floats(0, 640), st.sampled_from([0.0, 39.0, 40.0, 200.0]))
    )
    return face(label, x, size)


@st.composite
def recordings(draw: st.DrawFn) -> list[Moment]:
    """Runs of equal frames at many rates, with gaps, stalls and a clock that may stand still or go back."""
    timestamp, moments = 0.0, []
    for _ in range(draw(st.integers(1, 6))):
        faces = draw(st.lists(any_face(), max_size=3))
        for _ in range(draw(st.integers(1, 6))):
            timestamp += draw(st.sampled_from([0.1, 0.1, 0.1, 0.33, 0.7, 0.9, 10.0, 0.0, -0.5]))
            moments.append(Moment(timestamp, tuple(faces)))
    return moments


def masked_looks(person: Person, timestamp: float, policy: PolicySettings) -> int:
    """The looks within the window that saw a mask."""
    start = timestamp - policy.vote_window_s
    return sum(vote.label is MASKED and start < vote.timestamp <= timestamp for vote in person.track.votes)


@given(recording=recordings(), policy=policies())
@settings(deadline=None, derandomize=True)
def test_green_rests_on_fresh_masked_looks(recording: list[Moment], policy: PolicySettings) -> None:
    """Whoever is green has min_votes masked looks in the window and was seen within hold_green_s."""
    for moment, decision in zip(recording, replay(recording, policy), strict=True):
        greens = [person for person in decision.people if person.verdict is MASK]
        assert decision.verdict is not MASK or greens
        for person in greens:
            assert masked_looks(person, moment.timestamp, policy) >= policy.min_votes
            assert moment.timestamp - person.track.last_seen <= policy.hold_green_s


@given(recording=recordings(), policy=policies())
@settings(deadline=None, derandomize=True)
def test_green_appears_only_with_a_masked_face_in_the_frame(
    recording: list[Moment], policy: PolicySettings
) -> None:
    """The frame in which a person turns green shows that person's face, with a mask."""
    green: set[int] = set()
    for moment, decision in zip(recording, replay(recording, policy), strict=True):
        now_green = {person.track.id: person.track for person in decision.people if person.verdict is MASK}
        for track_id in now_green.keys() - green:
            newest = now_green[track_id].votes[-1]
            assert (newest.timestamp, newest.label) == (moment.timestamp, MASKED)
        green = set(now_green)


@given(recording=recordings(), policy=policies())
@example(recording=RED_LEAVES, policy=PolicySettings())
@example(recording=RED_LEAVES, policy=PolicySettings(who="everybody"))
@settings(deadline=None, derandomize=True)
def test_the_door_turns_green_only_with_a_masked_person_in_the_frame(
    recording: list[Moment], policy: PolicySettings
) -> None:
    """The frame in which the door turns green shows somebody who has green."""
    before = IDLE
    for moment, decision in zip(recording, replay(recording, policy), strict=True):
        if decision.verdict is MASK and before is not MASK:
            green = [person.track for person in decision.people if person.verdict is MASK]
            assert moment.timestamp in [track.last_seen for track in green]
        before = decision.verdict


@given(recording=recordings(), policy=policies())
@settings(deadline=None, derandomize=True)
def test_nobody_means_idle(recording: list[Moment], policy: PolicySettings) -> None:
    """The door is IDLE exactly when there are no people, and so after max_age with nobody."""
    later = recording[-1].timestamp + TRACKING.max_age_s + 0.01

    decisions = replay([*recording, Moment(later, ())], policy)

    assert [decision.verdict is IDLE for decision in decisions] == [not one.people for one in decisions]
    assert decisions[-1] == Decision(IDLE, ())


@given(recording=recordings(), policy=policies(), data=st.data())
@settings(deadline=None, derandomize=True)
def test_a_bystander_changes_nothing(
    recording: list[Moment], policy: PolicySettings, data: st.DataObject
) -> None:
    """A face that is too small or outside the zone, even in front of the person's, changes no decision."""
    too_small = st.builds(face, st.sampled_from(MaskLabel), st.floats(0, 640), st.floats(0, 39))
    outside = st.builds(face, st.sampled_from(MaskLabel), st.floats(0, 319), st.floats(40, 200))
    bystander = data.draw(too_small | outside if policy.zone == ZONE else too_small)
    present = data.draw(st.lists(st.booleans(), min_size=len(recording), max_size=len(recording)))
    crowded = [
        Moment(moment.timestamp, (bystander, *moment.faces)) if is_there else moment
        for moment, is_there in zip(recording, present, strict=True)
    ]

    assert replay(crowded, policy) == replay(recording, policy)


@given(recording=recordings(), policy=policies(), data=st.data())
@settings(deadline=None, derandomize=True)
def test_the_order_of_faces_changes_nothing(
    recording: list[Moment], policy: PolicySettings, data: st.DataObject
) -> None:
    """Any order of the faces within each frame gives equal decisions, ids included."""
    shuffled = [
        Moment(moment.timestamp, tuple(data.draw(st.permutations(moment.faces)))) for moment in recording
    ]

    assert replay(shuffled, policy) == replay(recording, policy)


@given(recording=recordings(), policy=policies(), offset=st.sampled_from([0.0, 4096.0]))
@settings(deadline=None, derandomize=True)
def test_a_recording_gives_the_same_verdicts_twice(
    recording: list[Moment], policy: PolicySettings, offset: float
) -> None:
    """Nothing but the frames' own time counts: today's clock and tomorrow's give the same verdicts."""
    grid = [Moment(round(moment.timestamp * 64) / 64, moment.faces) for moment in recording]
    moved = [Moment(moment.timestamp + offset, moment.faces) for moment in grid]

    assert verdicts(moved, policy) == verdicts(grid, policy)


@given(recording=recordings(), policy=policies())
@settings(deadline=None, derandomize=True)
def test_the_door_says_what_the_deciding_people_are(recording: list[Moment], policy: PolicySettings) -> None:
    """Everybody: the worst of all. Nearest: somebody whom nobody exceeds by the takeover ratio."""
    order = [Verdict.NO_MASK, Verdict.INCORRECT, CHECKING, MASK]
    for decision in replay(recording, policy):
        if not decision.people:
            continue
        if policy.who == "everybody":
            worst = min(order.index(person.verdict) for person in decision.people if person.verdict)
            assert decision.verdict is order[worst]
        else:
            largest = max(person.track.box.area for person in decision.people)
            near = [
                person.verdict
                for person in decision.people
                if person.track.box.area * policy.takeover_ratio**2 >= largest
            ]
            assert decision.verdict in near
