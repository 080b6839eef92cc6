"""Open the lights when the service starts."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pi_mask import build
from pi_mask.indicator.base import SelfTesting
from pi_mask.types import Verdict

if TYPE_CHECKING:
    from pi_mask.history import History
    from pi_mask.indicator.base import Indicator
    from pi_mask.settings import IndicatorSettings


def open_indicator(settings: IndicatorSettings, history: History) -> Indicator:
    """Open what the settings name; on the service's pins, show that it works.

    Unless something failed just now, as after boot, each light and the buzzer come on once: restarts spare
    people the beep. Then FAULT stays until the first verdict, because the door does not work yet.

    Args:
        settings: The indicator's.
        history: The service's; without a folder, as outside the service, nothing of this is done.

    Raises:
        GpioError: The pins cannot be had, or did not obey; they are released.
    """
    if history.folder is None or settings.kind != "gpio":
        return build.INDICATORS[settings.kind](settings)
    from pi_mask.indicator.off import leave_wiring

    leave_wiring(history.folder, settings.gpio)
    with ExitStack() as on_failure:
        indicator = on_failure.enter_context(closing(build.INDICATORS[settings.kind](settings)))
        if settings.self_test and not history.failures and isinstance(indicator, SelfTesting):
            indicator.self_test()
        indicator.show(Verdict.FAULT)
        on_failure.pop_all()
    return indicator
