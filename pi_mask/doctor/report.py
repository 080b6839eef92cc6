"""Put the results into words and into JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pi_mask import __version__
from pi_mask.doctor.base import Result, Status
from pi_mask.doctor.config import changed
from pi_mask.doctor.examination import NAMES, exit_code
from pi_mask.errors import SettingsError
from pi_mask.redaction import clean, clean_value
from pi_mask.report import json_line, printable
from pi_mask.settings import LoadedSettings, render_value, value_of

_CHECK_WIDTH: Final = max(map(len, NAMES))
_STATUS_WIDTH: Final = max(len(status.value) for status in Status)
PAGE: Final = "docs/troubleshooting.md"


def result_lines(result: Result) -> Iterator[str]:
    """A line with status, check and message in columns, then one with the advice and the entry's name."""
    message = printable(result.message)
    yield f"{result.status.value:<{_STATUS_WIDTH}}  {result.check:<{_CHECK_WIDTH}}  {message}"
    if result.advice:
        indent = " " * (_STATUS_WIDTH + _CHECK_WIDTH + 4)
        yield f"{indent}{printable(result.advice)} [{result.code}]"


def changed_lines(loaded: LoadedSettings | SettingsError) -> Iterator[str]:
    """Each setting that differs from its default, with its source."""
    if isinstance(loaded, SettingsError):
        return
    keys = changed(loaded)
    if keys:
        yield "Settings that differ from their defaults:"
    for key in keys:
        yield f"  {setting_line(loaded, key)}"


def setting_line(loaded: LoadedSettings, key: str) -> str:
    """A setting in TOML, with its source as a comment."""
    value = render_value(clean_value(key, value_of(loaded.settings, key)))
    return f"{key} = {value}  # {printable(clean(loaded.sources[key]))}"


def summary_line(results: Sequence[Result]) -> str:
    """How many faults and warnings there are, and where they are explained."""
    counts = {status: sum(result.status is status for result in results) for status in Status}
    if len(results) == counts[Status.OK]:
        return "All is well."
    faults, warnings = counts[Status.FAULT], counts[Status.WARNING]
    return f"Faults: {faults}. Warnings: {warnings}. {PAGE} explains the words in brackets."


def report_json(results: Sequence[Result], loaded: LoadedSettings | SettingsError) -> str:
    """The object that ``doctor --json`` prints."""
    return json_line(
        version=__version__,
        exit_code=exit_code(results),
        checks=[_result(result) for result in results],
        settings=_settings(loaded),
    )


def _result(result: Result) -> dict[str, Any]:
    return {
        "check": result.check,
        "status": result.status.value,
        "code": result.code,
        "message": result.message,
        "advice": result.advice,
    }


def _settings(loaded: LoadedSettings | SettingsError) -> list[dict[str, object]]:
    if isinstance(loaded, SettingsError):
        return []
    return [
        {
            "key": key,
            "value": clean_value(key, value_of(loaded.settings, key)),
            "source": clean(source),
        }
        for key, source in loaded.sources.items()
    ]
