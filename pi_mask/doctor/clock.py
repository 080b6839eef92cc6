"""Check the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine

RELEASE_YEAR: Final = 2026

WRONG = Symptom(
    "clock-wrong",
    Status.WARNING,
    "The clock says {now:%Y-%m-%d %H:%M}, before this program was made.",
    "Connect the Pi to the net once, or set it: sudo timedatectl set-time. Verdicts need no clock.",
)
NOT_SYNCHRONISED = Symptom(
    "clock-not-synchronised",
    Status.WARNING,
    "The clock ({now:%Y-%m-%d %H:%M}) is not synchronised.",
    "Without a net the times in the log and quiet_hours drift; verdicts need no clock.",
)


def check_clock(_machine: Machine, now: datetime | None = None) -> Iterator[Result]:
    """See that the year can be true, and whether the clock is synchronised.

    Args:
        now: In place of the time.
    """
    now = now or datetime.now()
    if now.year < RELEASE_YEAR:
        yield WRONG.found(now=now)
        return
    synchronised = ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if synchronised == "no":
        yield NOT_SYNCHRONISED.found(now=now)
    else:
        known = "synchronised" if synchronised == "yes" else "nobody can tell whether it is synchronised"
        yield ok(f"{now:%Y-%m-%d %H:%M}, {known}")
