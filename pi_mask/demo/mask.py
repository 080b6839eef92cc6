"""Draw a surgical mask on the demo's portrait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.demo.photograph import points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.demo.photograph import Portrait
    from pi_mask.types import Image

    Plane: TypeAlias = NDArray[np.floating[Any]]

# (x, y) in the photograph's pixels, left to right. The worn mask reaches from the bridge of the nose to under
# the chin along the jaw; the lowered one hangs below the tip of the nose.
_WORN_TOP: Final = points("184,118 192,117 204,114 215,109 226,107 237,110 248,116 260,120 270,121")
_WORN_BOTTOM: Final = points("184,143 187,153 193,165 204,178 222,185 241,180 257,167 265,155 270,144")
_LOW_TOP: Final = points("184,139 192,139 204,137 215,136 226,136 237,137 248,139 260,142 270,143")
_LOW_BOTTOM: Final = points("184,156 187,164 193,174 204,185 222,191 241,187 257,176 265,166 270,158")
_LEFT_EAR: Final = points("176,117 175,130")
_RIGHT_EAR: Final = points("274,119 275,132")
_WINDOW: Final = (160, 85, 290, 215)
"""What the mask can touch: xmin, ymin, xmax, ymax."""

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
    xmin, ymin, xmax, ymax = (side * scale for side in _WINDOW)
    window = (slice(ymin, ymax), slice(xmin, xmax))
    x = np.arange(xmin, xmax) / scale
    y = (np.arange(ymin, ymax) / scale)[:, None]
    top = _edge(x, _WORN_TOP, _LOW_TOP, lowered)
    bottom = np.maximum(_edge(x, _WORN_BOTTOM, _LOW_BOTTOM, lowered), top + 6.0)
    left, right = _WORN_TOP[[0, -1], 0]
    down = (y - top) / (bottom - top)
    across = np.broadcast_to((x - left) / (right - left), down.shape)
    inside = ((down >= 0) & (down <= 1) & (across >= 0) & (across <= 1)).astype(np.float32)
    face = portrait.image[window]
    cloth = _cloth(across, down, _light(face, scale))
    painted = face * (1.0 - 0.3 * _shadow(inside, scale)[..., None])
    for corner, ear in ((left, _LEFT_EAR), (right, _RIGHT_EAR)):
        ends = np.interp(corner, x, top) + 2, np.interp(corner, x, bottom) - 2
        loop = np.array([(corner, ends[0]), *ear, (corner, ends[1])]) - _WINDOW[:2]
        painted = _draw_loop(painted, loop, scale)
    cover = _blur(inside, _SOFT_EDGE_PX * scale)
    painted += cover[..., None] * (cloth - painted)
    image, alpha = portrait.image.copy(), portrait.alpha.copy()
    image[window] = painted.clip(0, 255).astype(np.uint8)
    alpha[window] = np.maximum(alpha[window], cover)
    return replace(portrait, image=image, alpha=alpha)


def _edge(x: Plane, worn: Plane, low: Plane, lowered: float) -> Plane:
    """Height of an edge at each x, rounded at its points."""
    points_y = worn[:, 1] + lowered * (low[:, 1] - worn[:, 1])
    line = np.interp(x, worn[:, 0], points_y).astype(np.float32)
    smooth: Plane = _blur(line[None], _SMOOTHING_PX / float(x[1] - x[0]))[0]
    return smooth


def _cloth(across: Plane, down: Plane, light: Plane) -> Plane:
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


def _light(face: Image, scale: int) -> Plane:
    """The photograph's own light on the face, so that the mask belongs to it; around 1."""
    grey = face.mean(axis=2, dtype=np.float32)
    return (0.8 + 0.2 * _blur(grey, 7.0 * scale) / 160.0).clip(0.75, 1.1)


def _shadow(inside: Plane, scale: int) -> Plane:
    """What the mask's edge darkens on the skin around it."""
    return _blur(np.roll(inside, 2 * scale, axis=0), 1.6 * scale)


def _draw_loop(image: Plane, points: Plane, scale: int) -> Plane:
    """Run an elastic from the mask's upper corner round the ear to its lower corner."""
    line = np.zeros(image.shape[:2], np.float32)
    eighths = np.round(points * scale * 8).astype(np.int32)
    cv2.polylines(line, [eighths], False, 1.0, scale, cv2.LINE_AA, 3)
    alpha = _blur(line, 0.3 * scale)[..., None] * 0.9
    return image + alpha * (np.array(_LOOP) - image)


def _blur(plane: Plane, sigma: float) -> Plane:
    return cast("Plane", cv2.GaussianBlur(plane, (0, 0), sigma))
