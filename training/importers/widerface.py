"""Read WIDER FACE: one list of all pictures (Yang et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pi_mask.errors import InputError
from training.importers.base import Block, RawFace, RawImage, ReadOptions, counted_blocks, each, from_size

INVALID = "invalid"
_OCCLUSION = {0: "face", 1: "partly_occluded_face", 2: "heavily_occluded_face"}
_ATTRIBUTES, _INVALID_AT, _OCCLUSION_AT = 6, 3, 4
"""Among blur, expression, illumination, invalid, occlusion and pose, which follow the box."""


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read ``wider_face_train_bbx_gt.txt`` or its like.

    Raises:
        InputError: The list is truncated.
    """
    return each(parse, counted_blocks(source))


def parse(block: Block) -> RawImage:
    """One picture's faces, labelled by how much of them is hidden; an empty box is invalid.

    Raises:
        InputError: A line has no numbers.
    """
    faces = []
    for where, line in block.lines:
        fields = line.split()
        corners = from_size(fields[:4], where)
        label = _label(fields[4:], where)
        has_area = corners[2] > corners[0] and corners[3] > corners[1]
        faces.append(RawFace(label if has_area else INVALID, corners, where))
    return RawImage((block.name,), tuple(faces), block.annotation)


def _label(attributes: list[str], where: str) -> str:
    if not attributes:
        return _OCCLUSION[0]
    if len(attributes) != _ATTRIBUTES or not all(value in {"0", "1", "2"} for value in attributes):
        raise InputError(f"{where}: attributes {attributes} are none of WIDER FACE. Download the list again.")
    is_invalid = attributes[_INVALID_AT] != "0"
    return INVALID if is_invalid else _OCCLUSION[int(attributes[_OCCLUSION_AT])]
