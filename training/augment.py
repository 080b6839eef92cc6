"""Vary pictures and their boxes the way doors, cameras and lights do.

Own code on OpenCV: the field's library, Albumentations, is no longer maintained under its MIT licence and its
successor is AGPL; kornia needs a tensor copy per operation and is several times slower on two CPU cores.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pi_mask.errors import UsageError
from training.hard_cases import HardCaseConfig, draw_hard_cases, hide_parts
from training.loss import IGNORED

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with its faces.

    Attributes:
        image: H × W × 3 RGB uint8.
        boxes: M × 4 float32, xmin, ymin, xmax, ymax in pixels.
        labels: M int64; −1 marks a region to ignore.
        is_two_class: M bool; see :class:`training.loss.Targets`.
    """

    image: Image
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    is_two_class: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Probabilities and ranges."""

    mosaic: float = 0.5  # of the pictures: more faces and scales a step, while whole scenes are still seen
    scale: tuple[float, float] = (0.5, 2.2)  # of the letterboxed size: far off to right before the lens
    rotation_degrees: float = 30.0  # tilted heads, cameras hung askew
    rotate: float = 0.4
    min_visible: float = 0.5  # a face cut beyond this is neither face nor background: nobody could tell
    min_side_px: float = 6.0  # smaller faces carry no mask information at this input size
    max_faces: int = 80  # keeps the assignment's memory bounded; the rest of a crowd is ignored
    fill: int = 114
    grey: float = 0.06
    colour: float = 0.8
    blur: float = 0.12
    noise: float = 0.12
    dark: float = 0.12
    backlight: float = 0.08
    jpeg: float = 0.15
    hard: HardCaseConfig = field(default_factory=HardCaseConfig)


_MEASURES = {"rotation_degrees", "min_visible", "min_side_px"}
PROBABILITIES = {
    each.name for kind in (AugmentConfig, HardCaseConfig) for each in fields(kind) if each.type == "float"
} - _MEASURES
"""What can be switched by name."""


def parse_augment(settings: Sequence[str]) -> AugmentConfig:
    """The default configuration with some probabilities replaced, each given as "name=value".

    Raises:
        UsageError: A name is unknown, or a value is no probability.
    """
    changes: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in PROBABILITIES:
            near = difflib.get_close_matches(name, PROBABILITIES, 1) or sorted(PROBABILITIES)
            raise UsageError(f"Nothing that varies pictures is called '{name}'. Known: {', '.join(near)}.")
        try:
            changes[name] = float(value)
        except ValueError:
            changes[name] = -1.0
        if not 0 <= changes[name] <= 1:
            raise UsageError(f"{name} is a probability, not '{value}'. Give a number from 0 to 1.")
    default = AugmentConfig()
    hard = {name: value for name, value in changes.items() if hasattr(default.hard, name)}
    own: dict[str, Any] = {name: value for name, value in changes.items() if name not in hard}
    return replace(default, hard=replace(default.hard, **hard), **own)


# Beyond this a picture shows nothing but its own blur.
_MAX_ZOOM = 6.0
# Of the smallest usual scale.
_FAR = 0.5


class Augmenter:
    """Makes one square training picture out of up to four."""

    def __init__(self, size: int, config: AugmentConfig) -> None:
        self.size = size
        self.config = config

    def __call__(self, samples: Sequence[Sample], rng: Generator) -> Sample:
        """Return a size × size sample; only the first one is used when no mosaic is drawn."""
        if rng.random() < self.config.mosaic:
            sample = self._mosaic(samples, rng)
        else:
            canvas = np.full((self.size, self.size, 3), self.config.fill, np.uint8)
            sample = self._place(samples[0], canvas, rng)
        sample = self._limit(sample)
        hide_parts(sample.image, sample.boxes, sample.labels, self.config.hard.hidden, rng)
        if rng.random() < 0.5:
            sample = _flip(sample)
        image = photometric(sample.image, self.config, rng)
        return Sample(image, sample.boxes, sample.labels, sample.is_two_class)

    def _mosaic(self, samples: Sequence[Sample], rng: Generator) -> Sample:
        canvas = np.full((self.size, self.size, 3), self.config.fill, np.uint8)
        x, y = (rng.uniform(0.3, 0.7, 2) * self.size).astype(int)
        corners = ((0, 0, x, y), (x, 0, self.size, y), (0, y, x, self.size), (x, y, self.size, self.size))
        parts = []
        for sample, (left, top, right, bottom) in zip(samples, corners, strict=True):
            part = self._place(sample, canvas[top:bottom, left:right], rng)
            parts.append((part.boxes + np.array([left, top, left, top], np.float32), part))
        return Sample(
            canvas,
            np.concatenate([boxes for boxes, _ in parts]),
            np.concatenate([part.labels for _, part in parts]),
            np.concatenate([part.is_two_class for _, part in parts]),
        )

    def _place(self, sample: Sample, canvas: Image, rng: Generator) -> Sample:
        """Draw the picture on the canvas at a random scale, place and tilt."""
        config = self.config
        sample = _with_hard_cases(sample, config.hard, rng)
        height, width = canvas.shape[:2]
        source_height, source_width = sample.image.shape[:2]
        fit = self.size / max(source_height, source_width) * min(1.0, 1.4 * max(height, width) / self.size)
        scale, anchor = self._view(sample, fit, min(height, width), rng)
        angle = rng.uniform(-1, 1) * config.rotation_degrees if rng.random() < config.rotate else 0.0
        target = rng.uniform(0.2, 0.8, 2) * np.array([width, height])
        # All of it fits: keep all of it.
        if scale * source_width <= width and scale * source_height <= height:
            anchor = np.array([source_width, source_height]) / 2
            slack = np.array([width - scale * source_width, height - scale * source_height]) / 2
            target = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * slack
        turn = cv2.getRotationMatrix2D((float(anchor[0]), float(anchor[1])), angle, scale)
        matrix = np.asarray(turn, np.float64)
        matrix[:, 2] += target - anchor
        moved = _transform(sample.boxes, matrix)
        image = sample.image
        # Bilinear sampling skips pixels: shrink with area averaging first, as the detector does.
        if scale < 0.8:
            image = _shrink(image, 1.2 * scale)
            matrix[:, :2] *= np.array([source_width, source_height]) / image.shape[1::-1]
        drawn = cv2.warpAffine(image, _on_centres(matrix), (width, height), borderValue=(config.fill,) * 3)
        canvas[...] = drawn
        boxes, labels = self._visible(moved, sample.labels, width, height)
        keep = labels > -2
        return Sample(canvas, boxes[keep], labels[keep], sample.is_two_class[keep])

    def _view(
        self, sample: Sample, fit: float, side: int, rng: Generator
    ) -> tuple[float, NDArray[np.float64]]:
        """How large the picture is drawn, and the point of it that stays in view.

        Args:
            sample: The picture.
            fit: Scale at which it just fits.
            side: The canvas's shorter side in pixels.
            rng: Source of chance.
        """
        hard, draw = self.config.hard, rng.random()
        faces = sample.boxes[sample.labels != IGNORED]
        scale = fit * float(np.exp(rng.uniform(*np.log(self.config.scale))))
        if draw < hard.big_face and len(faces):
            box = faces[rng.integers(len(faces))].astype(np.float64)
            face = max(float((box[2:] - box[:2]).max()), 1.0)
            return min(rng.uniform(0.5, 1.0) * side / face, _MAX_ZOOM), (box[:2] + box[2:]) / 2
        if draw > 1 - hard.far:
            scale = fit * rng.uniform(_FAR, 1.0) * self.config.scale[0]
        return scale, self._anchor(faces, sample.image.shape, rng)

    @staticmethod
    def _anchor(faces: NDArray[np.float32], shape: tuple[int, ...], rng: Generator) -> NDArray[np.float64]:
        """The point that stays in view: mostly a face, so that zoomed pictures aren't empty."""
        if len(faces) and rng.random() < 0.8:
            box = faces[rng.integers(len(faces))].astype(np.float64)
            middle: NDArray[np.float64] = (box[:2] + box[2:]) / 2
            return middle
        place: NDArray[np.float64] = rng.uniform(0.2, 0.8, 2) * np.array(shape[1::-1])
        return place

    def _visible(
        self, boxes: NDArray[np.float32], labels: NDArray[np.int64], width: int, height: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Clip; label −1 what is cut or small beyond judging, −2 what is out of view.

        A region to ignore may be far larger than a picture: what is left of it is one still, however little.
        """
        clipped = boxes.clip(0, np.array([width, height, width, height], np.float32))
        sides = clipped[:, 2:] - clipped[:, :2]
        share = sides.prod(1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6)
        is_small = sides.min(1, initial=1e9) < self.config.min_side_px
        is_region = labels == IGNORED
        labels = np.where((share < self.config.min_visible) | is_small, IGNORED, labels)
        is_gone = np.where(is_region, sides.min(1, initial=1e9) <= 0, share < 0.05)
        return clipped, np.where(is_gone, -2, labels)

    def _limit(self, sample: Sample) -> Sample:
        faces = np.flatnonzero(sample.labels >= 0)
        if len(faces) <= self.config.max_faces:
            return sample
        sides = (sample.boxes[faces, 2:] - sample.boxes[faces, :2]).min(1)
        labels = sample.labels.copy()
        labels[faces[np.argsort(sides)[: len(faces) - self.config.max_faces]]] = IGNORED
        return Sample(sample.image, sample.boxes, labels, sample.is_two_class)


def photometric(image: Image, config: AugmentConfig, rng: Generator) -> Image:
    """Other colours, light, sharpness, noise and compression; pixels stay where they are."""
    if rng.random() < config.colour:
        image = _colour(image, rng)
    if rng.random() < config.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)  # type: ignore[assignment]
    if rng.random() < config.backlight:
        image = _backlight(image, rng)
    if rng.random() < config.dark:
        gamma = rng.uniform(1.5, 3.0)
        image = _table(image, 255 * (np.arange(256) / 255) ** gamma * rng.uniform(0.4, 1.0))
    if rng.random() < config.blur:
        image = _blur(image, rng)
    if rng.random() < config.noise:
        noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(3, 20)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < config.jpeg:
        quality = int(rng.integers(12, 60))
        image = through_jpeg(image, quality)
    return np.ascontiguousarray(image)


def through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """An RGB picture as it comes back from a JPEG of this quality, 1 to 100."""
    # JPEG keeps less of blue and red than of green, and OpenCV takes the first channel for blue.
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def _with_hard_cases(sample: Sample, config: HardCaseConfig, rng: Generator) -> Sample:
    image, labels = draw_hard_cases(sample.image, sample.boxes, sample.labels, config, rng)
    # What a drawn mask makes of a face is certain, whatever its source knows.
    return Sample(image, sample.boxes, labels, sample.is_two_class & (labels == sample.labels))


def _shrink(image: Image, scale: float) -> Image:
    """Average areas; a picture of a few pixels' width keeps at least one of them."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _on_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map for warpAffine, which counts from the first pixel's centre; boxes count from its edge."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return moved


def _transform(boxes: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Boxes around the transformed ellipses of the faces: tighter than around transformed corners."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]) / 2
    moved = centres @ matrix[:, :2].T + matrix[:, 2]
    extents = np.sqrt((halves**2) @ (matrix[:, :2] ** 2).T)
    return np.concatenate([moved - extents, moved + extents], axis=1).astype(np.float32)


def _flip(sample: Sample) -> Sample:
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = sample.image.shape[1] - boxes[:, [2, 0]]
    return Sample(np.ascontiguousarray(sample.image[:, ::-1]), boxes, sample.labels, sample.is_two_class)


def _table(image: Image, values: NDArray[np.float64]) -> Image:
    return cv2.LUT(image, values.clip(0, 255).astype(np.uint8))  # type: ignore[return-value]


def _colour(image: Image, rng: Generator) -> Image:
    """Hue, saturation, brightness, contrast, and the white balance of cheap sensors."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    hue = ((np.arange(256) + rng.uniform(-9, 9)) % 180).astype(np.uint8)
    saturation = (steps * rng.uniform(0.5, 1.5)).clip(0, 255).astype(np.uint8)
    value = ((steps - 128) * rng.uniform(0.7, 1.3) + 128 + rng.uniform(-35, 35)).clip(0, 255).astype(np.uint8)
    hsv = cv2.LUT(hsv, np.stack([hue, saturation, value], axis=-1)[None])
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)  # type: ignore[assignment]
    if rng.random() < 0.3:
        gains = rng.uniform(0.8, 1.2, 3)
        image = cv2.LUT(image, (steps[:, None] * gains).clip(0, 255).astype(np.uint8)[None])  # type: ignore[assignment]
    return image


def _backlight(image: Image, rng: Generator) -> Image:
    """A bright door behind a dark person: a light gradient from one side, all else darkened."""
    ramp = np.linspace(rng.uniform(0.2, 0.6), rng.uniform(1.2, 2.2), image.shape[1], dtype=np.float32)
    if rng.random() < 0.5:
        ramp = ramp[::-1]
    return (image * ramp[None, :, None]).clip(0, 255).astype(np.uint8)


def _blur(image: Image, rng: Generator) -> Image:
    """Out of focus, or moving: half Gaussian, half along a line."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.8))  # type: ignore[return-value]
    length = int(rng.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1.0)
    line = cv2.warpAffine(kernel, turn, (length, length)).astype(np.float32)
    return cv2.filter2D(image, -1, line / max(float(line.sum()), 1e-6))  # type: ignore[return-value]
