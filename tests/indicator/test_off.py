"""Test pi_mask.indicator.off."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from pi_mask.errors import GpioError
from pi_mask.indicator import off
from pi_mask.indicator.off import WIRING, clear_up, leave_wiring
from pi_mask.settings import GpioSettings

ALL_LOW = GpioSettings(relay_pin=24)
ALL_HIGH = GpioSettings(
    relay_pin=24, leds_active_high=False, buzzer_active_high=False, relay_active_high=False
)
PINS = (17, 27, 22, 23, 24)


class Board:
    """Pins that keep their levels when a process dies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.factories: list[str] = []
        self.levels: list[tuple[int, bool]] = []
        self.busy: set[int] = set()
        self.is_released = False
        board = self

        class Pin(MockPin):  # type: ignore[misc]  # gpiozero has no type annotations
            def _set_state(self, value: bool) -> None:
                super()._set_state(value)
                if self._function == "output":
                    board.levels.append((self.info.name and int(self.info.name[4:]), bool(value)))

            def _set_function(self, value: str) -> None:
                if value == "output" and int(self.info.name[4:]) in board.busy:
                    raise OSError("GPIO busy")
                super()._set_function(value)

        class Factory(MockFactory):  # type: ignore[misc]
            def close(self) -> None:
                board.is_released = True
                super().close()

        def open_factory(name: str) -> MockFactory:
            self.factories.append(name)
            return Factory(pin_class=Pin)

        monkeypatch.setattr(off, "open_factory", open_factory)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """A board with free pins."""
    return Board(monkeypatch)


@pytest.mark.parametrize(("settings", "level"), [(ALL_LOW, False), (ALL_HIGH, True)], ids=["high", "low"])
def test_everything_that_was_driven_is_put_off(
    tmp_path: Path, board: Board, settings: GpioSettings, level: bool
) -> None:
    """Each output goes to the level that means off, the relay first; then the pins are released."""
    leave_wiring(tmp_path, settings)

    clear_up(tmp_path)

    assert list(dict.fromkeys(board.levels)) == [(pin, level) for pin in reversed(PINS)]
    assert (board.factories, board.is_released) == (["auto"], True)


def test_where_nothing_was_driven_nothing_is_touched(tmp_path: Path, board: Board) -> None:
    """A service that failed before its lights opens no pin."""
    clear_up(tmp_path)

    assert board.factories == []


def test_what_was_put_off_is_not_touched_again(tmp_path: Path, board: Board) -> None:
    """The next process may drive other pins or none: an end of it leaves these alone."""
    leave_wiring(tmp_path, ALL_LOW)
    clear_up(tmp_path)
    del board.levels[:]

    clear_up(tmp_path)

    assert (board.levels, board.factories) == ([], ["auto"])


def test_a_pin_that_does_not_obey_does_not_save_the_others(tmp_path: Path, board: Board) -> None:
    """The error names each output that may still be on, after all others are off; they are tried again."""
    leave_wiring(tmp_path, ALL_LOW)
    board.busy = {24, 27}

    with pytest.raises(GpioError) as error:
        clear_up(tmp_path)

    assert list(dict.fromkeys(board.levels)) == [(pin, False) for pin in (23, 22, 17)]
    assert ["24" in line or "27" in line for line in str(error.value).splitlines()] == [True, True]
    assert board.is_released

    board.busy = set()
    del board.levels[:]
    clear_up(tmp_path)

    assert list(dict.fromkeys(board.levels)) == [(pin, False) for pin in reversed(PINS)]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"pin_factory": "auto"}',
        b'{"pin_factory": "auto", "fittings": [["x", 1, true]]}',
    ],
)
def test_a_damaged_record_is_said(tmp_path: Path, board: Board, damage: bytes) -> None:
    """What was driven cannot be known then, so the error says what to do."""
    (tmp_path / WIRING).write_bytes(damage)

    with pytest.raises(GpioError, match="Restart the Pi"):
        clear_up(tmp_path)


def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, board: Board) -> None:
    """It is an error of the pins with advice, whatever stands in the record's place."""
    (tmp_path / WIRING).mkdir()

    with pytest.raises(GpioError, match="Restart the Pi"):
        clear_up(tmp_path)


def test_a_record_that_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full memory costs the clearing up after a crash, not the door."""
    with caplog.at_level(logging.WARNING, "pi_mask"):
        leave_wiring(tmp_path / "missing", ALL_LOW)

    assert "Outputs stay on after a crash" in caplog.text
