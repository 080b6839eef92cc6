"""Play a scene tick by tick."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeAlias

from pi_mask.indicator.patterns import TICK_S, Part, Scene

logger = logging.getLogger(__name__)

THREAD_NAME = "pi-mask-lamps"

Wait: TypeAlias = Callable[[threading.Event, float], bool]
"""Waits at most so many seconds for the event; True when it is set, which ends the scene."""


class Player:
    """Draw a scene's first tick at once, the others from a thread that lives only while something moves.

    gpiozero's own ``blink()`` runs one thread a device, which drift apart, and cannot blink twice. After a
    tick that could not be drawn comes the next one all the same: a pin may obey again.

    Args:
        draw: Called with the parts that are on; never by two threads at a time.
        wait: Stands in for ``threading.Event.wait`` in tests.
    """

    def __init__(self, draw: Callable[[frozenset[Part]], None], wait: Wait = threading.Event.wait) -> None:
        self._draw = draw
        self._wait = wait
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def play(self, scene: Scene) -> None:
        """Replace what is playing; what ``draw`` raises for the first tick rises from here."""
        self.stop()
        self._draw(scene.lit(0))
        if scene.later_ticks():
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, args=(scene,), name=THREAD_NAME, daemon=True)
            self._thread.start()

    def play_once(self, scene: Scene, ticks: int) -> None:
        """Draw the first ticks of a scene in the caller's thread; return a tick after the last of them."""
        self.stop()
        self._stopping.clear()
        for tick in range(ticks):
            self._draw(scene.lit(tick))
            if self._wait(self._stopping, TICK_S):
                return

    def stop(self) -> None:
        """Return when nothing draws any more; the parts keep their last state."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, scene: Scene) -> None:
        lit: frozenset[Part] = frozenset()
        is_failing = False
        for tick in scene.later_ticks():
            if self._wait(self._stopping, TICK_S):
                return
            lit = scene.lit(tick)
            is_failing = not self._draw_later(lit, is_failing=is_failing)
        # The last tick turns the buzzer off: it must not sound on because one write failed.
        while is_failing and not self._wait(self._stopping, TICK_S):
            is_failing = not self._draw_later(lit, is_failing=is_failing)

    def _draw_later(self, lit: frozenset[Part], *, is_failing: bool) -> bool:
        """Draw where nobody hears an error; say whether it worked, in the log at a change only."""
        try:
            self._draw(lit)
        except Exception as error:  # any pin library's error; the next change of verdict meets it again
            if not is_failing:
                logger.error("A lamp or the buzzer does not obey: %s. Check the wiring.", error)
            return False
        if is_failing:
            logger.info("The lamps and the buzzer obey again.")
        return True
