"""Hold the choice of pins to what the owner chose, and pin errors to saying what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from gpiozero.pins.mock import MockFactory

from pi_mask.errors import GpioError
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.indicator.pins import gpio_error, open_factory
from pi_mask.settings import GpioSettings
from pi_mask.types import Verdict


def test_mock_pins_must_be_chosen_openly(caplog: pytest.LogCaptureFixture) -> None:
    """The setting "mock" gives mock pins and says in the log that no light is driven."""
    with_mock = GpioIndicator(GpioSettings(pin_factory="mock"))
    with_mock.show(Verdict.MASK)
    with_mock.close()

    assert isinstance(open_factory("mock"), MockFactory)
    assert caplog.messages == 2 * ["Mock pins: no real light is driven."]


@pytest.mark.parametrize("value", ["mock", "Mock", " MOCK "])
def test_the_environment_cannot_choose_mock_pins(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """With "auto", GPIOZERO_PIN_FACTORY=mock is refused with the way to choose it openly."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", value)

    with pytest.raises(GpioError) as caught:
        GpioIndicator(GpioSettings(pin_factory="auto"))

    assert str(caught.value) == (
        "GPIOZERO_PIN_FACTORY=mock would replace the real pins by mock pins. "
        'Unset it, or choose the mock openly with indicator.gpio.pin_factory = "mock".'
    )


FIRST_IS_MISSING = {"lgpio": "no_such_pin_library:Factory", "native": "types:SimpleNamespace"}


def test_auto_takes_the_first_factory_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """With "auto", a library that is missing is passed over."""
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)

    assert open_factory("auto", FIRST_IS_MISSING) == SimpleNamespace()


def test_auto_obeys_the_environment_for_real_factories(monkeypatch: pytest.MonkeyPatch) -> None:
    """With "auto", GPIOZERO_PIN_FACTORY picks one real factory, and no other takes its place."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")

    with pytest.raises(GpioError, match=r"^No GPIO pins can be opened \(lgpio: No module named"):
        open_factory("auto", FIRST_IS_MISSING)


def test_a_named_factory_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A factory that the settings name is used or is an error, whatever the environment says."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")

    with pytest.raises(GpioError) as caught:
        open_factory("lgpio", FIRST_IS_MISSING)

    assert str(caught.value) == (
        "No GPIO pins can be opened (lgpio: No module named 'no_such_pin_library'). On a Raspberry Pi "
        "install python3-lgpio (a Pi 5 needs it) and run pi-mask doctor; "
        "elsewhere use --indicator console."
    )


def test_an_unknown_factory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that gpiozero does not know is answered with who gave it and the names that exist."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "wiringpi")

    with pytest.raises(GpioError) as caught:
        open_factory("auto")

    assert str(caught.value) == (
        "GPIOZERO_PIN_FACTORY=wiringpi names no pin factory. "
        "Unset it, or choose one of lgpio, rpigpio, pigpio, native."
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (Exception("'GPIO busy'"), "Another program holds the pin"),
        (PermissionError(13, "Permission denied"), "Add this user to the group gpio"),
        (Exception("'can not open gpiochip'"), "Add this user to the group gpio"),
        (FileNotFoundError(2, "No such file or directory", ".lgd-nfy-3"), "lgpio keeps a small file"),
        (
            RuntimeError("Cannot determine SOC peripheral base address"),
            "On a Raspberry Pi install python3-lgpio",
        ),
    ],
    ids=str,
)
def test_pin_errors_say_what_to_do(error: Exception, advice: str) -> None:
    """The commonest troubles with pins each come with their own remedy, in one line."""
    message = str(gpio_error("The red on GPIO22 cannot be opened", error))

    assert message.startswith(f"The red on GPIO22 cannot be opened ({error}). {advice}")
    assert "\n" not in message
