"""Test pi_mask.calibrate.thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from pi_mask.calibrate.looks import Looks, independent_looks, looks_of, margin
from pi_mask.calibrate.steps import Answer, Truth
from pi_mask.calibrate.thresholds import Costs, answers_to, cheapest, choose
from pi_mask.types import MaskLabel
from tests.calibrate.scenes import HALVES, MASKED, TRACKING, clip, standing, step


def looks(truth: Truth, *rows: tuple[float, float, float], repeat: int = 1) -> Looks:
    """Looks of one clip."""
    scores = np.array(rows * repeat, float)
    return Looks(truth, scores, np.zeros(len(scores), int))


def test_answers_follow_the_detectors_rule() -> None:
    """The label that exceeds its threshold by the largest factor wins, and none below its threshold."""
    thresholds = {MaskLabel.WITH_MASK: 0.6, MaskLabel.WITHOUT_MASK: 0.5, MaskLabel.INCORRECT: 0.2}
    seen = looks(Truth.MASKED, (0.9, 0.1, 0.1), (0.9, 0.1, 0.35), (0.5, 0.1, 0.1), (0.0, 0.0, 0.0))

    assert answers_to(seen, thresholds) == [
        Answer.RIGHT,
        Answer.WRONG_RED,
        Answer.UNDECIDED,
        Answer.UNDECIDED,
    ]


def test_nothing_moves_without_a_reason() -> None:
    """Looks that are all clear leave the thresholds in force."""
    clear = [
        looks(Truth.EMPTY, (0.0, 0.0, 0.0), repeat=20),
        looks(Truth.MASKED, (0.97, 0.02, 0.02), repeat=20),
        looks(Truth.STOPPED, (0.02, 0.97, 0.02), repeat=20),
        looks(Truth.STOPPED, (0.02, 0.02, 0.97), repeat=20),
    ]

    assert cheapest(clear, HALVES, Costs()) == HALVES


def test_a_mask_under_the_nose_that_looks_like_one_raises_the_bar() -> None:
    """Where wrongly worn masks score as masks, but less, green needs more and "incorrect" less."""
    steps = [
        looks(Truth.EMPTY, (0.0, 0.0, 0.0), repeat=20),
        looks(Truth.MASKED, (0.95, 0.03, 0.1), repeat=20),
        looks(Truth.STOPPED, (0.6, 0.05, 0.4), repeat=20),
    ]

    chosen = cheapest(steps, HALVES, Costs())

    assert chosen[MaskLabel.WITH_MASK] > chosen[MaskLabel.INCORRECT]
    assert set(answers_to(steps[2], chosen)) == {Answer.RIGHT}
    assert set(answers_to(steps[1], chosen)) == {Answer.RIGHT}


def test_dearer_wrong_greens_become_rarer() -> None:
    """The more a wrong green costs, the fewer there are; the price is paid by those with a mask."""
    random = np.random.default_rng(1)
    masked = np.clip(random.normal([0.7, 0.2, 0.2], 0.15, (400, 3)), 0, 1)
    wrong = np.clip(random.normal([0.5, 0.2, 0.35], 0.15, (400, 3)), 0, 1)
    units = np.arange(400)
    steps = [Looks(Truth.MASKED, masked, units), Looks(Truth.STOPPED, wrong, units)]

    shares = []
    for cost in (1.0, 2.0, 5.0, 50.0):
        chosen = cheapest(steps, HALVES, Costs(wrong_green=cost))
        given = answers_to(steps[1], chosen)
        shares.append(given.count(Answer.WRONG_GREEN) / len(given))

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1.5 * shares[-1]


def test_however_dear_a_wrong_green_the_door_opens() -> None:
    """Where masks look like wrong ones, three looks in five at a mask still see it, or as many as now."""
    random = np.random.default_rng(2)
    alike = [random.uniform(0.3, 0.9, (200, 1)) * [1.0, 0.1, 0.1] for _ in range(2)]
    units = np.arange(200)
    steps = [Looks(Truth.MASKED, alike[0], units), Looks(Truth.STOPPED, alike[1], units)]

    shares = []
    for now in (0.3, 0.8):
        chosen = cheapest(steps, {**HALVES, MaskLabel.WITH_MASK: now}, Costs(wrong_green=1000.0))
        given = answers_to(steps[0], chosen)
        shares.append(given.count(Answer.RIGHT) / len(given))

    assert 0.55 <= shares[0] <= 0.85
    assert shares[1] == pytest.approx((0.9 - 0.8) / 0.6, abs=0.06)


def test_steps_weigh_the_same_however_long() -> None:
    """Ten times the frames of one step do not change the choice."""
    short = [
        looks(Truth.MASKED, (0.6, 0.2, 0.3), (0.8, 0.1, 0.2)),
        looks(Truth.STOPPED, (0.5, 0.2, 0.4), (0.3, 0.2, 0.6)),
    ]
    long = [short[0], looks(Truth.STOPPED, (0.5, 0.2, 0.4), (0.3, 0.2, 0.6), repeat=10)]

    assert cheapest(short, HALVES, Costs()) == cheapest(long, HALVES, Costs())


def test_a_frame_gives_one_look() -> None:
    """The person's scores, zeros where the person is missed; in an empty doorway the surest false alarm."""
    stranger = (600.0, 40.0, (0.2, 0.3, 0.2))
    seen = step("mask", clip([[(300.0, 80.0, MASKED), stranger]] * 10 + [[stranger]] * 2))
    empty = step("empty", clip([[], [stranger]]), clip([[]]))

    masked, nobody = (looks_of(each, TRACKING) for each in (seen, empty))

    assert masked.scores.round(3).tolist() == [list(MASKED)] * 10 + [[0, 0, 0]] * 2
    assert nobody.scores.round(3).tolist() == [[0, 0, 0], [0.2, 0.3, 0.2], [0, 0, 0]]
    assert nobody.units.tolist() == [0, 0, 1]


def test_a_margin_is_how_far_another_answer_is() -> None:
    """Positive exactly where the look says mask; bounded, so that certainty counts for no more."""
    rows = np.array([[0.9, 0.1, 0.1], [0.6, 0.1, 0.55], [0.4, 0.1, 0.1], [0.1, 0.9, 0.1], [0.0, 0.0, 0.0]])

    got = margin(rows, HALVES)

    assert (got > 0).tolist() == [True, True, False, False, False]
    assert got == pytest.approx([np.log(1.8), np.log(0.6 / 0.55), np.log(0.8), -2.0, -2.0])


def test_clips_that_differ_are_worth_little_more_than_one_each() -> None:
    """Frames of one person are alike; several people tell more, and no more than their number allows."""
    clips = [standing((score, 0.1, 0.1)) for score in (0.6, 0.7, 0.8, 0.9)]
    one, four = (looks_of(step("mask", *some), TRACKING) for some in (clips[:1], clips))

    assert independent_looks(one, HALVES) == 1.0
    assert independent_looks(four, HALVES) == pytest.approx(4.0, abs=0.01)


def test_frames_that_waver_are_worth_no_more_than_their_clips_allow() -> None:
    """However fast the scores of each person waver: between people the difference is larger."""
    clips = [
        clip([[(320.0, 80.0, (score + index % 2 / 100, 0.1, 0.1))] for index in range(40)])
        for score in (0.6, 0.7, 0.8, 0.9)
    ]
    one, four = (looks_of(step("mask", *some), TRACKING) for some in (clips[:1], clips))

    assert independent_looks(one, HALVES) > 20
    assert independent_looks(four, HALVES) == pytest.approx(4.0, abs=0.5)


def test_what_is_expected_is_expected_of_new_clips() -> None:
    """One of four clips that shows green where the others do not is what the next one may be like."""
    fooling, clear = [(0.6, 0.05, 0.4)] * 30, [(0.02, 0.02, 0.97)] * 30
    clips = np.repeat([0, 1, 2, 3], [30, 10, 10, 10])
    steps = [
        looks(Truth.MASKED, (0.95, 0.03, 0.1), repeat=20),
        Looks(Truth.STOPPED, np.array(fooling + clear), clips),
    ]

    choice = choose(steps, HALVES, Costs())

    assert Answer.WRONG_GREEN not in answers_to(steps[1], choice.thresholds)
    assert choice.wrong_green.share == 0.5


def made_up(seed: int, units: int, per_unit: int = 2) -> list[Looks]:
    """Looks with the same overlap between masks, wrong masks and bare faces; those of one unit are alike."""
    random = np.random.default_rng(seed)
    steps = []
    for truth, centre in (
        (Truth.EMPTY, (-4.0, -3.5, -4.0)),
        (Truth.MASKED, (2.0, -2.5, -1.5)),
        (Truth.STOPPED, (-2.5, 2.0, -2.0)),
        (Truth.STOPPED, (0.0, -2.0, 0.3)),
    ):
        own = np.repeat(random.normal(centre, 0.8, (units, 3)), per_unit, axis=0)
        logits = own + random.normal(0, 0.8, own.shape)
        numbers = np.repeat(np.arange(units), per_unit)
        steps.append(Looks(truth, 1 / (1 + np.exp(-logits)), numbers))
    return steps


def share(steps: list[Looks], thresholds: dict[MaskLabel, float], wanted: Answer, left_out: Truth) -> float:
    """Of all looks but those of one truth."""
    given = [each for some in steps if some.truth is not left_out for each in answers_to(some, thresholds)]
    return given.count(wanted) / len(given)


@pytest.mark.parametrize("cost", [5.0, 20.0])
def test_what_is_expected_of_new_looks_comes_true(cost: float) -> None:
    """In at least 38 of 40 draws from known distributions, the same again lies within what was said."""
    inside = {"green": 0, "red": 0}
    bounds = []
    for seed in range(40):
        choice = choose(made_up(seed, 20), HALVES, Costs(wrong_green=cost))
        new = made_up(1000 + seed, 20)
        green = share(new, dict(choice.thresholds), Answer.WRONG_GREEN, Truth.MASKED)
        red = share(new, dict(choice.thresholds), Answer.WRONG_RED, Truth.STOPPED)
        bounds.append((choice.wrong_green.high, choice.wrong_red.high))
        inside["green"] += choice.wrong_green.low <= green <= choice.wrong_green.high
        inside["red"] += choice.wrong_red.low <= red <= choice.wrong_red.high

    assert min(inside.values()) >= 38, inside
    assert np.mean(bounds, 0).max() < 0.4  # a promise of anything would be kept as well
