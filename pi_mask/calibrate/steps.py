"""Define what the person at the door is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pi_mask.types import MaskLabel, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping


class Truth(Enum):
    """What is before the camera."""

    EMPTY = "empty"
    MASKED = "masked"
    STOPPED = "stopped"


class Answer(Enum):
    """What an answer of the door is worth, given the truth; the value is its name in JSON."""

    RIGHT = "right"
    WRONG_GREEN = "wrong_green"
    WRONG_RED = "wrong_red"
    UNDECIDED = "undecided"


def answer(truth: Truth, said: Verdict | MaskLabel | None) -> Answer:
    """Judge a verdict, or the label of one look (None where no face was found).

    Any red is right for somebody to be stopped: which of the two matters less than that it is red.
    """
    if said in (Verdict.MASK, MaskLabel.WITH_MASK):
        return Answer.RIGHT if truth is Truth.MASKED else Answer.WRONG_GREEN
    if said in (None, Verdict.IDLE):
        return Answer.RIGHT if truth is Truth.EMPTY else Answer.UNDECIDED
    if said in (Verdict.CHECKING, Verdict.FAULT):
        return Answer.UNDECIDED
    return Answer.RIGHT if truth is Truth.STOPPED else Answer.WRONG_RED


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the person does.

    Attributes:
        name: Of its folder or clip among recordings.
        truth: What the door should make of it.
        instruction: One line for the person.
        sign: What the lamps show meanwhile, with or without the two blips: never green, which opens a door,
            and never FAULT, which opens a fail-safe one.
        is_required: Nothing can be chosen without it.
    """

    name: str
    truth: Truth
    instruction: str
    sign: tuple[Verdict, bool]
    is_required: bool = True


EMPTY, USUAL, NEAR, FAR, HAND = "empty", "mask", "mask_near", "mask_far", "hand"
STEPS: Final = (
    Step(EMPTY, Truth.EMPTY, "Leave the doorway empty: nobody in view.", (Verdict.IDLE, False)),
    Step(
        USUAL,
        Truth.MASKED,
        "Stand at the usual spot, mask over nose and chin.",
        (Verdict.CHECKING, False),
    ),
    Step(NEAR, Truth.MASKED, "Come as near as people come, mask on.", (Verdict.CHECKING, True)),
    Step(
        FAR,
        Truth.MASKED,
        "Step back to the farthest spot where the door should answer, mask on.",
        (Verdict.IDLE, True),
    ),
    Step("bare", Truth.STOPPED, "Stand at the usual spot without a mask.", (Verdict.NO_MASK, False)),
    Step(
        "under_nose",
        Truth.STOPPED,
        "Stand at the usual spot, the mask under the nose.",
        (Verdict.INCORRECT, False),
    ),
    Step(
        HAND,
        Truth.STOPPED,
        "Without a mask, hold a hand before nose and mouth.",
        (Verdict.NO_MASK, True),
        is_required=False,
    ),
)
"""In the order in which they are asked."""

STEP_NAMES: Final[Mapping[str, Step]] = MappingProxyType({step.name: step for step in STEPS})
