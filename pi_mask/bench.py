"""Measure how long one frame takes."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.errors import UsageError
from pi_mask.policy import DoorPolicy
from pi_mask.settings import PolicySettings, TrackerSettings
from pi_mask.tracker import Tracker
from pi_mask.types import Frame

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.detector import Detector
    from pi_mask.types import Image

WARM_UP: Final = 20
"""Frames run before the measured ones: caches, clock rates and the first allocation settle within them."""
_N_PICTURES: Final = 16
"""Different pictures held in memory: enough for caches not to know them by heart, 15 MB at 640×480."""
_MAX_BYTES: Final = 64 * 2**20
"""Fewer where they are large: a Pi Zero 2 has 512 MiB."""
_FPS: Final = 10.0
"""Frame rate that the tracker is told; a person then lives through several frames, as at the door."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of one stage over all frames."""

    min_ms: float
    median_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """How long frames took.

    Attributes:
        stages: "preprocess", "inference", "postprocess", "decide" (tracker and policy) and "total", in this
            order; reading and decoding a picture belongs to none of them.
        frames: Number of measured frames.
        fps: Frames a second, from the mean total.
        overhead_ratio: Median preprocessing and postprocessing over median inference.
        faces_per_frame: Mean number of faces found; postprocessing costs more the more there are.
        peak_memory_mib: Largest resident size of the process so far; None where the system doesn't say.
    """

    stages: dict[str, Spread]
    frames: int
    fps: float
    overhead_ratio: float
    faces_per_frame: float
    peak_memory_mib: float | None


def measure(
    detector: Detector, images: Sequence[Image], frames: int, on_frame: Callable[[], None] = lambda: None
) -> Measurement:
    """Run detector, tracker and policy over pictures, again and again.

    Garbage collection stays on, as it is at the door.

    Args:
        detector: As opened.
        images: RGB, uint8; played in a loop.
        frames: Number of frames to measure, at least 1.
        on_frame: Called after each of them, off the clock.
    """
    tracking, rules = TrackerSettings(), PolicySettings()
    tracker = Tracker(
        tracking.iou_threshold, tracking.max_age_s, tracking.max_votes, min_hits=tracking.min_hits
    )
    policy = DoorPolicy(rules)
    rows, faces = np.zeros((frames, 5)), 0
    gc.collect()
    for index in range(-WARM_UP, frames):
        image = images[index % len(images)]
        frame = Frame(image, timestamp=(index + WARM_UP) / _FPS, index=index + WARM_UP)
        size = (image.shape[1], image.shape[0])
        start = time.perf_counter()
        detections, latency = detector.detect(frame)
        detected = time.perf_counter()
        tracks = tracker.update(policy.eligible(detections, size), frame.timestamp)
        policy.decide(tracks, frame.timestamp, size)
        end = time.perf_counter()
        if index >= 0:
            stages = (latency.preprocess_ms, latency.inference_ms, latency.postprocess_ms)
            rows[index] = (*stages, (end - detected) * 1e3, (end - start) * 1e3)
            faces += len(detections)
            on_frame()
    return _summarise(rows, faces)


def _summarise(rows: np.ndarray, faces: int) -> Measurement:
    names = ("preprocess", "inference", "postprocess", "decide", "total")
    figures = np.percentile(rows, (0, 50, 95), axis=0).T
    stages = {name: Spread(*map(float, row)) for name, row in zip(names, figures, strict=True)}
    around = stages["preprocess"].median_ms + stages["postprocess"].median_ms
    return Measurement(
        stages,
        len(rows),
        fps=1e3 / float(rows[:, -1].mean()),
        overhead_ratio=around / stages["inference"].median_ms,
        faces_per_frame=faces / len(rows),
        peak_memory_mib=_peak_memory_mib(),
    )


def made_up_pictures(width: int, height: int) -> tuple[Image, ...]:
    """Smooth patches of colour without a face, the same ones every time.

    Args:
        width: In pixels, at least 1.
        height: In pixels, at least 1.
    """
    count = _how_many(width, height)
    patches = np.random.default_rng(0).integers(0, 256, (count, 6, 8, 3), np.uint8)
    return tuple(
        np.asarray(cv2.resize(patch, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        for patch in patches
    )


def recorded_pictures(camera: Camera, size: tuple[int, int] | None = None) -> tuple[Image, ...]:
    """The first pictures of a recording, at most 16.

    Args:
        camera: Closed by the caller.
        size: Width and height to scale to; None leaves them as they are.

    Raises:
        InputError: A file cannot be read.
        UsageError: They differ in size, so no time would be that of any.
    """
    images: list[Image] = []
    while (frame := camera.read()) is not None:
        image = frame.image
        if size is not None:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        images.append(image)
        if len(images) >= _how_many(image.shape[1], image.shape[0]):
            break
    if len({image.shape for image in images}) > 1:
        raise UsageError("These pictures are of different sizes. Give them one, such as --size 640x480.")
    return tuple(images)


def _how_many(width: int, height: int) -> int:
    """Number of pictures of this size to hold in memory."""
    return min(_N_PICTURES, max(1, _MAX_BYTES // (width * height * 3)))


def _peak_memory_mib() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB (getrusage(2)), macOS bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
