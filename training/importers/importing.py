"""Import pictures wholly or not at all."""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pi_mask.commands.streams import progress, tell
from pi_mask.errors import InputError, OutputError, UsageError
from training.annotations import IMAGES, AnnotatedImage, write_annotations
from training.importers.base import RawImage
from training.importers.convert import NO_INSET, Inset, LabelMap, convert, write_jpeg
from training.importers.made import without_made
from training.importers.pictures import PictureIndex


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    Attributes:
        images: All that the COCO file holds now.
        damaged: Number of pictures that were left out as damaged.
        unlabelled: Number of pictures without annotation that were left out.
        made: Number of pictures left out because an earlier import copied them there, or a check drew them.
        lost: Number of faces smaller than a pixel that were left out.
    """

    images: list[AnnotatedImage]
    damaged: int
    unlabelled: int
    made: int
    lost: int


@dataclass(frozen=True)
class Settings:
    """How to import, with a reason per default.

    Attributes:
        source: Name of the collection.
        is_named: Somebody gave that name: it goes before one that the annotation has.
        group: What its brackets hold, in a picture's path below ``images``, names the picture's group;
            where they hold nothing it keeps the annotation's, or stands alone.
    """

    source: str
    images: Path
    labels: LabelMap
    is_named: bool = False
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


@dataclass
class _Stage:
    """The new pictures, not yet in their place."""

    settings: Settings
    folder: Path
    names: _Names
    index: PictureIndex
    images: list[AnnotatedImage] = field(default_factory=list)
    lost: int = 0
    grouped: int = 0

    def add(self, raw: RawImage, picture: Path) -> None:
        """Convert one picture and its boxes."""
        made = convert(raw, picture, self.settings.labels, self.settings.inset, self.settings.long_side)
        source = self.settings.source if self.settings.is_named else raw.source or self.settings.source
        name = self.names.next_for(source)
        write_jpeg(self.folder / name, made.image)
        height, width = made.image.shape[:2]
        found = self._group(self.index.below(picture))
        group = f"{source}/{found}" if found else raw.group or name
        is_synthetic = raw.is_synthetic or self.settings.is_synthetic
        self.images.append(
            AnnotatedImage(name, width, height, made.faces, source, group, is_synthetic, picture.name)
        )
        self.lost += made.lost

    def check(self) -> None:
        """Make sure that there is something, and that it has groups where some are wanted.

        Raises:
            InputError: No picture was added.
            UsageError: The pattern for groups is in no picture's path.
        """
        if not self.images:
            raise InputError("No picture was imported. Check the format's name, and what was left out.")
        if self.settings.group and not self.grouped:
            raise UsageError(
                f"--group {self.settings.group.pattern} is in no picture's path below "
                f"{self.settings.images}, such as {self.images[0].original}. Correct it."
            )

    def _group(self, path: str) -> str:
        """What the pattern's brackets hold; empty where that is nothing."""
        match = self.settings.group.search(path) if self.settings.group else None
        found = next(filter(None, match.groups()), "") if match else ""
        self.grouped += bool(found)
        return found


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
        UsageError: A label has no meaning, or no picture a group.
    """
    damaged: list[str] = []
    raw = [item for item in _sound(found, settings, damaged) if isinstance(item, RawImage)]
    settings.labels.check(raw)
    index = PictureIndex(settings.images)
    with _staging(output) as staged:
        stage = _Stage(settings, staged, _Names(output.parent / IMAGES, len(known)), index)
        _add_all(raw, stage, damaged)
        # Before what may end the import: with nothing left, these lines say why.
        for line in damaged:
            tell(f"Left out: {line}")
        unlabelled = without_made(index.unfound)
        made = len(index.unfound) - len(unlabelled)
        if settings.is_taking_unlabelled:
            for path in unlabelled:
                stage.add(RawImage((path.name,), (), path), path)
            unlabelled = []
        stage.check()
        images = [*known, *stage.images]
        _publish(staged, output, images)
    return Imported(images, len(damaged), len(unlabelled), made, stage.lost)


def _add_all(raw: Sequence[RawImage], stage: _Stage, damaged: list[str]) -> None:
    with progress("Importing", len(raw)) as advance:
        for item in raw:
            try:
                stage.add(item, stage.index.find(item.names, item.annotation))
            except InputError as error:
                _keep_or_raise(error, stage.settings, damaged)
            advance()


@contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """A folder beside the output that is gone afterwards, as are those made for it if they stay empty."""
    new = [folder for folder in (output.parent, *output.parent.parents) if not folder.exists()]
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
        with suppress(OSError):
            for folder in new:
                folder.rmdir()


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
