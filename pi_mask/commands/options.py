"""Define the options that commands share."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from pi_mask.errors import UsageError

if TYPE_CHECKING:
    from pi_mask.settings import LoadedSettings, ModelSettings


class FiniteRange(click.FloatRange):
    """A range that "nan" is not in, which compares as neither too small nor too large."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 as click has it
        """A finite number within the range."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


_Command: TypeAlias = Callable[..., None]
_Decorator: TypeAlias = Callable[[_Command], _Command]

# Literals, because importing the settings would take --help longer than all else; a test compares them.
CAMERAS = ("picamera", "webcam", "files")
ACCELERATORS = ("auto", "edgetpu", "cpu")
INDICATORS = ("gpio", "console")

_OPTIONS: Mapping[str, _Decorator] = {
    "camera.kind": click.option(
        "--camera", "camera_kind", type=click.Choice(CAMERAS), help="Kind of camera."
    ),
    "camera.source": click.option(
        "--source",
        "camera_source",
        metavar="X",
        help="Which camera or file: a number, a /dev path or a URL; an image, folder or video for files.",
    ),
    "camera.realtime": click.option(
        "--realtime", "camera_realtime", is_flag=True, default=None, help="Play files at their own pace."
    ),
    "model.name": click.option(
        "--model",
        "model_name",
        metavar="NAME|FILE",
        help='A shipped model (see "pi-mask models"), or a .tflite file with its manifest beside it.',
    ),
    "model.accelerator": click.option(
        "--accelerator", "model_accelerator", type=click.Choice(ACCELERATORS), help="Where the model runs."
    ),
    "model.threads": click.option(
        "--threads", "model_threads", metavar="N", help="CPU threads for the model."
    ),
    "model.min_score": click.option(
        "--min-score", "model_min_score", metavar="S", help="Smallest score, 0 to 1, that counts."
    ),
    "indicator.kind": click.option(
        "--indicator", "indicator_kind", type=click.Choice(INDICATORS), help="What shows the verdict."
    ),
}
_CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Settings in TOML (see "pi-mask config").',
)

json_option: _Decorator = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
"""Adds ``--json``; the command gets it as ``as_json``."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A flag that stands for several settings; a flag of a setting itself beats it."""

    flag: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about the settings.

    Attributes:
        flags: Values per dotted key; None where the flag is absent.
        config: The file named by ``--config``.
    """

    flags: Mapping[str, object]
    config: Path | None

    def load(self, preset: Preset | None = None) -> LoadedSettings:
        """Merge flags, environment and file.

        Raises:
            SettingsError: Something is wrong with them.
        """
        from pi_mask.settings import load_settings

        named = {key: value for key, value in self.flags.items() if value is not None}
        implied = {} if preset is None else {k: v for k, v in preset.values.items() if k not in named}
        loaded = load_settings({**implied, **named}, config=self.config, environ=os.environ)
        if preset is None:
            return loaded
        sources = {**loaded.sources, **dict.fromkeys(implied, f"flag {preset.flag}")}
        return replace(loaded, sources=sources)

    def load_model(self) -> ModelSettings:
        """The model's settings for work on files, where the CPU is the default accelerator.

        "auto" would warn on every desktop that there is no Edge TPU; who sets it, anywhere, gets it.

        Raises:
            SettingsError: Something is wrong with the settings.
        """
        loaded = self.load()
        model = loaded.settings.model
        if loaded.sources["model.accelerator"] == "default":
            return model.model_copy(update={"accelerator": "cpu"})
        return model


def check_exists(path: Path) -> None:
    """Refuse a path from the command line that leads nowhere.

    Raises:
        UsageError: There is nothing, or it cannot be reached.
    """
    try:
        path.stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}. Check the path.") from error


def settings_options(*keys: str) -> _Decorator:
    """Add the flags of these settings and ``--config``; the command gets them as ``given``."""

    def decorate(function: _Command) -> _Command:
        @functools.wraps(function)
        def command(config_path: Path | None, **arguments: object) -> None:
            flags = {key: arguments.pop(key.replace(".", "_")) for key in keys}
            function(given=Given(flags, config_path), **arguments)

        decorated: _Command = _CONFIG(command)
        for key in reversed(keys):
            decorated = _OPTIONS[key](decorated)
        return decorated

    return decorate
