"""Stand in for picamera2 0.3.31 where there is no camera: the rules that its users meet, and a scene."""

from __future__ import annotations

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


@dataclass
class Bench:
    """What the cameras are plugged into: a script pulls cables and looks at what was asked here."""

    cameras: int = 1
    is_silent: bool = False
    never_closes: bool = False
    only_format: str | None = None
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
        self.camera_idx = list(range(BENCH.cameras))[camera_num]
        if self.camera_idx in BENCH.in_use:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        BENCH.in_use.add(self.camera_idx)
        self.is_open = True
        self.started = False
        self.camera_config: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._completed: list[int] = []
        self._frames = 0
        self._loop: threading.Thread | None = None
        self._is_ending = threading.Event()

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006  as the real one
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        queue: bool = True,
    ) -> dict[str, Any]:
        for key in main:
            if key not in ("format", "size", "stride", "preserve_ar"):
                raise ValueError(f"Bad key {key!r}")
        stream = {"format": "XBGR8888", "size": (1280, 720)} | main
        stream["size"] = tuple(side - side % 2 for side in stream["size"])
        limits = {"FrameDurationLimits": (33333, 33333)} | controls
        return {"main": stream, "buffer_count": buffer_count, "controls": limits, "queue": queue}

    def configure(self, camera_config: dict[str, Any]) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        main = dict(camera_config["main"])
        if main["format"] not in _CHANNELS:
            raise RuntimeError(f"Bad format {main['format']} in stream main")
        main["format"] = BENCH.only_format or main["format"]
        self.camera_config = camera_config | {"main": main}
        BENCH.log.append({key: camera_config[key] for key in ("main", "buffer_count", "controls", "queue")})

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


def _scene(number: int, stream: dict[str, Any]) -> Any:
    """Red 200, green the number of the frame, blue 10, in rows that are padded as the hardware does."""
    width, height = stream["size"]
    order = _CHANNELS[stream["format"]]
    row_bytes = width * len(order)
    rows = np.full((height, -(-row_bytes // _ALIGNMENT) * _ALIGNMENT), 77, np.uint8)
    pixels = rows[:, :row_bytes].reshape(height, width, len(order))
    pixels[:] = np.array([200, number % 256, 10, 255], np.uint8)[order]
    return pixels
