"""Import pictures wholly or not at all."""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pi_mask.commands.streams import progress
from pi_mask.errors import InputError, OutputError
from training.annotations import IMAGES, AnnotatedImage, write_annotations
from training.importers.base import RawImage
from training.importers.convert import NO_INSET, Inset, LabelMap, convert, write_jpeg
from training.importers.pictures import PictureIndex


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    Attributes:
        images: All that the COCO file holds now.
        damaged: What was left out, a line each.
        unlabelled: Number of pictures without annotation that were left out.
    """

    images: list[AnnotatedImage]
    damaged: list[str]
    unlabelled: int


@dataclass(frozen=True)
class Settings:
    """How to import, with a reason per default.

    Attributes:
        group: Its first group, in a picture's name, names the picture's group; without it each stands alone.
    """

    source: str
    images: Path
    labels: LabelMap
    inset: Inset = NO_INSET
    long_side: int = 512  # faces of 16 px in it are the smallest that are measured
    group: re.Pattern[str] | None = None
    is_synthetic: bool = False
    is_skipping: bool = False  # a picture left out unseen may be the one that mattered
    is_taking_unlabelled: bool = False  # whether nobody is in them, or nobody looked, their owner knows


class _Names:
    """Names that no picture has: one folder may serve several COCO files.

    Args:
        folder: With the pictures that are there already.
        start: First number.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._folder = folder
        self._numbers = itertools.count(start)

    def next_for(self, source: str) -> str:
        """A new one; it begins with the source."""
        stem = re.sub(r"[^A-Za-z0-9-]+", "-", source)
        names = (f"{stem}_{number:05}.jpg" for number in self._numbers)
        return next(name for name in names if not (self._folder / name).exists())


def import_images(
    found: Iterable[RawImage | InputError], settings: Settings, output: Path, known: list[AnnotatedImage]
) -> Imported:
    """Write ``output`` and the pictures beside it; an error leaves both as they were.

    Args:
        found: From a format's reader.
        settings: How to import.
        output: COCO file to write.
        known: What it holds already.

    Raises:
        InputError: Something is damaged and is not to be skipped, or no picture is left.
        OutputError: The disk is full, or is not ours to write.
        UsageError: A label has no meaning.
    """
    damaged: list[str] = []
    raw = [item for item in _sound(found, settings, damaged) if isinstance(item, RawImage)]
    settings.labels.check(raw)
    index = PictureIndex(settings.images)
    images = list(known)
    with _staging(output) as staged:
        names = _Names(output.parent / IMAGES, len(known))
        with progress("Importing", len(raw)) as advance:
            for item in raw:
                try:
                    picture = index.find(item.names, item.annotation)
                    images.append(_import_one(item, picture, settings, staged, names))
                except InputError as error:
                    _keep_or_raise(error, settings, damaged)
                advance()
        unlabelled = index.unfound
        if settings.is_taking_unlabelled:
            for path in unlabelled:
                images.append(_import_one(RawImage((path.name,), (), path), path, settings, staged, names))
            unlabelled = []
        if len(images) == len(known):
            raise InputError("No picture was imported. Check the format's name, and what was left out.")
        _publish(staged, output, images)
    return Imported(images, damaged, len(unlabelled))


@contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """A folder beside the output that is gone afterwards, as is the output's own if that stays empty."""
    is_new = not output.parent.exists()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".import-", dir=output.parent))
    except OSError as error:
        raise OutputError(
            f"{output.parent} cannot be written: {error.strerror}. Choose another --output."
        ) from error
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                output.parent.rmdir()


def _publish(staged: Path, output: Path, images: list[AnnotatedImage]) -> None:
    """Move the pictures to their place, then write the COCO file; undo the first if the second fails."""
    folder = output.parent / IMAGES
    moved: list[Path] = []
    try:
        folder.mkdir(exist_ok=True)
        for path in sorted(staged.iterdir()):
            moved.append(path.rename(folder / path.name))
        write_annotations(output, images)
    except BaseException as error:
        for path in moved:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        if isinstance(error, OSError):
            raise OutputError(
                f"{folder} cannot be written: {error.strerror}. Choose another --output."
            ) from error
        raise


def _sound(
    found: Iterable[RawImage | InputError], settings: Settings, damaged: list[str]
) -> Iterator[RawImage]:
    for item in found:
        if isinstance(item, InputError):
            _keep_or_raise(item, settings, damaged)
        else:
            yield item


def _keep_or_raise(error: InputError, settings: Settings, damaged: list[str]) -> None:
    if not settings.is_skipping:
        raise InputError(f"{error} Or leave such pictures out: --skip-damaged.") from error
    damaged.append(str(error))


def _import_one(
    raw: RawImage, picture: Path, settings: Settings, folder: Path, names: _Names
) -> AnnotatedImage:
    made = convert(raw, picture, settings.labels, settings.inset, settings.long_side)
    source = raw.source or settings.source
    name = names.next_for(source)
    write_jpeg(folder / name, made.image)
    height, width = made.image.shape[:2]
    return AnnotatedImage(
        name,
        width,
        height,
        made.faces,
        source,
        raw.group or f"{source}/{_group(raw.names[0], settings.group)}",
        raw.is_synthetic or settings.is_synthetic,
        picture.name,
    )


def _group(name: str, pattern: re.Pattern[str] | None) -> str:
    match = pattern.search(name) if pattern else None
    return match.group(1) if match else name
