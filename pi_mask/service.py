"""Tell the service manager how the program is, in the datagrams of sd_notify(3)."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pi_mask.errors import CameraTimeout, PiMaskError, messages
from pi_mask.types import Verdict

if TYPE_CHECKING:
    from pi_mask.types import Observation

logger = logging.getLogger(__name__)

PETS_PER_TIMEOUT: Final = 10
"""How often the watchdog is petted within its time-out at most: each datagram wakes the service manager."""
_SEND_TIMEOUT_S: Final = 1.0
_SLACK: Final = 1.5
"""The next look may take longer than the longest one since the last good look by this factor."""


class Notifier:
    """A line to the service manager; where there is none, every message goes nowhere.

    The watchdog is petted by nothing but a good look: a frame that is new and went through the model. A hung
    driver and a dead loop end in a restart by it; a stalled camera in one by ourselves, just before.

    Args:
        environ: NOTIFY_SOCKET is a path, or "@" and an abstract name; WATCHDOG_USEC the watchdog's time-out
            in microseconds, for this process unless WATCHDOG_PID is another one.
        clock: Monotonic seconds.
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._timeout_s = _timeout_s(environ)
        self._clock = clock
        self._last_look = self._last_pet = clock()
        self._next_pet = -math.inf
        self._longest_pause_s = 0.0
        self._shown: tuple[Verdict, bool] | None = None
        self._is_failing = False

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Say that everything is open, and at the end of the block that it is being closed."""
        self._send("READY=1")
        self._last_look = self._last_pet = self._clock()
        try:
            yield
        finally:
            self._send("STOPPING=1")

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Leave the error that ends the block as the status."""
        try:
            yield
        except PiMaskError as error:
            self.status(" ".join(messages(error)))
            raise

    def status(self, text: str) -> None:
        """One line that ``systemctl status`` shows."""
        self._send(f"STATUS={' '.join(text.split())}")

    def observed(self, observation: Observation) -> None:
        """Show a change of verdict; pet the watchdog if this was a good look.

        Raises:
            CameraTimeout: The watchdog would end the process before the next look. Ended in order it switches
                the outputs off itself, and the failure doesn't look like a driver's.
        """
        shown = (observation.verdict, observation.is_degraded)
        if shown != self._shown:
            self._shown = shown
            self.status(_describe(observation))
        now = self._clock()
        pause_s, self._last_look = now - self._last_look, now
        self._longest_pause_s = max(self._longest_pause_s, pause_s)
        if observation.frame is not None and observation.verdict is not Verdict.FAULT:
            self._longest_pause_s = 0.0
            self._pet(now)
        elif now - self._last_pet + _SLACK * self._longest_pause_s >= self._timeout_s:
            raise CameraTimeout(f"{_describe(observation)} Starting anew, before the watchdog does it.")

    def _pet(self, now: float) -> None:
        if math.isfinite(self._timeout_s) and now >= self._next_pet:
            self._last_pet, self._next_pet = now, now + self._timeout_s / PETS_PER_TIMEOUT
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(_SEND_TIMEOUT_S)
                line.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            if not self._is_failing:
                logger.warning("The service manager cannot be told anything: %s. Restart pi-mask.", error)
            self._is_failing = True
        else:
            self._is_failing = False


def _timeout_s(environ: Mapping[str, str]) -> float:
    """The watchdog's time-out; infinite without one."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    is_ours = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
    return int(microseconds) / 1e6 if is_ours and microseconds.isdecimal() else math.inf


def _describe(observation: Observation) -> str:
    if observation.fault:
        return observation.fault
    place = "Watching on the CPU, without the Edge TPU" if observation.is_degraded else "Watching"
    return f"{place}: {observation.verdict.value}."
