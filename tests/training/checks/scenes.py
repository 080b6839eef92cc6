"""Make pictures of scenes that look like nothing else, and COCO files of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pi_mask.types import BoundingBox, MaskLabel
from training.annotations import IMAGES, AnnotatedImage, Face, write_annotations

if TYPE_CHECKING:
    from pi_mask.types import Image

FACE = Face(BoundingBox(20, 20, 60, 70), MaskLabel.WITH_MASK)


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image:
    """A smooth picture (width, height) that another seed makes quite another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    made: Image = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return made


def save(folder: Path, name: str, image: Image, quality: int = 95) -> Path:
    """Write a picture (RGB) into a folder's ``images/``."""
    path = folder / IMAGES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    assert cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def annotated(
    name: str,
    *faces: Face,
    size: tuple[int, int] = (160, 120),
    source: str = "hall",
    group: str = "",
    is_synthetic: bool = False,
) -> AnnotatedImage:
    """An annotation; without a group the picture stands alone."""
    return AnnotatedImage(name, *size, faces, source, group or name, is_synthetic)


def coco(folder: Path, name: str, *images: AnnotatedImage) -> Path:
    """Write a COCO file."""
    path = folder / name
    write_annotations(path, images)
    return path


def face(label: MaskLabel, xmin: float = 20, size: float = 40) -> Face:
    """A face with so wide a box."""
    return Face(BoundingBox(xmin, 20, xmin + size, 20 + 1.2 * size), label)


def wall(folder: Path, *groups: str) -> Path:
    """Pictures of one wall, each with a small face somewhere, and their COCO file; a group for each."""
    rng = np.random.default_rng(7)
    images = []
    for index, group in enumerate(groups):
        image = scene(1, (320, 240))
        x, y = int(rng.integers(20, 300)), int(rng.integers(25, 215))
        cv2.ellipse(image, (x, y), (12, 15), 0, 0, 360, (220, 180, 160), -1)
        save(folder, f"{index}.jpg", image)
        label = list(MaskLabel)[index % 3]
        seen = Face(BoundingBox(x - 12, y - 15, x + 12, y + 15), label)
        images.append(annotated(f"{index}.jpg", seen, size=(320, 240), group=group))
    return coco(folder, "all.json", *images)
