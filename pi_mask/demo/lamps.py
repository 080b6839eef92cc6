"""Remember what the simulated lamps and buzzer did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pi_mask.camera.opencv import cv2
from pi_mask.indicator.patterns import TICK_S, Part

if TYPE_CHECKING:
    from pi_mask.indicator.base import Indicator
    from pi_mask.types import Image, Verdict

SHOWN: Final = (Part.RED, Part.AMBER, Part.GREEN, Part.BUZZER)
"""Red on top, as on a traffic light."""

_MAX_TICKS: Final = 100
_COLOURS: Final = {Part.RED: (235, 45, 40), Part.AMBER: (255, 176, 0), Part.GREEN: (30, 200, 80)}
_HOUSING: Final = (38, 38, 42)
_DARK: Final = (78, 78, 84)
_SOUND: Final = (250, 250, 250)


@dataclass(frozen=True, slots=True)
class Switch:
    """One part that went on or off."""

    time_s: float
    part: Part
    is_on: bool


class LampLog:
    """Everything that was switched, for ``testing.watched_mock_factory``.

    Args:
        clock: Seconds; called by whichever thread switches.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._switches: list[Switch] = []
        self._begins: list[float] = []
        self._lit: set[Part] = set()

    def note(self, name: str, is_on: bool) -> None:
        """Remember one change; safe from any thread."""
        with self._lock:
            part = Part(name)
            self._switches.append(Switch(self._clock(), part, is_on))
            (self._lit.add if is_on else self._lit.discard)(part)

    def begin(self) -> None:
        """Remember that another verdict is shown from now on."""
        self._begins.append(self._clock())

    @property
    def lit(self) -> frozenset[Part]:
        """What is on now."""
        with self._lock:
            return frozenset(self._lit)

    def strips(self, place: int) -> dict[Part, str]:
        """Draw what was on during one verdict, ``█`` on and ``·`` off, a character per ``TICK_S``.

        On a computer so busy that a verdict takes minutes, ``…`` stands for all after ten seconds.

        Args:
            place: Of the verdict, from 0 for the first one; the last one goes on until now.

        Returns:
            Only the parts that were on at all, red first.
        """
        start, end = (*self._begins, self._clock())[place : place + 2]
        with self._lock:
            switches = tuple(self._switches)
        n_ticks = round((end - start) / TICK_S)
        rest = "…" if n_ticks > _MAX_TICKS else ""
        middles = [start + (tick + 0.5) * TICK_S for tick in range(min(n_ticks, _MAX_TICKS))]
        drawn = {part: "".join(_mark(part, moment, switches) for moment in middles) for part in SHOWN}
        return {part: strip + rest for part, strip in drawn.items() if "█" in strip}


class LoggedIndicator:
    """An indicator whose log knows when each verdict begins: drawing it later may take a while.

    Args:
        indicator: Shows the verdicts.
        log: Is told of each.
    """

    def __init__(self, indicator: Indicator, log: LampLog) -> None:
        self._indicator = indicator
        self._log = log

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> None:
        """Show a change."""
        self._indicator.show(verdict, is_degraded=is_degraded)
        self._log.begin()  # not before: the old verdict's rhythm has to end first

    def close(self) -> None:
        """Turn everything off; calling it again is fine."""
        self._indicator.close()


def _mark(part: Part, moment: float, switches: tuple[Switch, ...]) -> str:
    earlier = [switch.is_on for switch in switches if switch.part is part and switch.time_s <= moment]
    return "█" if earlier and earlier[-1] else "·"


def draw_lamps(image: Image, lit: frozenset[Part], corner: tuple[int, int], size: int) -> None:
    """Paint the lamps in a row into the image, the buzzer last.

    Args:
        image: RGB, changed in place.
        lit: What is on.
        corner: x, y of the housing's upper left corner.
        size: Height of the housing in pixels; it is four times as wide.
    """
    x, y = corner
    cv2.rectangle(image, corner, (x + 4 * size, y + size), _HOUSING, cv2.FILLED)
    for place, part in enumerate(SHOWN):
        centre = (x + place * size + size // 2, y + size // 2)
        if part is Part.BUZZER:
            _draw_buzzer(image, centre, size, is_on=part in lit)
            continue
        colour = _COLOURS[part] if part in lit else _DARK
        cv2.circle(image, centre, round(size * 0.36), colour, cv2.FILLED, cv2.LINE_AA)


def _draw_buzzer(image: Image, centre: tuple[int, int], size: int, *, is_on: bool) -> None:
    x, y = centre
    step = size // 8
    colour = _SOUND if is_on else _DARK
    cv2.rectangle(image, (x - 3 * step, y - step), (x - 2 * step, y + step), colour, cv2.FILLED)
    for spread in range(2 * step + 1):
        column = x - 2 * step + spread
        cv2.line(image, (column, y - step - spread // 2), (column, y + step + spread // 2), colour)
    if is_on:
        for radius in (2 * step, 3 * step):
            cv2.ellipse(image, (x, y), (radius, radius), 0, -50, 50, colour, max(1, step // 2), cv2.LINE_AA)
