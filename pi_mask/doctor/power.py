"""Check power supply and temperature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine

HOT_C: Final = 75.0
TOO_HOT_C: Final = 85.0
"""A Raspberry Pi slows down at 80 °C, and down to a crawl at 85 °C."""

UNKNOWN = Symptom(
    "power-unknown",
    Status.WARNING,
    "The power supply cannot be asked: vcgencmd gives no answer.",
    "Join the group video (sudo usermod -aG video $USER), log in again; install raspi-utils.",
)
UNDER_VOLTAGE = Symptom(
    "power-under-voltage",
    Status.FAULT,
    "The voltage {when} too low.",
    "Use the official power supply and a short, thick cable; let nothing else draw from the Pi's ports.",
)
CAPPED = Symptom(
    "power-frequency-capped",
    Status.WARNING,
    "The processor's speed {when} capped.",
    "It follows heat or low voltage: cool the Pi, or use the official power supply.",
)
THROTTLED = Symptom(
    "power-throttled",
    Status.WARNING,
    "The processor {when} throttled.",
    "It follows heat or low voltage: cool the Pi, or use the official power supply.",
)
SOFT_LIMIT = Symptom(
    "power-soft-temperature-limit",
    Status.WARNING,
    "The soft temperature limit {when} reached.",
    "Give the Pi a heat sink or a fan, and air around it.",
)
HOT = Symptom(
    "temperature-high",
    Status.WARNING,
    "The processor has {celsius:.0f} °C.",
    "Give it a heat sink or a fan, and air around it; keep it out of the sun.",
)

# "vcgencmd get_throttled" in Raspberry Pi's documentation: now in these bits, since boot 16 bits higher.
THROTTLED_BITS: Final = {0: UNDER_VOLTAGE, 1: CAPPED, 2: THROTTLED, 3: SOFT_LIMIT}


def check_power(machine: Machine) -> Iterator[Result]:
    """Decode what the firmware says about voltage and throttling, now and since boot."""
    if not machine.is_raspberry_pi:
        yield ok("Only a Raspberry Pi can be asked")
        return
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", ask("vcgencmd", "get_throttled") or "")
    if found is None:
        yield UNKNOWN.found()
        return
    bits = int(found.group(1), 16)
    results = list(_decode(bits))
    yield from results or [ok("Enough voltage since boot, never throttled")]


def _decode(bits: int) -> Iterator[Result]:
    for bit, symptom in THROTTLED_BITS.items():
        if bits >> bit & 1:
            yield symptom.found(when="is now")
        elif bits >> (bit + 16) & 1:
            yield symptom.found(when="was, since boot,", status=Status.WARNING)


def check_temperature(machine: Machine) -> Iterator[Result]:
    """Read the hottest of the kernel's thermal zones."""
    zones = (machine.root / "sys/class/thermal").glob("thermal_zone*/temp")
    texts = [machine.read(str(zone.relative_to(machine.root))) for zone in zones]
    readings = [int(text) / 1000 for text in texts if text and re.fullmatch(r"-?\d+", text)]
    # Unused sensors of PCs report absolute zero or thousands of degrees.
    plausible = [celsius for celsius in readings if 0 < celsius < 150]
    if not plausible:
        yield ok("No sensor")
        return
    celsius = max(plausible)
    if celsius >= HOT_C:
        yield HOT.found(celsius=celsius, status=Status.FAULT if celsius >= TOO_HOT_C else Status.WARNING)
    else:
        yield ok(f"{celsius:.0f} °C")
