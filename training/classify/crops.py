"""Cut faces out of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pi_mask.camera.picture import decode_picture
from training.augment import AugmentConfig, Image, photometric
from training.classify.network import SIDE
from training.data import LABELS, Picture
from training.hard_cases import draw_hard_cases

MARGIN = 0.15
"""Of the face's longer side, around it: chin straps and ears say much, and a found box is never exact."""
_FILL = 114
_MAX_SIDE_PX = 192
_CONTEXT = 0.5


@dataclass(frozen=True)
class CropConfig:
    """How faces are varied, each with its reason."""

    min_side_px: float = 16.0  # smaller ones are not measured either
    scale: tuple[float, float] = (0.85, 1.2)  # boxes that overlap by 0.5 to 1 with the true one …
    shift: float = 0.1  # … as a detector's do; of the longer side
    rotation_degrees: float = 15.0
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, slots=True)
class Face:
    """A face with the picture around it.

    Attributes:
        image: H × W × 3 RGB.
        box: xmin, ymin, xmax, ymax in the image's pixels.
        is_two_class: Its source knows no label "incorrect".
    """

    image: Image
    box: NDArray[np.float32]
    label: int
    is_two_class: bool


def crop(image: Image, centre: Sequence[float], side: float) -> Image:
    """The square around a point, SIDE × SIDE pixels; what is outside the picture is grey.

    Args:
        image: H × W × 3.
        centre: x and y in pixels.
        side: Of the square in the picture's pixels.
    """
    whole = max(1, round(side))
    left, top = (round(value - whole / 2) for value in centre)
    height, width = image.shape[:2]
    square = np.full((whole, whole, 3), _FILL, np.uint8)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + whole), min(height, top + whole)
    if x1 > x0 and y1 > y0:
        square[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    way = cv2.INTER_AREA if whole > SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (SIDE, SIDE), interpolation=way)  # type: ignore[return-value]


def face_crop(image: Image, box: Sequence[float]) -> Image:
    """The square around a face's box with its margin."""
    xmin, ymin, xmax, ymax = (float(value) for value in box)
    side = max(xmax - xmin, ymax - ymin) * (1 + 2 * MARGIN)
    return crop(image, ((xmin + xmax) / 2, (ymin + ymax) / 2), side)


def cut_faces(pictures: Sequence[Picture], min_side_px: float) -> list[Face]:
    """All labelled faces that are large enough, each with half a face's width of its surroundings.

    Raises:
        InputError: A picture cannot be read.
    """
    faces = []
    for picture in pictures:
        sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).min(1, initial=np.inf)
        wanted = np.flatnonzero((sides >= min_side_px) & (picture.labels >= 0))
        image = decode_picture(picture.path) if len(wanted) else None
        for index in wanted:
            assert image is not None  # noqa: S101 for the type checker
            region, box = _surroundings(image, picture.boxes[index])
            faces.append(Face(region, box, int(picture.labels[index]), picture.is_two_class))
    return faces


def _surroundings(image: Image, box: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32]]:
    margin = _CONTEXT * float((box[2:] - box[:2]).max())
    left, top = (max(0, int(value - margin)) for value in box[:2])
    right, bottom = (int(value + margin) + 1 for value in box[2:])
    region = image[top:bottom, left:right]
    scale = min(1.0, _MAX_SIDE_PX / max(region.shape[:2]))
    if scale < 1:
        region = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    moved = (box - np.array([left, top, left, top], np.float32)) * np.float32(scale)
    return np.ascontiguousarray(region), moved


class FaceCrops(Dataset[tuple[torch.Tensor, int, bool]]):
    """Varied crops, of each label as many: 3 × SIDE × SIDE bytes, the label, and whether it has two classes.

    Args:
        faces: What to draw from.
        config: How to vary them.
        seed: Same seed, epoch and index: same crop.
    """

    def __init__(self, faces: Sequence[Face], config: CropConfig, seed: int) -> None:
        self._faces = faces
        self._config = config
        self._seed = seed
        labels = np.array([face.label for face in faces], np.int64)
        pools = (np.flatnonzero(labels == label) for label in range(len(LABELS)))
        self._pools = [pool for pool in pools if len(pool)]
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._faces)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, bool]:
        rng = np.random.default_rng((self._seed, self.epoch, index))
        face = self._faces[int(rng.choice(self._pools[rng.integers(len(self._pools))]))]
        hard = self._config.augment.hard
        image, labels = draw_hard_cases(face.image, face.box[None], np.array([face.label]), hard, rng)
        varied = self._vary(image, face.box, rng)
        is_drawn = int(labels[0]) != face.label  # then the label is certain, whatever the source knows
        return torch.from_numpy(varied).permute(2, 0, 1), int(labels[0]), face.is_two_class and not is_drawn

    def _vary(self, image: Image, box: NDArray[np.float32], rng: Generator) -> Image:
        config = self._config
        longer = float((box[2:] - box[:2]).max())
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-1, 1, 2) * config.shift * longer
        made = crop(image, centre.tolist(), longer * (1 + 2 * MARGIN) * rng.uniform(*config.scale))
        angle = rng.uniform(-1, 1) * config.rotation_degrees
        turn = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), angle, 1.0)
        turned = cv2.warpAffine(made, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        if rng.random() < 0.5:
            turned = turned[:, ::-1]
        return photometric(np.ascontiguousarray(turned, np.uint8), config.augment, rng)
