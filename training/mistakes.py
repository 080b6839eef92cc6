"""Show a model's worst mistakes, as contact sheets by kind.

    python -m training.mistakes --model models/ssd_mobilenet_v2_512.tflite --data ../shared/data/val.json \
        --output training/runs/mistakes

The sheets show people's faces: they stay where the pictures may be. To plan training, look at training
pictures; the validation pictures are for reporting.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import cv2
import numpy as np

from pi_mask.camera.picture import decode_picture
from pi_mask.output import prepare_folder, write_picture
from pi_mask.overlay import draw
from pi_mask.types import BoundingBox, Detection, MaskLabel
from training.annotations import write_text
from training.command import Command
from training.data import Picture, load_coco
from training.door_view import JudgedFace, judge
from training.metrics import SIZES_PX, size_name
from training.views import open_views

if TYPE_CHECKING:
    from pi_mask.types import Image

_COLUMNS: Final = 5
_TILE_PX: Final = 280
_CAPTION_PX: Final = 40
_PAPER, _INK, _TRUTH = (246, 246, 246), (24, 24, 28), (255, 255, 255)


class Kind(Enum):
    """What went wrong, worst first; the value is the sheet's name."""

    WRONG_GREEN = "wrong-green"
    REFUSED = "masked-refused"
    MIXED_UP = "mixed-up"
    MISSED = "missed"
    FALSE_BOX = "false-box"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One face or box that the model got wrong at the shipped thresholds.

    Attributes:
        box: Of the face; of the detection where there is no face.
        truth: The face's label, None where there is no face.
        found: What was detected, None where nothing was.
    """

    kind: Kind
    picture: Picture
    box: BoundingBox
    truth: MaskLabel | None
    found: Detection | None

    @property
    def weight(self) -> float:
        """How bad: the score; for a missed face its size, because a large one should be easy."""
        return self.found.score if self.found else self.box.shorter_side

    @property
    def size(self) -> str:
        """Heading of the size of the box."""
        side = max(SIZES_PX[0][0], self.box.shorter_side)
        return next(size_name(size) for size in SIZES_PX if size[0] <= side < size[1])

    def __str__(self) -> str:
        truth = self.truth.value if self.truth else "nobody"
        said = f"{self.found.label.value} {self.found.score:.2f}" if self.found else "nothing"
        return f"{truth}: {said}, {self.box.shorter_side:.0f} px"


def find_mistakes(picture: Picture, found: Sequence[Detection]) -> Iterator[Mistake]:
    """All mistakes in one picture."""
    judged = judge(picture, found)
    for face in judged.faces:
        kind = _kind(face)
        if kind is not None:
            yield Mistake(kind, picture, face.box, face.truth, face.found)
    for detection in judged.false_boxes:
        yield Mistake(Kind.FALSE_BOX, picture, detection.box, None, detection)


def _kind(face: JudgedFace) -> Kind | None:
    if face.found is None:
        return Kind.MISSED
    if face.found.label is face.truth:
        return None
    if face.found.label is MaskLabel.WITH_MASK:
        return Kind.WRONG_GREEN
    return Kind.REFUSED if face.truth is MaskLabel.WITH_MASK else Kind.MIXED_UP


def draw_sheet(mistakes: Sequence[Mistake], found: Sequence[Sequence[Detection]]) -> Image:
    """Lay mistakes out in rows of five, each with its surroundings, the truth's box in white, and a caption.

    Args:
        mistakes: At least one.
        found: All detections of each one's picture.
    """
    rows = -(-len(mistakes) // _COLUMNS)
    height = _TILE_PX + _CAPTION_PX
    sheet = np.full((rows * height, _COLUMNS * _TILE_PX, 3), _PAPER, np.uint8)
    for place, (mistake, detections) in enumerate(zip(mistakes, found, strict=True)):
        y, x = place // _COLUMNS * height, place % _COLUMNS * _TILE_PX
        sheet[y : y + _TILE_PX, x : x + _TILE_PX] = _tile(mistake, detections)
        for line, text in enumerate((str(mistake), mistake.picture.path.stem)):
            at = (x + 4, y + _TILE_PX + 16 + 17 * line)
            cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return sheet


def _tile(mistake: Mistake, detections: Sequence[Detection]) -> Image:
    """A square around the box, three times as wide, with everything that was said there."""
    x, y = mistake.box.center
    side = max(3 * mistake.box.width, 3 * mistake.box.height, 64.0)
    scale, left, top = _TILE_PX / side, x - side / 2, y - side / 2
    view = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    tile = np.asarray(
        cv2.warpAffine(decode_picture(mistake.picture.path), view, (_TILE_PX, _TILE_PX)), np.uint8
    )

    def moved(box: BoundingBox) -> BoundingBox:
        corners = ((box.xmin, left), (box.ymin, top), (box.xmax, left), (box.ymax, top))
        return BoundingBox(*((value - start) * scale for value, start in corners))

    near = [replace(detection, box=moved(detection.box)) for detection in detections]
    tile = draw(tile, [detection for detection in near if _is_inside(detection.box)])
    if mistake.truth is not None:
        truth = moved(mistake.box)
        corners = (round(truth.xmin), round(truth.ymin)), (round(truth.xmax), round(truth.ymax))
        cv2.rectangle(tile, *corners, _TRUTH, 1)
    return tile


def _is_inside(box: BoundingBox) -> bool:
    return box.xmax > 0 and box.ymax > 0 and box.xmin < _TILE_PX and box.ymin < _TILE_PX


def as_table(mistakes: Sequence[Mistake]) -> list[str]:
    """Number of mistakes per kind, true label and size."""
    counts = Counter((m.kind, m.truth, m.size) for m in mistakes)
    sizes = [size_name(size) for size in SIZES_PX]
    lines = [f"{'':<30}" + "".join(f"{size:>9}" for size in sizes) + f"{'all':>9}"]
    for kind in Kind:
        for truth in (*MaskLabel, None):
            row = [counts[kind, truth, size] for size in sizes]
            if any(row):
                name = f"{kind.value}, {truth.value}" if truth else kind.value
                lines.append(f"{name:<30}" + "".join(f"{n:>9}" for n in (*row, sum(row))))
    return lines


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--most", type=click.IntRange(1), default=60, show_default=True, help="Mistakes a sheet.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
def main(model: Path, data: Path, output: Path, most: int, threads: int) -> None:
    """Draw the worst mistakes of a model into a folder, and count them all."""
    prepare_folder(output)
    pictures = load_coco(data)
    with open_views(model, threads) as views:
        found = {picture.path: views.detect(decode_picture(picture.path))[1] for picture in pictures}
    mistakes = [m for picture in pictures for m in find_mistakes(picture, found[picture.path])]
    for kind in Kind:
        worst = sorted((m for m in mistakes if m.kind is kind), key=lambda m: -m.weight)[:most]
        path = output / f"{kind.value}.jpg"
        path.unlink(missing_ok=True)  # of an earlier model
        if worst:
            write_picture(path, draw_sheet(worst, [found[mistake.picture.path] for mistake in worst]))
    listed = [{"kind": m.kind.value, "file": m.picture.path.name, "what": str(m)} for m in mistakes]
    write_text(output / "mistakes.json", json.dumps(listed, indent=1))
    click.echo("\n".join(as_table(mistakes)))


if __name__ == "__main__":
    main()
