"""Test pi_mask.calibrate.steps."""

from __future__ import annotations

from pi_mask.calibrate.steps import STEP_NAMES, STEPS, Answer, Truth, answer
from pi_mask.commands import record
from pi_mask.types import MaskLabel, Verdict


def test_each_answer_is_judged_by_what_is_there() -> None:
    """Green is right for a mask only, any red for whoever is to be stopped, idle for an empty doorway."""
    said = (Verdict.MASK, Verdict.NO_MASK, Verdict.INCORRECT, Verdict.CHECKING, Verdict.IDLE)

    judged = {truth: [answer(truth, verdict) for verdict in said] for truth in Truth}

    right, green, red, open_ = Answer.RIGHT, Answer.WRONG_GREEN, Answer.WRONG_RED, Answer.UNDECIDED
    assert judged == {
        Truth.EMPTY: [green, red, red, open_, right],
        Truth.MASKED: [right, red, red, open_, open_],
        Truth.STOPPED: [green, right, right, open_, open_],
    }


def test_a_look_is_judged_as_the_verdict_it_votes_for() -> None:
    """A label counts as its verdict, and no face as nobody."""
    pairs = {
        MaskLabel.WITH_MASK: Verdict.MASK,
        MaskLabel.WITHOUT_MASK: Verdict.NO_MASK,
        MaskLabel.INCORRECT: Verdict.INCORRECT,
        None: Verdict.IDLE,
    }
    for truth in Truth:
        assert [answer(truth, label) for label in pairs] == [answer(truth, v) for v in pairs.values()]


def test_no_sign_opens_a_door() -> None:
    """Lamps lead through the steps without green and without the fault that opens a fail-safe door."""
    assert {step.sign[0] for step in STEPS} & {Verdict.MASK, Verdict.FAULT} == set()
    assert len({step.sign for step in STEPS}) >= len(STEPS) - 1


def test_the_command_offers_these_steps() -> None:
    """What record takes as --step is what there is."""
    assert tuple(STEP_NAMES) == record.STEPS
