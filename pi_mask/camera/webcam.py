"""Turn a USB or network camera into Frames."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_mask.camera.opencv import bgr_to_rgb, cv2
from pi_mask.errors import CameraError, CameraTimeout
from pi_mask.history import runtime_folder
from pi_mask.redaction import clean
from pi_mask.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPEN_TIMEOUT_S = 5.0
"""How long a network camera may take to answer, first and at every reconnection."""
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 8.0
"""Seconds between attempts to reconnect: they double from the first to the last."""
JOIN_TIMEOUT_S = 2.0
"""How long closing waits for a thread that may be stuck in a driver."""
RAW_PIXELS = 640 * 480
"""The largest frame whose raw pixels USB 2 carries at 30 frames a second; above it the camera compresses."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Grab:
    """A frame as OpenCV delivered it, in B, G, R."""

    image: NDArray[Any]
    timestamp: float
    index: int


class WebcamCamera:
    """The newest frame of a camera that OpenCV can open.

    A thread reads the camera all the time and keeps the newest frame only: OpenCV queues frames, so reading
    when one is wanted would show the past. The same thread reconnects when the camera drops out.

    Args:
        source: Number of a camera ("0"), a device ("/dev/video0") or a URL (http, https, rtsp). Passwords in
            a URL appear neither in messages nor in ``Frame.source``. A video file is played in a loop.
        width: Wanted width in pixels; a camera takes the nearest it has, a network camera keeps its own.
        height: Wanted height in pixels, likewise.
        fps: Wanted frames per second, likewise.
        timeout_s: Seconds that a read waits for a new frame at most.

    Raises:
        CameraError: The camera cannot be opened.
    """

    def __init__(
        self,
        source: str = "0",
        *,
        width: int = 640,
        height: int = 480,
        fps: float = 30.0,
        timeout_s: float = 5.0,
    ) -> None:
        self._device = _Device(source or "0", width, height, fps, timeout_s)
        self._timeout_s = timeout_s
        self._name = self._device.name
        self._changed = threading.Condition()
        self._newest: _Grab | None = None
        self._is_open: bool | None = None
        self._is_lost = False
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"webcam {self._name}", daemon=True)
        self._thread.start()
        self._await_opening()

    @property
    def is_live(self) -> bool:
        """True: the end of the stream is a fault."""
        return True

    def read(self, wait_s: float = math.inf) -> Frame:
        """Return the newest frame, which no read returned before.

        Raises:
            CameraTimeout: No new frame came within ``wait_s``, or ``timeout_s`` if that is shorter; a lost
                camera is being reconnected.
            CameraError: ``close()`` was called, or the frames are not in colour.
        """
        wait_s = min(wait_s, self._timeout_s)
        with self._changed:
            self._forget_old()
            self._changed.wait_for(lambda: self._newest or self._is_closed.is_set(), wait_s)
            grab, self._newest = self._newest, None
        if self._is_closed.is_set():
            raise CameraError(f"Webcam {self._name} was closed. Open it again to read on.")
        if grab is None:
            raise CameraTimeout(self._timeout_message(wait_s))
        try:
            image = bgr_to_rgb(grab.image)
        except cv2.error as error:
            raise CameraError(f"Webcam {self._name} delivers no colours. Choose another camera.") from error
        return Frame(image=image, timestamp=grab.timestamp, index=grab.index, source=self._name)

    def close(self) -> None:
        """Release the camera. A thread stuck in a driver is left behind; it ends with the process."""
        self._is_closed.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(JOIN_TIMEOUT_S)

    def _forget_old(self) -> None:
        """Drop a frame that waited so long that the door has changed since."""
        if self._newest and time.monotonic() - self._newest.timestamp > self._timeout_s:
            self._newest = None

    def _timeout_message(self, waited_s: float) -> str:
        if self._is_lost:
            return f"Webcam {self._name} is lost. Check its cable or network; it is reconnected by itself."
        return f"Webcam {self._name} delivered no frame for {waited_s:g} s. Check its cable or network."

    def _await_opening(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_open is not None, 2 * OPEN_TIMEOUT_S)
        if not self._is_open:
            self.close()
            raise CameraError(self._device.why_not())

    def _watch(self) -> None:
        """Read the camera until it is closed, in the only thread that touches the capture."""
        capture = self._device.open()
        with self._changed:
            self._is_open = capture is not None
            self._changed.notify_all()
        if capture is None:
            return
        index, retry_s = 0, FIRST_RETRY_S
        while True:
            delivered = self._deliver(capture, index) if capture is not None else 0
            if self._is_closed.is_set():
                return
            self._mark_lost()
            retry_s = FIRST_RETRY_S if delivered else retry_s
            self._is_closed.wait(retry_s)
            index, retry_s = index + delivered, min(2 * retry_s, LAST_RETRY_S)
            capture = None if self._is_closed.is_set() else self._device.open()

    def _deliver(self, capture: cv2.VideoCapture, index: int) -> int:
        """Publish frames until the camera is lost or closed; returns how many."""
        first = index
        try:
            while not self._is_closed.is_set() and capture.grab():
                timestamp = time.monotonic()
                is_decoded, image = capture.retrieve()
                if not is_decoded:
                    break
                self._publish(_Grab(image, timestamp, index))
                index += 1
        except cv2.error as error:
            _log.debug("Webcam %s failed in OpenCV: %s", self._name, error)
        finally:
            capture.release()
        return index - first

    def _publish(self, grab: _Grab) -> None:
        if self._is_lost:
            _log.info("Webcam %s is back.", self._name)
        with self._changed:
            self._is_lost = False
            self._newest = grab
            self._changed.notify_all()

    def _mark_lost(self) -> None:
        if not self._is_lost:
            _log.warning("Webcam %s is lost. Check its cable or network; reconnecting.", self._name)
        self._is_lost = True


@dataclass(frozen=True, slots=True)
class _Device:
    """What to open, and how."""

    source: str
    width: int
    height: int
    fps: float
    timeout_s: float

    @property
    def _is_url(self) -> bool:
        return "://" in self.source

    @property
    def name(self) -> str:
        """The source without passwords: cameras take them before an "@", in the query or path."""
        return clean(self.source)

    def open(self) -> cv2.VideoCapture | None:
        """An opened capture, or None."""
        try:
            capture = self._open_stream() if self._is_stream else self._open_device()
        except cv2.error:
            return None
        return capture if capture.isOpened() else None

    def why_not(self) -> str:
        """Why the camera cannot be opened, with advice."""
        if self._is_stream:
            return f"Cannot open the stream {self.name}. {self._stream_advice()}"
        path = Path(f"/dev/video{self.source}" if self.source.isdecimal() else self.source)
        if not sys.platform.startswith("linux"):
            return f"Cannot open webcam {self.name}. Plug it in, and allow this program to use the camera."
        name = clean(str(path))  # a mistyped URL counts as a path
        if not os.path.exists(path):  # noqa: PTH110 Path.exists raises for some paths that can't be reached
            return f"There is no webcam at {name}. Plug it in, or choose another (ls /dev/video*)."
        if not os.access(path, os.R_OK | os.W_OK):
            return f'No permission to use {name}. Run: sudo usermod -aG video "$USER", then log in again.'
        return f"Cannot open webcam {name}. Close what else uses it (fuser -v {name}), or choose another."

    def _stream_advice(self) -> str:
        advice = "Check the address, the password and the network."
        if not self._is_url or runtime_folder(os.environ) is None:
            return advice
        return f"The service has no network without a drop-in for this camera (docs/service.md). {advice}"

    @property
    def _is_stream(self) -> bool:
        """A URL, or a recording in place of a camera; never a number, whatever lies in the folder."""
        is_number = self.source.isdecimal()
        return self._is_url or (not is_number and os.path.isfile(self.source))  # noqa: PTH113 as above

    def _open_stream(self) -> cv2.VideoCapture:
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(1000 * OPEN_TIMEOUT_S),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(1000 * self.timeout_s),
        ]
        return cv2.VideoCapture(self.source, cv2.CAP_FFMPEG, timeouts)

    def _open_device(self) -> cv2.VideoCapture:
        backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
        capture = cv2.VideoCapture(int(self.source) if self.source.isdecimal() else self.source, backend)
        if not capture.isOpened():
            return capture
        # The format first: the driver answers the size with the nearest one that this format has.
        if self.width * self.height > RAW_PIXELS:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.height)
        capture.set(cv2.CAP_PROP_FPS, self.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
