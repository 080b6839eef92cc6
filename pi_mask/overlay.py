"""Draw detections and verdicts on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.types import BoundingBox, Detection, MaskLabel, Verdict

if TYPE_CHECKING:
    from pi_mask.types import Image

Colour: TypeAlias = tuple[int, int, int]
_Symbol: TypeAlias = tuple[tuple[tuple[float, float], ...], ...]

# Colours that people with any colour vision tell apart (Okabe and Ito, 2008); text and symbol say the same.
_GREEN: Final = (0, 158, 115)
_ORANGE: Final = (230, 159, 0)
_RED: Final = (213, 94, 0)
_BLUE: Final = (86, 180, 233)
_GREY: Final = (190, 190, 190)
_BLACK: Final = (0, 0, 0)

# Strokes in a square from 0 to 1, y downwards.
_TICK: Final[_Symbol] = (((0.1, 0.55), (0.4, 0.85), (0.9, 0.15)),)
_CROSS: Final[_Symbol] = (((0.15, 0.15), (0.85, 0.85)), ((0.15, 0.85), (0.85, 0.15)))
_TRIANGLE: Final[_Symbol] = (((0.5, 0.1), (0.95, 0.9), (0.05, 0.9), (0.5, 0.1)),)
_RING: Final[_Symbol] = (((0.5, 0.05), (0.95, 0.5), (0.5, 0.95), (0.05, 0.5), (0.5, 0.05)),)
_DOTS: Final[_Symbol] = tuple(((x, 0.6), (x + 0.08, 0.6)) for x in (0.08, 0.46, 0.84))

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT_PX: Final = 22.0
"""Height of this font's capitals at scale 1."""
_SMALLEST_TEXT_PX: Final = 8.0
"""Below this height of the capitals the font's strokes run into each other."""
_TEXT_SHARE: Final = 0.022
"""Height of the capitals as a share of the picture's mean side: 11 pixels at 640×480."""
_BANNER_OPACITY: Final = 0.85


@dataclass(frozen=True, slots=True)
class _Style:
    text: str
    colour: Colour
    symbol: _Symbol


_LABELS: Final = {
    MaskLabel.WITH_MASK: _Style("mask", _GREEN, _TICK),
    MaskLabel.INCORRECT: _Style("incorrect", _ORANGE, _TRIANGLE),
    MaskLabel.WITHOUT_MASK: _Style("no mask", _RED, _CROSS),
}
_VERDICTS: Final = {
    Verdict.IDLE: _Style("IDLE", _GREY, _RING),
    Verdict.CHECKING: _Style("CHECKING", _BLUE, _DOTS),
    Verdict.MASK: _Style("MASK", _GREEN, _TICK),
    Verdict.INCORRECT: _Style("INCORRECT", _ORANGE, _TRIANGLE),
    Verdict.NO_MASK: _Style("NO MASK", _RED, _CROSS),
    Verdict.FAULT: _Style("FAULT", _RED, _DOTS),
}


def draw(image: Image, detections: Sequence[Detection], verdict: Verdict | None = None) -> Image:
    """Draw boxes with label and score, and the door's verdict.

    Lines and text grow with the picture; a tag that finds no room in the picture is shortened to its symbol.

    Args:
        image: RGB, uint8, height × width × 3; it stays as it is.
        detections: In the picture's pixels; the best one is drawn last, on top of the others.
        verdict: Written over the bottom edge; None leaves that out.

    Returns:
        A new picture of the same size.
    """
    canvas = _Canvas(np.ascontiguousarray(image).copy())
    for detection in reversed(detections):
        canvas.frame(detection.box, _LABELS[detection.label].colour)
    for detection in reversed(detections):
        style = _LABELS[detection.label]
        score = f"{detection.score:.2f}"
        canvas.tag(detection.box, style, (f"{style.text} {score}", score))
    if verdict is not None:
        canvas.banner(_VERDICTS[verdict])
    return canvas.image


class _Canvas:
    """A picture being drawn on, with line widths and text sizes that suit it."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._height, self._width = image.shape[:2]
        self._text_px = max(_SMALLEST_TEXT_PX, (self._height + self._width) / 2 * _TEXT_SHARE)
        self._line = max(1, round(self._text_px / 6))

    def frame(self, box: BoundingBox, colour: Colour) -> None:
        """Draw a box, with a dark line around it that shows on a background of the same colour."""
        corners = ((round(box.xmin), round(box.ymin)), (round(box.xmax), round(box.ymax)))
        cv2.rectangle(self.image, *corners, _BLACK, self._line + 2)
        cv2.rectangle(self.image, *corners, colour, self._line)

    def tag(self, box: BoundingBox, style: _Style, texts: Sequence[str]) -> None:
        """Write the longest text that fits above a box, or else inside it."""
        size, pad = round(self._text_px), max(2, round(self._text_px / 3))
        height = size + 2 * pad
        scale, thickness = self._text_px / _CAP_HEIGHT_PX, max(1, round(self._text_px / 10))
        measured = ((text, cv2.getTextSize(text, _FONT, scale, thickness)[0][0] + pad) for text in texts)
        text, text_width = next((pair for pair in measured if height + pair[1] <= self._width), ("", 0))
        width = height + text_width
        x = max(0, min(round(box.xmin) - self._line // 2, self._width - width))
        y = round(box.ymin) - height
        if y < 0 or y + height > self._height:
            y = round(box.ymin)
        y = max(0, min(y, self._height - height))
        cv2.rectangle(self.image, (x, y), (x + width - 1, y + height - 1), style.colour, cv2.FILLED)
        self._symbol(style.symbol, (x + pad, y + pad), size)
        place = (x + height, y + pad + size - 1)
        cv2.putText(self.image, text, place, _FONT, scale, _BLACK, thickness, cv2.LINE_AA)

    def banner(self, style: _Style) -> None:
        """Write the verdict across the bottom edge, so large that it is read from the door."""
        height = max(1, min(round(4 * self._text_px), self._height // 4))
        strip = self.image[self._height - height :]
        paint = np.full_like(strip, style.colour)
        cv2.addWeighted(paint, _BANNER_OPACITY, strip, 1 - _BANNER_OPACITY, 0, dst=strip)
        room = self._width - 2 * height
        scale = height / 2 / _CAP_HEIGHT_PX
        needed = cv2.getTextSize(style.text, _FONT, scale, 1)[0][0]
        scale *= min(1.0, room / needed) if room > 0 else 0.0
        cap = scale * _CAP_HEIGHT_PX
        self._symbol(style.symbol, (height // 4, self._height - height + height // 4), height // 2)
        if cap < _SMALLEST_TEXT_PX / 2:
            return
        place = (height, self._height - round((height - cap) / 2))
        cv2.putText(self.image, style.text, place, _FONT, scale, _BLACK, max(1, round(cap / 8)), cv2.LINE_AA)

    def _symbol(self, strokes: _Symbol, corner: tuple[int, int], size: int) -> None:
        lines = [np.rint(np.array(stroke) * size + corner).astype(np.int32) for stroke in strokes]
        cv2.polylines(self.image, lines, False, _BLACK, max(1, round(size / 6)), cv2.LINE_AA)
