"""Paint on a face in proportions of its box, lit as the face is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_MARGIN = 0.5
"""Of the box, around it: scarves and hands reach beyond the face."""
_SUBPIXEL = 4
"""Bits behind the binary point of OpenCV's polygons."""
Points = Sequence[tuple[float, float]]
Floats = NDArray[np.float32]


class FacePaint:
    """A face as a canvas; a point (u, v) is a share of the box's width and height from its upper left corner.

    Args:
        image: H × W × 3 RGB, painted in place by :meth:`finish`.
        box: xmin, ymin, xmax, ymax in pixels, within the picture.
        rng: Source of the grain.
    """

    def __init__(self, image: NDArray[np.uint8], box: NDArray[np.float32], rng: Generator) -> None:
        xmin, ymin, xmax, ymax = (float(v) for v in box)
        self._size = np.array([xmax - xmin, ymax - ymin])
        margin = self._size * _MARGIN
        left, top = (max(0, int(v)) for v in (xmin - margin[0], ymin - margin[1]))
        right, bottom = int(xmax + margin[0]) + 1, int(ymax + margin[1]) + 1
        self._region = image[top:bottom, left:right]
        self._origin = np.array([xmin - left, ymin - top])
        self._paint: Floats = self._region.astype(np.float32)
        self.shape: tuple[int, int] = self._region.shape[:2]
        self._light = self._shading()
        self._rng = rng

    def _shading(self) -> Floats:
        """The face's own light, 1 on average: its brightness without details."""
        grey = cv2.cvtColor(self._region, cv2.COLOR_RGB2GRAY).astype(np.float32) + 16
        soft = cv2.GaussianBlur(grey, (0, 0), float(self._size.min()) * 0.18)
        face = self.pixels((0.15, 0.15), (0.85, 0.95))
        middle = float(soft[face].mean())
        light: Floats = (soft / middle).clip(0.45, 1.5)
        return light[..., None]

    def pixels(
        self, upper_left: tuple[float, float], lower_right: tuple[float, float]
    ) -> tuple[slice, slice]:
        """Rows and columns of a part of the face, at least one pixel."""
        (x0, y0), (x1, y1) = (self._pixel(point).astype(int) for point in (upper_left, lower_right))
        return slice(y0, max(y0 + 1, y1)), slice(x0, max(x0 + 1, x1))

    def patch(self, upper_left: tuple[float, float], lower_right: tuple[float, float]) -> Floats:
        """The part's pixels, N × 3."""
        return self._region[self.pixels(upper_left, lower_right)].reshape(-1, 3).astype(np.float32)

    def plain(self, colour: NDArray[np.floating]) -> Floats:
        """A texture of one colour."""
        return np.full((*self.shape, 3), colour, np.float32)

    def polygon(
        self,
        corners: Points,
        texture: Floats,
        *,
        is_round: bool = True,
        blur: float = 0.012,
        strength: float = 1.0,
    ) -> None:
        """Fill an outline.

        Args:
            corners: Of the outline.
            texture: As large as the region.
            is_round: Whether its corners are cut.
            blur: Softness of its edge, a share of the box's width.
            strength: How much of what is under it is covered, 0 to 1.
        """
        inside = self._inside(_smooth(corners) if is_round else corners, blur)
        self._blend(np.float32(strength) * inside, texture * self._light)

    def shadow(self, corners: Points, strength: float) -> None:
        """Darken what lies just under an outline, as light from above does."""
        lowered = [(u, v + 0.02) for u, v in corners]
        self._paint *= 1 - np.float32(strength) * self._inside(_smooth(lowered), blur=0.04)

    def bulge(self, texture: Floats) -> Floats:
        """The texture on something round: darker towards the sides of the face."""
        across = (np.arange(self.shape[1], dtype=np.float32) - self._origin[0]) / self._size[0] - 0.5
        shade = (1.06 - 1.1 * across**2).clip(0.4, 1.1).astype(np.float32)
        bulging: Floats = texture * shade[None, :, None]
        return bulging

    def line(self, points: Points, width: float, colour: NDArray[np.floating]) -> None:
        """Draw along points, with round ends; the width is a share of the box's width."""
        alpha = np.zeros(self.shape, np.uint8)
        thickness = max(1, round(width * float(self._size[0])))
        cv2.polylines(alpha, [self._subpixels(points)], False, 255, thickness, cv2.LINE_AA, _SUBPIXEL)
        self._blend(alpha.astype(np.float32)[..., None] / np.float32(255), self.plain(colour) * self._light)

    def tint(self, corners: Points, texture: Floats) -> None:
        """Give the colours of a texture to what has one colour within an outline, details kept."""
        lab = cv2.cvtColor(self._region, cv2.COLOR_RGB2LAB).astype(np.float32)
        middle = np.median(lab[self.pixels((0.35, 0.65), (0.65, 0.88))].reshape(-1, 3), axis=0)
        # Folds are darker, yet of the same colour: brightness counts for less.
        distance = np.linalg.norm((lab - middle) * np.array([0.35, 1.0, 1.0]), axis=-1)
        alike = cv2.GaussianBlur(np.exp(-((distance / 22) ** 4)).astype(np.float32), (0, 0), 1.0)
        detail = (lab[..., :1] / max(float(middle[0]), 1.0)).clip(0.3, 1.6)
        self._blend(0.9 * self._inside(_smooth(corners), blur=0.03) * alike[..., None], texture * detail)

    def finish(self) -> None:
        """Write into the picture, with a camera's grain where something was painted."""
        grain = self._rng.normal(0, 3, (*self.shape, 1)).astype(np.float32)
        is_painted = (np.abs(self._paint - self._region) > 1).any(-1, keepdims=True)
        self._region[...] = (self._paint + grain * is_painted).clip(0, 255).astype(np.uint8)

    def _inside(self, corners: Points, blur: float = 0.012) -> Floats:
        alpha = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(alpha, [self._subpixels(corners)], 255, cv2.LINE_AA, _SUBPIXEL)
        sigma = max(0.5, blur * float(self._size[0]))
        soft = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), sigma)
        return soft[..., None].astype(np.float32)

    def _blend(self, alpha: Floats, colours: Floats) -> None:
        self._paint += alpha * (colours.clip(0, 255) - self._paint)

    def _pixel(self, point: tuple[float, float]) -> NDArray[np.float64]:
        place: NDArray[np.float64] = self._origin + np.asarray(point) * self._size
        return place

    def _subpixels(self, points: Points) -> NDArray[np.int32]:
        pixels = np.array([self._pixel(point) for point in points]) - 0.5
        return np.round(pixels * (1 << _SUBPIXEL)).astype(np.int32)


def _smooth(corners: Points) -> Points:
    """Cut the corners twice (Chaikin 1974)."""
    points = np.asarray(corners, np.float64)
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(
            -1, 2
        )
    return [(float(u), float(v)) for u, v in points]


def skin_colour(paint: FacePaint) -> NDArray[np.float32]:
    """RGB of the face between its eyes and on its cheeks: no hair, no glasses' rims."""
    colour: NDArray[np.float32] = np.median(paint.patch((0.35, 0.45), (0.65, 0.6)), axis=0).astype(np.float32)
    return colour


def hair(shape: tuple[int, int], colour: NDArray[np.floating], rng: Generator) -> Floats:
    """Hair that hangs down, strand beside strand, of one colour."""
    grain = rng.standard_normal(shape, np.float32)
    strands = cv2.GaussianBlur(grain, (0, 0), sigmaX=0.6, sigmaY=max(0.8, 0.012 * shape[0]))
    uneven = 1 + 0.16 * strands / max(float(strands.std()), 1e-6)
    drawn: Floats = (np.asarray(colour, np.float32) * uneven[..., None]).astype(np.float32)
    return drawn


def fabric(shape: tuple[int, int], colour: NDArray[np.floating], rng: Generator) -> Floats:
    """A cloth of one colour, or with stripes, checks or dots of another one; never quite even."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    plain = np.asarray(colour, np.float32)
    other = plain + np.float32(rng.uniform(0.25, 0.9)) * (rng.uniform(10, 245, 3).astype(np.float32) - plain)
    period = float(rng.uniform(0.05, 0.2)) * min(shape)
    angle = float(rng.uniform(0, np.pi))
    along = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / max(period, 4.0))
    across = np.sin((columns * np.sin(angle) - rows * np.cos(angle)) * 2 * np.pi / max(period, 4.0))
    waves = (np.zeros(shape, np.float32), along, np.maximum(along, across), 2 * along * across - 0.6)
    kind = rng.choice(len(waves), p=[0.7, 0.1, 0.1, 0.1])
    share: Floats = (3 * waves[kind]).clip(0, 1)[..., None] if kind else np.zeros((*shape, 1), np.float32)
    creases = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), max(1.0, 0.03 * min(shape)))
    uneven = 1 + 0.05 * creases / max(float(creases.std()), 1e-6)
    drawn: Floats = ((plain * (1 - share) + other * share) * uneven[..., None]).astype(np.float32)
    return drawn
