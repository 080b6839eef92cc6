"""Read FDDB: lists of ellipses (Jain & Learned-Miller 2010)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from pi_mask.errors import InputError
from training.importers.base import (
    Block,
    Corners,
    RawFace,
    RawImage,
    ReadOptions,
    counted_blocks,
    each,
    files_under,
    numbers,
)

LABEL = "face"


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read one ``…ellipseList.txt`` or all of a folder.

    Raises:
        InputError: A list is truncated.
    """
    paths = files_under(source, "ellipseList.txt")
    return each(parse, (block for path in paths for block in counted_blocks(path)))


def parse(block: Block) -> RawImage:
    """One picture's faces.

    Raises:
        InputError: A line is no ellipse.
    """
    faces = []
    for where, line in block.lines:
        values = numbers(line.split(), where)
        if len(values) not in {5, 6}:  # the sixth, always 1, is in the original files
            raise InputError(f"{where}: {len(values)} numbers are no ellipse. Correct it.")
        faces.append(RawFace(LABEL, ellipse_extent(*values[:5]), where))
    return RawImage((block.name,), tuple(faces), block.annotation)


def ellipse_extent(major: float, minor: float, angle: float, x: float, y: float) -> Corners:
    """The box around an ellipse.

    Args:
        major: Half of the longer axis in pixels, as ``minor`` of the shorter.
        minor: See ``major``.
        angle: Of the longer axis against the horizontal, in radians.
        x: Of the centre, as ``y``.
        y: See ``x``.
    """
    half_width = math.hypot(major * math.cos(angle), minor * math.sin(angle))
    half_height = math.hypot(major * math.sin(angle), minor * math.cos(angle))
    return x - half_width, y - half_height, x + half_width, y + half_height
