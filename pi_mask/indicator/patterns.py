"""Define which parts are on for each verdict.

======================  =======  ====================  ====================  ===========
Verdict                 green    amber                 red                   buzzer
======================  =======  ====================  ====================  ===========
IDLE                    –        a blip every 3 s      –                     –
CHECKING                –        0.5 s on, 0.5 s off   –                     –
MASK                    steady   –                     –                     –
INCORRECT               –        in turn with red      in turn with amber    one beep
NO_MASK                 –        –                     steady                three beeps
FAULT                   –        –                     0.2 s on, 0.2 s off   –
======================  =======  ====================  ====================  ===========

Degraded (the CPU stands in for a lost Edge TPU): amber comes as **two short blips** instead, on its own
where it would be dark: every 3 s beside IDLE, MASK, NO_MASK and FAULT, in each second of CHECKING, within
amber's turn of INCORRECT. Green and red stay as they are, so the sign never hides the verdict.

Every verdict differs by place and rhythm as well as by colour. All dark never occurs for longer than the
heartbeat's pause, so it only ever means "not working". No lamp flashes more than three times in a second
(WCAG 2.2, success criterion 2.3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Final, Literal

from pi_mask.types import Verdict

TICK_S: Final = 0.1
"""Seconds that one character of a rhythm lasts."""

RelayMode = Literal["fail_secure", "fail_safe"]


class Part(Enum):
    """One output; the value is its name in messages."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    BUZZER = "buzzer"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Scene:
    """What lamps and buzzer do: one character a tick, ``#`` is on and ``.`` is off.

    Attributes:
        green: Repeated for as long as the scene is shown; at least one character.
        amber: Likewise.
        red: Likewise.
        buzzer: Played once from the start, silent ever after.
    """

    green: str = "."
    amber: str = "."
    red: str = "."
    buzzer: str = ""

    def lit(self, tick: int) -> frozenset[Part]:
        """Return the parts that are on at a tick, counted from 0."""
        lamps = ((Part.GREEN, self.green), (Part.AMBER, self.amber), (Part.RED, self.red))
        lit = {part for part, rhythm in lamps if rhythm[tick % len(rhythm)] == "#"}
        if self.buzzer[tick : tick + 1] == "#":
            lit.add(Part.BUZZER)
        return frozenset(lit)

    def later_ticks(self) -> Iterable[int]:
        """Return the ticks after the first at which something may change: none for a steady scene."""
        if any(len(rhythm) > 1 for rhythm in (self.green, self.amber, self.red)):
            return count(1)
        return range(1, len(self.buzzer) + 1) if self.buzzer else ()


_STEADY = "#"
_BLIP = "#" + 29 * "."
_TWO_BLIPS = "#.#" + 27 * "."

_SCENES: Final = {
    Verdict.IDLE: (Scene(amber=_BLIP), Scene(amber=_TWO_BLIPS)),
    Verdict.CHECKING: (Scene(amber="#####....."), Scene(amber="#.#.......")),
    Verdict.MASK: (Scene(green=_STEADY), Scene(green=_STEADY, amber=_TWO_BLIPS)),
    Verdict.INCORRECT: (
        Scene(amber="#####.....", red=".....#####", buzzer="###"),
        Scene(amber="#.#.......", red=".....#####", buzzer="###"),
    ),
    Verdict.NO_MASK: (
        Scene(red=_STEADY, buzzer="###..###..###"),
        Scene(red=_STEADY, amber=_TWO_BLIPS, buzzer="###..###..###"),
    ),
    Verdict.FAULT: (Scene(red="##.."), Scene(red="##..", amber=_TWO_BLIPS)),
}

SELF_TEST: Final = Scene(
    red="####................",
    amber=".....####...........",
    green="..........####......",
    buzzer="...............###..",
)
"""One part after the other, the lamps from top to bottom; shown once."""

SELF_TEST_TICKS: Final = len(SELF_TEST.red)

# fail_secure: the lock opens when it gets power, so power means "come in" and every failure keeps it shut.
# fail_safe: the lock holds while it gets power, so power means "stay out" and every failure opens it.
_ENERGISED: Final[dict[RelayMode, frozenset[Verdict]]] = {
    "fail_secure": frozenset({Verdict.MASK}),
    "fail_safe": frozenset(Verdict) - {Verdict.MASK, Verdict.FAULT},
}


def scene_for(verdict: Verdict, *, is_degraded: bool) -> Scene:
    """Return the scene of a verdict, with the amber sign when degraded."""
    return _SCENES[verdict][is_degraded]


def is_energised(verdict: Verdict, relay_mode: RelayMode) -> bool:
    """Tell whether the door relay is powered: never on FAULT, so a fault and a dead process look alike."""
    return verdict in _ENERGISED[relay_mode]
