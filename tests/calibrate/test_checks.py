"""Test pi_mask.calibrate.checks."""

from __future__ import annotations

import pytest

from pi_mask.calibrate.checks import Yardstick, check
from pi_mask.calibrate.collected import Clip, Collected
from tests.calibrate.scenes import BARE, HALVES, MASKED, TRACKING, clip, frame, standing, step, visit

YARDSTICK = Yardstick(TRACKING, HALVES)
BEFORE = {each.step.name: each for each in visit()}


def refusal(collected: Collected, before: dict[str, Collected] | None = None) -> str:
    """The line that refuses a step; "" where it is accepted."""
    problem = check(collected, BEFORE if before is None else before, YARDSTICK)
    return problem.text if problem else ""


def test_a_visit_as_said_is_accepted() -> None:
    """Each step of a proper visit passes, given those before it."""
    assert [refusal(each) for each in visit()] == [""] * 6


@pytest.mark.parametrize(
    ("name", "seen", "advice"),
    [
        ("empty", standing(), "Leave the doorway"),
        ("mask", clip([[]] * 40), "found in 0% of the frames only"),
        ("mask", standing(count=15), "Watch for longer"),
        ("mask", tuple(frame(index / 2, [(320.0, 80.0, MASKED)]) for index in range(7)), "Watch for longer"),
        ("mask", clip([[(200.0, 80.0, MASKED), (450.0, 70.0, BARE)]] * 40), "2 people are in view"),
        ("mask_near", standing(size=85), "Come nearer"),
        ("mask_far", standing(size=75), "Step farther back"),
        ("bare", standing(BARE, size=150), "Stand where you stood before"),
        ("mask", standing(BARE), "Put the mask on"),
        ("bare", standing(MASKED), "Take the mask off"),
    ],
)
def test_a_step_that_is_not_as_said_is_refused(name: str, seen: Clip, advice: str) -> None:
    """The line says what was seen and what to do about it."""
    text = refusal(step(name, seen))

    assert advice in text
    assert text.endswith(".")
    assert "\n" not in text


def test_only_a_wrong_label_is_a_doubt() -> None:
    """That the mask is on or off is the model's word, which may be wrong; the rest is plain to see."""
    doubts = [
        problem.is_doubt
        for seen in (standing(BARE), standing(size=85, count=5))
        if (problem := check(step("mask", seen), {}, YARDSTICK))
    ]

    assert doubts == [True, False]


def test_a_label_that_wavers_is_no_doubt() -> None:
    """Where half of the looks see no mask the model cannot tell, and that is what calibration is for."""
    wavering = clip([[(320.0, 80.0, BARE if index % 2 else MASKED)] for index in range(40)])

    assert [refusal(step(name, wavering)) for name in ("mask", "bare")] == ["", ""]


def test_false_alarms_are_nobody() -> None:
    """A face below its threshold, or one that flashes up now and then, leaves the doorway empty."""
    faint = clip([[(300.0, 80.0, (0.3, 0.2, 0.2))]] * 40)
    brief = clip([[(300.0, 80.0, MASKED)] if index < 4 else [] for index in range(40)])

    assert [refusal(step("empty", seen)) for seen in (faint, brief)] == ["", ""]


def test_a_mask_under_the_nose_may_be_called_anything() -> None:
    """The model's weak spot is what calibration is for, not a reason to refuse."""
    assert refusal(step("under_nose", standing(MASKED))) == ""


def test_each_clip_is_checked() -> None:
    """The first clip of a step that is wrong can be named; sizes are compared by their median."""
    problem = check(step("empty", clip([[]] * 40), standing()), {}, YARDSTICK)
    assert problem is not None
    assert ("Leave" in problem.text, problem.clip) == (True, 1)
    sizes = [standing(size=size) for size in (81, 120, 130)]
    assert refusal(step("mask_near", *sizes)) == ""
