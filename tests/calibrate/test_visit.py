"""Test pi_mask.calibrate.visit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pi_mask.calibrate.checks import Yardstick
from pi_mask.calibrate.collected import Clip
from pi_mask.calibrate.steps import STEP_NAMES, Step
from pi_mask.calibrate.visit import Terms, visit
from pi_mask.errors import InputError
from tests.calibrate.scenes import BARE, HALVES, TRACKING, clip, standing

NOBODY = clip([[]] * 40)


def lead(names: Sequence[str], *clips: Clip) -> tuple[list[str], list[str], list[str]]:
    """Names of the accepted steps, of those kept on the way, and what was told."""
    told: list[str] = []
    kept: list[str] = []
    script = iter(clips)
    terms = Terms(
        watch=lambda _step: next(script),
        tell=told.append,
        yardstick=Yardstick(TRACKING, HALVES),
        attempts=2,
        keep=lambda step: kept.append(step.name),
    )
    steps: list[Step] = [STEP_NAMES[name] for name in names]
    return [each.step.name for each in visit(steps, terms)], kept, told


def test_a_refused_step_is_asked_for_again() -> None:
    """The first look was wrong, the second is taken, and the reason is told."""
    accepted, kept, told = lead(["empty", "mask"], standing(), NOBODY, standing())

    assert accepted == kept == ["empty", "mask"]
    assert [line.endswith("Once more.") for line in told] == [True]


def test_a_step_refused_at_every_attempt_ends_it() -> None:
    """Nothing is chosen from a visit without a step that it needs; the line says why."""
    with pytest.raises(InputError, match=r"Step mask was refused 2 times\. A face was found in 0%"):
        lead(["mask"], NOBODY, NOBODY)


def test_an_optional_step_is_left_out() -> None:
    """Without the hand before the mouth the rest is still good."""
    accepted, kept, told = lead(["mask", "hand"], standing(), NOBODY, NOBODY)

    assert accepted == kept == ["mask"]
    assert told[-1] == "hand is left out."


def test_a_doubt_is_kept_at_the_last_attempt() -> None:
    """Who says twice that the mask is on is believed, not the model."""
    accepted, _, told = lead(["mask"], standing(BARE), standing(BARE))

    assert accepted == ["mask"]
    assert told[-1].endswith("It is kept as it is.")


def test_a_camera_without_a_frame_is_told() -> None:
    """A stream that ends at once is a refused step like others."""
    with pytest.raises(InputError, match="The camera showed nothing"):
        lead(["empty"], (), ())
