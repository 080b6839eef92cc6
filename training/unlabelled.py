"""Mark the faces that nobody annotated, so that training takes them for neither faces nor background.

    python -m training.unlabelled --model models/ssd_mobilenet_v2_512.tflite \
        --data data/train.json --without copies.txt --output data/marked.json

Annotators leave out faces in the crowd behind. Training then teaches that a small face is background, one
epoch after the other. What a face detector that never saw these pictures finds where nothing is annotated
becomes a region to ignore; nothing else changes. A model of ours may add masked faces that it misses, but
only those it is sure of: many of the others are hands and the backs of heads, which training must go on
teaching to be nobody. Put the result beside the ``images/`` that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from pi_mask.build import open_detector
from pi_mask.camera.picture import decode_picture
from pi_mask.commands.options import FiniteRange
from pi_mask.errors import InputError
from pi_mask.output import prepare_folder
from pi_mask.settings import ModelSettings
from pi_mask.types import BoundingBox, Frame
from training.annotations import IMAGES, AnnotatedImage, Face, read_annotations, read_text, write_annotations
from training.command import Command
from training.face_finder import FaceFinder, Image, Search

MIN_SCORE = 0.5
"""Of 97 such boxes of the default that the face finder misses about seventy are masked faces: see LOG.md."""
_SHARED = 0.3
"""A box that shares this much of the smaller one's area with an annotation is of that face."""


def mark(image: AnnotatedImage, found: Sequence[BoundingBox]) -> AnnotatedImage:
    """Add what was found beside the faces and regions that are there as regions to ignore."""
    known = [face.box for face in image.faces]
    strays = [box for box in found if all(_shared(box, other) < _SHARED for other in known)]
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


def _search(image: AnnotatedImage, file: Path, searches: Sequence[Search]) -> AnnotatedImage:
    picture = decode_picture(file)
    for find in searches:
        image = mark(image, find(picture))
    return image


@contextmanager
def _searches(model: Path | None, min_score: float) -> Iterator[list[Search]]:
    """The face finder, then the model where there is one."""
    finder = FaceFinder()
    if model is None:
        yield [finder.find]
        return
    settings = ModelSettings(name=str(model), accelerator="cpu", min_score=min_score)
    with open_detector(settings) as opened:

        def find(image: Image) -> list[BoundingBox]:
            return [detection.box for detection in opened.detector.detect(Frame(image, 0.0, 0))[0]]

        yield [finder.find, find]


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .tflite of ours whose surest boxes are marked too.",
)
@click.option(
    "--min-score",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=MIN_SCORE,
    show_default=True,
    help="Of the model's boxes.",
)
@click.option(
    "--without",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file of picture names to leave out, one a line: copies of validation pictures, say.",
)
def main(data: Path, output: Path, model: Path | None, min_score: float, without: Path | None) -> None:
    """Write annotations with the faces that nobody annotated as regions to ignore."""
    images = _without(read_annotations(data), without) if without else read_annotations(data)
    prepare_folder(output.parent)
    with _searches(model, min_score) as searches:
        marked = [_search(image, data.parent / IMAGES / image.file_name, searches) for image in images]
    write_annotations(output, marked)
    count = sum(len(after.faces) - len(before.faces) for before, after in zip(images, marked, strict=True))
    click.echo(f"{output}: {len(marked)} pictures, {count} regions to ignore added")


if __name__ == "__main__":
    main()
