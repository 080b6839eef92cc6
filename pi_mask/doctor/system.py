"""Check the operating system."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Iterator
from typing import Final

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine

KNOWN_RELEASES: Final = frozenset({"bookworm", "trixie"})
ENOUGH_MEMORY_MIB: Final = 120
"""pi-mask took 106 MB after ten thousand frames."""

UNKNOWN_RELEASE = Symptom(
    "system-unknown-release",
    Status.WARNING,
    "{release} was never tried with pi-mask.",
    "Install Raspberry Pi OS Bookworm or Trixie.",
)
LITTLE_MEMORY = Symptom(
    "system-little-memory",
    Status.WARNING,
    "Only {free} MiB of memory are free; pi-mask takes about 110.",
    "End other programs, or use Raspberry Pi OS Lite, without a desktop.",
)


def check_system(machine: Machine) -> Iterator[Result]:
    """Name board, operating system and Python; find a release never tried, and too little memory."""
    release = _release(machine)
    name = release.get("PRETTY_NAME") or platform.system()
    yield ok(
        f"{machine.model or 'No Raspberry Pi'}, {name}, {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    if machine.is_raspberry_pi and release.get("VERSION_CODENAME") not in KNOWN_RELEASES:
        yield UNKNOWN_RELEASE.found(release=name)
    free = _free_memory_mib(machine)
    # While the service runs, its own share is in use already.
    if free is not None and free < ENOUGH_MEMORY_MIB and not machine.service.is_running:
        yield LITTLE_MEMORY.found(free=free)


def _release(machine: Machine) -> dict[str, str]:
    """The assignments of /etc/os-release, a subset of shell by its definition (os-release(5))."""
    release = {}
    for line in (machine.read("etc/os-release") or "").splitlines():
        key, separator, value = line.partition("=")
        if separator and not key.startswith("#"):
            try:
                release[key] = "".join(shlex.split(value))
            except ValueError:
                release[key] = value
    return release


def _free_memory_mib(machine: Machine) -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", machine.read("proc/meminfo") or "", re.MULTILINE)
    return None if found is None else int(found.group(1)) // 1024
