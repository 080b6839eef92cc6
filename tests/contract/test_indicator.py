"""Hold every indicator to the same contract."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import groupby, product

import pytest

from pi_mask.errors import PiMaskError
from pi_mask.indicator.base import Indicator
from pi_mask.indicator.console import ConsoleIndicator
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.settings import GpioSettings
from pi_mask.testing import RecordingIndicator
from pi_mask.types import Verdict

OPENERS: dict[str, Callable[[], Indicator]] = {
    "gpio": lambda: GpioIndicator(GpioSettings(pin_factory="mock", relay_pin=24)),
    "console": lambda: ConsoleIndicator(io.StringIO()),
    "recording": RecordingIndicator,
}


@pytest.fixture(params=OPENERS)
def indicator(request: pytest.FixtureRequest) -> Indicator:
    """Open one of the indicators; the tests close it."""
    return OPENERS[request.param]()


def test_every_change_can_be_shown(indicator: Indicator) -> None:
    """Each verdict, degraded or not, may follow each other one."""
    states = list(product(Verdict, (False, True)))
    walk = [state for transition in product(states, states) for state in transition]

    for (verdict, is_degraded), _ in groupby(walk):
        indicator.show(verdict, is_degraded=is_degraded)

    indicator.close()


def test_close_twice_is_fine(indicator: Indicator) -> None:
    """Closing again does nothing."""
    indicator.show(Verdict.MASK)

    indicator.close()
    indicator.close()


def test_close_without_a_verdict_is_fine(indicator: Indicator) -> None:
    """An indicator that was never told anything closes all the same."""
    indicator.close()


@pytest.mark.parametrize("verdict", Verdict)
def test_nothing_is_shown_after_close(indicator: Indicator, verdict: Verdict) -> None:
    """After close a verdict is refused with an error, so no light can come on again."""
    indicator.close()

    with pytest.raises(PiMaskError, match=r"^The .*indicator is closed\. "):
        indicator.show(verdict)
