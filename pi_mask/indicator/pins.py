"""Open gpiozero's pin factories."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from gpiozero import Factory
from gpiozero.pins.mock import MockFactory, MockPin

from pi_mask.errors import GpioError

logger = logging.getLogger(__name__)

# gpiozero's own order of preference (gpiozero 2.0.1, Device._default_pin_factory). Its loader is not called,
# because it obeys GPIOZERO_PIN_FACTORY=mock and keeps the factory in a global that others may have set.
REAL_FACTORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lgpio": "gpiozero.pins.lgpio:LGPIOFactory",
        "rpigpio": "gpiozero.pins.rpigpio:RPiGPIOFactory",
        "pigpio": "gpiozero.pins.pigpio:PiGPIOFactory",
        "native": "gpiozero.pins.native:NativeFactory",
    }
)

_ENVIRONMENT_KEY: Final = "GPIOZERO_PIN_FACTORY"


def open_factory(name: str, real_factories: Mapping[str, str] = REAL_FACTORIES) -> Factory:
    """Open the pin factory that the settings name.

    Args:
        name: A key of ``real_factories``; "auto" for the first of them that works, or the one that
            ``GPIOZERO_PIN_FACTORY`` names; "mock" for pins that exist in memory only.
        real_factories: Name to "module:class", in order of preference.

    Raises:
        GpioError: None works, or the environment asks for mock pins or for what is no factory.
    """
    if name == "mock":
        logger.warning("Mock pins: no real light is driven.")
        return MockFactory(pin_class=MockPin)
    if name != "auto":
        return _open_first([name], real_factories)
    preferred = os.environ.get(_ENVIRONMENT_KEY, "").strip().lower()
    if preferred == "mock":
        raise GpioError(
            f"{_ENVIRONMENT_KEY}=mock would replace the real pins by mock pins. "
            'Unset it, or choose the mock openly with indicator.gpio.pin_factory = "mock".'
        )
    if preferred and preferred not in real_factories:
        raise GpioError(
            f"{_ENVIRONMENT_KEY}={preferred} names no pin factory. "
            f"Unset it, or choose one of {', '.join(real_factories)}."
        )
    return _open_first([preferred] if preferred else list(real_factories), real_factories)


def _open_first(names: list[str], real_factories: Mapping[str, str]) -> Factory:
    reasons: list[str] = []
    for name in names:
        module, _, class_name = real_factories[name].partition(":")
        try:
            factory = getattr(import_module(module), class_name)()
        except Exception as error:  # each library has its own; lgpio's derives from Exception only
            reasons.append(f"{name}: {_one_line(error)}")
        else:
            logger.info("GPIO pins are driven by %s.", name)
            return factory
    raise GpioError(f"No GPIO pins can be opened ({'; '.join(reasons)}). {_advice('; '.join(reasons))}")


def gpio_error(what_failed: str, error: Exception) -> GpioError:
    """Turn a pin library's error into one line that says what to do."""
    reason = _one_line(error)
    return GpioError(f"{what_failed} ({reason}). {_advice(f'{type(error).__name__}: {reason}')}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_ADVICE: Final = (
    (
        ("busy", "in use"),
        "Another program holds the pin: stop it (perhaps the service: sudo systemctl stop pi-mask), "
        "or choose another pin.",
    ),
    (
        (".lgd-nfy",),
        "lgpio keeps a small file in the working directory: start pi-mask from a folder it may write to.",
    ),
    (
        ("permission", "not allowed", "no access", "can not open gpiochip"),
        "Add this user to the group gpio (sudo usermod -aG gpio $USER) and log in again.",
    ),
)
_GENERAL_ADVICE: Final = (
    "On a Raspberry Pi install python3-lgpio (a Pi 5 needs it) and run pi-mask doctor; "
    "elsewhere use --indicator console."
)


def _advice(reason: str) -> str:
    lowered = reason.lower()
    return next(
        (advice for words, advice in _ADVICE if any(word in lowered for word in words)), _GENERAL_ADVICE
    )
