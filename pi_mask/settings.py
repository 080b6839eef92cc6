"""Load the settings: flag before environment before TOML file before default."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pi_mask.errors import SettingsError
from pi_mask.redaction import clean
from pi_mask.settings_fields import FIELDS, NONE, SECTIONS, allowed, parse
from pi_mask.settings_indicator import GpioSettings, IndicatorSettings
from pi_mask.settings_model import (
    CameraSettings,
    ModelSettings,
    PolicySettings,
    Settings,
    ThresholdSettings,
    TrackerSettings,
    Zone,
)
from pi_mask.settings_toml import render_toml, render_value, value_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "CameraSettings",
    "GpioSettings",
    "IndicatorSettings",
    "LoadedSettings",
    "ModelSettings",
    "PolicySettings",
    "Settings",
    "ThresholdSettings",
    "TrackerSettings",
    "Zone",
    "load_settings",
    "render_toml",
    "render_value",
    "user_config",
    "value_of",
]

SYSTEM_CONFIG: Final = Path("/etc/pi-mask/config.toml")
PREFIX: Final = "PI_MASK_"
CONFIG_VARIABLE: Final = "PI_MASK_CONFIG"
RESERVED_VARIABLES: Final = frozenset({CONFIG_VARIABLE, "PI_MASK_DEBUG"})
VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {PREFIX + key.upper().replace(".", "_"): key for key in FIELDS}
)
"""The environment's name of every setting, to its dotted key."""

_LONGEST_VALUE: Final = 80
_FRESH_FILE: Final = 'run "pi-mask config init" for a fresh one'


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and where they come from.

    Attributes:
        settings: Complete and valid.
        sources: Per dotted key one of "flag --camera", "environment PI_MASK_CAMERA_KIND", "file /path" or
            "default".
        config: The TOML file that was read; None without one.
    """

    settings: Settings
    sources: Mapping[str, str]
    config: Path | None


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as somebody wrote it."""

    value: object
    source: str


def load_settings(
    flags: Mapping[str, object], *, config: Path | None = None, environ: Mapping[str, str]
) -> LoadedSettings:
    """Merge all sources into valid settings.

    Args:
        flags: Values per dotted key, such as ``{"camera.kind": "webcam"}``; None means "not given".
        config: The TOML file to read. None takes PI_MASK_CONFIG from ``environ``, else the first that exists
            of ``$XDG_CONFIG_HOME/pi-mask/config.toml`` (by default below ``~/.config``) and
            ``/etc/pi-mask/config.toml``, else none.
        environ: The environment, as ``os.environ``.

    Raises:
        SettingsError: With one line for everything that is wrong: key, value, source, what is allowed.
    """
    path, text = _read_config(config, environ)
    problems: list[str] = []
    given: dict[str, _Given] = {}
    if path is not None:
        given.update(_from_file(path, text, problems))
    given.update(_from_environment(environ, problems))
    given.update(_from_flags(flags, problems))
    settings = _validate(given, problems)
    if settings is None:
        raise SettingsError(*problems)
    sources = {key: given[key].source if key in given else "default" for key in FIELDS}
    return LoadedSettings(settings, MappingProxyType(sources), path)


def _read_config(config: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The TOML file to use with its text; a file that was named must exist, the usual ones need not."""
    named = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    origin = "the path" if config else CONFIG_VARIABLE
    for path in [named] if named else _usual_places(environ):
        try:
            return path, _whole(path).decode("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            if named:
                advice = f"Correct {origin}, or {_FRESH_FILE}."
                raise SettingsError(f"The configuration {path} does not exist. {advice}") from None
        except OSError as error:
            reason = error.strerror or error
            raise SettingsError(
                f"The configuration {path} cannot be read ({reason}). Correct that."
            ) from error
        except UnicodeDecodeError as error:
            advice = "Save it as UTF-8 text."
            raise SettingsError(
                f"The configuration {path} is not UTF-8 (byte {error.start}). {advice}"
            ) from error
    return None, ""


def _whole(path: Path) -> bytes:
    """All bytes of a file, of which a device may have no end; /dev/null says that there are no settings."""
    if (path.is_char_device() or path.is_block_device()) and path.resolve() != Path(os.devnull):
        raise OSError(None, "it is a device and no file")
    return path.read_bytes()


def user_config(environ: Mapping[str, str]) -> Path:
    """Where the user's own configuration belongs; the system's place for a user without a home."""
    return next(_usual_places(environ))


def _usual_places(environ: Mapping[str, str]) -> Iterator[Path]:
    """The XDG base directory specification wants a relative XDG_CONFIG_HOME ignored."""
    base = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME", "")
    if Path(base).is_absolute():
        yield Path(base, "pi-mask", "config.toml")
    elif home:
        yield Path(home, ".config", "pi-mask", "config.toml")
    yield SYSTEM_CONFIG


def _from_file(path: Path, text: str, problems: list[str]) -> dict[str, _Given]:
    source = f"file {path}"
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}. Correct it, or {_FRESH_FILE}.") from error
    return {
        key: _Given(None if value == NONE and _is_optional(key) else value, source)
        for key, value in _flatten(document, "", source, problems)
    }


def _flatten(
    table: Mapping[str, Any], prefix: str, source: str, problems: list[str]
) -> Iterator[tuple[str, object]]:
    """Give every known key of a document with its value; note what is unknown."""
    for name, value in table.items():
        key = prefix + name
        if key in FIELDS and "." not in name:
            yield key, value
        elif key not in SECTIONS:
            problems.append(_unknown(key, source, [*FIELDS, *SECTIONS]))
        elif isinstance(value, dict):
            yield from _flatten(value, f"{key}.", source, problems)
        else:
            problems.append(f"{key} = {_shown(value)} ({source}): {key} is a section. Write [{key}] instead.")


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, _Given]:
    given = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED_VARIABLES:
            continue
        if name in VARIABLES:
            key = VARIABLES[name]
            given[key] = _Given(parse(key, environ[name]), f"environment {name}")
        else:
            problems.append(_unknown(name, "environment", [*VARIABLES, *RESERVED_VARIABLES]))
    return given


def _from_flags(flags: Mapping[str, object], problems: list[str]) -> dict[str, _Given]:
    given = {}
    for key, value in flags.items():
        if value is None:
            continue
        if key not in FIELDS:
            problems.append(_unknown(key, "flag", FIELDS))
            continue
        plain = os.fspath(value) if isinstance(value, os.PathLike) else value
        parsed = parse(key, plain) if isinstance(plain, str) else plain
        given[key] = _Given(parsed, f"flag {_flag_name(key)}")
    return given


def _flag_name(key: str) -> str:
    """``camera.kind`` is --camera and ``model.name`` --model; all others are called as their key."""
    section, _, name = key.rpartition(".")
    return "--" + (section if name in {"kind", "name"} else name.replace("_", "-"))


def _validate(given: Mapping[str, _Given], problems: list[str]) -> Settings | None:
    """Check everything at once; None after adding to ``problems`` what is wrong."""
    document: dict[str, Any] = {}
    for key, entry in given.items():
        table = document
        *sections, name = key.split(".")
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = entry.value
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        lines = (_explain(detail, given) for detail in error.errors())
        problems.extend(dict.fromkeys(lines))
        return None
    return None if problems else settings


def _explain(detail: ErrorDetails, given: Mapping[str, _Given]) -> str:
    """One line for one of pydantic's findings."""
    path = [str(part) for part in detail["loc"]]
    if detail["type"] == "conflict":
        keys = [".".join([*path, name]) for name in detail["ctx"]["keys"]]
        return f"{', '.join(_quoted(key, given) for key in keys)}: {detail['ctx']['rule']}"
    dotted = (".".join(path[:depth]) for depth in range(1, len(path) + 1))
    key = next(name for name in dotted if name in FIELDS)
    return f"{_quoted(key, given)} is not allowed. Give {allowed(key)}."


def _quoted(key: str, given: Mapping[str, _Given]) -> str:
    entry = given.get(key) or _Given(value_of(Settings(), key), "default")
    return f"{key} = {_shown(entry.value)} ({entry.source})"


def _shown(value: object) -> str:
    """A value on one line of bearable length; Python refuses to print integers of thousands of digits."""
    try:
        text = clean(render_value(value))
    except ValueError:
        return "a huge number"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _unknown(name: str, source: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    advice = f"Did you mean {nearest[0]}?" if nearest else 'Run "pi-mask config show" for all keys.'
    return f"Unknown setting {_shown(name)} ({source}). {advice}"


def _is_optional(key: str) -> bool:
    return parse(key, NONE) is None
