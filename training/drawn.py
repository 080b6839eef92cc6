"""Draw faces, annotated as Pascal VOC, for a try-out of training without any photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pi_mask.types import MaskLabel
from training.annotations import write_bytes

NAMES: Final = {MaskLabel.WITH_MASK: "mask", MaskLabel.WITHOUT_MASK: "none", MaskLabel.INCORRECT: "wrong"}
"""What the annotations call the labels: as foreign as other people's."""
SIZE: Final = (160, 120)
_LABELS = tuple(MaskLabel)


def draw_face(image: NDArray[np.uint8], box: tuple[int, int, int, int], label: MaskLabel) -> None:
    """Draw a cartoon face that fills the box (xmin, ymin, xmax, ymax) into the picture."""
    xmin, ymin, xmax, ymax = box
    centre, width, height = ((xmin + xmax) // 2, (ymin + ymax) // 2), xmax - xmin, ymax - ymin
    cv2.ellipse(image, centre, (width // 2, height // 2), 0, 0, 360, (215, 170, 140), -1)
    for side in (-1, 1):
        eye = (centre[0] + side * width // 5, ymin + height * 2 // 5)
        cv2.circle(image, eye, max(1, width // 14), (40, 30, 30), -1)
    cv2.line(image, (centre[0], ymin + height // 2), (centre[0], ymin + height * 3 // 5), (170, 110, 90), 2)
    if label is MaskLabel.WITHOUT_MASK:
        mouth = (centre[0], ymin + height * 3 // 4)
        cv2.ellipse(image, mouth, (width // 6, height // 20), 0, 0, 360, (180, 60, 60), -1)
        return
    top = ymin + height * (45 if label is MaskLabel.WITH_MASK else 68) // 100
    corners = (xmin + width // 8, top), (xmax - width // 8, ymax - height // 12)
    cv2.rectangle(image, *corners, (120, 180, 230), -1)


def write_voc(folder: Path, count: int, seed: int) -> Path:
    """Write so many pictures with one or two faces each, an XML file beside each; return the folder.

    Raises:
        OutputError: A file cannot be written.
    """
    rng = np.random.default_rng(seed)
    for index in range(count):
        name = f"{index:04}.png"
        picture = np.full((SIZE[1], SIZE[0], 3), rng.integers(60, 200, 3), np.uint8)
        root = ElementTree.Element("annotation")
        ElementTree.SubElement(root, "filename").text = name
        for column in range(int(rng.integers(1, 3))):
            root.append(_add_face(picture, column * SIZE[0] // 2, rng))
        _, coded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        write_bytes(folder / name, coded.tobytes())
        write_bytes(folder / f"{index:04}.xml", ElementTree.tostring(root))
    return folder


def _add_face(picture: NDArray[np.uint8], left: int, rng: Generator) -> ElementTree.Element:
    """Draw a face into the half of the picture that begins at ``left``; return its annotation."""
    width, height = (int(v) for v in rng.integers(36, 60, 2))
    xmin = left + int(rng.integers(0, SIZE[0] // 2 - width))
    ymin = int(rng.integers(0, SIZE[1] - height))
    box = (xmin, ymin, xmin + width, ymin + height)
    label = _LABELS[int(rng.integers(len(_LABELS)))]
    draw_face(picture, box, label)
    item = ElementTree.Element("object")
    ElementTree.SubElement(item, "name").text = NAMES[label]
    corners = ElementTree.SubElement(item, "bndbox")
    for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
        ElementTree.SubElement(corners, side).text = str(value)
    return item
