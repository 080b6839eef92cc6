"""Film the demo's person at a made-up door."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.demo.mask import wear_mask
from pi_mask.demo.photograph import BETWEEN_THE_EYES, Portrait

if TYPE_CHECKING:
    from pi_mask.types import Image

FPS: Final = 12.0
SIZE: Final = (640, 480)
DURATION_S: Final = 21.0
_EYE_LEVEL_PX: Final = 205
_NOISE: Final = 3.0
"""Standard deviation of the sensor's noise in grey levels, about that of a webcam indoors."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The person at one moment; what lies between two moments is interpolated.

    Attributes:
        time_s: Since the start of the film.
        x: Of the face, pixels of the frame; outside of it nobody is to be seen.
        zoom: Pixels of the frame per pixel of the photograph, whose face is about 110 pixels high.
        lowered: Place of the mask (:func:`wear_mask`); None for a bare face, which never blends.
    """

    time_s: float
    x: float
    zoom: float
    lowered: float | None = None


_UNDER_THE_NOSE: Final = 1.25  # nose and upper lip are free, lower lip and chin covered

# What is filmed, and no more than that: which verdicts follow is the model's and the policy's business.
_SCRIPT: Final = (
    Pose(0.0, -500, 0.72),
    Pose(2.8, -300, 0.72),
    Pose(4.0, 300, 0.78),  # somebody comes in from the left, then nearer
    Pose(6.0, 325, 1.5),
    Pose(8.2, 315, 1.55),
    Pose(8.21, 315, 1.55, 2.0),  # puts on a mask, from the chin upwards
    Pose(8.7, 316, 1.55, 0.0),
    Pose(12.6, 325, 1.6, 0.0),
    Pose(12.9, 325, 1.6, _UNDER_THE_NOSE),  # pulls it under the nose
    Pose(17.0, 315, 1.5, _UNDER_THE_NOSE),
    Pose(18.0, 1100, 1.4, _UNDER_THE_NOSE),  # leaves to the right
    Pose(DURATION_S, 1200, 1.4, _UNDER_THE_NOSE),
)
_TIMES: Final = [pose.time_s for pose in _SCRIPT]


def film(portrait: Portrait) -> Iterator[Image]:
    """Yield the frames: nobody, a bare face, a mask, the mask under the nose, nobody.

    Returns:
        RGB, uint8, 480 × 640 × 3, ``FPS`` a second; the same ones every time.
    """
    random = np.random.default_rng(7)
    wall = _wall(portrait, random)
    # Each frame takes another cut-out of one sheet: new numbers each time would take longer than all else.
    grain = random.normal(0.0, _NOISE, (SIZE[1] + 64, SIZE[0] + 64, 3)).astype(np.float32)
    worn: tuple[float | None, Portrait] = (None, portrait)
    for index in range(round(DURATION_S * FPS)):
        pose = _pose(index / FPS)
        if pose.lowered != worn[0]:
            worn = (pose.lowered, portrait if pose.lowered is None else wear_mask(portrait, pose.lowered))
        frame = _expose(wall, worn[1], pose)
        y, x = random.integers(0, 64, 2)
        yield (frame + grain[y : y + SIZE[1], x : x + SIZE[0]]).clip(0, 255).astype(np.uint8)


def _wall(portrait: Portrait, random: np.random.Generator) -> Image:
    """An empty room in the colours of the photograph's own wall, mottled as that one is."""
    wall = cv2.resize(portrait.wall, SIZE, interpolation=cv2.INTER_LINEAR)
    mottle = random.normal(0.0, 4.0, (9, 12, 1)).astype(np.float32)
    clouds = cv2.resize(mottle, SIZE, interpolation=cv2.INTER_CUBIC)
    return (wall + clouds[..., None]).clip(0, 255).astype(np.uint8)


def _pose(time_s: float) -> Pose:
    after = min(bisect_right(_TIMES, time_s), len(_SCRIPT) - 1)
    start, end = _SCRIPT[after - 1], _SCRIPT[after]
    share = min(1.0, (time_s - start.time_s) / (end.time_s - start.time_s))
    eased = share * share * (3 - 2 * share)
    lowered = start.lowered
    if start.lowered is not None and end.lowered is not None:
        lowered = start.lowered + eased * (end.lowered - start.lowered)
    x = start.x + eased * (end.x - start.x)
    return Pose(time_s, x, start.zoom + eased * (end.zoom - start.zoom), lowered)


def _expose(wall: Image, portrait: Portrait, pose: Pose) -> Image:
    """One frame; nobody stands quite still."""
    t = pose.time_s
    angle = math.radians(1.3 * math.sin(1.9 * t))
    zoom = pose.zoom * (1 + 0.012 * math.sin(2.3 * t + 1)) / portrait.scale
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    eye_x, eye_y = BETWEEN_THE_EYES[0] * portrait.scale, BETWEEN_THE_EYES[1] * portrait.scale
    x = pose.x + 4 * math.sin(2.8 * t)
    y = _EYE_LEVEL_PX + 3 * math.sin(5.1 * t)
    placement = np.array(
        [
            [cosine, -sine, x - cosine * eye_x + sine * eye_y],
            [sine, cosine, y - sine * eye_x - cosine * eye_y],
        ]
    )
    person = cv2.warpAffine(
        portrait.image, placement, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    alpha = cv2.warpAffine(portrait.alpha, placement, SIZE, flags=cv2.INTER_LINEAR)[..., None]
    blended: Image = (wall + alpha * (person.astype(np.float32) - wall)).astype(np.uint8)
    return blended
