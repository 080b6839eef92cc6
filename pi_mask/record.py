"""Store what a camera sees as clips, for pi-mask record alone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pi_mask.calibrate.steps import STEP_NAMES
from pi_mask.camera.files import VIDEO_SUFFIXES
from pi_mask.errors import OutputError
from pi_mask.output import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pi_mask.calibrate.steps import Step
    from pi_mask.types import Frame

_FIRST_FRAMES: Final = 10
"""Held back until they have told the frame rate: that of the model's loop, not of the camera."""
_SLOWEST, _FASTEST = 1.0, 60.0
_LEAST_FREE: Final = 200 * 2**20
"""Bytes; a clip of 8 s takes some 2 MB, but a full disk harms the whole system."""


class ClipWriter:
    """Writes frames at a steady rate, each at its own time.

    A frame that comes late is shown for longer, and one that comes too early for the rate is left out, so
    that a clip lasts as long as what it shows. Leaving the ``with`` block finishes the file.

    Args:
        path: Ends in ``.mp4``.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: list[Frame] = []
        self._video: VideoWriter | None = None
        self._fps = 0.0
        self._start = 0.0
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, frame: Frame) -> None:
        """Write a frame, at once or when the rate is known."""
        if self._video is None:
            self._first.append(frame)
            if len(self._first) >= _FIRST_FRAMES:
                self._open()
        else:
            self._put(frame, self._video)

    def close(self) -> None:
        """Finish the file; calling it again is fine.

        Raises:
            OutputError: Frames are missing in it, because the disk is full.
        """
        if self._video is None and self._first:
            self._open()
        if self._video is not None:
            self._video.close()

    def _open(self) -> None:
        first, self._first = self._first, []
        seconds = first[-1].timestamp - first[0].timestamp
        rate = (len(first) - 1) / seconds if seconds > 0 else _SLOWEST
        self._fps = min(max(rate, _SLOWEST), _FASTEST)
        self._start = first[0].timestamp
        height, width = first[0].image.shape[:2]
        self._video = VideoWriter(self._path, self._fps, (width, height))
        for frame in first:
            self._put(frame, self._video)

    def _put(self, frame: Frame, video: VideoWriter) -> None:
        place = round((frame.timestamp - self._start) * self._fps)
        while self._written <= place:
            video.write(frame.image)
            self._written += 1


def prepare_folder(folder: Path, steps: Sequence[Step]) -> None:
    """Make the folder, for its owner's eyes alone, and see that there is room for these steps.

    Raises:
        OutputError: It cannot be written to, a step's clip is there already, or the disk is nearly full.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        taken = [path for path in sorted(folder.iterdir()) if _step_of(path) in steps]
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to: {error.strerror}. Choose another folder."
        ) from error
    if taken:
        raise OutputError(f"{taken[0]} is there already. Delete it, or choose another folder.")
    if free < _LEAST_FREE:
        raise OutputError(
            f"Only {free // 2**20} MiB are free at {folder}. Make room for {_LEAST_FREE // 2**20} MiB."
        )


def clip_path(folder: Path, step: Step) -> Path:
    """Where a step's clip lies."""
    return folder / f"{step.name}.mp4"


def publish(part: Path, clip: Path) -> None:
    """Give a finished clip its name.

    Raises:
        OutputError: There is one of that name by now, or the folder is gone.
    """
    if clip.exists():
        raise OutputError(f"{clip} is there already. Delete it, or choose another folder.")
    try:
        part.rename(clip)
    except OSError as error:
        raise OutputError(f"{clip} cannot be written: {error.strerror}. Choose another folder.") from error


def _step_of(path: Path) -> Step | None:
    """The step that calibrate would take a folder or clip for."""
    if path.is_dir():
        return STEP_NAMES.get(path.name)
    return STEP_NAMES.get(path.stem) if path.suffix.lower() in VIDEO_SUFFIXES else None
