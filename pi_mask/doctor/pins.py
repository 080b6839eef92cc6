"""Check the pins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine
from pi_mask.errors import GpioError

if TYPE_CHECKING:
    from pi_mask.settings import Settings

MISSING = Symptom("pins-missing", Status.FAULT, "{error}", "See docs/wiring.md, or use --indicator console.")
MOCK = Symptom(
    "pins-mock",
    Status.WARNING,
    "Mock pins: no lamp, buzzer or relay is driven.",
    'Set indicator.gpio.pin_factory = "auto".',
)
TAKEN = Symptom(
    "pins-taken",
    Status.FAULT,
    "GPIO{pin} ({part}) is held by {holder}.",
    "End what holds it (another program, or an overlay in config.txt), or choose another pin.",
    GpioError,
)


def check_pins(machine: Machine, settings: Settings) -> Iterator[Result]:
    """Open the pin factory, and ask the kernel whether the pins are free. No pin changes its level."""
    if settings.indicator.kind != "gpio":
        yield ok("Not used: the console shows verdicts")
        return
    gpio = settings.indicator.gpio
    if gpio.pin_factory == "mock":
        yield MOCK.found()
        return
    from pi_mask.doctor.gpio_lines import holders
    from pi_mask.indicator.gpio import fittings
    from pi_mask.indicator.pins import open_factory

    try:
        factory = open_factory(gpio.pin_factory)
    except GpioError as error:
        yield MISSING.caused_by(error)
        return
    name = type(factory).__name__
    factory.close()
    parts = {fitting.pin: fitting.part.value for fitting in fittings(gpio)}
    wiring = ", ".join(f"GPIO{pin} {part}" for pin, part in parts.items())
    taken = holders(machine.root / "dev", parts)
    if machine.service.is_running:
        yield ok(f"{name}; the running service has {wiring}")
    elif taken is None:
        yield ok(f"{name}; {wiring}; whether they are free cannot be asked")
    elif taken:
        for pin, holder in taken.items():
            yield TAKEN.found(pin=pin, part=parts[pin], holder=holder or "the kernel")
    else:
        yield ok(f"{name}; {wiring}: all free")
