"""Lead a person through the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pi_mask.calibrate.checks import Problem, Yardstick, check
from pi_mask.calibrate.collected import Clip, Collected
from pi_mask.errors import InputError

if TYPE_CHECKING:
    from pi_mask.calibrate.steps import Step


@dataclass(frozen=True, slots=True)
class Terms:
    """How a visit goes.

    Attributes:
        watch: Shows the step's sign, waits and watches; called again for each attempt.
        tell: Says one line to the person.
        yardstick: What to measure with.
        attempts: How often each step may be tried.
        keep: Called with each step that was accepted, right after it.
    """

    watch: Callable[[Step], Clip]
    tell: Callable[[str], None]
    yardstick: Yardstick
    attempts: int
    keep: Callable[[Step], None] = lambda _step: None


def visit(steps: Sequence[Step], terms: Terms) -> tuple[Collected, ...]:
    """Watch each step until it looks as said.

    Nobody needs to be at the keyboard: a step that was refused is simply asked for again. A doubt, which may
    be the model's own mistake, is told and kept at the last attempt.

    Args:
        steps: In their order.
        terms: How it goes.

    Raises:
        InputError: A step was refused at every attempt; an optional one is left out instead.
    """
    accepted: dict[str, Collected] = {}
    for step in steps:
        collected, problem = _attempt(step, accepted, terms)
        if problem is None or problem.is_doubt:
            accepted[step.name] = collected
            terms.keep(step)
        elif step.is_required:
            raise InputError(f"Step {step.name} was refused {terms.attempts} times. {problem.text}")
        else:
            terms.tell(f"{step.name} is left out.")
    return tuple(accepted.values())


def _attempt(step: Step, accepted: dict[str, Collected], terms: Terms) -> tuple[Collected, Problem | None]:
    """The last attempt, or the first without a problem."""
    left = terms.attempts
    while True:
        left -= 1
        clip = terms.watch(step)
        collected = Collected(step, (clip,) if clip else ())
        problem = _NOTHING if not clip else check(collected, accepted, terms.yardstick)
        if problem is None:
            return collected, None
        again = "Once more." if left else "It is kept as it is." if problem.is_doubt else ""
        terms.tell(f"{step.name}: {problem.text} {again}".rstrip())
        if not left:
            return collected, problem


_NOTHING = Problem("The camera showed nothing. Check the camera and its cable.")
