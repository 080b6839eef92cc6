"""Write annotated pictures and videos into a folder that the owner named."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from pi_mask.camera.files import VIDEO_SUFFIXES, frame_rate
from pi_mask.camera.opencv import cv2, file_name
from pi_mask.errors import OutputError

if TYPE_CHECKING:
    from pi_mask.types import Frame, Image

_KEPT_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_JPEG_QUALITY: Final = 92
_CODEC: Final = "mp4v"
"""MPEG-4 Part 2: opencv-python-headless has no H.264 encoder, and VP9 takes 20 times as long (1.55 s against
0.07 s for 30 frames of 640×480 on two x86-64 cores)."""


class VideoWriter:
    """An MP4 video that appears under its name when it is whole.

    Until ``close()`` it grows in a hidden file beside it. Leaving the ``with`` block closes it, also by an
    exception: what was written until then can be played. Without a frame no file is made.

    Args:
        path: Ends in ``.mp4``; an older file is replaced.
        fps: Frames a second, above 0.
        size: Width and height in pixels, at least 2; the codec cuts odd ones down by one.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self.path = path
        self._part = _part_of(path)
        self._size = size
        self._written = 0
        try:
            name = file_name(self._part)
        except ValueError as error:
            raise _not_written(path, str(error)) from error
        self._writer: cv2.VideoWriter | None = cv2.VideoWriter(
            name, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*_CODEC), _codec_rate(fps), size
        )
        if not self._writer.isOpened():
            _remove(self._part)
            raise _not_written(path, f"FFmpeg refuses {size[0]}×{size[1]} at {fps:g} frames a second here")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: Image) -> None:
        """Add a frame.

        Args:
            image: RGB, uint8; scaled where its size is not the video's.

        Raises:
            OutputError: The video is closed.
        """
        if self._writer is None:
            raise OutputError(f"{self.path} is finished. Open another video to write on.")
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if (image.shape[1], image.shape[0]) != self._size:
            bgr = cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(bgr)
        self._written += 1

    def close(self) -> None:
        """Finish the file; calling it again is fine.

        Raises:
            OutputError: Frames are missing in the file, because the disk is full.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            if self._written:
                self._publish()
        finally:
            _remove(self._part)

    def _publish(self) -> None:
        # OpenCV reports no failed write, so the file itself is asked.
        found = frame_count(self._part)
        if found < self._written:
            reason = f"{self._written - found} of {self._written} frames are missing"
            raise _not_written(self.path, reason)
        try:
            self._part.replace(self.path)
        except OSError as error:
            raise _not_written(self.path, error.strerror) from error


def frame_count(path: Path) -> int:
    """Number of frames that a video says it has; 0 where it says nothing."""
    return max(0, int(_stated(path, cv2.CAP_PROP_FRAME_COUNT)))


def write_picture(path: Path, image: Image) -> None:
    """Write a picture that appears under its name when it is whole; an older file is replaced.

    Args:
        path: Ends in ``.png``, ``.jpg`` or ``.jpeg``.
        image: RGB, uint8.

    Raises:
        OutputError: The file cannot be written.
    """
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix.lower() != ".png" else []
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    part = _part_of(path)
    try:
        part.write_bytes(np.asarray(data).tobytes())
        part.replace(path)
    except OSError as error:
        raise _not_written(path, error.strerror) from error
    finally:
        _remove(part)


class AnnotatedFiles:
    """Annotated copies of the files that a FilesCamera plays, in a folder of their own.

    A copy has the name of its file. Pictures that are neither JPEG nor PNG become PNG, videos MP4. Files of
    the same name, from several folders, get a number: ``door.jpg``, ``door-2.jpg``. Copies of an earlier run
    are replaced.

    Args:
        folder: Made where it is missing.
        inputs: All files being read, and the folders that hold none.

    Attributes:
        folder: As given.
        written: The copies made so far.

    Raises:
        OutputError: The folder cannot be written to, or it is one of those being read.
    """

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        prepare_folder(folder)
        for path in inputs:
            if folder.samefile(path if path.is_dir() else path.parent):
                raise OutputError(
                    f"{folder} is where {path} lies, so files would be overwritten. Choose another folder."
                )
        self.folder = folder
        self._originals = {identity: path for path in inputs if (identity := _identity(path))}
        self._taken: set[str] = set()
        self._source: str | None = None
        self._video: VideoWriter | None = None
        self.written: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, frame: Frame, image: Image) -> None:
        """Write the annotated copy of a frame.

        Args:
            frame: As the camera delivered it; all frames of a file come one after the other.
            image: The annotated picture, RGB, uint8.

        Raises:
            OutputError: The copy cannot be written.
        """
        if frame.source != self._source or frame.index == 0:
            self.close()
            self._source = frame.source
        if Path(frame.source).suffix.lower() not in VIDEO_SUFFIXES:
            write_picture(self._target(frame), image)
            return
        if self._video is None:
            self._video = self._open_video(frame, image)
        self._video.write(image)

    def close(self) -> None:
        """Finish the video being written; calling it again is fine.

        Raises:
            OutputError: The video is not whole.
        """
        video, self._video, self._source = self._video, None, None
        if video is not None:
            video.close()

    def _open_video(self, frame: Frame, image: Image) -> VideoWriter:
        """Start the copy of a video, steadily at the rate that it states."""
        fps = frame_rate(_stated(Path(frame.source), cv2.CAP_PROP_FPS))
        # The codec takes no side of one pixel.
        size = max(2, image.shape[1]), max(2, image.shape[0])
        return VideoWriter(self._target(frame), fps, size)

    def _target(self, frame: Frame) -> Path:
        """A name that no other file of this run has, by case-insensitive file systems' rules too."""
        source = Path(frame.source)
        suffix = source.suffix
        if suffix.lower() in VIDEO_SUFFIXES:
            suffix = ".mp4"
        elif suffix.lower() not in _KEPT_SUFFIXES:
            suffix = ".png"
        name, number = source.stem + suffix, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{source.stem}-{number}{suffix}"
        target = self.folder / name
        if original := self._originals.get(_identity(target)):
            raise OutputError(
                f"{original} leads to {target}, which would be overwritten. Choose another folder."
            )
        self._taken.add(name.casefold())
        self.written.append(target)
        return target


def _identity(path: Path) -> tuple[int, ...]:
    """What a file is, whatever links lead to it; empty where there is none."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_dev, state.st_ino


def _stated(path: Path, what: int) -> float:
    """What a video says of itself, by OpenCV's number for it."""
    capture = cv2.VideoCapture(file_name(path), cv2.CAP_FFMPEG)
    try:
        return capture.get(what)
    finally:
        capture.release()


def _codec_rate(fps: float) -> float:
    """The nearest rate that MPEG-4 takes: a fraction of two numbers below 65,536."""
    # OpenCV takes 0.001 for nothing.
    return max(0.002, round(fps, 3 if fps < 65 else 2))


def prepare_folder(folder: Path) -> None:
    """Make the folder and try it, before minutes of work go into what cannot be written.

    Raises:
        OutputError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to: {error.strerror}. Choose another folder."
        ) from error


def _part_of(path: Path) -> Path:
    """The hidden file beside it; a file's name may have 255 bytes, a letter takes four at most."""
    return path.with_name(f".{path.stem[:60]}.part{path.suffix}")


def _remove(part: Path) -> None:
    """Leave no half file behind; it may never have been made."""
    with suppress(OSError):
        part.unlink()


def _not_written(path: Path, reason: str | None) -> OutputError:
    return OutputError(f"{path} cannot be written: {reason}. Free some space, or choose another folder.")
