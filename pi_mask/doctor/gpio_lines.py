"""Ask the kernel who holds a pin of the header.

gpiozero cannot tell, ``gpioinfo`` is not always installed and prints differently in each version: this is
what both ask (linux/gpio.h).
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

CHIP_INFO: Final = struct.Struct("=32s32sI")
"""struct gpiochip_info: name, label, number of lines."""
LINE_INFO: Final = struct.Struct("=32s32sIIQ160s16s")
"""struct gpio_v2_line_info: name, consumer, offset, number of attributes, flags, attributes, padding."""
GET_CHIP_INFO: Final = 0x8044B401
GET_LINE_INFO: Final = 0xC100B405
IS_USED: Final = 1
"""GPIO_V2_LINE_FLAG_USED."""
HEADERS: Final = ("pinctrl-bcm2", "pinctrl-rp1")
"""How the labels of the header's chip begin, on all Pis before the 5 and on the 5; lines are BCM numbers."""


def holders(
    folder: Path, pins: Iterable[int], control: Callable[[int, int, bytearray], object] = fcntl.ioctl
) -> dict[int, str] | None:
    """Say who holds which of these pins.

    Args:
        folder: Where the device nodes are, ``/dev``.
        pins: BCM numbers.
        control: The system call.

    Returns:
        The holder's name ("" where the kernel knows none) for each pin that is taken; None where there is no
        header, or it cannot be asked.
    """
    for node in sorted(folder.glob("gpiochip*")):
        try:
            chip = os.open(node, os.O_RDONLY)
        except OSError:
            continue
        try:
            if _label(chip, control).startswith(HEADERS):
                return _taken(chip, pins, control)
        except OSError:
            continue
        finally:
            os.close(chip)
    return None


def _label(chip: int, control: Callable[[int, int, bytearray], object]) -> str:
    buffer = bytearray(CHIP_INFO.size)
    control(chip, GET_CHIP_INFO, buffer)
    return _text(CHIP_INFO.unpack(buffer)[1])


def _taken(
    chip: int, pins: Iterable[int], control: Callable[[int, int, bytearray], object]
) -> dict[int, str]:
    taken = {}
    for pin in pins:
        buffer = bytearray(LINE_INFO.pack(b"", b"", pin, 0, 0, b"", b""))
        control(chip, GET_LINE_INFO, buffer)
        _, consumer, _, _, flags, _, _ = LINE_INFO.unpack(buffer)
        if flags & IS_USED:
            taken[pin] = _text(consumer)
    return taken


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")
