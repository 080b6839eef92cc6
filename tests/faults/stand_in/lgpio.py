"""Stand in for lgpio 0.2: lines that one process may hold at a time, and levels that outlive it.

FAULTS_GPIO_DIR holds a file per line with its level, locked while somebody has it; the kernel frees the lock
when its holder dies, the level stays. Each change of an output is a line "wall-clock-time line level" on the
file descriptor FAULTS_GPIO_FD.
"""

# ruff: noqa: D103  the functions do what those of the real module do

from __future__ import annotations

import fcntl
import os
import time
from io import FileIO
from pathlib import Path

from gpiozero.pins import local

RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 32, 64, 128
_IS_OUTPUT = 2

# gpiozero reads the board from the device tree, which only a Pi has: a 4B with 2 GB.
local.get_pi_revision = lambda: 0xB03115

_held: dict[int, FileIO] = {}
_outputs: set[int] = set()


class error(Exception):  # noqa: N801, N818  as the real one
    """What lgpio raises."""


def gpiochip_open(_chip: int) -> int:
    return 0


def gpiochip_close(_handle: int) -> None:
    for line in list(_held):
        gpio_free(0, line)


def gpio_claim_input(_handle: int, line: int, _flags: int = 0) -> int:
    _claim(line)
    _outputs.discard(line)
    return 0


def gpio_claim_output(_handle: int, line: int, level: int = 0, _flags: int = 0) -> int:
    _claim(line)
    _outputs.add(line)
    return gpio_write(0, line, level)


def gpio_free(_handle: int, line: int) -> int:
    _outputs.discard(line)
    _held.pop(line).close()
    return 0


def gpio_get_mode(_handle: int, line: int) -> int:
    return _IS_OUTPUT if line in _outputs else 0


def gpio_read(_handle: int, line: int) -> int:
    return int(os.pread(_held[line].fileno(), 1, 0) or b"0")


def gpio_write(_handle: int, line: int, level: int) -> int:
    if line not in _outputs:
        raise error("'bad GPIO mode'")
    if gpio_read(0, line) != int(level):
        os.pwrite(_held[line].fileno(), b"%d" % level, 0)
        os.write(int(os.environ["FAULTS_GPIO_FD"]), f"{time.time():.3f} {line} {int(level)}\n".encode())
    return 0


def _claim(line: int) -> None:
    if line in _held:
        return
    path = Path(os.environ["FAULTS_GPIO_DIR"], f"line{line}")
    path.touch()
    lock = FileIO(path, "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise error("'GPIO busy'") from None
    _held[line] = lock
