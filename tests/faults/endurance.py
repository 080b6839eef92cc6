"""Run a door for days in fast motion, and watch what the process takes from the machine.

    python -m tests.faults.endurance --frames 864000

is 24 hours at 10 frames a second, with timestamps made up. Camera and pins are stand-ins; model, LiteRT,
detector, tracker, policy, lamps with their threads and tally are the real ones. Each line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pi_mask.build import open_pipeline
from pi_mask.errors import CameraTimeout
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.report import Tally
from pi_mask.settings import GpioSettings, ModelSettings, PolicySettings, Settings
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import SIDE, install_model, picture

if TYPE_CHECKING:
    from pi_mask.types import Image

FPS = 10
VISIT_EVERY, VISIT_FRAMES = 60 * FPS, 5 * FPS
"""Somebody comes every minute and stays for five seconds."""
STALL_EVERY, NOISE_EVERY = 10_007, 5_003
VISITORS = tuple(MaskLabel)
STAND_IN = Path(__file__).parent / "stand_in"


class BusyDoor:
    """A camera before which people come and go; now and then it stalls or delivers noise.

    Args:
        count: Number of frames until its stream ends.
    """

    is_live = False

    def __init__(self, count: int) -> None:
        self._count, self._index = count, 0
        self._random = np.random.default_rng(0)
        self._scenes = {label: picture(label, side=SIDE) for label in VISITORS}
        self._empty = picture(side=SIDE)

    def read(self, wait_s: float = math.inf) -> Frame | None:
        """The next frame, its pixels in an array of its own as a real camera's are."""
        if self._index == self._count:
            return None
        self._index += 1
        if self._index % STALL_EVERY == 0:
            raise CameraTimeout("The camera delivered nothing for 5 s. Check its cable.")
        return Frame(self._scene(self._index), self._index / FPS, self._index)

    def close(self) -> None:
        """Nothing is held."""

    def _scene(self, index: int) -> Image:
        if index % NOISE_EVERY == 0:
            return self._random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        visit, since = divmod(index, VISIT_EVERY)
        scene = self._scenes[VISITORS[visit % len(VISITORS)]] if since < VISIT_FRAMES else self._empty
        image = scene.copy()
        image[0, 0] = index % 256
        return image


def watch(model: Path, frames: int, checkpoints: int) -> Iterator[dict[str, object]]:
    """Run the door; report at equal distances, the last time before anything is closed."""
    settings = Settings(
        model=ModelSettings(name=str(model), accelerator="cpu", threads=1),
        policy=PolicySettings(min_face_px=8.0),
    )
    indicator = GpioIndicator(GpioSettings(pin_factory="lgpio", relay_pin=24))
    tally = Tally()
    with (
        closing(BusyDoor(frames)) as camera,
        open_pipeline(settings, camera=camera, indicator=indicator) as door,
    ):
        for seen, observation in enumerate(door, 1):
            tally.add(observation)
            if seen % (frames // checkpoints) == 0:
                verdicts = {verdict.value: count for verdict, count in tally.summary(1.0, 0).verdicts.items()}
                yield {"frames": seen, "hours": round(seen / FPS / 3600, 2), **taken(), "verdicts": verdicts}


def taken() -> dict[str, int]:
    """What the process has of the machine: resident memory in KiB, open files, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "open_files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
    }


def main() -> None:
    """Parse, prepare the stand-ins, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=864_000)
    parser.add_argument("--checkpoints", type=int, default=12)
    options = parser.parse_args()
    sys.path.insert(0, str(STAND_IN))
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FAULTS_GPIO_DIR": folder, "FAULTS_GPIO_FD": str(os.open(os.devnull, os.O_WRONLY))}
        model = install_model(Path(folder)).with_suffix(".tflite")
        for report in watch(model, options.frames, options.checkpoints):
            print(json.dumps(report), flush=True)  # noqa: T201 a program's results


if __name__ == "__main__":
    main()
