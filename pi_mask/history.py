"""Keep, from one start of the service to the next, what went wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pi_mask.errors import EdgeTpuError, PiMaskError

logger = logging.getLogger(__name__)

WINDOW_S: Final = 600.0
"""Failures older than this are forgotten, so a door that fails once a month always restarts at once."""
LONGEST_DELAY_S: Final = 30.0
"""A camera that was plugged in again is found within this time and a start."""
MAX_CRASHES: Final = 3
"""So many crashes within the window, and the Edge TPU is left alone: its driver is the likeliest cause."""
FOLDER_VARIABLE: Final = "RUNTIME_DIRECTORY"

_FILE: Final = "failures"
_SUCCESS: Final = "success"
_CRASHES: Final = frozenset({"signal", "core-dump", "watchdog", "timeout"})
"""systemd's words (SERVICE_RESULT in systemd.exec(5)) for ends that a driver is likely to blame for; one that
hangs before the service counts as started ends it by "timeout"."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One end of the service that nobody asked for.

    Attributes:
        time_s: When, on the system's monotonic clock, which starts with the machine, as the folder does.
        result: systemd's word for it, such as "exit-code" or "core-dump".
    """

    time_s: float
    result: str


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def runtime_folder(environ: Mapping[str, str]) -> Path | None:
    """The service's own folder in memory, which outlives its restarts; None outside the service."""
    name = environ.get(FOLDER_VARIABLE, "")
    return Path(name) if name else None


class History:
    """The failures of the last ``WINDOW_S`` seconds.

    systemd's own back-off (RestartSteps=, from version 254) never starts over, not even after a year without
    a failure (systemd issue 43813), and leaves the door dark; this one waits while FAULT is shown.

    Args:
        folder: See ``runtime_folder``; None keeps nothing.
        clock: The system's monotonic clock, in seconds.
        wait: Waits so many seconds.

    Attributes:
        folder: As given.
    """

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = _wait,
    ) -> None:
        self.folder = folder
        self._path = None if folder is None else folder / _FILE
        self._clock = clock
        self._wait = wait

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Oldest first; a damaged record counts as none."""
        try:
            text = "" if self._path is None else self._path.read_text(errors="replace")
        except OSError:
            return ()
        return tuple(f for f in _parse(text) if 0 <= self._clock() - f.time_s < WINDOW_S)

    @property
    def delay_s(self) -> float:
        """How long to wait before the next try: nothing after one failure, twice as long after each more."""
        count = len(self.failures)
        return 0.0 if count < 2 else min(2.0 ** min(count - 1, 10), LONGEST_DELAY_S)

    def note(self, result: str) -> None:
        """Add an end of the service; "success" forgets all before it."""
        if self._path is None:
            return
        kept = () if result == _SUCCESS else (*self.failures, Failure(self._clock(), result))
        part = self._path.with_name(f"{_FILE}.part")
        try:
            part.write_text("".join(f"{failure.time_s!r} {failure.result}\n" for failure in kept))
            part.replace(self._path)
        except OSError as error:
            logger.warning("%s cannot be written: %s. Free some memory.", self._path, error.strerror)

    @contextmanager
    def backing_off(self) -> Iterator[None]:
        """Wait for ``delay_s`` after the block, also where it failed."""
        try:
            yield
        except PiMaskError:
            self._back_off()
            raise
        self._back_off()

    def check_edgetpu(self) -> None:
        """Refuse an Edge TPU whose driver seems to take the program down again and again.

        Raises:
            EdgeTpuError: There were ``MAX_CRASHES`` crashes within the window.
        """
        crashes = sum(failure.result in _CRASHES for failure in self.failures)
        if crashes >= MAX_CRASHES:
            raise EdgeTpuError(
                f"pi-mask crashed {crashes} times within {WINDOW_S / 60:g} minutes, so the Edge TPU is left "
                "alone for a while. Check its cable and power supply, or use --accelerator cpu."
            )

    def _back_off(self) -> None:
        delay_s = self.delay_s
        if delay_s:
            logger.info("Failed %d times lately: the next try is in %g s.", len(self.failures), delay_s)
            self._wait(delay_s)


def _parse(text: str) -> Iterator[Failure]:
    for line in text.splitlines():
        time_s, _, result = line.partition(" ")
        with suppress(ValueError):
            yield Failure(float(time_s), result)
