"""Hold the GPIO indicator to its table of lamps, buzzer and relay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product
from typing import Any

import pytest
from gpiozero import OutputDevice

from pi_mask.errors import GpioError
from pi_mask.indicator.gpio import GpioIndicator, Timing
from pi_mask.indicator.player import THREAD_NAME, Wait
from pi_mask.settings import GpioSettings
from pi_mask.testing import watched_mock_factory
from pi_mask.types import Verdict

GREEN, AMBER, RED, BUZZER, RELAY = 17, 27, 22, 23, 24
EVERY_TRANSITION = list(product(Verdict, Verdict))
NOON = datetime(2026, 3, 1, 12, 0)


class Metronome:
    """Stand in for ``Event.wait``: so many ticks pass without waiting, then the scene stands still."""

    def __init__(self, ticks: int = 0, each: Callable[[], None] = lambda: None) -> None:
        self.ticks = ticks
        self.each = each
        self.has_stopped = threading.Event()

    def __call__(self, stopping: threading.Event, seconds: float) -> bool:
        assert seconds == 0.1
        self.each()
        if self.ticks == 0:
            self.has_stopped.set()
            return stopping.wait()
        self.ticks -= 1
        return stopping.is_set()


class Door:
    """A GPIO indicator on mock pins whose changes are written down."""

    def __init__(self, wait: Wait | None = None, **settings: Any) -> None:
        self.changes: list[tuple[str, bool]] = []
        self.seconds = 0.0
        self.local_time = NOON
        self.settings = GpioSettings(**settings)
        self.factory = watched_mock_factory(self.settings, lambda *change: self.changes.append(change))
        self.timing = Timing(lambda: self.seconds, lambda: self.local_time, wait or Metronome())
        self.indicator = GpioIndicator(self.settings, pin_factory=self.factory, timing=self.timing)

    def levels(self, *pins: int) -> list[bool]:
        return [self.factory.pin(pin).state for pin in pins]

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> list[tuple[str, bool]]:
        """Show a verdict and return the changes that this made."""
        del self.changes[:]
        self.indicator.show(verdict, is_degraded=is_degraded)
        return list(self.changes)


@pytest.fixture
def opened() -> Iterator[Callable[..., Door]]:
    """Open doors and close them after the test."""
    doors: list[Door] = []

    def open_door(wait: Wait | None = None, **settings: Any) -> Door:
        doors.append(Door(wait, **settings))
        return doors[-1]

    yield open_door
    for door in doors:
        door.indicator.close()


def lamp_threads() -> list[threading.Thread]:
    """Return the threads that play a rhythm now."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


AT_FIRST = {
    Verdict.IDLE: ["amber"],
    Verdict.CHECKING: ["amber"],
    Verdict.MASK: ["green"],
    Verdict.INCORRECT: ["amber", "buzzer"],
    Verdict.NO_MASK: ["red", "buzzer"],
    Verdict.FAULT: ["red"],
}


@pytest.mark.parametrize(("old", "new"), EVERY_TRANSITION)
def test_every_change_of_verdict_turns_off_before_it_turns_on(
    opened: Callable[..., Door], old: Verdict, new: Verdict
) -> None:
    """What the new verdict does not want goes out first, only then does the rest come on."""
    door = opened(buzzer_cooldown_s=0.0)
    door.show(old)

    changes = door.show(new)

    off = [(part, False) for part in AT_FIRST[old] if part not in AT_FIRST[new]]
    on = [(part, True) for part in AT_FIRST[new] if part not in AT_FIRST[old]]
    assert changes == off + on


@pytest.mark.parametrize(("old", "new"), EVERY_TRANSITION)
@pytest.mark.parametrize("is_active_high", [True, False])
def test_every_change_of_verdict_ends_on_the_right_levels(
    opened: Callable[..., Door], old: Verdict, new: Verdict, is_active_high: bool
) -> None:
    """Right after a change the lamps of the new verdict are on, all others off: green on MASK only."""
    door = opened(buzzer_pin=None, leds_active_high=is_active_high)
    door.show(old)

    door.show(new)

    lamps = [part in AT_FIRST[new] for part in ("green", "amber", "red")]
    assert door.levels(GREEN, AMBER, RED) == [is_on is is_active_high for is_on in lamps]


PAUSE = 27 * "."
RHYTHMS = {
    (Verdict.IDLE, False): {"amber": "#.." + PAUSE},
    (Verdict.IDLE, True): {"amber": "#.#" + PAUSE},
    (Verdict.CHECKING, False): {"amber": 3 * "#####....."},
    (Verdict.CHECKING, True): {"amber": 3 * "#.#......."},
    (Verdict.MASK, True): {"green": 30 * "#", "amber": "#.#" + PAUSE},
    (Verdict.INCORRECT, False): {"amber": 3 * "#####.....", "red": 3 * ".....#####", "buzzer": "###" + PAUSE},
    (Verdict.INCORRECT, True): {"amber": 3 * "#.#.......", "red": 3 * ".....#####", "buzzer": "###" + PAUSE},
    (Verdict.NO_MASK, True): {"amber": "#.#" + PAUSE, "red": 30 * "#", "buzzer": "###..###..###" + 17 * "."},
    (Verdict.FAULT, False): {"red": 7 * "##.." + "##"},
    (Verdict.FAULT, True): {"amber": "#.#" + PAUSE, "red": 7 * "##.." + "##"},
}


@pytest.mark.parametrize(("shown", "rhythms"), RHYTHMS.items(), ids=str)
def test_three_seconds_of_every_moving_scene(
    opened: Callable[..., Door], shown: tuple[Verdict, bool], rhythms: dict[str, str]
) -> None:
    """Every tick of 0.1 s finds each pin as the table of patterns draws it."""
    samples: list[list[bool]] = []
    metronome = Metronome(29, lambda: samples.append(door.levels(GREEN, AMBER, RED, BUZZER)))
    door = opened(metronome)

    door.show(shown[0], is_degraded=shown[1])

    assert metronome.has_stopped.wait(60)
    seen = {
        part: "".join("#" if level else "." for level in levels)
        for part, levels in zip(("green", "amber", "red", "buzzer"), zip(*samples, strict=True), strict=True)
    }
    assert seen == dict.fromkeys(("green", "amber", "red", "buzzer"), 30 * ".") | rhythms


def test_no_mask_beeps_three_times_then_only_the_red_lamp_stays(opened: Callable[..., Door]) -> None:
    """The buzzer ends with its pattern, and the thread that played it ends too."""
    metronome = Metronome(1000)
    door = opened(metronome)

    door.show(Verdict.NO_MASK)
    for thread in lamp_threads():
        thread.join()

    beep = [("buzzer", True), ("buzzer", False)]
    assert door.changes == [("red", True), *beep, *beep, *beep]
    assert metronome.ticks == 1000 - 13


def test_a_steady_scene_needs_no_thread(opened: Callable[..., Door]) -> None:
    """While a plain MASK is shown nothing runs in the background, whatever moved before it."""
    door = opened()
    door.show(Verdict.CHECKING)
    door.show(Verdict.IDLE)
    assert len(lamp_threads()) == 1

    door.show(Verdict.MASK)

    assert lamp_threads() == []


def test_the_same_verdict_again_does_not_start_over(opened: Callable[..., Door]) -> None:
    """Telling the same thing twice leaves the running rhythm alone."""
    metronome = Metronome(7)
    door = opened(metronome)
    door.show(Verdict.CHECKING)
    assert metronome.has_stopped.wait(60)
    (thread,) = lamp_threads()

    assert door.show(Verdict.CHECKING) == []
    assert lamp_threads() == [thread]
    assert door.levels(AMBER) == [False]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("is_active_high", [True, False])
def test_close_leaves_every_output_off(verdict: Verdict, is_active_high: bool) -> None:
    """After close, called twice, each pin rests at its off level as an input, and no thread is left."""
    door = Door(
        leds_active_high=is_active_high,
        buzzer_active_high=is_active_high,
        relay_active_high=is_active_high,
        relay_pin=RELAY,
    )
    door.show(verdict, is_degraded=True)

    door.indicator.close()
    door.indicator.close()

    pins = (GREEN, AMBER, RED, BUZZER, RELAY)
    assert door.levels(*pins) == 5 * [not is_active_high]
    assert [door.factory.pin(pin).function for pin in pins] == 5 * ["input"]
    assert lamp_threads() == []


@pytest.mark.parametrize("is_active_high", [True, False])
def test_nothing_flashes_before_the_first_verdict(opened: Callable[..., Door], is_active_high: bool) -> None:
    """Opening the pins switches nothing on."""
    door = opened(
        leds_active_high=is_active_high,
        buzzer_active_high=is_active_high,
        relay_active_high=is_active_high,
        relay_pin=RELAY,
    )

    assert door.changes == []
    assert door.levels(GREEN, AMBER, RED, BUZZER, RELAY) == 5 * [not is_active_high]


RELAY_IS_ON = {
    "fail_secure": {
        "before the first verdict": False,
        Verdict.IDLE: False,
        Verdict.CHECKING: False,
        Verdict.MASK: True,
        Verdict.INCORRECT: False,
        Verdict.NO_MASK: False,
        Verdict.FAULT: False,
        "after close": False,
    },
    "fail_safe": {
        "before the first verdict": False,
        Verdict.IDLE: True,
        Verdict.CHECKING: True,
        Verdict.MASK: False,
        Verdict.INCORRECT: True,
        Verdict.NO_MASK: True,
        Verdict.FAULT: False,
        "after close": False,
    },
}


@pytest.mark.parametrize("mode", RELAY_IS_ON)
@pytest.mark.parametrize("is_active_high", [True, False])
@pytest.mark.parametrize("is_degraded", [True, False])
def test_the_relay_in_every_verdict(mode: str, is_active_high: bool, is_degraded: bool) -> None:
    """fail_secure has power on MASK only; fail_safe loses it on MASK and FAULT; both end without power."""
    door = Door(relay_pin=RELAY, relay_mode=mode, relay_active_high=is_active_high)
    levels: dict[object, bool] = {"before the first verdict": door.levels(RELAY)[0]}

    for verdict in Verdict:
        door.show(verdict, is_degraded=is_degraded)
        levels[verdict] = door.levels(RELAY)[0]
    door.indicator.close()
    levels["after close"] = door.levels(RELAY)[0]

    assert levels == {when: is_on is is_active_high for when, is_on in RELAY_IS_ON[mode].items()}


@pytest.mark.parametrize(("mode", "to_release"), [("fail_secure", True), ("fail_safe", False)])
def test_the_door_locks_first_and_opens_last(
    opened: Callable[..., Door], mode: str, to_release: bool
) -> None:
    """The relay releases the door after green is lit, and locks it before green goes out."""
    door = opened(relay_pin=RELAY, relay_mode=mode)
    door.show(Verdict.CHECKING)

    entering = door.show(Verdict.MASK)
    leaving = door.show(Verdict.NO_MASK)

    assert entering == [("amber", False), ("green", True), ("relay", to_release)]
    assert leaving == [("relay", not to_release), ("green", False), ("red", True), ("buzzer", True)]


def test_close_acts_on_the_door_first() -> None:
    """Closing takes the relay to its safe side before it waits for the rhythm or touches the lamps."""

    def wait(stopping: threading.Event, _seconds: float) -> bool:
        stopping.wait()
        door.changes.append(("rhythm", False))
        return True

    door = Door(wait, relay_pin=RELAY)
    door.show(Verdict.MASK, is_degraded=True)
    del door.changes[:]

    door.indicator.close()

    assert door.changes == [("relay", False), ("rhythm", False), ("amber", False), ("green", False)]


def test_the_buzzer_cools_down(opened: Callable[..., Door]) -> None:
    """A stop verdict within the cool-down is shown, not sounded; the next one after it sounds again."""
    door = opened(buzzer_cooldown_s=5.0)
    sounded = []
    for door.seconds, verdict in [
        (60.0, Verdict.NO_MASK),
        (61.0, Verdict.CHECKING),
        (64.9, Verdict.INCORRECT),
        (64.95, Verdict.NO_MASK),
        (64.97, Verdict.IDLE),
        (65.0, Verdict.NO_MASK),
    ]:
        sounded.append(("buzzer", True) in door.show(verdict))

    assert sounded == [True, False, False, False, False, True]


def test_quiet_hours_silence_the_buzzer_only(opened: Callable[..., Door]) -> None:
    """In the quiet hours, across midnight too, the red lamp comes without a sound."""
    door = opened(quiet_hours="22:00-06:30", buzzer_cooldown_s=0.0)
    heard = []
    for clock_time in ("21:59", "22:00", "00:00", "06:29", "06:30"):
        door.local_time = datetime.fromisoformat(f"2026-03-01T{clock_time}")
        heard.append(door.show(Verdict.NO_MASK))
        door.show(Verdict.MASK)

    quiet, loud = [("green", False), ("red", True)], [("green", False), ("red", True), ("buzzer", True)]
    assert heard == [loud[1:], quiet, quiet, quiet, loud]


def test_losing_the_accelerator_does_not_beep(opened: Callable[..., Door]) -> None:
    """The amber sign joins a standing NO_MASK without sounding the buzzer again."""
    door = opened(buzzer_cooldown_s=0.0)
    door.show(Verdict.NO_MASK)

    assert door.show(Verdict.NO_MASK, is_degraded=True) == [("buzzer", False), ("amber", True)]


def test_a_self_test_ends_the_rhythm_before_it(opened: Callable[..., Door]) -> None:
    """Each lamp and the buzzer come on once and alone, also where something blinked; then all is still."""

    def wait(stopping: threading.Event, _seconds: float) -> bool:
        return stopping.is_set() if threading.current_thread() is threading.main_thread() else stopping.wait()

    door = opened(wait)
    door.show(Verdict.CHECKING)
    del door.changes[:]

    door.indicator.self_test()

    once = [(part, is_on) for part in ("red", "amber", "green", "buzzer") for is_on in (True, False)]
    assert door.changes == [("amber", False), *once]
    assert lamp_threads() == []


def test_parts_that_are_not_fitted_are_left_out(opened: Callable[..., Door]) -> None:
    """Without buzzer and relay the lamps alone are driven."""
    door = opened(buzzer_pin=None, relay_pin=None)

    door.show(Verdict.NO_MASK)

    assert door.changes == [("red", True)]
    assert lamp_threads() == []


def test_a_pin_in_use_is_an_error_that_releases_the_others(opened: Callable[..., Door]) -> None:
    """A second indicator on a taken pin gives back what it opened and leaves the first one alone."""
    door = opened()
    door.show(Verdict.MASK)

    with pytest.raises(
        GpioError, match=r"^The red on GPIO22 cannot be opened \(pin GPIO22 is already in use"
    ):
        GpioIndicator(GpioSettings(green_pin=5, amber_pin=6, red_pin=RED), pin_factory=door.factory)

    for pin in (5, 6):
        OutputDevice(pin, pin_factory=door.factory).close()
    assert door.levels(GREEN, AMBER, RED) == [True, False, False]
