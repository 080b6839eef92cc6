"""Promises of pi_mask.policy by example, most of them through the tracker with the default settings."""

from __future__ import annotations

import pytest

from pi_mask.policy import DoorPolicy
from pi_mask.settings import PolicySettings
from pi_mask.types import MaskLabel, Track, Verdict, Vote
from tests.door_films import (
    BARE,
    CHECKING,
    FRAME_SIZE,
    IDLE,
    INCORRECT,
    MASK,
    MASKED,
    Moment,
    changes,
    face,
    film,
    verdicts,
)

DEFAULTS = PolicySettings()
EVERYBODY = PolicySettings(who="everybody")


@pytest.mark.parametrize("fps", [3, 10, 30])
@pytest.mark.parametrize(
    ("label", "verdict"),
    [(MASKED, MASK), (BARE, Verdict.NO_MASK), (INCORRECT, Verdict.INCORRECT)],
)
def test_somebody_walks_up(fps: float, label: MaskLabel, verdict: Verdict) -> None:
    """The third look gives the answer: within 0.7 s on a slow board, 0.2 s at 10 frames a second."""
    recording = film([None, *([face(label)] for _ in range(4))], fps)

    assert verdicts(recording) == [IDLE, IDLE, CHECKING, verdict, verdict]


@pytest.mark.parametrize("fps", [3, 10, 30])
@pytest.mark.parametrize(("label", "wrong"), [(MASKED, BARE), (BARE, MASKED), (MASKED, INCORRECT)])
def test_one_wrong_look_does_not_flip(fps: float, label: MaskLabel, wrong: MaskLabel) -> None:
    """One wrong label among steady looks changes nothing that is shown."""
    labels = [label] * 6 + [wrong] + [label] * 6

    shown = verdicts(film([[face(one)] for one in labels], fps))

    assert len(set(shown[2:])) == 1


def test_a_wrong_look_at_the_start_delays_green() -> None:
    """Two looks of three are no green; the fourth makes three of four."""
    labels = [BARE, MASKED, MASKED, MASKED]

    assert verdicts(film([[face(one)] for one in labels])) == [IDLE, CHECKING, CHECKING, MASK]


@pytest.mark.parametrize("fps", [3, 10, 30])
def test_a_mask_pulled_down_turns_the_light_within_a_second(fps: int) -> None:
    """After the mask goes under the nose green ends and INCORRECT appears within one second."""
    before, after = 3 * fps, fps
    labels = [MASKED] * before + [INCORRECT] * after

    shown = verdicts(film([[face(one)] for one in labels], fps))

    assert shown[before - 1] is MASK
    assert shown[before + after - 1] is Verdict.INCORRECT
    assert MASK not in shown[shown.index(Verdict.INCORRECT) :]


def test_a_mask_put_on_turns_red_to_green_without_a_gap() -> None:
    """Red stays until green is confirmed, within 1.5 s."""
    labels = [BARE] * 30 + [MASKED] * 15

    assert changes(verdicts(film([[face(one)] for one in labels]))) == [
        IDLE, CHECKING, Verdict.NO_MASK, MASK,
    ]  # fmt: skip


def test_unsure_is_an_answer() -> None:
    """Looks that contradict each other all the time stay CHECKING."""
    labels = [MASKED, BARE] * 10

    assert set(verdicts(film([[face(one)] for one in labels]))[1:]) == {CHECKING}


def test_somebody_who_leaves_leaves_an_idle_door() -> None:
    """Green outlasts the last look by 0.4 s, then CHECKING, and IDLE after max_age."""
    shown = verdicts(film([[face(MASKED)]] * 10 + [None] * 9))

    assert shown[10:] == [MASK] * 4 + [CHECKING] * 4 + [IDLE]


def test_red_stays_until_the_person_is_gone() -> None:
    """Red outlasts the last look by 0.8 s and ends with the track."""
    shown = verdicts(film([[face(BARE)]] * 10 + [None] * 9))

    assert shown[10:] == [Verdict.NO_MASK] * 8 + [IDLE]


def test_a_long_hold_ends_with_the_person() -> None:
    """However long red is held, the door is IDLE once the tracker has dropped the person."""
    policy = PolicySettings(hold_red_s=10.0)

    assert verdicts(film([[face(BARE)]] * 10 + [None] * 9), policy)[-1] is IDLE


@pytest.mark.parametrize("fps", [3, 10])
def test_green_bridges_a_missed_frame(fps: float) -> None:
    """One frame without the face does not end green."""
    recording = film([*[[face(MASKED)]] * 6, None, *[[face(MASKED)]] * 2], fps)

    assert set(verdicts(recording)[2:]) == {MASK}


@pytest.mark.parametrize("stall_s", [0.9, 10.0])
def test_a_stall_ends_green(stall_s: float) -> None:
    """After a stall one masked frame is not enough: green is earned anew."""
    before = film([[face(MASKED)]] * 10)
    after = film([[face(MASKED)]] * 3, start=before[-1].timestamp + stall_s)

    assert verdicts([*before, *after])[10:] == [IDLE, CHECKING, MASK]


def test_a_track_that_outlives_a_stall_starts_over() -> None:
    """Even where a track survives a long stall, its old looks no longer count."""
    door = DoorPolicy(DEFAULTS)
    votes = tuple(Vote(index / 10, MASKED, 0.9) for index in range(10))
    early = Track(1, face(MASKED).box, 10, 0.9, 0.9, votes)
    late = Track(1, face(MASKED).box, 11, 10.0, 10.0, (*votes, Vote(10.0, MASKED, 0.9)))

    shown = [door.decide([track], track.last_seen, FRAME_SIZE).verdict for track in (early, late)]

    assert shown == [MASK, CHECKING]


def test_no_verdict_appears_while_coasting() -> None:
    """Looks that go out of the window cannot turn CHECKING into a verdict without a fresh look."""
    door = DoorPolicy(PolicySettings(hold_red_s=0.0))
    labels = [BARE, BARE, BARE, MASKED, MASKED, MASKED, MASKED]
    votes = tuple(Vote(index / 10, label, 0.9) for index, label in enumerate(labels))
    track = Track(1, face(MASKED).box, 7, 0.6, 0.6, votes)

    shown = [door.decide([track], now, FRAME_SIZE).verdict for now in (0.6, 1.75, 1.85)]

    assert shown == [CHECKING, CHECKING, CHECKING]


def test_green_begins_with_a_masked_look() -> None:
    """A frame that shows a bare face never starts green, even as old bare looks go out of the window."""
    labels = [BARE, BARE, *[MASKED] * 5, BARE]
    door = DoorPolicy(DEFAULTS)
    votes = tuple(Vote(index / 10, label, 0.9) for index, label in enumerate(labels[:-1]))
    votes = (*votes, Vote(1.65, BARE, 0.9))
    track = Track(1, face(MASKED).box, 8, 1.65, 1.65, votes)

    assert door.decide([track], 1.65, FRAME_SIZE).verdict is CHECKING


def test_a_look_counts_for_less_than_the_window() -> None:
    """A look exactly vote_window_s ago no longer counts, one just after does."""
    policy = PolicySettings(vote_window_s=0.5, hold_green_s=0.0)
    moments = [Moment(timestamp, (face(MASKED),)) for timestamp in (0.0, 0.25, 0.5, 0.875)]

    assert verdicts(moments, policy) == [IDLE, CHECKING, CHECKING, CHECKING]
    assert verdicts([*moments[:3], Moment(0.625, moments[0].faces)], policy)[-1] is MASK


def test_green_is_held_only_while_its_looks_count() -> None:
    """Where looks go out of the window first, green ends before hold_green_s does."""
    policy = PolicySettings(vote_window_s=0.7, hold_green_s=0.6)

    shown = verdicts(film([*[[face(MASKED)]] * 3, None], fps=3), policy)

    assert shown == [IDLE, CHECKING, MASK, CHECKING]


def test_red_is_held_for_as_long_as_set() -> None:
    """Red outlasts the last look by hold_red_s and no longer, while the person is missed."""
    policy = PolicySettings(hold_red_s=0.375)
    recording = film([*[[face(BARE)]] * 4, *[None] * 5], fps=8)

    assert verdicts(recording, policy)[3:] == [Verdict.NO_MASK] * 4 + [CHECKING] * 2


def test_red_is_held_as_long_for_who_becomes_unsure() -> None:
    """Looks that speak for neither, while the person is seen, end red after hold_red_s."""
    recording = film([[face(one)] for one in [BARE] * 12 + [MASKED, MASKED, BARE] * 8], fps=8)

    at_once, held = (verdicts(recording, PolicySettings(hold_red_s=hold)) for hold in (0.0, 0.75))

    assert changes(held) == changes(at_once) == [IDLE, CHECKING, Verdict.NO_MASK, CHECKING]
    assert held.count(Verdict.NO_MASK) == at_once.count(Verdict.NO_MASK) + 6


def test_green_is_not_held_for_who_is_seen() -> None:
    """The look by which fewer than half see a mask ends green, though red is not sure yet."""
    recording = film([[face(one)] for one in [MASKED] * 12 + [BARE] * 7], fps=8)

    assert verdicts(recording, PolicySettings(red_share=0.9))[-2:] == [MASK, CHECKING]


@pytest.mark.parametrize(("label", "shown"), [(MASKED, MASK), (BARE, Verdict.NO_MASK)])
def test_a_shown_verdict_needs_less_to_stay(label: MaskLabel, shown: Verdict) -> None:
    """A mixture that is too unsure to start a verdict keeps the one that is shown (hysteresis)."""
    mixture = [MASKED, BARE] * 3
    policy = PolicySettings(red_share=0.7, hold_red_s=0.0)

    fresh = verdicts(film([[face(one)] for one in mixture]), policy)
    after = verdicts(film([[face(one)] for one in [label, label, label, *mixture]]), policy)

    assert set(fresh[1:]) == {CHECKING}
    assert set(after[2:]) == {shown}


def test_red_beats_green_where_both_could_stay() -> None:
    """With a low keep_share enough red looks end green although it could be kept."""
    labels = [MASKED] * 4 + [BARE] * 6

    assert (
        verdicts(film([[face(one)] for one in labels]), PolicySettings(keep_share=0.3))[-1] is Verdict.NO_MASK
    )


@pytest.mark.parametrize(
    ("labels", "verdict"),
    [
        ([BARE, INCORRECT, INCORRECT], Verdict.INCORRECT),
        ([BARE, INCORRECT, BARE], Verdict.NO_MASK),
    ],
)
def test_red_names_what_most_looks_saw(labels: list[MaskLabel], verdict: Verdict) -> None:
    """Looks without a mask and with one worn wrongly make red together, called by the majority."""
    assert verdicts(film([[face(one)] for one in labels]))[-1] is verdict


def test_a_tie_of_reds_is_the_worse() -> None:
    """As many looks without a mask as with one worn wrongly are NO_MASK."""
    labels = [BARE, INCORRECT, INCORRECT, BARE]

    assert verdicts(film([[face(one)] for one in labels]), PolicySettings(min_votes=4))[-1] is Verdict.NO_MASK


@pytest.mark.parametrize(
    ("label", "other", "shown", "next_shown"),
    [
        (BARE, INCORRECT, Verdict.NO_MASK, Verdict.INCORRECT),
        (INCORRECT, BARE, Verdict.INCORRECT, Verdict.NO_MASK),
    ],
)
def test_the_kind_of_red_gives_way_to_a_clear_majority(
    label: MaskLabel, other: MaskLabel, shown: Verdict, next_shown: Verdict
) -> None:
    """Five looks of nine do not change NO_MASK to INCORRECT or back; six of ten do."""
    labels = [label] * 4 + [other] * 6

    assert verdicts(film([[face(one)] for one in labels]))[2:] == [shown] * 7 + [next_shown]


# More than one person


def test_the_nearest_decides() -> None:
    """The largest face decides, whatever a smaller one behind it wears."""
    recording = film([[face(BARE, x=150, size=60), face(MASKED, x=400, size=120)]] * 5)

    assert changes(verdicts(recording)) == [IDLE, CHECKING, MASK]


def test_two_equally_near_people_do_not_flicker() -> None:
    """Sizes that jitter around each other leave the decision with one person."""
    sizes = [(100, 104), (104, 100)] * 10
    recording = film([[face(MASKED, 150, one), face(BARE, 450, other)] for one, other in sizes])

    assert len(set(verdicts(recording)[2:])) == 1


def test_somebody_clearly_nearer_takes_over() -> None:
    """A face 1.2 times as large becomes the nearest at once."""
    frames = [[face(MASKED, 150, 100), face(BARE, 450, size)] for size in [90] * 5 + [125] * 2]

    assert verdicts(film(frames))[2:] == [MASK] * 3 + [Verdict.NO_MASK] * 2


@pytest.mark.parametrize("fps", [3, 10, 30])
def test_green_that_is_held_is_nobody_elses(fps: int) -> None:
    """The masked one in front leaves: somebody without a mask, known as such, gets none of the held green."""
    both = [face(MASKED, 200, 150), face(BARE, 450, 110)]
    shown = verdicts(film([both] * 2 * fps + [both[1:]] * 2 * fps, fps))[2 * fps - 1 :]
    alone = verdicts(film([both[:1]] * 2 * fps + [None] * fps, fps))[2 * fps :]

    assert changes(shown) == [MASK, CHECKING, Verdict.NO_MASK]
    assert shown[1] is CHECKING
    assert alone[0] is MASK


@pytest.mark.parametrize("policy", [DEFAULTS, EVERYBODY], ids=["nearest", "everybody"])
def test_no_green_begins_while_its_person_is_missed(policy: PolicySettings) -> None:
    """Red that ends, because its person is forgotten, gives way to green when a mask is seen again."""
    both = [face(BARE, 200, 150), face(MASKED, 450, 110)]
    shown = verdicts(film([*[both] * 10, *[both[1:]] * 8, None, None, both[1:]]), policy)

    assert shown[17:] == [Verdict.NO_MASK, CHECKING, CHECKING, MASK]


def test_green_that_was_taken_away_needs_a_look_to_come_back() -> None:
    """Green that gave way to somebody's red stays away in a frame that shows neither of them."""
    both = [face(MASKED, 200, 150), face(BARE, 450, 110)]
    shown = verdicts(film([*[both] * 10, both[1:], None, both[:1]]))

    assert shown[9:] == [MASK, CHECKING, CHECKING, MASK]


@pytest.mark.parametrize(
    ("labels", "verdict"),
    [
        ((MASKED, MASKED), MASK),
        ((MASKED, INCORRECT), Verdict.INCORRECT),
        ((INCORRECT, BARE), Verdict.NO_MASK),
        ((BARE, MASKED), Verdict.NO_MASK),
    ],
)
def test_the_worst_decides_for_everybody(labels: tuple[MaskLabel, MaskLabel], verdict: Verdict) -> None:
    """With who = everybody the worst verdict wins, however near its person is."""
    recording = film([[face(labels[0], 150, 60), face(labels[1], 450, 120)]] * 5)

    assert verdicts(recording, EVERYBODY)[-1] is verdict


def test_somebody_new_holds_back_everybodys_green() -> None:
    """With who = everybody a second person still being checked ends green until checked."""
    frames = [[face(MASKED, 150)]] * 5 + [[face(MASKED, 150), face(MASKED, 450)]] * 3

    assert verdicts(film(frames), EVERYBODY)[4:] == [MASK, MASK, CHECKING, MASK]


def test_somebody_new_takes_nobodys_red_away() -> None:
    """With who = everybody somebody still being checked is no reason to stop saying what is known."""
    frames = [[face(BARE, 150)]] * 5 + [[face(BARE, 150), face(MASKED, 450)]] * 3

    assert verdicts(film(frames), EVERYBODY)[4:] == [Verdict.NO_MASK] * 4
