"""Draw every hard case on real faces, on one sheet to look at.

    python -m training.hard_sheet --data ../shared/data/train.json --output hard-cases.png

One row a case, faces as they are in the first row of bare and of masked ones. Look at it after each change of
``hard_cases.py``: what looks drawn teaches the network to tell drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from pi_mask.camera.picture import decode_picture
from pi_mask.errors import UsageError
from training.annotations import write_bytes
from training.command import Command
from training.data import Picture, load_coco
from training.face_paint import FacePaint
from training.hard_cases import BARE, CASES, MASKED, hide_parts, is_drawable

Image: TypeAlias = NDArray[np.uint8]
Face: TypeAlias = tuple[Image, NDArray[np.float32]]
_CELL_PX = 128
_CONTEXT = 0.45


def sheet(pictures: Sequence[Picture], count: int, seed: int) -> Image:
    """The sheet as H × W × 3 RGB, ``count`` faces a row.

    Raises:
        UsageError: No face can be drawn on.
    """
    rows = []
    for wanted in (BARE, MASKED):
        faces = _faces(pictures, wanted, count, seed)
        rows.append([("as it is", _cell(image, box)) for image, box in faces])
        for name, (draw, label, _) in CASES.items():
            if label == wanted:
                rows.append([(name, _drawn(face, draw, index)) for index, face in enumerate(faces)])
        rows.append([("hidden", _hidden(face, index)) for index, face in enumerate(faces)])
    rows = [row for row in rows if row]
    if not rows:
        raise UsageError("No face can be drawn on: they must be large, whole and seen from the front.")
    width = max(len(row) for row in rows)
    blank = ("", np.full((_CELL_PX, _CELL_PX, 3), 255, np.uint8))
    lines = [np.hstack([_titled(*cell) for cell in (*row, *[blank] * (width - len(row)))]) for row in rows]
    return np.vstack(lines)


def _faces(pictures: Sequence[Picture], label: int, count: int, seed: int) -> list[Face]:
    """Drawable faces of a label, at most one a picture, in a random order."""
    found: list[Face] = []
    for index in np.random.default_rng(seed).permutation(len(pictures)):
        picture = pictures[index]
        if len(found) == count:
            break
        if label not in picture.labels:
            continue
        image = decode_picture(picture.path)
        boxes = [box for box, own in zip(picture.boxes, picture.labels, strict=True) if own == label]
        drawable = [box for box in boxes if is_drawable(box, image)]
        found += [(image, drawable[0])] if drawable else []
    return found


def _drawn(face: Face, draw: object, seed: int) -> Image:
    image, box = face[0].copy(), face[1]
    rng = np.random.default_rng(seed)
    paint = FacePaint(image, box, rng)
    assert callable(draw)  # noqa: S101 for the type checker
    draw(paint, rng)
    paint.finish()
    return _cell(image, box)


def _hidden(face: Face, seed: int) -> Image:
    image, box = face[0].copy(), face[1]
    hide_parts(image, box[None], np.zeros(1, np.int64), 1.0, np.random.default_rng(seed))
    return _cell(image, box)


def _cell(image: Image, box: NDArray[np.float32]) -> Image:
    margin = _CONTEXT * (box[2:] - box[:2])
    left, top = (int(max(0, value)) for value in box[:2] - margin)
    right, bottom = (int(value) + 1 for value in box[2:] + margin)
    part = image[top:bottom, left:right]
    return cv2.resize(part, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _titled(title: str, cell: Image) -> Image:
    titled = cell.copy()
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(titled, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, thickness, cv2.LINE_AA)
    return titled


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .png file.")
@click.option("--count", type=click.IntRange(1, 40), default=12, show_default=True, help="Faces a row.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
def main(data: Path, output: Path, count: int, seed: int) -> None:
    """Draw every hard case on faces of COCO annotations."""
    drawn = sheet(load_coco(data), count, seed)
    _, coded = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    write_bytes(output, coded.tobytes())
    click.echo(f"{output}: {drawn.shape[1]} × {drawn.shape[0]} px")


if __name__ == "__main__":
    main()
