"""Measure how fast the model runs here."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pi_mask.commands.options import Given, check_exists, json_option, settings_options
from pi_mask.commands.streams import configure_logging, progress, say

if TYPE_CHECKING:
    from pi_mask.bench import Measurement
    from pi_mask.types import Image

_MAX_SIDE_PX = 4096
_DEFAULT_SIZE = (640, 480)


def _size(text: str) -> tuple[int, int]:
    """Width and height from text such as 640x480."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 1 <= int(part) <= _MAX_SIDE_PX for part in parts):
        raise click.BadParameter(f"'{text}' is not WIDTHxHEIGHT, such as 640x480, up to {_MAX_SIDE_PX} each")
    return int(parts[0]), int(parts[1])


@dataclass(frozen=True, slots=True)
class _Setup:
    """What was measured on."""

    model: str
    device: str
    threads: int
    width: int
    height: int
    source: str | None


@click.command(short_help="Measure how fast the model runs here.")
@settings_options("model.name", "model.threads", "model.accelerator")
@click.option(
    "--frames", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="Frames to measure."
)
@click.option("--size", type=_size, metavar="WxH", help="Size of the frames; 640x480 without --source.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Picture, folder or video to measure on.",
)
@json_option
def bench(
    given: Given, frames: int, size: tuple[int, int] | None, source: Path | None, *, as_json: bool
) -> None:
    """Measure the time of each stage from a frame to the door's decision.

    The model runs on the CPU unless --accelerator or the configuration says otherwise. Without --source the
    pictures are made up and show nobody, so postprocessing is at its cheapest.
    """
    configure_logging("WARNING")
    if source is not None:
        check_exists(source)
    from pi_mask.bench import measure
    from pi_mask.build import open_detector

    settings = given.load_model()
    images = _pictures(source, size)
    with open_detector(settings) as opened, progress("Measuring", frames) as advance:
        result = measure(opened.detector, images, frames, advance)
        height, width = images[0].shape[:2]
        setup = _Setup(
            opened.manifest.name,
            opened.interpreter.device,
            settings.threads,
            width,
            height,
            str(source) if source else None,
        )
    for line in [_json(setup, result)] if as_json else _text(setup, result):
        say(line)


def _pictures(source: Path | None, size: tuple[int, int] | None) -> tuple[Image, ...]:
    from pi_mask.bench import made_up_pictures, recorded_pictures

    if source is None:
        return made_up_pictures(*(size or _DEFAULT_SIZE))
    from pi_mask.camera.files import FilesCamera

    with closing(FilesCamera([source])) as camera:
        return recorded_pictures(camera, size)


def _json(setup: _Setup, result: Measurement) -> str:
    from pi_mask.report import json_line

    figures = asdict(result)
    stages = figures.pop("stages")
    rounded = {
        name: {figure: round(value, 3) for figure, value in spread.items()} for name, spread in stages.items()
    }
    others = {name: value if value is None else round(value, 3) for name, value in figures.items()}
    return json_line(**asdict(setup), stages=rounded, **others)


def _text(setup: _Setup, result: Measurement) -> list[str]:
    from pi_mask.report import printable

    pictures = printable(setup.source) if setup.source else "made-up pictures without a face"
    memory = "unknown" if result.peak_memory_mib is None else f"{result.peak_memory_mib:.0f} MiB"
    return [
        f"{setup.model} on {setup.device}, {setup.threads} threads",
        f"{result.frames} frames of {setup.width}×{setup.height}, {pictures}",
        "",
        f"{'ms':<12}{'min':>9}{'median':>9}{'p95':>9}",
        *(
            f"{name:<12}{spread.min_ms:>9.3f}{spread.median_ms:>9.3f}{spread.p95_ms:>9.3f}"
            for name, spread in result.stages.items()
        ),
        "",
        f"{result.fps:.1f} frames a second, without reading them",
        f"{result.overhead_ratio:.2f} (preprocess + postprocess) / inference",
        f"{result.faces_per_frame:.1f} faces a frame",
        f"{memory} peak memory",
    ]
