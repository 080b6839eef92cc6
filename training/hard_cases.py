"""Draw on faces what fools mask detectors: hands, scarves, drinks, beards, any mask, and masks worn wrongly.

No landmarks are known, so places are proportions of the face's box: eyes at 0.4 of its height, the tip of the
nose at 0.63, the mouth at 0.78. That fits upright faces seen from the front, hence only boxes of such
proportions are drawn on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pi_mask.types import MaskLabel
from training.face_paint import FacePaint, fabric, hair, skin_colour

_LABELS = tuple(MaskLabel)
MASKED, BARE, INCORRECT = (
    _LABELS.index(label) for label in (MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT)
)


@dataclass(frozen=True, slots=True)
class HardCaseConfig:
    """Probabilities; those of the drawings are of a face that can bear them.

    Hands and drinks are off: on a contact sheet they look drawn, masks and scarves do not.
    """

    hand: float = 0.0  # before the mouth of a bare face, as the next five
    scarf: float = 0.01
    drink: float = 0.0
    beard: float = 0.0  # no run has been trained with it yet
    drawn_mask: float = 0.02
    wrong_mask: float = 0.04  # the scarcest label
    recolour: float = 0.05  # of a masked face
    hidden: float = 0.08  # of any face: one side or the top of it is behind something
    big_face: float = 0.05  # of a picture: one face fills half of the input or more
    far: float = 0.05  # of a picture: people farther off than the usual scales show
    empty: float = 0.02  # of the pictures drawn: nobody is in them
    static: float = 0.01  # of the pictures: no scene at all, as from a torn cable or a covered lens


MIN_SIDE_PX = 40.0
"""Of a face in its source; below, the drawing is no more than a few dots."""
_MOST_COVERED = 1 / 3
"""Of a face, in the shade of another one's cover."""
_ACROSS = 0.9
"""Of a face's width; covers end at whole pixels."""
_FRONTAL = (0.62, 0.98)
"""Width by height; heads turned to the side, or up and down, are outside."""


def is_drawable(box: NDArray[np.float32], image: NDArray[np.uint8]) -> bool:
    """Whether a face is large, probably seen from the front, and wholly in the picture."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    height_px, width_px = image.shape[:2]
    is_inside = bool(box.min() >= 0 and box[2] <= width_px and box[3] <= height_px)
    return is_inside and min(width, height) >= MIN_SIDE_PX and _FRONTAL[0] <= width / height <= _FRONTAL[1]


# Corners of masks, left half from the top of the nose to the chin; the right half is its mirror image.
_WORN = ((0.5, 0.42), (0.36, 0.5), (0.1, 0.56), (0.13, 0.78), (0.3, 0.97), (0.5, 1.02))
_UNDER_NOSE = ((0.5, 0.69), (0.34, 0.68), (0.1, 0.62), (0.13, 0.82), (0.3, 0.99), (0.5, 1.03))
_ON_CHIN = ((0.5, 0.87), (0.32, 0.86), (0.1, 0.74), (0.14, 0.88), (0.3, 1.03), (0.5, 1.08))
# Where a worn mask may be: no wider, for a wall may have its colour.
_AROUND = ((0.5, 0.36), (0.3, 0.42), (0.05, 0.48), (0.05, 0.84), (0.25, 1.02), (0.5, 1.06))
_Half = Sequence[tuple[float, float]]


def draw_mask(paint: FacePaint, rng: Generator, half: _Half = _WORN) -> None:
    """A mask with its ear loops, in any colour or pattern, pleated or plain."""
    corners = _mirrored(half, rng)
    colour = mask_colour(rng)
    loops = colour if rng.random() < 0.5 else np.array((225.0, 228.0, 230.0))
    for side, corner in ((-0.02, corners[2]), (1.02, corners[-3])):
        paint.line([corner, (side, rng.uniform(0.4, 0.48))], 0.015, loops)
    paint.shadow(corners, rng.uniform(0.15, 0.4))
    paint.polygon(corners, paint.bulge(fabric(paint.shape, colour, rng)))
    if rng.random() < 0.5:
        top, bottom = half[0][1], half[-1][1]
        for share in (0.4, 0.58, 0.76):
            v = top + (bottom - top) * share
            paint.line([(0.16, v - 0.02), (0.5, v + 0.02), (0.84, v - 0.02)], 0.008, colour * 0.85)


def draw_wrong_mask(paint: FacePaint, rng: Generator) -> None:
    """A mask below the nose, or on the chin."""
    draw_mask(paint, rng, _UNDER_NOSE if rng.random() < 0.65 else _ON_CHIN)


def draw_hand(paint: FacePaint, rng: Generator) -> None:
    """Four fingers over the mouth, from one side, in the face's own colour."""
    skin = skin_colour(paint) * rng.uniform(0.85, 1.0)
    side = float(rng.choice([-1, 1]))
    tilt, top = rng.uniform(-0.05, 0.2), rng.uniform(0.62, 0.7)
    outline = ((0.3, top - 0.04), (0.5, top - 0.06), (0.62, 1.1), (0.7, 1.5), (0.25, 1.5), (0.22, 1.0))
    paint.polygon([(0.5 + side * x, y) for x, y in outline], paint.plain(skin * 0.93), is_round=False)
    for finger, reach in reversed(tuple(enumerate((0.26, 0.34, 0.32, 0.22)))):
        v = top + 0.1 * finger
        ends = [(0.5 + side * 0.42, v + tilt * 0.5), (0.5 - side * reach, v - tilt * 0.5)]
        paint.line(ends, 0.122, skin * 0.85)
        paint.line([(u, v - 0.006) for u, v in ends], 0.1, skin * rng.uniform(0.96, 1.04))


def draw_scarf(paint: FacePaint, rng: Generator) -> None:
    """A scarf pulled up over the mouth, wider than the face, with folds."""
    top = rng.uniform(0.58, 0.72)
    colour = _muted(rng)
    half = ((-0.5, 1.6), (-0.42, 1.3), (-0.24, 1.12), (-0.16, top + 0.22), (-0.06, top + 0.06), (0.12, top))
    middle = (0.5, top + rng.uniform(-0.02, 0.06))
    outline = [*half, middle, *((1 - u, v) for u, v in reversed(half))]
    paint.shadow(outline, 0.3)
    paint.polygon(outline, paint.bulge(fabric(paint.shape, colour, rng)))
    for _ in range(7):
        v = rng.uniform(top + 0.08, 1.3)
        fold = [
            (rng.uniform(-0.1, 0.3), v + rng.uniform(0, 0.1)),
            (0.5, v),
            (rng.uniform(0.7, 1.1), v + 0.05),
        ]
        paint.line(fold, rng.uniform(0.01, 0.03), colour * rng.uniform(0.8, 0.92))


def draw_drink(paint: FacePaint, rng: Generator) -> None:
    """A cup before the mouth with fingers around it."""
    centre, top = 0.5 + rng.uniform(-0.08, 0.08), rng.uniform(0.66, 0.76)
    wide, narrow = rng.uniform(0.2, 0.28), rng.uniform(0.14, 0.2)
    colour = _muted(rng)
    cup = [(centre - wide, top), (centre + wide, top), (centre + narrow, 1.45), (centre - narrow, 1.45)]
    paint.polygon(cup, fabric(paint.shape, colour, rng), is_round=False)
    paint.line([(centre - wide, top), (centre + wide, top)], 0.05, colour * 0.5 + 110)
    side, skin = float(rng.choice([-1, 1])), skin_colour(paint) * 0.95
    for finger in range(4):
        v = 0.98 + 0.1 * finger
        ends = [(centre + side * 0.3, v + 0.04), (centre - side * 0.14, v)]
        paint.line(ends, 0.12, skin * 0.82)
        paint.line([(u, v - 0.006) for u, v in ends], 0.1, skin)


# Left half of a beard: from under the nose over the cheek to the ear, and along the jaw to the chin.
_FULL_BEARD = (
    (0.5, 0.7),
    (0.34, 0.71),
    (0.2, 0.72),
    (0.08, 0.55),
    (0.03, 0.56),
    (0.08, 0.82),
    (0.26, 1.0),
    (0.5, 1.07),
)
_ROUND_THE_MOUTH = ((0.5, 0.7), (0.36, 0.72), (0.31, 0.82), (0.35, 0.98), (0.5, 1.06))


def draw_beard(paint: FacePaint, rng: Generator) -> None:
    """A beard, full or around the mouth, thick or of a few days, the lips left free."""
    natural = ((28, 24, 22), (52, 38, 30), (88, 62, 44), (120, 84, 56), (128, 124, 120), (190, 186, 180))
    colour = np.array(natural[rng.choice(6, p=(0.3, 0.25, 0.2, 0.1, 0.1, 0.05))]) * rng.uniform(0.8, 1.2)
    outline = _mirrored(_FULL_BEARD if rng.random() < 0.7 else _ROUND_THE_MOUTH, rng)
    thickness = rng.uniform(0.3, 0.9)
    lips = paint.patch((0.42, 0.77), (0.58, 0.81)).mean(0)
    paint.polygon(outline, hair(paint.shape, colour, rng), blur=0.05, strength=thickness)
    v, half = rng.uniform(0.775, 0.8), rng.uniform(0.09, 0.14)
    paint.line([(0.5 - half, v), (0.5, v + 0.008), (0.5 + half, v)], rng.uniform(0.04, 0.065), lips)


def draw_static(size: int, rng: Generator) -> NDArray[np.uint8]:
    """A size × size × 3 picture of coloured or grey noise: fine, coarse, or one plain colour."""
    side = max(1, size // int(rng.choice([1, 2, 8, 32, size])))
    noise = rng.normal(rng.uniform(0, 255), rng.uniform(5, 90), (side, side, int(rng.choice([1, 3]))))
    grain = np.broadcast_to(noise.clip(0, 255).astype(np.uint8), (side, side, 3))
    how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(grain), (size, size), interpolation=how)  # type: ignore[return-value]


def hide_parts(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    probability: float,
    rng: Generator,
) -> None:
    """Put something before one side or the top of some faces: a door's frame, a neighbour, a lamp.

    The lower half is never covered from one edge to the other: nobody could tell the label then. What would
    cover much of another face, or lie across it, stays away.

    Args:
        image: H × W × 3 RGB, changed in place.
        boxes: M × 4, xmin, ymin, xmax, ymax in pixels, within the picture.
        labels: M; regions to ignore stay as they are.
        probability: That a face is hidden.
        rng: The same numbers hide the same.
    """
    size = np.array(image.shape[1::-1])
    for index in np.flatnonzero((labels >= 0) & (rng.random(len(labels)) < probability)):
        cover = _cover(boxes[index], rng).round().clip(0, np.tile(size, 2)).astype(int)
        if _hides_much(np.delete(boxes, index, 0), cover):
            continue
        (left, top), (width, height) = cover[:2], cover[2:] - cover[:2]
        if min(width, height) > 0:
            x, y = rng.integers(0, size - (width, height) + 1)
            holds_face = ((boxes[:, :2] < (x + width, y + height)) & (boxes[:, 2:] > (x, y))).all(1).any()
            other = rng.integers(0, 256, 3) if holds_face else image[y : y + height, x : x + width].copy()
            image[top : top + height, left : left + width] = other


def _hides_much(boxes: NDArray[np.float32], cover: NDArray[np.int_]) -> bool:
    """Whether any box lies behind a cover too far, or, as a chin does, from one side to the other."""
    shared = np.minimum(boxes[:, 2:], cover[2:]) - np.maximum(boxes[:, :2], cover[:2])
    across, down = (shared.clip(0) / np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)).T
    return bool(((across * down > _MOST_COVERED) | ((across > _ACROSS) & (down > 0))).any())


def _cover(box: NDArray[np.float32], rng: Generator) -> NDArray[np.float64]:
    """A box over a sixth to two fifths of a face, from the left, the right or, seldom, the top."""
    size = (box[2:] - box[:2]).astype(np.float64)
    depth, beyond = rng.uniform(0.15, 0.4), rng.uniform(0.0, 0.5, 3)
    low, high = box[:2] - beyond[:2] * size, box[2:] + np.array([beyond[2], beyond[1]]) * size
    match rng.choice(3, p=[0.4, 0.4, 0.2]):
        case 0:
            high[0] = box[0] + depth * size[0]
        case 1:
            low[0] = box[2] - depth * size[0]
        case _:
            high[1] = box[1] + depth * size[1]
    return np.concatenate([low, high])


def _muted(rng: Generator) -> NDArray[np.float64]:
    """RGB of a cloth or a cup: seldom as bright as a mask's print."""
    colour = rng.uniform(20, 240, 3)
    muted: NDArray[np.float64] = 0.45 * colour + 0.55 * colour.mean()
    return muted


def recolour(paint: FacePaint, rng: Generator) -> None:
    """Another colour or pattern for the mask that is worn, its folds and light kept."""
    paint.tint(_mirrored(_AROUND, rng), fabric(paint.shape, mask_colour(rng), rng))


def mask_colour(rng: Generator) -> NDArray[np.float64]:
    """RGB, 0 to 255: half of them white, light blue, black, grey or navy as sold, else any."""
    common = ((225, 228, 230), (150, 195, 225), (35, 36, 40), (120, 122, 126), (40, 50, 90))
    if rng.random() < 0.5:
        return np.array(common[rng.integers(len(common))], np.float64)
    return rng.uniform(15, 245, 3)


def _mirrored(half: _Half, rng: Generator) -> list[tuple[float, float]]:
    """The whole outline, a little crooked."""
    whole = np.array([*half, *((1 - u, v) for u, v in reversed(half[1:-1]))])
    whole[:, 1] += (whole[:, 0] - 0.5) * rng.uniform(-0.06, 0.06) + rng.uniform(-0.02, 0.02)
    whole += rng.uniform(-0.012, 0.012, whole.shape)
    return [(float(u), float(v)) for u, v in whole]


_Draw = Callable[[FacePaint, Generator], None]
# What is drawn on a face of which label, and the label that it then has.
CASES: dict[str, tuple[_Draw, int, int]] = {
    "hand": (draw_hand, BARE, BARE),
    "scarf": (draw_scarf, BARE, BARE),
    "drink": (draw_drink, BARE, BARE),
    "beard": (draw_beard, BARE, BARE),
    "drawn_mask": (draw_mask, BARE, MASKED),
    "wrong_mask": (draw_wrong_mask, BARE, INCORRECT),
    "recolour": (recolour, MASKED, MASKED),
}


def draw_hard_cases(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    config: HardCaseConfig,
    rng: Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw at most one case on each face that can bear it.

    Args:
        image: H × W × 3 RGB; it stays as it is.
        boxes: M × 4, xmin, ymin, xmax, ymax in pixels.
        labels: M; they stay as they are.
        config: Probabilities.
        rng: The same numbers draw the same.

    Returns:
        The image and the labels, new ones if anything was drawn.
    """
    chances = {name: getattr(config, name) for name in CASES}
    for index in range(len(labels)):
        possible = [name for name, (_, wanted, _) in CASES.items() if wanted == labels[index]]
        draws = rng.random()
        chosen = _choose(possible, chances, draws)
        if chosen is None or not is_drawable(boxes[index], image):
            continue
        draw, _, label = CASES[chosen]
        image, labels = image.copy(), labels.copy()
        paint = FacePaint(image, boxes[index], rng)
        draw(paint, rng)
        paint.finish()
        labels[index] = label
    return image, labels


def _choose(names: Sequence[str], chances: dict[str, float], draw: float) -> str | None:
    """The name in whose share of 0 to 1 the number falls."""
    for name in names:
        draw -= chances[name]
        if draw < 0:
            return name
    return None
