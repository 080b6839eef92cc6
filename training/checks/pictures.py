"""Look at each picture once: what is wrong with it, and what is needed to compare it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pi_mask.camera.picture import decode_picture
from pi_mask.commands.streams import progress
from pi_mask.errors import InputError, UsageError
from training.annotations import IMAGES, AnnotatedImage, read_annotations
from training.checks.boxes import check_boxes
from training.checks.finding import Entry, Finding, Kind
from training.checks.near_duplicates import Fingerprint, fingerprint
from training.exif import orientation


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at all pictures.

    Attributes:
        entries: As they were listed, each with the size that its picture has.
        prints: Of each entry; None where the picture is unreadable.
        findings: In the entries' order.
    """

    entries: list[Entry]
    prints: list[Fingerprint | None]
    findings: list[Finding]


def list_entries(files: Sequence[Path]) -> list[Entry]:
    """All pictures of some COCO files, whose pictures lie in ``images/`` beside them.

    Raises:
        InputError: A file is damaged or lists no picture.
        UsageError: A file is named twice.
    """
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError("A file is named twice. Name each once.")
    names = [file.name for file in files]
    is_unique = len(set(names)) == len(names)
    entries = []
    for file in files:
        images = read_annotations(file)
        if not images:
            raise InputError(f"{file} lists no picture. Import some, or leave it out.")
        name = file.name if is_unique else str(file)
        entries += [Entry(name, file.parent / IMAGES / image.file_name, image) for image in images]
    return entries


def look_at(entries: Sequence[Entry]) -> Looked:
    """Decode every picture, one after the other, and check it and its boxes."""
    looked = Looked([], [], list(_listed_twice(entries)))
    with progress("Looking", len(entries)) as advance:
        for index, entry in enumerate(entries):
            image, made, kinds = _look_at_one(entry)
            looked.entries.append(replace(entry, image=image))
            looked.prints.append(made)
            looked.findings.extend(Finding(kind, (index,), detail) for kind, detail in kinds)
            advance()
    return looked


def _listed_twice(entries: Sequence[Entry]) -> Iterator[Finding]:
    counts = Counter(entry.name for entry in entries)
    first: set[str] = set()
    for index, entry in enumerate(entries):
        if counts[entry.name] > 1 and entry.name not in first:
            first.add(entry.name)
            yield Finding(Kind.LISTED_TWICE, (index,), f"{counts[entry.name]} times")


def _look_at_one(entry: Entry) -> tuple[AnnotatedImage, Fingerprint | None, list[tuple[Kind, str]]]:
    """The annotation with the picture's real size, the fingerprint, and what is wrong."""
    image = entry.image
    try:
        pixels = decode_picture(entry.path)
        turn = orientation(entry.path.read_bytes())
    except (InputError, OSError) as error:
        return image, None, [(Kind.UNREADABLE, str(error)), *check_boxes(image)]
    height, width = pixels.shape[:2]
    kinds: list[tuple[Kind, str]] = list(_check_size((image.width, image.height), (width, height)))
    if turn != 1:
        kinds.append((Kind.ORIENTATION, f"{turn}: boxes must be those of the upright picture"))
    image = replace(image, width=width, height=height)
    return image, fingerprint(pixels), [*kinds, *check_boxes(image)]


def _check_size(stated: tuple[int, int], found: tuple[int, int]) -> Iterable[tuple[Kind, str]]:
    if stated in (found, (0, 0)):
        return
    kind = Kind.SIDEWAYS if stated == found[::-1] else Kind.SIZE
    yield kind, "{}×{} is stated, the picture has {}×{}".format(*stated, *found)
