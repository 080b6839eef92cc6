"""Show verdicts with lamps, a buzzer and a door relay on GPIO pins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from gpiozero import Factory, OutputDevice

from pi_mask.errors import GpioError
from pi_mask.indicator.buzzer import BuzzerGate
from pi_mask.indicator.patterns import SELF_TEST, SELF_TEST_TICKS, Part, Scene, is_energised, scene_for
from pi_mask.indicator.pins import gpio_error, open_factory
from pi_mask.indicator.player import Player, Wait
from pi_mask.types import Verdict

if TYPE_CHECKING:
    from pi_mask.settings import GpioSettings


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time comes from.

    Attributes:
        clock: Monotonic seconds, for the buzzer's cool-down.
        now: Local time, for the quiet hours.
        wait: ``threading.Event.wait``, between two ticks of a rhythm.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = datetime.now
    wait: Wait = threading.Event.wait


REAL_TIME = Timing()


@dataclass(frozen=True, slots=True)
class Fitting:
    """One part of the wiring: its BCM pin, and whether a high level switches it on."""

    part: Part
    pin: int
    is_active_high: bool


def fittings(settings: GpioSettings) -> tuple[Fitting, ...]:
    """Return the parts that are fitted, the relay last."""
    wiring = (
        (Part.GREEN, settings.green_pin, settings.leds_active_high),
        (Part.AMBER, settings.amber_pin, settings.leds_active_high),
        (Part.RED, settings.red_pin, settings.leds_active_high),
        (Part.BUZZER, settings.buzzer_pin, settings.buzzer_active_high),
        (Part.RELAY, settings.relay_pin, settings.relay_active_high),
    )
    return tuple(Fitting(part, pin, active_high) for part, pin, active_high in wiring if pin is not None)


class GpioIndicator:
    """Lamps and buzzer as drawn in ``patterns``, and a relay that releases the door on MASK only.

    Every output starts off and ends off. At a change the lamps of the old verdict go out before those of
    the new one come on; the door is locked before that and released after it.

    The relay is energised (switched on):

    ===========  ================================  =======================================================
    relay_mode   energised on                      not energised: other verdicts, before the first verdict,
                                                   after ``close()``, and when power or process is gone
    ===========  ================================  =======================================================
    fail_secure  MASK: the strike opens            locked
    fail_safe    IDLE, CHECKING, INCORRECT,        open: MASK lets people in, FAULT lets people out
                 NO_MASK: the magnet holds
    ===========  ================================  =======================================================

    The buzzer sounds at a change to INCORRECT or NO_MASK, unless it did within ``buzzer_cooldown_s`` or
    the quiet hours last; it falls silent with the verdict or at its pattern's end, whichever is first.

    Args:
        settings: The wiring; a pin that is None is a part that is not fitted.
        pin_factory: Used instead of the one that the settings name, and left open.
        timing: Where the time comes from.

    Raises:
        GpioError: A pin cannot be had; those opened before it are released.
    """

    def __init__(
        self, settings: GpioSettings, *, pin_factory: Factory | None = None, timing: Timing = REAL_TIME
    ) -> None:
        self._relay_mode = settings.relay_mode
        self._gate = BuzzerGate(settings, timing.clock, timing.now)
        self._player = Player(self._draw, timing.wait)
        self._shown: tuple[Verdict, bool] | None = None
        self._is_closed = False
        with ExitStack() as stack:
            factory = pin_factory
            if factory is None:
                factory = open_factory(settings.pin_factory)
                stack.callback(factory.close)
            self._devices = {fitting.part: _open(fitting, factory, stack) for fitting in fittings(settings)}
            self._relay = self._devices.pop(Part.RELAY, None)
            stack.callback(self._player.stop)
            if self._relay is not None:
                stack.callback(self._relay.off)
            self._closing = stack.pop_all()

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> None:
        """Show a change; the same arguments again change nothing, so no rhythm starts over.

        Raises:
            GpioError: A pin no longer obeys, or the indicator is closed.
        """
        if self._is_closed:
            raise GpioError("The indicator is closed. Open it again before showing a verdict.")
        if self._shown == (verdict, is_degraded):
            return
        scene = scene_for(verdict, is_degraded=is_degraded)
        is_new_verdict = self._shown is None or self._shown[0] is not verdict
        scene = self._heard(scene) if is_new_verdict else replace(scene, buzzer="")
        self._shown = None
        try:
            self._switch(verdict, scene)
        except Exception as error:  # lgpio's error derives from Exception only
            raise gpio_error("The lamps cannot be switched any more", error) from error
        self._shown = (verdict, is_degraded)

    def self_test(self) -> None:
        """Show each lamp and sound the buzzer once, in two seconds; the relay stays off.

        Raises:
            GpioError: A pin does not obey.
        """
        try:
            self._player.play_once(self._heard(SELF_TEST), SELF_TEST_TICKS)
        except Exception as error:  # lgpio's error derives from Exception only
            raise gpio_error("The self-test of the lamps failed", error) from error

    def close(self) -> None:
        """Lock the door (or open a fail-safe one), turn all off, release the pins; again is fine.

        Raises:
            GpioError: A pin did not obey; all the others are off and released.
        """
        self._is_closed = True
        try:
            self._closing.close()
        except Exception as error:  # lgpio's error derives from Exception only
            raise gpio_error("An output may still be on", error) from error

    def _heard(self, scene: Scene) -> Scene:
        """The scene, without its sound where there is no buzzer or it must be silent."""
        may_sound = bool(scene.buzzer) and Part.BUZZER in self._devices and self._gate.take()
        return scene if may_sound else replace(scene, buzzer="")

    def _switch(self, verdict: Verdict, scene: Scene) -> None:
        is_on = is_energised(verdict, self._relay_mode)
        if verdict is Verdict.MASK:
            self._player.play(scene)
            self._set_relay(is_on=is_on)
            return
        try:
            self._set_relay(is_on=is_on)
        finally:  # a relay that does not obey must not keep the green lamp on
            self._player.play(scene)

    def _set_relay(self, *, is_on: bool) -> None:
        if self._relay is not None:
            self._relay.value = is_on

    def _draw(self, lit: frozenset[Part]) -> None:
        for part, device in self._devices.items():
            if part not in lit:
                device.off()
        for part, device in self._devices.items():
            if part in lit:
                device.on()


def switch_off(left_on: Sequence[Fitting], factory: Factory) -> None:
    """Put outputs of a process that is gone off, the last one first, each whatever the others do.

    Raises:
        GpioError: An output may still be on.
    """
    failures: list[GpioError] = []
    for fitting in reversed(left_on):
        try:
            with ExitStack() as stack:
                _open(fitting, factory, stack)
        except GpioError as error:
            failures.append(error)
    if failures:
        raise GpioError(*map(str, failures))


def _open(fitting: Fitting, factory: Factory, stack: ExitStack) -> OutputDevice:
    try:
        device = OutputDevice(
            fitting.pin, active_high=fitting.is_active_high, initial_value=False, pin_factory=factory
        )
    except Exception as error:  # lgpio's error derives from Exception only
        raise gpio_error(f"The {fitting.part.value} on GPIO{fitting.pin} cannot be opened", error) from error
    stack.callback(device.close)
    # gpiozero's close() makes the pin an input at whatever level it has: off comes first.
    stack.callback(device.off)
    return device
