"""Cut the person out of the demo's photograph.

The photograph is NASA's portrait of Eileen Collins (1993), in the public domain, which scikit-image ships as
``skimage.data.astronaut``. Outlines and landmarks here were measured on it, in its own pixels.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.camera.picture import decode_picture
from pi_mask.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.types import Image

SHA256: Final = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
BETWEEN_THE_EYES: Final = (223.5, 101.5)
_ADVICE: Final = "Run 'make demo', or install it with: pip install --no-deps scikit-image==0.26.0"

_OUTLINE: Final = """
    201,23 185,38 163,51 156,58 153,68 154,92 157,104 170,116 174,128 182,132 183,149 160,149
    137,158 121,172 113,188 112,205 90,227 76,235 62,250 44,282 39,305 26,342 25,373 19,390
    20,419 24,432 23,460 27,485 22,500 23,511 511,511 511,491 506,490 500,478 493,477 493,468
    502,455 495,452 493,421 478,384 455,361 419,345 393,344 364,348 360,344 356,302 340,262 321,245
    303,233 299,219 289,203 276,189 256,174 256,163 264,149 266,137 275,134 290,117 296,107 300,92
    296,58 288,43 276,31 248,18 227,16
"""
_FEATHER_PX: Final = 1.2
# Patches of bare wall: xmin, ymin, xmax, ymax. Their means are the corners of the empty room.
_WALL: Final = ((100, 10, 140, 60), (310, 20, 370, 80), (95, 110, 125, 140), (300, 150, 350, 210))


@dataclass(frozen=True, slots=True)
class Portrait:
    """A person without background.

    Attributes:
        image: RGB, uint8, ``scale`` times the photograph's size.
        alpha: float32, height × width, 1 where the person is.
        scale: Pixels of ``image`` per pixel of the photograph.
        wall: RGB of the wall behind at top left, top right, bottom left, bottom right, 2 × 2 × 3 float32.
    """

    image: Image
    alpha: NDArray[np.float32]
    scale: int
    wall: NDArray[np.float32]


def points(text: str) -> NDArray[np.float32]:
    """Read places such as "184,118 192,117", N × 2: x, y in the photograph's pixels."""
    return np.array([place.split(",") for place in text.split()], np.float32)


def find_photograph(package: str = "skimage") -> Path:
    """Return where a package, by default scikit-image, keeps the photograph; it is not imported.

    Raises:
        InputError: The package is not installed.
    """
    found = importlib.util.find_spec(package)
    folders = (found.submodule_search_locations if found else None) or ()
    for folder in folders:
        path = Path(folder, "data", "astronaut.png")
        if path.is_file():
            return path
    raise InputError(f"The demo's photograph is not installed. {_ADVICE}")


def load_portrait(path: Path, scale: int = 2) -> Portrait:
    """Read the photograph and cut the person out.

    Args:
        path: The photograph.
        scale: Enlargement, at least 1; the mask is drawn with more detail than the photograph has.

    Raises:
        InputError: It cannot be read, or is another picture: the places on the face would be wrong.
    """
    photograph = decode_picture(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(f"{path} is another picture than the one whose face was measured. {_ADVICE}")
    shape = np.zeros(photograph.shape[:2], np.float32)
    cv2.fillPoly(shape, [points(_OUTLINE).astype(np.int32)], 1.0)
    # The outermost pixels of the outline are half wall: a light fringe on any other background.
    alpha = cv2.GaussianBlur(cv2.erode(shape, np.ones((3, 3), np.uint8)), (0, 0), _FEATHER_PX)
    size = (photograph.shape[1] * scale, photograph.shape[0] * scale)
    wall = [photograph[y0:y1, x0:x1].mean(axis=(0, 1)) for x0, y0, x1, y1 in _WALL]
    return Portrait(
        image=cv2.resize(photograph, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8),
        alpha=cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR).astype(np.float32),
        scale=scale,
        wall=np.array(wall, np.float32).reshape(2, 2, 3),
    )
