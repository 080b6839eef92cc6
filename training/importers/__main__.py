"""Import annotated pictures of any known format into a COCO file of ours.

    python -m training.importers voc ~/faces/annotations --images ~/faces/images \
        --map mask=with_mask --map none=without_mask --output data/train.json

Pictures go into ``images/`` beside the COCO file: upright, at most 512 pixels long, without EXIF data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import click

from pi_mask.commands.streams import say, tell
from pi_mask.errors import UsageError
from training.annotations import AnnotatedImage, read_annotations
from training.command import Command
from training.importers.base import ReadOptions
from training.importers.convert import MEANINGS, Inset, LabelMap
from training.importers.formats import FORMATS, Format
from training.importers.importing import Imported, Settings, import_images

Value: TypeAlias = Any
"""Of an option, as click made it."""


def _meanings(pairs: Iterable[str]) -> dict[str, str]:
    meanings = {}
    for pair in pairs:
        label, sign, meaning = pair.rpartition("=")
        if not sign or meaning not in MEANINGS:
            raise UsageError(f"--map {pair} is not LABEL=MEANING. Meanings are {', '.join(MEANINGS)}.")
        meanings[label] = meaning
    return meanings


def _inset(text: str) -> Inset:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError as error:
        raise UsageError(
            f"--inset {text} is not four fractions. Write it like 0.1,0.2,0.1,0 (left, top, right, bottom)."
        ) from error
    return Inset(left, top, right, bottom)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"--group {text} is no regular expression: {error}. Correct it.") from error
    if not pattern.groups:
        raise UsageError(
            f"--group {text} marks no part of the name. Put that part in brackets: '(clip[0-9]+)_'."
        )
    return pattern


_FORMATS = "\n".join(f"  {name:10} {entry.source}" for name, entry in FORMATS.items())


@click.command(cls=Command, epilog=f"\b\nFormats, and what SOURCE is:\n{_FORMATS}")
@click.argument("format_name", metavar="FORMAT", type=click.Choice(sorted(FORMATS)))
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="COCO file to write."
)
@click.option("--append", is_flag=True, help="Add to the output, which is there already.")
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder with the pictures; default: that of SOURCE."
)
@click.option(
    "--names", type=click.Path(path_type=Path), help="YOLO: names of the classes (data.yaml, classes.txt)."
)
@click.option("--map", "pairs", multiple=True, metavar="LABEL=MEANING", help=f"One of {', '.join(MEANINGS)}.")
@click.option(
    "--inset", default="0,0,0,0", metavar="L,T,R,B", help="Head to face: fractions to take off the sides."
)
@click.option(
    "--long-side", type=click.IntRange(0), default=512, show_default=True, help="In pixels; 0: as it is."
)
@click.option("--name", help="Name of the collection; default: its own, or that of SOURCE.")
@click.option("--group", metavar="REGEX", help="Part of a picture's path that one film or person shares.")
@click.option("--synthetic", is_flag=True, help="Masks are drawn or pasted: never for validation.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged pictures out and list them.")
@click.option(
    "--unlabelled-are-empty", is_flag=True, help="Take pictures without annotation for scenes without faces."
)
def main(format_name: str, source: Path, output: Path, append: bool, **options: Value) -> None:
    """Import annotated pictures into a COCO file, and the pictures into images/ beside it."""
    entry = FORMATS[format_name]
    if options["skip_damaged"] and options["unlabelled_are_empty"]:
        raise UsageError(
            "With --skip-damaged a picture without annotation may be full. Leave out --unlabelled-are-empty."
        )
    if entry.is_list and options["unlabelled_are_empty"]:
        raise UsageError(
            f"A {format_name} file lists its empty pictures itself; others may be another file's. Leave out "
            "--unlabelled-are-empty."
        )
    if output.exists() != append:
        problem = "does not exist; leave out --append" if append else "exists; use --append or another name"
        raise UsageError(f"{output} {problem}.")
    known = read_annotations(output) if append else []
    settings = _settings(source, dict(entry.labels), options)
    found = entry.read(source, ReadOptions(options["names"]))
    imported = import_images(found, settings, output, known)
    _tell_left_out(imported, entry)
    _summarise(imported.images[len(known) :], output, imported.damaged)


def _settings(source: Path, labels: dict[str, str], options: dict[str, Value]) -> Settings:
    folder = source if source.is_dir() else source.parent
    return Settings(
        source=options["name"] or source.resolve().stem,
        images=options["images"] or folder,
        is_named=bool(options["name"]),
        labels=LabelMap(labels | _meanings(options["pairs"])),
        inset=_inset(options["inset"]),
        long_side=options["long_side"],
        group=_pattern(options["group"]) if options["group"] else None,
        is_synthetic=options["synthetic"],
        is_skipping=options["skip_damaged"],
        is_taking_unlabelled=options["unlabelled_are_empty"],
    )


def _tell_left_out(imported: Imported, entry: Format) -> None:
    if entry.is_list:
        others = imported.unlabelled + imported.made
        if others:
            tell(f"{others} pictures have no annotation in SOURCE and were left out.")
    else:
        _tell_unlabelled(imported)
    if imported.lost:
        tell(f"{imported.lost} faces are smaller than a pixel and were left out.")


def _tell_unlabelled(imported: Imported) -> None:
    if imported.unlabelled:
        tell(
            f"{imported.unlabelled} pictures have no annotation and were left out. If nobody is in them, "
            "import them too: --unlabelled-are-empty."
        )
    if imported.made:
        tell(f"{imported.made} pictures that an import copied there, or a check drew, were left out.")


def _summarise(images: list[AnnotatedImage], output: Path, left_out: int) -> None:
    faces = [face for image in images for face in image.faces]
    counts = dict.fromkeys((*MEANINGS[:3], "ignored"), 0)
    for face in faces:
        counts[face.label.value if face.label else "ignored"] += 1
    boxes = ", ".join(f"{count} {name}" for name, count in counts.items())
    empty = sum(not image.faces for image in images)
    say(f"{output}: {len(images)} pictures ({empty} without faces, {left_out} left out); boxes: {boxes}")


if __name__ == "__main__":
    main()
