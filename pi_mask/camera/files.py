"""Turn pictures, folders and videos into Frames."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pi_mask.camera.opencv import bgr_to_rgb, cv2, file_name
from pi_mask.camera.picture import PICTURE_SUFFIXES, decode_picture
from pi_mask.errors import CameraError, InputError
from pi_mask.redaction import clean
from pi_mask.types import Frame

if TYPE_CHECKING:
    from pi_mask.types import Image

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"}
    | {".3gp", ".ogv", ".wmv", ".flv", ".mjpg", ".mjpeg", ".h264", ".h265", ".gif"}
)
PICTURE_STEP_S = 1.0
"""Seconds from one picture to the next: pictures have no time of their own, and a slide show this slow can be
watched."""
FALLBACK_FPS = 25.0
"""Frame rate of a video that states none; also FFmpeg's own guess for raw streams."""
WHOLE_SHARE = 0.9
"""A video that delivers less of the frames that it states is named: some containers only estimate them."""
MAX_FPS = 500.0
"""A rate above this is the container's clock and not the camera's: browsers record WebM that states 1000."""
LONGEST_PAUSE_S = 3600.0
"""A frame that is later than this after the one before has a broken time, for which nobody would wait."""


class FilesCamera:
    """Plays files, one after the other, as fast as they are read or at their own pace.

    Time is made from the files alone, so a recording gives the same timestamps twice: it starts at 0 and goes
    on over all files. A video's frames come at their own times, which need not be steady; where it has none,
    each lasts 1 / its frame rate. A picture lasts ``PICTURE_STEP_S``. ``Frame.index`` starts again with each
    file and ``Frame.source`` is its path.

    Args:
        sources: Pictures, videos and folders. A folder stands for the pictures and videos directly in it, in
            the order of their names, without hidden ones.
        realtime: Wait before each frame until its time has come. Frames are never skipped; after a pause of
            the reader the rest comes later by as much.

    Attributes:
        files: All that will be read, in this order.
        has_pictures: Whether not all are videos.

    Raises:
        InputError: A path is missing, or the only one is a folder that holds nothing to show; among others
            such a folder is an error at its turn, as a damaged file is.
    """

    def __init__(self, sources: Sequence[Path], *, realtime: bool = False) -> None:
        is_alone = len(sources) == 1
        self.files = tuple(file for source in sources for file in _files_of(Path(source), is_alone=is_alone))
        if not self.files:
            raise InputError("No picture, folder or video was given. Name at least one.")
        self.has_pictures = any(_is_picture(file) for file in self.files)
        self._pending = deque(self.files)
        self._source: _Source | None = None
        self._index = 0
        self._start_s = 0.0
        self._is_closed = threading.Event()
        self._pace = _Pace(self._is_closed) if realtime else None
        self._lock = threading.RLock()

    @property
    def is_live(self) -> bool:
        """False: files just end."""
        return False

    def read(self, wait_s: float = math.inf) -> Frame | None:
        """Return the next frame, or None after the last one; files are never late.

        Raises:
            InputError: One file cannot be read; the next read goes on with the file after it.
            CameraError: ``close()`` was called.
        """
        with self._lock:
            frame = self._next_frame()
            if frame is not None and self._pace is not None:
                self._pace.wait_for(frame.timestamp)
            self._check_open()
            return frame

    def close(self) -> None:
        """Release the file being read; a read that waits in another thread ends."""
        self._is_closed.set()
        with self._lock:
            self._leave_source()

    def _next_frame(self) -> Frame | None:
        self._check_open()
        while self._source is not None or self._pending:
            if self._source is None:
                self._source = _open(self._pending.popleft())
            try:
                image = self._source.read()
            except InputError:
                self._leave_source()
                raise
            if image is not None:
                return self._stamp(image, self._source)
            self._leave_source()
        return None

    def _stamp(self, image: Image, source: _Source) -> Frame:
        timestamp = self._start_s + source.time_s
        frame = Frame(image=image, timestamp=timestamp, index=self._index, source=str(source.path))
        self._index += 1
        return frame

    def _leave_source(self) -> None:
        if self._source is None:
            return
        if self._index:
            self._start_s += self._source.time_s + self._source.step_s
        self._index = 0
        self._source.close()
        self._source = None

    def _check_open(self) -> None:
        if self._is_closed.is_set():
            raise CameraError("These files were closed. Open them again to read on.")


class _Source(Protocol):
    """One file: ``time_s`` is when its newest frame comes, ``step_s`` how long the last one stays."""

    path: Path
    time_s: float
    step_s: float

    def read(self) -> Image | None: ...

    def close(self) -> None: ...


class _Picture:
    """A source of one frame."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.time_s = 0.0
        self.step_s = PICTURE_STEP_S
        self._is_read = False

    def read(self) -> Image | None:
        if self._is_read:
            return None
        image = decode_picture(self.path)
        self._is_read = True
        return image

    def close(self) -> None:
        pass


class _Video:
    """A source of many frames; FFmpeg turns them upright where the file says how they were held."""

    def __init__(self, path: Path) -> None:
        _check_readable(path)
        try:
            name = file_name(path)
        except ValueError as error:
            raise InputError(f"{path} cannot be opened: {error}. Rename it or its folder.") from error
        self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise InputError(
                f"{path} cannot be opened: it is truncated or no video. Copy it again, or convert it to MP4."
            )
        self.path = path
        self.time_s = 0.0
        # OpenCV 4.11, a Raspberry Pi's, leaves pictures as they are stored unless it is told.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self.step_s = 1.0 / frame_rate(stated)
        # Where the rate is none, the number of frames is none either: it is made from rate and duration.
        self._stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) if _is_rate(stated) else 0.0
        self._frames = 0
        self._first_s = 0.0

    def read(self) -> Image | None:
        try:
            is_read, image = self._capture.read()
            if is_read:
                self._keep_time()
                self._frames += 1
                return bgr_to_rgb(image)
        except cv2.error as error:
            raise InputError(f"{self.path} cannot be decoded. Convert it to MP4 (H.264).") from error
        if not self._frames:
            raise InputError(f"{self.path} delivers no frame. Copy it again, or convert it to MP4 (H.264).")
        # Of an unsteady video the stated number is often the rate times the duration.
        if max(self._frames, self.time_s / self.step_s + 1) < WHOLE_SHARE * self._stated:
            logger.warning(
                "%s ends after %d of %d frames. If it is cut off, copy it again.",
                self.path,
                self._frames,
                self._stated,
            )
        return None

    def close(self) -> None:
        self._capture.release()

    def _keep_time(self) -> None:
        """Take the frame's own time: a telephone films at half its rate in the dark, a browser as it likes.

        A bare stream has no times, and those of a broken one jump.
        """
        own_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not self._frames:
            # OpenCV 4.11 makes up huge ones for a bare stream, of which the differences are rough.
            self._first_s = own_s if abs(own_s) <= LONGEST_PAUSE_S else math.nan
            return
        pause_s = own_s - self._first_s - self.time_s
        self.time_s += pause_s if 0 < pause_s <= LONGEST_PAUSE_S else self.step_s


class _Pace:
    """Lets timestamps pass no faster than the clock on the wall."""

    def __init__(self, is_closed: threading.Event) -> None:
        self._is_closed = is_closed
        self._zero: float | None = None

    def wait_for(self, timestamp: float) -> None:
        now = time.monotonic()
        if self._zero is None:
            self._zero = now - timestamp
        delay_s = self._zero + timestamp - now
        if delay_s > 0:
            self._is_closed.wait(delay_s)
        else:
            self._zero -= delay_s


def _open(path: Path) -> _Source:
    if path.is_dir():
        raise _holds_nothing(path)
    # By the name and not by trying, because FFmpeg plays even a text file: as a film of a terminal.
    return _Picture(path) if _is_picture(path) else _Video(path)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() not in VIDEO_SUFFIXES


def _files_of(source: Path, *, is_alone: bool) -> list[Path]:
    """The files that a source stands for."""
    try:
        files = _found(source)
    except OSError as error:  # of a folder that may not be searched, or too long a name
        raise InputError(
            f"{clean(str(source))} cannot be reached: {error.strerror}. Check the path."
        ) from error
    if is_alone and not files:
        raise _holds_nothing(source)
    return files or [source]


def _found(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        problem = "is neither a file nor a folder" if source.exists() else "does not exist"
        raise InputError(f"{clean(str(source))} {problem}. Check the path.")
    try:
        return sorted(entry for entry in source.iterdir() if _is_shown(entry))
    except OSError as error:
        raise InputError(f"{source} cannot be listed: {error.strerror}. Check its permissions.") from error


def _holds_nothing(folder: Path) -> InputError:
    return InputError(f"{folder} holds no picture or video. Name a folder with JPEG, PNG or MP4 files in it.")


def _is_shown(entry: Path) -> bool:
    is_known = entry.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
    return is_known and not entry.name.startswith(".") and entry.is_file()


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    if is_empty:
        raise InputError(f"{path} is empty. Copy the file again.")


def _is_rate(stated: float) -> bool:
    return math.isfinite(stated) and 0 < stated <= MAX_FPS


def frame_rate(stated: float) -> float:
    """The rate that a video states, frames a second, or ``FALLBACK_FPS`` where that cannot be true."""
    return stated if _is_rate(stated) else FALLBACK_FPS
