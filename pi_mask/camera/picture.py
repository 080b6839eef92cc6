"""Decode one picture file into RGB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pi_mask.camera.codec_messages import caught_codec_messages
from pi_mask.camera.opencv import bgr_to_rgb, cv2, file_name
from pi_mask.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.types import Image

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".jp2"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = 0xD9
# A marker is 0xFF and its number; within the compressed data 0xFF 0x00 is a plain 0xFF and D0 to D7 are
# restarts (ITU-T T.81, B.1.1.2 and B.1.1.5).
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_DAMAGED_JPEG = re.compile(r"Corrupt JPEG data(?!.*extraneous bytes)|Inconsistent progression")


def decode_picture(path: Path) -> Image:
    """Read and decode a picture of any kind that OpenCV knows.

    The EXIF orientation is honoured. Transparent pixels are blended over white, the colour of paper and of
    most pages; OpenCV would show whatever colour lies hidden beneath (such a picture is taken as it is
    stored, without its orientation). 16-bit pictures keep their upper 8 bits.

    Returns:
        RGB, uint8, height × width × 3, C-contiguous.

    Raises:
        InputError: The file is missing, empty, no picture, truncated, damaged or too large.
    """
    data = _read(path)
    is_jpeg = data.startswith(_JPEG_START)
    if is_jpeg and not _reaches_jpeg_end(data):
        raise InputError(f"{path} is truncated: the JPEG has no end. Copy the file again.")
    with caught_codec_messages() as messages:
        image = _decode(path, np.frombuffer(data, np.uint8), may_be_transparent=not is_jpeg)
    damage = next((line for line in messages if _DAMAGED_JPEG.search(line)), "")
    if image is None and _is_known_kind(path):
        advice = "Copy the file again, or save it as JPEG."
        raise InputError(f"{path} is truncated or damaged{_because(messages)}. {advice}")
    if image is None:
        raise InputError(f"{path} is no picture that can be read. Save it as JPEG or PNG, or leave it out.")
    if damage:
        raise InputError(f"{path} is damaged ({damage}). Copy the file again.")
    return image


def _read(path: Path) -> bytes:
    """The whole file, which is not empty."""
    try:
        data = path.read_bytes()
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "not enough memory"
        raise InputError(f"{path} cannot be read: {reason}. Check the path and its permissions.") from error
    if not data:
        raise InputError(f"{path} is empty. Copy the file again.")
    return data


def _reaches_jpeg_end(data: bytes) -> bool:
    """Walk a JPEG's segments to its end marker.

    libjpeg paints the missing part grey and only warns, and looking for the last bytes would be wrong both
    ways: bytes after the end are legal, and an embedded thumbnail has an end of its own.
    """
    position = len(_JPEG_START) - 1
    while marker := _JPEG_MARKER.search(data, position):
        if marker.group(1)[0] == _JPEG_END:
            return True
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return False


def _decode(path: Path, data: NDArray[np.uint8], *, may_be_transparent: bool) -> Image | None:
    """Decode to RGB; None where OpenCV sees no whole picture."""
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if image is None:
            return None
        if may_be_transparent:
            stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
            if stored is not None and _is_transparent(stored):
                return _over_white(stored)
        return bgr_to_rgb(image)
    except (cv2.error, MemoryError) as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise InputError(
                f"{path} has more pixels than OpenCV accepts. Scale the picture down."
            ) from error
        if isinstance(error, MemoryError) or error.code == cv2.Error.STS_NO_MEM:
            raise InputError(f"{path} needs more memory than there is. Scale the picture down.") from error
        return None


def _is_transparent(stored: NDArray[Any]) -> bool:
    """Whether a picture as it is stored has an alpha channel that lets something through."""
    if stored.ndim != 3 or stored.shape[2] != 4:
        return False
    return stored.dtype in (np.uint8, np.uint16) and bool(stored[..., 3].min() < np.iinfo(stored.dtype).max)


def _over_white(bgra: NDArray[Any]) -> Image:
    """Blend over white, in integers: floats would take four times the memory."""
    if bgra.dtype == np.uint16:
        bgra = (bgra >> 8).astype(np.uint8)
    alpha = bgra[..., 3:].astype(np.uint16)
    blended = bgra[..., 2::-1] * alpha + 255 * (255 - alpha)
    return np.ascontiguousarray((blended + 127) // 255, np.uint8)


def _is_known_kind(path: Path) -> bool:
    """Whether the file at least begins like a picture."""
    try:
        return bool(cv2.haveImageReader(file_name(path)))
    except (cv2.error, ValueError):
        return False


def _because(messages: list[str]) -> str:
    """The codec's own words in brackets, or nothing."""
    return f" ({messages[-1]})" if messages else ""
