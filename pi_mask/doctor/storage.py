"""Check the disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Final

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine

STATE_FOLDER: Final = "var/lib/pi-mask"
LITTLE_MB: Final = 200
FULL_MB: Final = 20

FULL = Symptom(
    "disk-full",
    Status.WARNING,
    "Only {free} MB are free at {path}.",
    "Make room: sudo apt clean; sudo journalctl --vacuum-size=50M",
)
READ_ONLY = Symptom(
    "disk-read-only",
    Status.WARNING,
    "The root file system is read-only.",
    "Fine if you made it so. Else the card may be failing: save what matters, and replace it.",
)
ERRORS = Symptom(
    "disk-errors",
    Status.FAULT,
    "The kernel reports errors of the card: {line}",
    "Save what matters, and replace the card (one sold for high endurance) or its reader.",
)
WORN = Symptom(
    "disk-worn",
    Status.WARNING,
    "The eMMC has used up {percent} % of its life.",
    "Save what matters, and plan to replace it.",
)

_ERROR_LINE: Final = re.compile(
    r"I/O error.* dev mmcblk|EXT4-fs error|^mmc(?:blk|\d)(?!.*SDIO).*\b(?:error|timed? ?out)\b", re.IGNORECASE
)
"""The Wi-Fi's chip is on such a bus too; its driver says "error" of each firmware file that is not there."""


def check_disk(machine: Machine) -> Iterator[Result]:
    """Look at free space, a read-only root, and what is known about wear."""
    state = machine.root / STATE_FOLDER
    place = state if state.is_dir() else machine.root
    free = shutil.disk_usage(place).free // 10**6
    yield ok(f"{free / 1000:.1f} GB free at {place}; {_wear(machine)}")
    if free < LITTLE_MB:
        status = Status.FAULT if free < FULL_MB else Status.WARNING
        yield FULL.found(free=free, path=place, status=status)
    if _is_read_only(machine):
        yield READ_ONLY.found()
    percent = _life_used(machine)
    if percent is not None and percent >= 80:
        yield WORN.found(percent=percent, status=Status.FAULT if percent > 100 else Status.WARNING)
    for line in _kernel_errors()[-1:]:
        yield ERRORS.found(line=line)


def _wear(machine: Machine) -> str:
    """What can be known about wear: an SD card tells nothing, an eMMC tells tenths."""
    percent = _life_used(machine)
    if percent is not None:
        return f"eMMC: up to {percent} % of its life used"
    if list((machine.root / "sys/block").glob("mmcblk*")):
        return "an SD card does not tell its wear"
    return "wear unknown"


def _life_used(machine: Machine) -> int | None:
    """Per cent of an eMMC's life, the worse of its two memory types; 110 means beyond its end.

    JEDEC JESD84-B51 (DEVICE_LIFE_TIME_EST): 0x01 is 0 to 10 % and so on, 0x0B more than all; 0 is undefined.
    """
    worst = 0
    for file in (machine.root / "sys/block").glob("mmcblk*/device/life_time"):
        text = machine.read(str(file.relative_to(machine.root))) or ""
        worst = max([worst, *(int(tenth, 16) for tenth in re.findall(r"0x([0-9a-fA-F]{2})\b", text))])
    return 10 * worst if worst else None


def _is_read_only(machine: Machine) -> bool:
    """Whether the last mount at "/" is read-only (proc(5): device, place, type, options)."""
    mounts = [line.split() for line in (machine.read("proc/mounts") or "").splitlines()]
    options = [fields[3].split(",") for fields in mounts if len(fields) > 3 and fields[1] == "/"]
    return bool(options) and "ro" in options[-1]


def _kernel_errors() -> list[str]:
    """Lines about the card; none for a user who may not read the kernel's log."""
    log = ask("journalctl", "-k", "-b", "-q", "-o", "cat", "-p", "warning", "-n", "1000", "--no-pager")
    return [line for line in (log or "").splitlines() if _ERROR_LINE.search(line)]
