"""Draw a surgical mask on the demo's portrait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.demo.photograph import Portrait

    Plane: TypeAlias = NDArray[np.float32]

Points: TypeAlias = tuple[tuple[float, float], ...]

# (x, y) in the photograph's pixels, left to right. The worn mask reaches from the bridge of the nose to under
# the chin along the jaw; the lowered one hangs below the tip of the nose.
_WORN_TOP: Final = ((184, 118), (192, 117), (204, 114), (215, 109), (226, 107), (237, 110), (248, 116), (260, 120), (270, 121))
_WORN_BOTTOM: Final = ((184, 143), (187, 153), (193, 165), (204, 178), (222, 185), (241, 180), (257, 167), (265, 155), (270, 144))
_LOW_TOP: Final = ((184, 139), (192, 139), (204, 137), (215, 136), (226, 136), (237, 137), (248, 139), (260, 142), (270, 143))
_LOW_BOTTOM: Final = ((184, 156), (187, 164), (193, 174), (204, 185), (222, 191), (241, 187), (257, 176), (265, 166), (270, 158))
_LEFT_EAR: Final = ((176, 117), (175, 130))
_RIGHT_EAR: Final = ((274, 119), (275, 132))

_BLUE: Final = (164.0, 198.0, 217.0)
_LOOP: Final = (226.0, 228.0, 230.0)
_PLEATS: Final = (0.36, 0.55, 0.74)
_SMOOTHING_PX: Final = 2.5
_SOFT_EDGE_PX: Final = 0.45
_BINDING: Final = 0.055
"""Height of the stitched strip at the top and bottom edge, as a share of the mask's height."""


def wear_mask(portrait: Portrait, lowered: float) -> Portrait:
    """Return the person with a light-blue pleated mask.

    Args:
        portrait: The bare face.
        lowered: 0 covers nose to chin, 1 hangs under the nose, 2 is bunched under the mouth.
    """
    scale = portrait.scale
    height, width = portrait.alpha.shape
    x = np.arange(width, dtype=np.float32) / scale
    y = (np.arange(height, dtype=np.float32) / scale)[:, None]
    top = _edge(x, _WORN_TOP, _LOW_TOP, lowered)
    bottom = np.maximum(_edge(x, _WORN_BOTTOM, _LOW_BOTTOM, lowered), top + 6.0)
    down = (y - top) / (bottom - top)
    left, right = _WORN_TOP[0][0], _WORN_TOP[-1][0]
    across = np.broadcast_to((x - left) / (right - left), down.shape)
    inside = ((down >= 0) & (down <= 1) & (across >= 0) & (across <= 1)).astype(np.float32)
    alpha = cv2.GaussianBlur(inside, (0, 0), _SOFT_EDGE_PX * scale)
    cloth = _cloth(across, down, _light(portrait))
    image = portrait.image.astype(np.float32)
    image *= 1.0 - 0.3 * _shadow(inside, scale)[..., None]
    image = _draw_loops(image, scale, (top[_column(left, scale)], bottom[_column(left, scale)]), _LEFT_EAR, left)
    image = _draw_loops(image, scale, (top[_column(right, scale)], bottom[_column(right, scale)]), _RIGHT_EAR, right)
    image += alpha[..., None] * (cloth - image)
    return replace(
        portrait, image=image.clip(0, 255).astype(np.uint8), alpha=np.maximum(portrait.alpha, alpha)
    )


def _edge(x: Plane, worn: Points, low: Points, lowered: float) -> Plane:
    """Height of an edge at each x, rounded at its points."""
    xs = [point[0] for point in worn]
    ys = [start[1] + lowered * (end[1] - start[1]) for start, end in zip(worn, low, strict=True)]
    line = np.interp(x, xs, ys).astype(np.float32)
    smooth: Plane = cv2.GaussianBlur(line[None], (0, 0), _SMOOTHING_PX * len(x) / 512)[0]
    return smooth


def _cloth(across: Plane, down: Plane, light: Plane) -> NDArray[np.float32]:
    """Colour of the cloth: round like the face, tented over the nose, pleated, bound at its edges."""
    brightness = 0.74 + 0.3 * np.sin(np.pi * (0.06 + 0.84 * across.clip(0, 1)))
    tent = np.exp(-(((across - 0.49) / 0.13) ** 2)) * np.exp(-(((down - 0.2) / 0.28) ** 2))
    brightness += 0.09 * tent
    brightness -= 0.10 * np.exp(-(((across - 0.27) / 0.10) ** 2)) * np.exp(-(((down - 0.3) / 0.22) ** 2))
    brightness -= 0.16 * down.clip(0, 1) ** 3
    for pleat in _PLEATS:
        # Each fold bulges towards its lower end and casts a thin shadow there.
        sag = pleat + 0.05 * (1 - (2 * across - 1) ** 2)
        distance = down - sag
        brightness -= 0.17 * np.exp(-((distance / 0.018) ** 2))
        brightness += 0.06 * np.exp(-(((distance - 0.045) / 0.03) ** 2))
    stitch = np.exp(-(((down - _BINDING) / 0.012) ** 2)) + np.exp(-(((down - 1 + _BINDING) / 0.012) ** 2))
    brightness -= 0.10 * stitch
    shaded: Plane = (brightness * light)[..., None] * np.array(_BLUE, np.float32)
    return shaded.astype(np.float32)


def _light(portrait: Portrait) -> Plane:
    """The photograph's own light on the face, so that the mask belongs to it; around 1."""
    grey = cv2.cvtColor(portrait.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred: Plane = cv2.GaussianBlur(grey, (0, 0), 7.0 * portrait.scale)
    return (0.8 + 0.2 * blurred / 160.0).clip(0.75, 1.1)


def _shadow(inside: Plane, scale: int) -> Plane:
    """What the mask's edge darkens on the skin around it."""
    moved = np.roll(inside, 2 * scale, axis=0)
    shadow: Plane = cv2.GaussianBlur(moved, (0, 0), 1.6 * scale)
    return shadow


def _column(x: float, scale: int) -> int:
    return round(x * scale)


def _draw_loops(
    image: NDArray[np.float32], scale: int, ends: tuple[float, float], ear: Points, x: float
) -> NDArray[np.float32]:
    """Run an elastic from the mask's upper corner round the ear to its lower corner."""
    points = np.array([(x, ends[0] + 2), *ear, (x, ends[1] - 2)], np.float32)
    line = np.zeros(image.shape[:2], np.float32)
    cv2.polylines(line, [np.round(points * scale * 8).astype(np.int32)], False, 1.0, scale, cv2.LINE_AA, 3)
    alpha = cv2.GaussianBlur(line, (0, 0), 0.3 * scale)[..., None] * 0.9
    blended: NDArray[np.float32] = image + alpha * (np.array(_LOOP, np.float32) - image)
    return blended
