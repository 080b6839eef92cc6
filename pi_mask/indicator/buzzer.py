"""Decide whether the buzzer may sound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pi_mask.settings import GpioSettings


class BuzzerGate:
    """Keep the buzzer from nagging: a cool-down between two soundings, silence in the quiet hours.

    Args:
        settings: ``buzzer_cooldown_s`` counts from one sounding's start to the next one's.
        clock: Monotonic seconds.
        now: Local time.
    """

    def __init__(
        self, settings: GpioSettings, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._sounded_at: float | None = None

    def take(self) -> bool:
        """Tell whether the buzzer may sound now; True starts the cool-down."""
        seconds = self._clock()
        if self._sounded_at is not None and seconds - self._sounded_at < self._settings.buzzer_cooldown_s:
            return False
        if self._settings.is_quiet(self._now().time()):
            return False
        self._sounded_at = seconds
        return True
