"""Mark the faces that nobody annotated, so that training takes them for neither faces nor background.

    python -m training.unlabelled --model models/ssd_mobilenet_v2_512.tflite \
        --data data/train.json --without copies.txt --output data/marked.json

Annotators leave out faces in the crowd behind. Training then teaches that a small face is background, one
epoch after the other. What an earlier model finds with some certainty where nothing is annotated becomes a
region to ignore; nothing else changes. Put the result beside the ``images/`` that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from pi_mask.build import open_detector
from pi_mask.camera.picture import decode_picture
from pi_mask.commands.options import FiniteRange
from pi_mask.errors import InputError
from pi_mask.output import prepare_folder
from pi_mask.settings import ModelSettings
from pi_mask.types import BoundingBox, Detection, Frame
from training.annotations import IMAGES, AnnotatedImage, Face, read_annotations, read_text, write_annotations
from training.command import Command

MIN_SCORE = 0.3
"""Of 52 boxes on nothing annotated, at thresholds of 0.3 to 0.45, 46 were faces: see LOG.md."""
_SHARED = 0.3
"""A box that shares this much of the smaller one's area with an annotation is of that face."""


def mark(image: AnnotatedImage, found: Sequence[Detection]) -> AnnotatedImage:
    """Add what was found beside the annotated faces as regions to ignore."""
    known = [face.box for face in image.faces]
    strays = [d.box for d in found if all(_shared(d.box, box) < _SHARED for box in known)]
    return replace(image, faces=(*image.faces, *(Face(box, None) for box in strays)))


def _without(images: Sequence[AnnotatedImage], listed: Path) -> list[AnnotatedImage]:
    """All but those whose file names a text file lists, one a line.

    Raises:
        InputError: A name is none of theirs: left in, it might be a copy of a validation picture.
    """
    names = {line.strip() for line in read_text(listed).split("\n")} - {""}
    unknown = sorted(names - {image.file_name for image in images})
    if unknown:
        raise InputError(f"{listed}: no picture is called {unknown[0]!r}. Correct it, or take it out.")
    return [image for image in images if image.file_name not in names]


def _shared(box: BoundingBox, other: BoundingBox) -> float:
    """Area that both have, as a share of the smaller one's; 0 where that is empty."""
    width = min(box.xmax, other.xmax) - max(box.xmin, other.xmin)
    height = min(box.ymax, other.ymax) - max(box.ymin, other.ymin)
    smaller = min(box.area, other.area)
    return max(0.0, width) * max(0.0, height) / smaller if smaller else 0.0


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--min-score", type=FiniteRange(0, 1, min_open=True, max_open=True), default=MIN_SCORE, show_default=True
)
@click.option(
    "--without",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file of picture names to leave out, one a line: copies of validation pictures, say.",
)
def main(model: Path, data: Path, output: Path, min_score: float, without: Path | None) -> None:
    """Write annotations with the faces that nobody annotated as regions to ignore."""
    images = _without(read_annotations(data), without) if without else read_annotations(data)
    prepare_folder(output.parent)
    settings = ModelSettings(name=str(model), accelerator="cpu", min_score=min_score)
    with open_detector(settings) as opened:
        marked = [
            mark(
                image,
                opened.detector.detect(Frame(decode_picture(data.parent / IMAGES / image.file_name), 0.0, 0))[
                    0
                ],
            )
            for image in images
        ]
    write_annotations(output, marked)
    count = sum(len(after.faces) - len(before.faces) for before, after in zip(images, marked, strict=True))
    click.echo(f"{output}: {len(marked)} pictures, {count} regions to ignore added")


if __name__ == "__main__":
    main()
