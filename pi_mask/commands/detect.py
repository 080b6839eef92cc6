"""Find faces in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pi_mask.commands.options import Given, check_exists, json_option, settings_options
from pi_mask.commands.signals import ending_on_signals
from pi_mask.commands.streams import configure_logging, is_on_terminal, progress, say, tell
from pi_mask.errors import InputError

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector
    from pi_mask.output import AnnotatedFiles
    from pi_mask.types import Frame


@click.command(short_help="Find faces in pictures, folders and videos.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@settings_options("model.name", "model.min_score", "model.threads", "model.accelerator")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write annotated copies into this folder: pictures under their names, videos as MP4. Files of these "
    "names there are replaced.",
)
@json_option
def detect(given: Given, paths: tuple[Path, ...], output: Path | None, *, as_json: bool) -> None:
    """Find faces in pictures, folders and videos, and say how each wears its mask.

    One line a frame: label, score and box (xmin, ymin, xmax, ymax in pixels) of every face. The model runs on
    the CPU unless --accelerator or the configuration says otherwise. Nothing is written without --output.

    A path that does not exist is a usage error (exit code 2). A file that cannot be read is named, the others
    are done, and the exit code is 1.
    """
    configure_logging("WARNING")
    for path in paths:
        check_exists(path)
    from pi_mask.build import open_detector
    from pi_mask.camera.files import FilesCamera
    from pi_mask.output import AnnotatedFiles

    settings = given.load_model()
    with ExitStack() as stack:
        stack.enter_context(ending_on_signals())
        camera = stack.enter_context(closing(FilesCamera(paths)))
        copies = stack.enter_context(AnnotatedFiles(output, camera.files)) if output else None
        detector = stack.enter_context(open_detector(settings)).detector
        unreadable = _run(camera, detector, copies, as_json=as_json)
    if copies is not None:
        tell(f"{len(copies.written)} annotated files are in {copies.folder}.")
    if unreadable:
        raise SystemExit(1)


def _run(camera: Camera, detector: Detector, copies: AnnotatedFiles | None, *, as_json: bool) -> int:
    """Work through all frames; return how many files could not be read."""
    from pi_mask.overlay import draw
    from pi_mask.report import frame_json, frame_text

    problems: list[InputError] = []

    with _Bars(is_wanted=copies is not None) as bars:

        def note(problem: InputError) -> None:
            problems.append(problem)
            bars.end()
            tell(f"Error: {problem}")

        for frame in _frames(camera, note):
            detections, latency = detector.detect(frame)
            if frame.index == 0:
                bars.end()
            if as_json:
                say(frame_json(frame, detections, latency))
            else:
                say(frame_text(frame, detections, is_video=_is_video(frame)))
            if copies is not None:
                copies.add(frame, draw(frame.image, detections))
            bars.step(frame)
    return len(problems)


def _frames(camera: Camera, note: Callable[[InputError], None]) -> Iterator[Frame]:
    """All frames that can be read; ``note`` is told about each file that cannot."""
    while True:
        try:
            frame = camera.read()
        except InputError as problem:
            note(problem)
            continue
        if frame is None:
            return
        yield frame


def _is_video(frame: Frame) -> bool:
    from pi_mask.camera.files import VIDEO_SUFFIXES

    return Path(frame.source).suffix.lower() in VIDEO_SUFFIXES


class _Bars:
    """A progress bar for each video, below its lines of the result."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted and is_on_terminal()
        self._bar = ExitStack()
        self._advance: Callable[[], None] | None = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave the bar as it is, above the line that comes next."""
        self._bar.close()
        self._advance = None

    def step(self, frame: Frame) -> None:
        """Count a frame; the first of a video starts its bar."""
        if not self._is_wanted:
            return
        if frame.index == 0 and _is_video(frame):
            from pi_mask.output import frame_count
            from pi_mask.report import printable

            path = Path(frame.source)
            self._advance = self._bar.enter_context(progress(printable(path.name), frame_count(path)))
        if self._advance is not None:
            self._advance()
