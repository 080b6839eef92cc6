"""Test the check of the pins, and how the kernel is asked for their holders."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from pi_mask.doctor import gpio_lines
from pi_mask.doctor.gpio_lines import CHIP_INFO, GET_CHIP_INFO, GET_LINE_INFO, IS_USED, LINE_INFO, holders
from pi_mask.doctor.machine import Service
from pi_mask.doctor.pins import check_pins
from pi_mask.errors import GpioError
from pi_mask.indicator import pins
from pi_mask.settings import GpioSettings, IndicatorSettings, Settings
from tests.doctor.made_up import Root, advised, found

DOOR = Settings()
WIRING = "GPIO17 green, GPIO27 amber, GPIO22 red, GPIO23 buzzer"


class Kernel:
    """Answers the two questions as linux/gpio.h has them.

    Args:
        label: What the chip calls itself.
        taken: Holders per line.
    """

    def __init__(self, label: str, taken: dict[int, str]) -> None:
        self._label, self._taken = label, taken
        self.asked: list[int] = []

    def __call__(self, _chip: int, request: int, buffer: bytearray) -> int:
        if request == GET_CHIP_INFO:
            buffer[:] = CHIP_INFO.pack(b"gpiochip0", self._label.encode(), 54)
            return 0
        assert request == GET_LINE_INFO
        _, _, line, _, _, _, _ = LINE_INFO.unpack(buffer)
        self.asked.append(line)
        holder = self._taken.get(line)
        flags = 0 if holder is None else IS_USED
        buffer[:] = LINE_INFO.pack(b"", (holder or "").encode(), line, 0, flags, b"", b"")
        return 0


def test_the_structures_have_the_kernels_sizes() -> None:
    """The size is part of each request's number: 68 and 256 bytes."""
    assert (CHIP_INFO.size, GET_CHIP_INFO >> 16 & 0x3FFF) == (68, 68)
    assert (LINE_INFO.size, GET_LINE_INFO >> 16 & 0x3FFF) == (256, 256)


@pytest.mark.parametrize("label", ["pinctrl-bcm2711", "pinctrl-bcm2835", "pinctrl-rp1"])
def test_holders_are_named(root: Root, label: str) -> None:
    """On the chip of the header, for the pins in question only."""
    root.put("dev/gpiochip0")
    kernel = Kernel(label, {17: "lg", 22: "", 4: "w1"})

    assert holders(root.folder / "dev", [17, 27, 22], kernel) == {17: "lg", 22: ""}
    assert kernel.asked == [17, 27, 22]


def test_other_chips_are_passed_by(root: Root) -> None:
    """An expander has lines of the same numbers that are no pins of the header."""
    root.put("dev/gpiochip0")

    assert holders(root.folder / "dev", [17], Kernel("raspberrypi-exp-gpio", {17: "x"})) is None


def test_a_kernel_that_does_not_answer_is_no_answer(root: Root) -> None:
    """Without a chip, and with one that knows no such request."""

    def refuse(_chip: int, _request: int, _buffer: bytearray) -> int:
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    without = holders(root.folder / "dev", [17], refuse)
    root.put("dev/gpiochip0")

    assert (without, holders(root.folder / "dev", [17], refuse)) == (None, None)
    assert holders(root.folder / "dev", [17]) is None


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> MockFactory:
    """Pins in memory in the place of the real ones."""
    mock = MockFactory()
    monkeypatch.setattr(pins, "open_factory", lambda _: mock)
    return mock


def ask_kernel(monkeypatch: pytest.MonkeyPatch, root: Root, taken: dict[int, str]) -> None:
    """Let a chip of the header say who holds its lines."""
    root.put("dev/gpiochip0")
    control = Kernel("pinctrl-bcm2711", taken)
    monkeypatch.setattr(gpio_lines, "holders", partial(holders, control=control))


def test_free_pins_are_listed(root: Root, factory: MockFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pin factory in use; not one of them is touched."""
    ask_kernel(monkeypatch, root, {})

    assert found(check_pins(root.machine(), DOOR)) == [("ok", "", f"MockFactory; {WIRING}: all free")]
    assert factory.pins == {}


def test_taken_pins_are_faults_with_their_holders(
    root: Root, factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each; where the kernel knows no name it is the kernel's own."""
    ask_kernel(monkeypatch, root, {17: "spi0 CS0", 22: ""})

    results = list(check_pins(root.machine(), DOOR))

    assert found(results) == [
        ("fault", "pins-taken", "GPIO17 (green) is held by spi0 CS0."),
        ("fault", "pins-taken", "GPIO22 (red) is held by the kernel."),
    ]
    assert [result.exit_code for result in results] == [3, 3]


def test_pins_that_cannot_be_asked_about(root: Root, factory: MockFactory) -> None:
    """It is said so."""
    assert found(check_pins(root.machine(), DOOR)) == [
        ("ok", "", f"MockFactory; {WIRING}; whether they are free cannot be asked")
    ]


def test_the_running_service_has_its_pins(
    root: Root, factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That they are taken is as it should be."""
    ask_kernel(monkeypatch, root, {17: "lg"})
    running = Service(load="loaded", active="active", sub="running")

    assert found(check_pins(root.machine(running), DOOR)) == [
        ("ok", "", f"MockFactory; the running service has {WIRING}")
    ]


def test_no_library_for_the_pins_is_a_fault(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words are message and advice."""

    def refuse(_name: str) -> None:
        raise GpioError("No GPIO pins can be opened (lgpio: none). Install python3-lgpio.")

    monkeypatch.setattr(pins, "open_factory", refuse)
    results = list(check_pins(root.machine(), DOOR))

    assert found(results) == [("fault", "pins-missing", "No GPIO pins can be opened (lgpio: none).")]
    assert (advised(results), results[0].exit_code) == (["Install python3-lgpio."], 3)


def test_mock_pins_and_the_console(root: Root, tmp_path: Path) -> None:
    """Mock pins are a warning, for a door must never have them unnoticed; the console needs none."""
    mock = IndicatorSettings(gpio=GpioSettings(pin_factory="mock"))
    console = IndicatorSettings(kind="console")

    assert found(check_pins(root.machine(), Settings(indicator=mock))) == [
        ("warning", "pins-mock", "Mock pins: no lamp, buzzer or relay is driven.")
    ]
    assert found(check_pins(root.machine(), Settings(indicator=console))) == [
        ("ok", "", "Not used: the console shows verdicts")
    ]
