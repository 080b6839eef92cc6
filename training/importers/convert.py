"""Turn one picture of any format into one of ours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from pi_mask.camera.picture import decode_picture
from pi_mask.errors import InputError, OutputError, UsageError
from pi_mask.types import BoundingBox, MaskLabel
from training.annotations import Face, write_bytes
from training.exif import orientation, swaps_sides, turned
from training.importers.base import IGNORED, Corners, RawFace, RawImage

if TYPE_CHECKING:
    from pi_mask.types import Image

DROPPED = "drop"
"""Meaning of a label whose boxes are left out: what they hold becomes background."""
MEANINGS = (*(label.value for label in MaskLabel), IGNORED, DROPPED)
_JPEG_QUALITY = 95
_MIN_SIDE_PX = 1.0
_MIN_INSIDE = 0.5
"""Share of a box that must lie in its picture; less means a box for another picture or orientation."""


@dataclass(frozen=True, slots=True)
class Inset:
    """How much to take off a box's sides, in fractions of its width and height; negative adds."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0

    def __post_init__(self) -> None:
        """Refuse insets that leave nothing.

        Raises:
            UsageError: Opposite sides meet, or one is no number.
        """
        sums = (self.left + self.right, self.top + self.bottom)
        if not all(math.isfinite(total) and total < 1 for total in sums):
            raise UsageError("Insets of opposite sides must add up to a number below 1. Correct --inset.")

    def apply(self, box: BoundingBox) -> BoundingBox:
        """The smaller box."""
        return BoundingBox(
            box.xmin + self.left * box.width,
            box.ymin + self.top * box.height,
            box.xmax - self.right * box.width,
            box.ymax - self.bottom * box.height,
        )


NO_INSET = Inset()


class LabelMap:
    """What each label of a source means here.

    Args:
        meanings: A label's meaning, one of ``MEANINGS``, over those of the format; our own labels mean
            themselves.
    """

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._meanings = {meaning: meaning for meaning in (*MEANINGS[:3], IGNORED)} | dict(meanings)

    def check(self, images: Iterable[RawImage]) -> None:
        """Make sure that every label has a meaning.

        Raises:
            UsageError: Some have none; all are named with the option to give them one.
        """
        faces = [face for image in images for face in image.faces if face.label not in self._meanings]
        first = {face.label: face.where for face in reversed(faces)}
        unknown = [
            f"{label!r} ({count} boxes, first in {first[label]})"
            for label, count in Counter(face.label for face in faces).items()
        ]
        if unknown:
            raise UsageError(
                f"Labels without a meaning: {', '.join(unknown)}. Give each one with --map LABEL=MEANING; "
                f"meanings are {', '.join(MEANINGS)}."
            )

    def keeps(self, label: str) -> bool:
        """Whether boxes of this label are kept."""
        return self._meanings[label] != DROPPED

    def meaning(self, label: str) -> MaskLabel | None:
        """Our label; None for a region to ignore."""
        meaning = self._meanings[label]
        return None if meaning == IGNORED else MaskLabel(meaning)


@dataclass(frozen=True, slots=True)
class Converted:
    """An upright picture (RGB) and its faces, in its pixels; ``lost`` faces have less than one."""

    image: Image
    faces: tuple[Face, ...]
    lost: int = 0


def convert(raw: RawImage, picture: Path, labels: LabelMap, inset: Inset, long_side: int) -> Converted:
    """Read a picture, turn it upright, limit its size, and carry its boxes along.

    Args:
        raw: From a format's reader.
        picture: Its file.
        labels: Checked before.
        inset: Taken off every box.
        long_side: Largest width or height in pixels; 0 keeps the size.

    Raises:
        InputError: The picture is damaged, or a box is impossible or for another picture.
    """
    image = decode_picture(picture)
    height, width = image.shape[:2]
    turn = _turn(raw, picture, (width, height))
    stored = (height, width) if swaps_sides(turn) else (width, height)
    faces = []
    for face in raw.faces:
        if labels.keeps(face.label) and not _is_nothing(face, labels):
            box = _sound_box(face, raw, stored)
            box = inset.apply(turned(box, turn, *stored))
            faces.append(Face(_clipped(box, width, height, face.where), labels.meaning(face.label)))
    return _limited(image, faces, long_side)


def _turn(raw: RawImage, picture: Path, size: tuple[int, int]) -> int:
    """EXIF orientation that the boxes lack: 1 where they are for the upright picture, as most are."""
    if raw.size is None or min(raw.size) <= 0 or raw.size == size:
        return 1
    turn = orientation(picture.read_bytes())
    if swaps_sides(turn) and raw.size == size[::-1]:
        return turn
    stated, found = ("×".join(map(str, pair)) for pair in (raw.size, size))
    raise InputError(
        f"{raw.annotation}: boxes are for a picture of {stated}, {picture} has {found}. Restore the original."
    )


def _is_nothing(face: RawFace, labels: LabelMap) -> bool:
    """Whether it is an empty box to ignore, of which lists such as WIDER FACE's have some."""
    xmin, ymin, xmax, ymax = face.box
    return labels.meaning(face.label) is None and (xmax <= xmin or ymax <= ymin)


def _sound_box(face: RawFace, raw: RawImage, size: tuple[int, int]) -> BoundingBox:
    scale = size if raw.is_normalised else (1, 1)
    xmin, ymin, xmax, ymax = _times(face.box, scale)
    if xmax <= xmin or ymax <= ymin:
        raise InputError(f"{face.where}: a box of {xmax - xmin:g}×{ymax - ymin:g} pixels. Correct it.")
    if not raw.is_normalised and max(xmax, ymax) <= 1 and min(size) > 1:
        raise InputError(f"{face.where}: a box of fractions, where pixels are due. Multiply it.")
    return BoundingBox(xmin, ymin, xmax, ymax)


def _times(box: Corners, scale: tuple[float, float]) -> Corners:
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def _clipped(box: BoundingBox, width: int, height: int, where: str) -> BoundingBox:
    inside = BoundingBox(max(0.0, box.xmin), max(0.0, box.ymin), min(width, box.xmax), min(height, box.ymax))
    is_inside = inside.width > 0 and inside.height > 0 and inside.area >= _MIN_INSIDE * box.area
    if not is_inside:
        raise InputError(
            f"{where}: the box from {box.xmin:.0f}, {box.ymin:.0f} to {box.xmax:.0f}, {box.ymax:.0f} is "
            f"mostly outside the picture's {width}×{height} px. Correct it, or restore the original picture."
        )
    return inside


def _limited(image: Image, faces: list[Face], long_side: int) -> Converted:
    height, width = image.shape[:2]
    if not 0 < long_side < max(width, height):
        return _without_specks(image, faces)
    scale = long_side / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    scales = size[0] / width, size[1] / height
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scaled = []
    for face in faces:
        box = face.box
        scaled.append(
            Face(BoundingBox(*_times((box.xmin, box.ymin, box.xmax, box.ymax), scales)), face.label)
        )
    return _without_specks(small, scaled)  # type: ignore[arg-type]


def _without_specks(image: Image, faces: list[Face]) -> Converted:
    seen = tuple(face for face in faces if face.box.shorter_side >= _MIN_SIDE_PX)
    return Converted(image, seen, len(faces) - len(seen))


def write_jpeg(path: Path, image: Image) -> None:
    """Write a picture (RGB) without any of its EXIF data.

    Raises:
        OutputError: It cannot be written.
    """
    is_encoded, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not is_encoded:
        raise OutputError(
            f"{path} cannot be encoded as JPEG ({image.shape[1]}×{image.shape[0]} pixels). Set --long-side."
        )
    write_bytes(path, data.tobytes())
