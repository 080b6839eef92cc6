"""Test pi_mask.startup on mock pins whose changes are written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pi_mask import build
from pi_mask.errors import GpioError
from pi_mask.history import History
from pi_mask.indicator.console import ConsoleIndicator
from pi_mask.indicator.gpio import GpioIndicator, Timing
from pi_mask.indicator.off import WIRING
from pi_mask.settings import GpioSettings, IndicatorSettings
from pi_mask.startup import open_indicator
from pi_mask.testing import watched_mock_factory
from pi_mask.types import Verdict

Change = tuple[str, bool]
LAMPS: list[Change] = [
    (part, is_on) for part in ("red", "amber", "green", "buzzer") for is_on in (True, False)
]
FAULT: list[Change] = [("red", True)]


class Place:
    """A service's folder and lamps; ``open`` is what the service does when it starts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.changes: list[Change] = []
        self.waits: list[float] = []
        self.local_time = datetime(2026, 3, 1, 12, 0)
        self.history = History(folder, clock=lambda: 1000.0)
        monkeypatch.setattr(build, "INDICATORS", {**build.INDICATORS, "gpio": self._make})

    def open(self, *, self_test: bool = True, kind: str = "gpio", **gpio: Any) -> list[Change]:
        """Open the lamps, then close them; return the changes until the door would be watched."""
        settings = IndicatorSettings(kind=kind, self_test=self_test, gpio=GpioSettings(**gpio))  # type: ignore[arg-type]
        indicator = open_indicator(settings, self.history)
        changes = list(self.changes)
        indicator.close()
        return changes

    def _make(self, settings: IndicatorSettings) -> GpioIndicator:
        factory = watched_mock_factory(settings.gpio, lambda *change: self.changes.append(change))
        timing = Timing(lambda: 0.0, lambda: self.local_time, self._wait)
        return GpioIndicator(settings.gpio, pin_factory=factory, timing=timing)

    def _wait(self, stopping: threading.Event, seconds: float) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return stopping.wait()  # FAULT's blinking stands still
        self.waits.append(seconds)
        return False


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A service that starts for the first time."""
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize("is_active_high", [True, False])
def test_each_lamp_and_the_buzzer_come_on_once(place: Place, is_active_high: bool) -> None:
    """Red, amber, green and the buzzer, one after the other and alone, then FAULT until the first verdict."""
    levels = {"leds_active_high": is_active_high, "buzzer_active_high": is_active_high}

    assert place.open(**levels) == [*LAMPS, *FAULT]
    assert place.waits == [0.1] * 20


def test_the_relay_takes_no_part(place: Place) -> None:
    """The door stays shut while the lamps are tested."""
    assert place.open(relay_pin=24) == [*LAMPS, *FAULT]


@pytest.mark.parametrize("mode", ["fail_secure", "fail_safe"])
def test_a_fault_at_start_leaves_the_relay_without_power(place: Place, mode: str) -> None:
    """Whichever way the relay is wired, it gets no power before there is a verdict."""
    assert ("relay", True) not in place.open(relay_pin=24, relay_mode=mode)


def test_no_buzzer_is_no_hurdle(place: Place) -> None:
    """Without a buzzer the lamps alone are shown."""
    assert place.open(buzzer_pin=None) == [*LAMPS[:6], *FAULT]


def test_quiet_hours_silence_the_self_test(place: Place) -> None:
    """A power cut at night wakes nobody: lamps only."""
    place.local_time = datetime(2026, 3, 1, 3, 0)

    assert place.open(quiet_hours="22:00-06:30") == [*LAMPS[:6], *FAULT]


def test_a_restart_after_a_failure_spares_people_the_beep(place: Place) -> None:
    """What failed a moment ago goes straight to FAULT."""
    place.history.note("core-dump")

    assert place.open() == FAULT


def test_the_owner_may_switch_the_self_test_off(place: Place) -> None:
    """With self_test = false there is FAULT only."""
    assert place.open(self_test=False) == FAULT


def test_outside_the_service_nothing_is_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts pi-mask run by hand sees no self-test and no fault, and no file is left."""
    place = Place(tmp_path, monkeypatch)
    place.history = History(None)

    assert place.open() == []
    assert list(tmp_path.iterdir()) == []


def test_a_console_needs_no_pins(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A service that prints its verdicts opens no pin and leaves no wiring."""
    indicator = open_indicator(IndicatorSettings(kind="console"), place.history)

    assert isinstance(indicator, ConsoleIndicator)
    assert (place.changes, list(place.folder.iterdir())) == ([], [])


def test_the_wiring_is_written_down_before_a_pin_is_opened(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to the process after, another one knows what to switch off."""
    found: list[object] = []

    def refuse(_: IndicatorSettings) -> GpioIndicator:
        found.append(json.loads((place.folder / WIRING).read_text()))
        raise GpioError("The pins are busy.")

    monkeypatch.setattr(build, "INDICATORS", {"gpio": refuse})

    with pytest.raises(GpioError):
        place.open(relay_pin=24, relay_active_high=False)

    fittings = [
        ["green", 17, True],
        ["amber", 27, True],
        ["red", 22, True],
        ["buzzer", 23, True],
        ["relay", 24, False],
    ]
    assert found == [{"pin_factory": "auto", "fittings": fittings}]


@pytest.mark.parametrize("failing", ["self_test", "show"])
def test_lamps_that_fail_the_start_are_released(
    place: Place, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """A lamp that does not obey ends the start with an error, and the pins are free for the next try."""
    closed: list[bool] = []

    def fail(*_: object, **__: object) -> None:
        raise GpioError("A lamp does not obey.")

    close: Callable[[GpioIndicator], None] = GpioIndicator.close
    monkeypatch.setattr(GpioIndicator, failing, fail)
    monkeypatch.setattr(GpioIndicator, "close", lambda self: (closed.append(True), close(self)))

    with pytest.raises(GpioError, match="does not obey"):
        place.open()

    assert closed == [True]


def test_the_first_verdict_ends_the_fault(place: Place) -> None:
    """FAULT stays no longer than until the door is watched."""
    indicator = open_indicator(IndicatorSettings(), place.history)
    del place.changes[:]

    indicator.show(Verdict.MASK)

    assert place.changes == [("red", False), ("green", True)]
    indicator.close()
