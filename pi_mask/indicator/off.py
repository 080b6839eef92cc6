"""Switch off the outputs that a process left on when it died.

Raspberry Pi OS keeps the levels of a dead process's pins, a released door included.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pi_mask.errors import GpioError
from pi_mask.indicator.gpio import Fitting, fittings, switch_off
from pi_mask.indicator.patterns import Part
from pi_mask.indicator.pins import open_factory

if TYPE_CHECKING:
    from pi_mask.settings import GpioSettings

logger = logging.getLogger(__name__)

WIRING: Final = "wiring.json"


def leave_wiring(folder: Path, settings: GpioSettings) -> None:
    """Write down what is about to be driven, for ``clear_up`` in another process.

    Not the configuration, which may be edited or damaged meanwhile, and takes four times as long to load.
    """
    wired = [(part.part.value, part.pin, part.is_active_high) for part in fittings(settings)]
    part = folder / f"{WIRING}.part"
    try:
        part.write_text(json.dumps({"pin_factory": settings.pin_factory, "fittings": wired}))
        part.replace(folder / WIRING)
    except OSError as error:
        logger.warning(
            "%s cannot be written: %s. Outputs stay on after a crash. Free some memory.", part, error.strerror
        )


def clear_up(folder: Path) -> None:
    """Switch off what the last process drove, once; nothing where none did.

    Raises:
        GpioError: An output may still be on; the next call tries again.
    """
    try:
        wiring = json.loads((folder / WIRING).read_bytes())
        left = [Fitting(Part(name), pin, is_active_high) for name, pin, is_active_high in wiring["fittings"]]
        factory_name = wiring["pin_factory"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GpioError(f"{folder / WIRING} cannot be read ({error}). Restart the Pi.") from error
    factory = open_factory(factory_name)
    try:
        switch_off(left, factory)
    finally:
        factory.close()
    # A later process may drive other pins or none: these may then be somebody else's.
    (folder / WIRING).unlink()
