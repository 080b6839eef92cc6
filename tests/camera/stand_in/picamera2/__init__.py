"""Stand in for picamera2 0.3.31 where there is no camera: the rules that its users meet, and a scene."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

_CHANNELS = {"BGR888": [0, 1, 2], "RGB888": [2, 1, 0], "XBGR8888": [0, 1, 2, 3], "XRGB8888": [2, 1, 0, 3]}
_ALIGNMENT = 64
_TICK_S = 0.001
_RAW_BUFFERS = 4


def _mode(
    size: tuple[int, int], bit_depth: int, fps: float, crop: tuple[int, int, int, int]
) -> dict[str, Any]:
    return {"size": size, "bit_depth": bit_depth, "fps": fps, "crop_limits": crop}


SENSORS = {
    "imx219": [  # Camera Module 2
        _mode((640, 480), 10, 206.65, (1000, 752, 1280, 960)),
        _mode((1640, 1232), 10, 41.85, (0, 0, 3280, 2464)),
        _mode((1920, 1080), 10, 47.57, (680, 692, 1920, 1080)),
        _mode((3280, 2464), 10, 21.19, (0, 0, 3280, 2464)),
        _mode((640, 480), 8, 206.65, (1000, 752, 1280, 960)),
        _mode((1640, 1232), 8, 83.7, (0, 0, 3280, 2464)),
        _mode((1920, 1080), 8, 47.57, (680, 692, 1920, 1080)),
        _mode((3280, 2464), 8, 21.19, (0, 0, 3280, 2464)),
    ],
    "imx708": [  # Camera Module 3
        _mode((1536, 864), 10, 120.13, (768, 432, 3072, 1728)),
        _mode((2304, 1296), 10, 56.03, (0, 0, 4608, 2592)),
        _mode((4608, 2592), 10, 14.35, (0, 0, 4608, 2592)),
    ],
}
"""As sensor_modes gives them on a Pi 4, but for the fields that nobody reads here."""


@dataclass
class Bench:
    """What the cameras are plugged into: a script pulls cables and looks at what was asked here.

    ``missing`` is what a camera that is not there raises: 0.3.38 has a RuntimeError instead.
    ``only_format`` makes it a USB camera; ``raw_px`` is how many pixels of raw frames the memory holds.
    """

    cameras: int = 1
    missing: Exception = field(default_factory=IndexError)
    is_silent: bool = False
    never_closes: bool = False
    only_format: str | None = None
    sensor: str = "imx219"
    raw_px: float = math.inf
    in_use: set[int] = field(default_factory=set)
    log: list[Any] = field(default_factory=list)


BENCH = Bench()


class Job:
    """Functions that the event loop runs in turn, each again and again until it is done."""

    def __init__(self, functions: list[Callable[[], tuple[bool, Any]]]) -> None:
        self._functions = functions
        self._future: Future[Any] = Future()

    def execute(self) -> bool:
        while self._functions:
            is_done, result = self._functions[0]()
            if not is_done:
                return False
            self._functions.pop(0)
        self._future.set_result(result)
        return True

    def get_result(self, timeout: float | None = None) -> Any:
        return self._future.result(timeout)

    def cancel(self) -> None:
        self._future.set_exception(CancelledError())


class Picamera2:
    """One camera. Without an answer of the sensor, captures and ``stop()`` wait for good."""

    def __init__(self, camera_num: int = 0) -> None:
        BENCH.log.append("open")
        if camera_num >= BENCH.cameras:
            raise BENCH.missing
        self.camera_idx = camera_num
        if self.camera_idx in BENCH.in_use:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        BENCH.in_use.add(self.camera_idx)
        self.is_open = True
        self.started = False
        self.camera_config: dict[str, Any] | None = None
        self._modes: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._completed: list[int] = []
        self._frames = 0
        self._loop: threading.Thread | None = None
        self._is_ending = threading.Event()

    @property
    def sensor_modes(self) -> list[dict[str, Any]]:
        """Each is configured to find out what it can; those found before one that failed are kept."""
        if self._modes:
            return self._modes
        if BENCH.only_format:
            self._modes = [{"format": BENCH.only_format}]
            return self._modes
        for mode in SENSORS[BENCH.sensor]:
            sensor = {"output_size": mode["size"], "bit_depth": mode["bit_depth"]}
            self._set_up(self.create_video_configuration(main={"size": (640, 480)}, sensor=sensor))
            self._modes.append(dict(mode))
        return self._modes

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006  as the real one
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        queue: bool = True,
        sensor: dict[str, Any] | None = {},  # noqa: B006
    ) -> dict[str, Any]:
        for key in main:
            if key not in ("format", "size", "stride", "preserve_ar"):
                raise ValueError(f"Bad key {key!r}")
        stream = {"format": "XBGR8888", "size": (1280, 720)} | main
        stream["size"] = tuple(side - side % 2 for side in stream["size"])
        limits = {"FrameDurationLimits": (33333, 33333)} | controls
        return {
            "main": stream,
            "buffer_count": buffer_count,
            "controls": limits,
            "queue": queue,
            "sensor": None if BENCH.only_format else sensor,
        }

    def configure(self, camera_config: dict[str, Any]) -> None:
        self._set_up(camera_config)
        assert self.camera_config is not None
        keys = ("main", "buffer_count", "controls", "queue", "sensor")
        BENCH.log.append({key: camera_config[key] for key in keys} | {"view": self.camera_config["view"]})

    def _set_up(self, camera_config: dict[str, Any]) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        main = dict(camera_config["main"])
        if main["format"] not in _CHANNELS:
            raise RuntimeError(f"Bad format {main['format']} in stream main")
        main["format"] = BENCH.only_format or main["format"]
        self.camera_config = camera_config | {"main": main, "view": None}
        if camera_config["sensor"] is None:
            return
        if unknown := camera_config["sensor"].keys() - {"bit_depth", "output_size"}:
            raise RuntimeError(f"Unexpected keys {unknown} in sensor configuration")
        mode = _nearest(SENSORS[BENCH.sensor], camera_config["sensor"], main["size"])
        if _RAW_BUFFERS * math.prod(mode["size"]) > BENCH.raw_px:
            self.camera_config = None
            raise OSError(12, "Cannot allocate memory")
        self.camera_config["view"] = _cut(mode["crop_limits"], main["size"])

    def camera_configuration(self) -> dict[str, Any] | None:
        return self.camera_config

    def start(self) -> None:
        if self.camera_config is None:
            self.configure(self.create_video_configuration(main={"size": (640, 480)}))
        if self._loop is None:
            self._loop = threading.Thread(target=self._run, daemon=True)
            self._loop.start()
        self.started = True

    def stop(self) -> None:
        if self.started and self._loop is not None:
            self._dispatch([self._stop], wait=True)
        else:
            self._stop()

    def close(self) -> None:
        BENCH.log.append("close")
        if BENCH.never_closes:
            threading.Event().wait()
        if self._loop is not None:
            self._is_ending.set()
            self._loop.join()
            self._loop = None
        if self.is_open:
            self.stop()
            BENCH.in_use.remove(self.camera_idx)
            self.is_open = False

    def capture_array(self, name: str = "main", wait: bool | None = None) -> Any:
        return self._dispatch([partial(self._take, name)], wait=wait is None or wait)

    def cancel_all_and_flush(self) -> None:
        with self._lock:
            for job in self._jobs:
                job.cancel()
            self._jobs = []

    def _dispatch(self, functions: list[Callable[[], tuple[bool, Any]]], *, wait: bool) -> Any:
        job = Job(functions)
        with self._lock:
            self._jobs.append(job)
        return job.get_result() if wait else job

    def _run(self) -> None:
        while not self._is_ending.wait(_TICK_S):
            with self._lock:
                if self.started and not BENCH.is_silent:
                    self._frames += 1
                    self._completed.append(self._frames)
                while self._jobs and self._jobs[0].execute():
                    self._jobs.pop(0)
                assert self.camera_config is not None
                kept = 1 if self.camera_config["queue"] and self.camera_config["buffer_count"] > 1 else 0
                del self._completed[: len(self._completed) - kept]

    def _stop(self) -> tuple[bool, None]:
        self.started = False
        self._completed.clear()
        return True, None

    def _take(self, name: str) -> tuple[bool, Any]:
        if not self._completed:
            return False, None
        assert self.camera_config is not None
        return True, _scene(self._completed.pop(0), self.camera_config[name])


def _nearest(modes: list[dict[str, Any]], wish: dict[str, Any], main_size: tuple[int, int]) -> dict[str, Any]:
    """The mode for a wish, or else for the frames' size: being smaller or of another shape counts most."""
    width, height = wish.get("output_size", main_size)
    bit_depth = wish.get("bit_depth", max(mode["bit_depth"] for mode in modes))

    def miss(wanted: float, has: float) -> float:
        return 2 * (wanted - has) if wanted > has else (has - wanted) / 4

    def score(mode: dict[str, Any]) -> float:
        has_width, has_height = mode["size"]
        shape = 1500 * miss(width / height, has_width / has_height)
        bits = 500 * abs(bit_depth - mode["bit_depth"])
        return miss(width, has_width) + miss(height, has_height) + shape + bits

    return min(modes, key=score)


def _cut(crop: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The middle of what the mode reads, in the shape of the frames: what the image processor shows."""
    x, y, width, height = crop
    seen_width = min(width, height * size[0] // size[1])
    seen_height = min(height, width * size[1] // size[0])
    return x + (width - seen_width) // 2, y + (height - seen_height) // 2, seen_width, seen_height


def _scene(number: int, stream: dict[str, Any]) -> Any:
    """Red 200, green the number of the frame, blue 10, in rows that are padded as the hardware does."""
    width, height = stream["size"]
    order = _CHANNELS[stream["format"]]
    row_bytes = width * len(order)
    rows = np.full((height, -(-row_bytes // _ALIGNMENT) * _ALIGNMENT), 77, np.uint8)
    pixels = rows[:, :row_bytes].reshape(height, width, len(order))
    pixels[:] = np.array([200, number % 256, 10, 255], np.uint8)[order]
    return pixels
