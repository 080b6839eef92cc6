"""Lay moments of the film out on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.camera.opencv import cv2
from pi_mask.demo.lamps import draw_lamps
from pi_mask.output import write_picture

if TYPE_CHECKING:
    from pi_mask.indicator.patterns import Part
    from pi_mask.types import Image, Verdict

COLUMNS: Final = 4
TILE: Final = (320, 240)
_CAPTION_PX: Final = 36
_LAMP_PX: Final = 24
_PAPER: Final = 246
_INK: Final = (24, 24, 28)


@dataclass(frozen=True, slots=True)
class Moment:
    """One annotated frame with what the door showed."""

    image: Image
    time_s: float
    verdict: Verdict
    lit: frozenset[Part]


def write_sheet(path: Path, moments: Sequence[Moment]) -> None:
    """Write the moments in rows of four as a PNG, each with time, verdict, lamps and buzzer.

    Raises:
        OutputError: The file cannot be written.
    """
    rows = -(-len(moments) // COLUMNS)
    tile_width, tile_height = TILE[0], TILE[1] + _CAPTION_PX
    sheet = np.full((rows * tile_height, COLUMNS * tile_width, 3), _PAPER, np.uint8)
    for place, moment in enumerate(moments):
        y, x = place // COLUMNS * tile_height, place % COLUMNS * tile_width
        sheet[y : y + tile_height, x : x + tile_width] = _tile(moment)
    write_picture(path, sheet)


def _tile(moment: Moment) -> Image:
    tile = np.full((TILE[1] + _CAPTION_PX, TILE[0], 3), _PAPER, np.uint8)
    tile[: TILE[1]] = cv2.resize(moment.image, TILE, interpolation=cv2.INTER_AREA)
    text = f"{moment.time_s:.1f} s  {moment.verdict.name}"
    cv2.putText(tile, text, (8, TILE[1] + 24), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)
    corner = (TILE[0] - 4 * _LAMP_PX - 6, TILE[1] + (_CAPTION_PX - _LAMP_PX) // 2)
    draw_lamps(tile, moment.lit, corner, _LAMP_PX)
    return tile
