"""Read how a camera was held from a picture's EXIF data."""

from __future__ import annotations

import struct
from collections.abc import Callable

from pi_mask.types import BoundingBox

_ORIENTATION = 0x0112
# JPEG, PNG and WebP: how the file begins, what stands before the EXIF data, and how many more bytes do.
_PLACES = ((b"\xff\xd8", b"Exif\0\0", 0), (b"\x89PNG", b"eXIf", 0), (b"RIFF", b"EXIF", 4))

# Where a point of the stored picture (width w, height h) lies in the upright one (EXIF 2.32, table 6).
_Turn = Callable[[float, float, float, float], tuple[float, float]]
_TURNS: dict[int, _Turn] = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


def orientation(data: bytes) -> int:
    """Orientation of a JPEG, PNG or WebP, 1 (upright) to 8; 1 where it has none or makes no sense."""
    tiff = _exif(data)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, offset)
        for index in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, offset + 2 + 12 * index)
            if tag == _ORIENTATION:
                return value if value in _TURNS else 1
    except struct.error:
        return 1
    return 1


def _exif(data: bytes) -> bytes:
    """The file's EXIF data, with whatever follows."""
    for start, header, gap in _PLACES:
        if data.startswith(start) and (found := data.find(header)) >= 0:
            return data[found + len(header) + gap :]
    return b""


def turned(box: BoundingBox, orientation: int, width: float, height: float) -> BoundingBox:
    """Carry a box from the stored picture into the upright one.

    Args:
        box: In pixels of the stored picture.
        orientation: 1 to 8.
        width: Of the stored picture in pixels.
        height: Likewise.
    """
    turn = _TURNS[orientation]
    (x0, y0), (x1, y1) = turn(box.xmin, box.ymin, width, height), turn(box.xmax, box.ymax, width, height)
    return BoundingBox(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture's width is the stored one's height."""
    return orientation >= 5
