"""Hold the GPIO indicator to leaving no wrong light where a pin stops obeying."""

from __future__ import annotations

import threading

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from pi_mask.errors import GpioError
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.indicator.player import THREAD_NAME
from pi_mask.settings import GpioSettings
from pi_mask.types import Verdict

GREEN, AMBER, RED, RELAY = 17, 27, 22, 24


class StuckPin(MockPin):
    """A pin that stops obeying once told to."""

    is_stuck = False

    def _set_state(self, value: bool) -> None:
        if self.is_stuck:
            raise OSError(5, "Input/output error")
        super()._set_state(value)


def test_a_relay_that_does_not_obey_leaves_no_green() -> None:
    """If locking the door fails, green goes out all the same and the error says so."""
    factory = MockFactory(pin_class=StuckPin)
    indicator = GpioIndicator(GpioSettings(relay_pin=RELAY), pin_factory=factory)
    indicator.show(Verdict.MASK)
    factory.pin(RELAY).is_stuck = True

    with pytest.raises(
        GpioError, match=r"^The lamps cannot be switched any more \(\[Errno 5\] Input/output error"
    ):
        indicator.show(Verdict.FAULT)

    assert [factory.pin(pin).state for pin in (GREEN, RED)] == [False, True]
    factory.pin(RELAY).is_stuck = False
    indicator.show(Verdict.FAULT)
    assert factory.pin(RELAY).state is False
    indicator.close()


def test_close_goes_on_after_a_pin_that_does_not_obey() -> None:
    """One stuck lamp does not keep the others on; the error says that something may be on."""
    factory = MockFactory(pin_class=StuckPin)
    indicator = GpioIndicator(GpioSettings(relay_pin=RELAY), pin_factory=factory)
    indicator.show(Verdict.MASK, is_degraded=True)
    factory.pin(AMBER).is_stuck = True

    with pytest.raises(GpioError, match=r"^An output may still be on \("):
        indicator.close()

    assert [factory.pin(pin).state for pin in (GREEN, AMBER, RED, RELAY)] == [False, True, False, False]
    assert [thread for thread in threading.enumerate() if thread.name == THREAD_NAME] == []
