"""Check the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine
from pi_mask.errors import SettingsError

if TYPE_CHECKING:
    from pi_mask.settings import LoadedSettings

WRONG = Symptom("config-wrong", Status.FAULT, "{error}", 'Correct it; "pi-mask config check" tells more.')
NOT_THE_SERVICES = Symptom(
    "config-not-the-services",
    Status.WARNING,
    "Checked with {path}; the service uses {system}.",
    "To check with the service's: pi-mask doctor --config {system}",
)
NOT_CHECKED = Symptom(
    "config-in-the-way",
    Status.WARNING,
    "Not checked: the configuration is wrong.",
    "Correct the configuration, then run this again.",
)


def check_config(machine: Machine, loaded: LoadedSettings | SettingsError) -> Iterator[Result]:
    """Say which file was read, or all that is wrong with the settings."""
    from pi_mask.settings import SYSTEM_CONFIG

    if isinstance(loaded, SettingsError):
        for line in loaded.lines:
            yield WRONG.caused_by(SettingsError(line))
        return
    file = loaded.config or "No configuration file"
    yield ok(f"{file}; settings that differ from their defaults: {len(changed(loaded))}")
    if machine.service.is_installed and loaded.config != SYSTEM_CONFIG and SYSTEM_CONFIG.exists():
        yield NOT_THE_SERVICES.found(path=loaded.config or "the defaults", system=SYSTEM_CONFIG)


def changed(loaded: LoadedSettings) -> list[str]:
    """The dotted keys of all settings that differ from their defaults."""
    from pi_mask.settings import Settings, value_of

    defaults = Settings()
    return [key for key in loaded.sources if value_of(loaded.settings, key) != value_of(defaults, key)]
