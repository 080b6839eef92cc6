"""Turn a Raspberry Pi camera into Frames."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pi_mask.camera.sensor_mode import widest
from pi_mask.errors import CameraError, CameraTimeout
from pi_mask.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.types import Image

PIXEL_FORMAT = "BGR888"
"""libcamera names a format from the highest byte down: this one lies as R, G, B in memory. With "RGB888" red
and blue would be swapped (``mode_lookup`` in picamera2's request.py)."""
BUFFERS = 4
"""Frames in flight. Fewer than the library's 6, because contiguous memory is scarce on a Pi with 1 GB."""
CLOSE_TIMEOUT_S = 2.0
"""How long closing waits for libcamera, which may never answer after the cable has slipped. Short, for the
read that opens a lost camera anew waits for this first, and the service's watchdog for that read."""

_log = logging.getLogger(__name__)


class PicameraCamera:
    """A camera on the Pi's ribbon cable, through picamera2.

    The sensor is read over its whole view. The image processor scales to the wanted size, which costs the CPU
    nothing, and cuts to its shape, the same on both sides. A camera whose cable slipped stays silent for good
    (raspberrypi/picamera2 issues 794, 1004 and 1264): after a time-out the next read opens it anew.

    Args:
        width: Width of the frames in pixels; libcamera rounds odd ones down.
        height: Height of the frames in pixels, likewise.
        fps: Frames per second.
        timeout_s: Seconds without a frame after which the camera is opened anew; no read waits longer.
        camera_index: Number of the camera, as ``rpicam-hello --list-cameras`` counts them.

    Raises:
        CameraError: picamera2 is not installed, or there is no such camera, or it is in use.
    """

    def __init__(
        self,
        *,
        width: int = 640,
        height: int = 480,
        fps: float = 30.0,
        timeout_s: float = 5.0,
        camera_index: int = 0,
    ) -> None:
        self._device = _Device((width, height), fps, camera_index)
        self._timeout_s = timeout_s
        self._index = 0
        self._job: _Job | None = None
        self._waited_s = 0.0
        self._must_reopen = False
        self._is_lost = False
        self._is_closed = False
        self._camera: _Picamera2 | None = self._device.open()

    @property
    def is_live(self) -> bool:
        """True: the end of the stream is a fault."""
        return True

    def read(self, wait_s: float = math.inf) -> Frame:
        """Wait for the next frame.

        Raises:
            CameraTimeout: No frame came within ``wait_s``; the next read waits on, or opens the camera anew
                once ``timeout_s`` have gone by.
            CameraError: The camera cannot be opened again, or ``close()`` was called.
        """
        if self._is_closed:
            raise CameraError(f"{self._device.name} was closed. Open it again to read on.")
        image = self._capture(self._running_camera(), wait_s)
        if self._is_lost:
            _log.info("%s is back.", self._device.name)
            self._is_lost = False
        frame = Frame(image, timestamp=time.monotonic(), index=self._index, source=self._device.name)
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the camera; libcamera gets ``CLOSE_TIMEOUT_S`` to answer."""
        self._is_closed = True
        camera, self._camera = self._camera, None
        if camera is not None:
            _release(camera)

    def _running_camera(self) -> _Picamera2:
        """The camera, opened anew if it stalled."""
        if self._camera is not None and not self._must_reopen:
            return self._camera
        camera, self._camera = self._camera, None
        if camera is not None:
            _release(camera)
        self._camera = self._device.open()
        self._must_reopen = False
        self._job, self._waited_s = None, 0.0
        return self._camera

    def _capture(self, camera: _Picamera2, wait_s: float) -> Image:
        """Ask for the next frame without waiting in picamera2, whose own wait can last for good."""
        wait_s = min(wait_s, self._timeout_s - self._waited_s)
        try:
            self._job = self._job or camera.capture_array("main", wait=False)
            image = self._job.get_result(timeout=wait_s)
        except TimeoutError as error:
            self._waited_s += wait_s
            if self._waited_s >= self._timeout_s:
                self._mark_lost()
            raise CameraTimeout(
                f"{self._device.name} delivered no frame for {self._waited_s:g} s. Check its ribbon cable."
            ) from error
        except Exception as error:  # libcamera's bindings raise what they like
            self._mark_lost()
            raise CameraError(
                f"{self._device.name} failed: {_line(error)}. Check its ribbon cable."
            ) from error
        self._job, self._waited_s = None, 0.0
        # Where rows are padded to the hardware's alignment, some versions return a view with gaps.
        return np.ascontiguousarray(image)

    def _mark_lost(self) -> None:
        self._must_reopen = True
        if not self._is_lost:
            _log.warning("%s is lost. Check its ribbon cable; it is being opened anew.", self._device.name)
        self._is_lost = True


class _Job(Protocol):
    """What picamera2 returns instead of waiting."""

    def get_result(self, timeout: float) -> NDArray[np.uint8]: ...


class _Picamera2(Protocol):
    """The part of picamera2 that is used here: of 0.3.19 (2024) and later."""

    def __init__(self, camera_num: int) -> None: ...

    @property
    def sensor_modes(self) -> list[dict[str, Any]]: ...

    def create_video_configuration(self, **wishes: object) -> dict[str, Any]: ...

    def configure(self, camera_config: dict[str, Any]) -> None: ...

    def camera_configuration(self) -> dict[str, Any]: ...

    def start(self) -> None: ...

    def capture_array(self, name: str, *, wait: bool) -> _Job: ...

    def cancel_all_and_flush(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Device:
    """What to open, and how."""

    size: tuple[int, int]
    fps: float
    camera_index: int

    @property
    def name(self) -> str:
        return f"Pi camera {self.camera_index}"

    def open(self) -> _Picamera2:
        """A running Picamera2."""
        camera_class = _picamera2_class()
        camera = None
        try:
            camera = camera_class(self.camera_index)
            self._configure(camera)
            camera.start()
        except Exception as error:  # picamera2's, and what libcamera's bindings like
            if camera is not None:
                _release(camera)
            raise CameraError(self._why_not(error)) from error
        return camera

    def _configure(self, camera: _Picamera2) -> None:
        period_us = round(1_000_000 / self.fps)
        configuration = camera.create_video_configuration(
            main={"size": self.size, "format": PIXEL_FORMAT},
            buffer_count=BUFFERS,
            # Without the queue a capture waits for the next frame instead of taking the last one, which may
            # be as old as the camera has been silent.
            queue=False,
            controls={"FrameDurationLimits": (period_us, period_us)},
            sensor=widest(_sensor_modes(camera), self.fps),
        )
        camera.configure(configuration)
        delivered = camera.camera_configuration()["main"]["format"]
        if delivered != PIXEL_FORMAT:
            raise RuntimeError(f"it delivers {delivered} only; a USB camera needs --camera webcam")

    def _why_not(self, error: Exception) -> str:
        # picamera2 0.3.38 has words for what was an IndexError before.
        if isinstance(error, IndexError) or str(error).startswith("No camera number"):
            return f"{self.name} was not found. Check its ribbon cable (rpicam-hello --list-cameras)."
        return f"{self.name} cannot be used: {_line(error)}. Close other programs, check its ribbon cable."


def _picamera2_class() -> type[_Picamera2]:
    """Import picamera2, which comes from the system's packages together with libcamera."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraError(
            f"The Pi camera needs picamera2 ({_line(error)}). Run: sudo apt install python3-picamera2 "
            "--no-install-recommends, and make the venv with --system-site-packages."
        ) from error
    except ValueError as error:
        raise CameraError(
            f"picamera2 does not fit this numpy ({_line(error)}). Use the system's: pip uninstall numpy."
        ) from error
    loaded: type[_Picamera2] = Picamera2
    return loaded


def _sensor_modes(camera: _Picamera2) -> list[dict[str, Any]]:
    """The sensor's modes. picamera2 configures the camera for each of them to find out what it can."""
    try:
        return camera.sensor_modes
    except OSError as error:
        # A small Pi may lack the memory for the largest mode's raw frames (raspberrypi/picamera2 issue 1358).
        # The modes before it were kept, and are the answer from now on.
        _log.info("Not every mode of the sensor can be tried: %s.", _line(error))
        return camera.sensor_modes


def _line(error: Exception) -> str:
    """An error of others as one line without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _release(camera: _Picamera2) -> None:
    """Close a camera, within limits and whatever its state."""
    thread = threading.Thread(target=_close_quietly, args=(camera,), name="picamera close", daemon=True)
    thread.start()
    thread.join(CLOSE_TIMEOUT_S)
    if thread.is_alive():
        _log.warning(
            "The Pi camera does not let go. Check its ribbon cable; a restart of the Pi may be needed."
        )


def _close_quietly(camera: _Picamera2) -> None:
    with contextlib.suppress(Exception):  # a camera that is given up has nothing left to say
        # The job that nobody waits for any more would stay at the head of the queue and block stop().
        camera.cancel_all_and_flush()
    with contextlib.suppress(Exception):
        camera.close()
