"""Read KITTI: one text file a picture (Geiger et al. 2012)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pi_mask.errors import InputError
from training.annotations import read_text
from training.importers.base import RawFace, RawImage, ReadOptions, each, files_under, four, numbers

DONT_CARE = "DontCare"
_COLUMNS = (15, 16)
"""The sixteenth is a score."""
_BOX = slice(4, 8)
"""Left, top, right and bottom, after type, truncation, occlusion and angle."""


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read all text files of a folder and below."""
    return each(parse, files_under(source, ".txt"))


def parse(path: Path) -> RawImage:
    """One picture's labels; an empty file is a picture without faces.

    Raises:
        InputError: A line has too few or many columns, or text where numbers should be.
    """
    faces = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        fields = line.split()
        if fields:
            where = f"{path}, line {number}"
            if len(fields) not in _COLUMNS:
                raise InputError(f"{where}: {len(fields)} columns, not 15. Correct it.")
            numbers(fields[1:], where)  # a label with a space would shift all that follows
            faces.append(RawFace(fields[0], four(fields[_BOX], where), where))
    return RawImage((path.stem,), tuple(faces), path)
