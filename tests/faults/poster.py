"""See how long photographs of faces keep their say, with the shipped model.

    python -m tests.faults.poster --data DIR/val.json --count 30

Each picture is filmed for a minute at 5 frames a second by a made-up camera: noise of 3 grey levels, lamps
that flicker by 3 %, daylight that changes by 15 %, JPEG at a quality of 85. Needs annotated pictures (COCO),
which do not come with pi-mask.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pi_mask.build import open_detector
from pi_mask.camera.picture import decode_picture
from pi_mask.policy import DoorPolicy
from pi_mask.settings import ModelSettings, PolicySettings, TrackerSettings
from pi_mask.tracker import Tracker
from pi_mask.types import Frame

if TYPE_CHECKING:
    from pi_mask.detector import Detector
    from pi_mask.types import Image

FPS, SECONDS = 5, 60
SMALLEST_PX = 60


def pictures(data: Path, count: int) -> Iterator[Image]:
    """Pictures of one face that is large enough to count, evenly from the whole set."""
    coco = json.loads(data.read_text())
    boxes: dict[int, list[list[float]]] = {}
    for annotation in coco["annotations"]:
        boxes.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    alone = [
        image
        for image in coco["images"]
        if len(faces := boxes.get(image["id"], [])) == 1 and min(faces[0][2:]) >= SMALLEST_PX
    ]
    for image in alone[:: max(1, len(alone) // count)][:count]:
        path = data.parent / "images" / image["file_name"]
        yield decode_picture(path)


def filmed(image: Image, seed: int) -> Iterator[Frame]:
    """A minute before the picture."""
    random = np.random.default_rng(seed)
    for index in range(FPS * SECONDS):
        now = index / FPS
        gain = (1 + 0.03 * random.standard_normal()) * (1 + 0.15 * math.sin(2 * math.pi * now / SECONDS))
        noisy = image * np.float32(gain) + 3 * random.standard_normal(image.shape, np.float32)
        _, jpeg = cv2.imencode(
            ".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85]
        )
        seen = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        yield Frame(np.ascontiguousarray(seen), now, index)


def seconds_with_a_say(detector: Detector, frames: Iterator[Frame]) -> tuple[float, float]:
    """When the door last had a verdict, and for how many seconds it had one."""
    tracking, settings = TrackerSettings(), PolicySettings()
    tracker = Tracker(
        tracking.iou_threshold, tracking.max_age_s, tracking.max_votes, min_hits=tracking.min_hits
    )
    door = DoorPolicy(settings)
    last, total = 0.0, 0
    for frame in frames:
        size = (frame.image.shape[1], frame.image.shape[0])
        faces = door.eligible(detector.detect(frame)[0], size)
        decision = door.decide(tracker.update(faces, frame.timestamp), frame.timestamp, size)
        if decision.verdict.value != "idle":
            last, total = frame.timestamp, total + 1
    return last, total / FPS


def main() -> None:
    """Parse, film, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    with open_detector(ModelSettings(accelerator="cpu", threads=1)) as opened:
        for seed, image in enumerate(pictures(options.data, options.count)):
            last, total = seconds_with_a_say(opened.detector, filmed(image, seed))
            print(json.dumps({"picture": seed, "last_s": last, "total_s": total}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
