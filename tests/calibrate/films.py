"""Film the demo's person as each step of a calibration asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pi_mask.demo.film import SIZE, Pose, _expose, _wall
from pi_mask.demo.mask import wear_mask
from pi_mask.demo.photograph import find_photograph, load_portrait
from pi_mask.output import VideoWriter
from pi_mask.types import Frame

if TYPE_CHECKING:
    from pi_mask.types import Image

FPS = 8.0
ABSENT = -600.0
WORN, UNDER_THE_NOSE = 0.0, 1.3


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the person stands (x of the face in pixels), how large, and with the mask where."""

    x: float
    zoom: float = 1.5
    lowered: float | None = None


SCENES: Mapping[str, Scene] = {
    "empty": Scene(ABSENT),
    "mask": Scene(320, 1.5, WORN),
    "mask_near": Scene(320, 2.0, WORN),
    "mask_far": Scene(320, 0.9, WORN),
    "bare": Scene(320, 1.5),
    "under_nose": Scene(320, 1.5, UNDER_THE_NOSE),
}


def film(scene: Scene, seconds: float, seed: int) -> Iterator[Image]:
    """The person standing and swaying, with the noise of a sensor."""
    random = np.random.default_rng(seed)
    portrait = load_portrait(find_photograph())
    room = _wall(portrait, random)
    worn = portrait if scene.lowered is None else wear_mask(portrait, scene.lowered)
    noise = random.normal(0.0, 3.0, (SIZE[1] + 64, SIZE[0] + 64, 3)).astype(np.float32)
    for index in range(round(seconds * FPS)):
        pose = Pose(10 * seed + index / FPS, scene.x, scene.zoom, scene.lowered)
        y, x = random.integers(0, 64, 2)
        grain = noise[y : y + SIZE[1], x : x + SIZE[0]]
        yield (_expose(room, worn, pose) + grain).clip(0, 255).astype(np.uint8)


def record_steps(folder: Path, seconds: float) -> Path:
    """Write a clip for each required step; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, scene) in enumerate(SCENES.items()):
        with VideoWriter(folder / f"{name}.mp4", FPS, SIZE) as video:
            for image in film(scene, seconds, seed):
                video.write(image)
    return folder


def live(names: Sequence[str], seconds: float) -> list[Frame]:
    """What a camera of 320×240 sees while the person does one thing after the other, without a pause.

    A step ends with the first frame that is too late for it, which nobody looks at again.
    """
    images = [
        cv2.resize(image, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
        for seed, name in enumerate(names)
        for image in [*film(SCENES[name], seconds + 1 / FPS, seed)]
    ]
    return [Frame(np.asarray(image, np.uint8), index / FPS, index) for index, image in enumerate(images)]
