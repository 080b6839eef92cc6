"""Share what all annotation formats have in common."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pi_mask.errors import InputError
from training.annotations import read_text

IGNORED = "ignore"
"""Label of a region that is neither a face nor background."""

UNREAD_SUFFIXES = frozenset(
    {".heic", ".heif", ".gif", ".jxl", ".psd", ".tga"}
    | {".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".raf", ".rw2"}
)
"""Of pictures that OpenCV reads nowhere, or not everywhere."""

Corners = tuple[float, float, float, float]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class RawFace:
    """One box as its format states it: any label, xmin, ymin, xmax, ymax, perhaps outside the picture.

    Attributes:
        where: File and line or entry, for messages.
    """

    label: str
    box: Corners
    where: str


@dataclass(frozen=True, slots=True)
class RawImage:
    """One picture as its format states it.

    Attributes:
        names: What the picture may be called, best first, with or without folders and suffix.
        annotation: The file that says so.
        size: Width and height in pixels, where stated.
        is_normalised: Boxes are fractions of width and height.
        source: Kept from the annotation where it has it, as ``group`` and ``is_synthetic``.
    """

    names: tuple[str, ...]
    faces: tuple[RawFace, ...]
    annotation: Path
    size: tuple[int, int] | None = None
    is_normalised: bool = False
    source: str = ""
    group: str = ""
    is_synthetic: bool = False


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a format may need beside its source; ``names`` is a file with the names of numbered classes."""

    names: Path | None = None


class Reader(Protocol):
    """Reads one format: a picture or, where that picture's annotation is damaged, what is wrong with it."""

    def __call__(self, source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
        """Read all pictures of a source; an error that is raised, not yielded, ends the import."""
        ...


def each(parse: Callable[[Item], RawImage], items: Iterable[Item]) -> Iterator[RawImage | InputError]:
    """Parse one item after the other; a damaged one does not end the row."""
    for item in items:
        try:
            yield parse(item)
        except InputError as error:
            yield error


def numbers(values: Iterable[Any], where: object) -> tuple[float, ...]:
    """Finite numbers of texts or JSON values.

    Args:
        values: What should be numbers.
        where: File and line, for the message.

    Raises:
        InputError: One is no finite number.
    """
    found = []
    for value in values:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{where}: {value!r} is no finite number. Correct it.")
        found.append(number)
    return tuple(found)


def four(values: Sequence[Any], where: object) -> Corners:
    """Exactly four finite numbers.

    Raises:
        InputError: There are more or fewer, or one is no finite number.
    """
    if len(values) != 4:
        raise InputError(f"{where}: a box of {len(values)} numbers. Correct it.")
    a, b, c, d = numbers(values, where)
    return a, b, c, d


def from_size(values: Sequence[Any], where: object) -> Corners:
    """Corners of a box given as left, top, width and height; errors as in :func:`four`."""
    x, y, width, height = four(values, where)
    return x, y, x + width, y + height


def extent(xs: Sequence[float], ys: Sequence[float]) -> Corners:
    """The box around a polygon."""
    return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class Block:
    """A picture's part of a list: its name and, per face, where its line is and what it says."""

    name: str
    lines: tuple[tuple[str, str], ...]
    annotation: Path


def counted_blocks(path: Path) -> Iterator[Block]:
    """Split a list of "name, number of faces, one line a face", as WIDER FACE and FDDB have it.

    Raises:
        InputError: The count is no number or too large: all that follows is lost.
    """
    lines = [line.strip() for line in read_text(path).rstrip().split("\n")]
    position = 0
    while position < len(lines):
        if not lines[position]:
            position += 1
            continue
        where = f"{path}, line {position + 1}"
        count_text = lines[position + 1] if position + 1 < len(lines) else ""
        count = int(count_text) if count_text.isascii() and count_text.isdigit() else -1
        faces = lines[position + 2 : position + 2 + count] if count > 0 else []
        if count < 0 or len(faces) < count:
            raise InputError(
                f"{where}: {lines[position]!r} is followed by {count_text!r}, which is not the number of "
                "lines after it. The list is truncated or another format: download it again."
            )
        numbered = enumerate(faces, position + 3)
        yield Block(lines[position], tuple((f"{path}, line {n}", line) for n, line in numbered), path)
        position += 2 + count
        # WIDER FACE writes a line of zeros where there is no face.
        if count == 0 and position < len(lines) and lines[position] and not lines[position].strip("0 "):
            position += 1


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder and below, also of linked folders; each folder once, by its own path if it can.

    What macOS's finder puts beside each file, as "._name", is left out.
    """
    seen: set[Path] = set()
    waiting = deque([folder])  # links come last: annotations name the folders that lie there themselves
    while waiting:
        for name, folders, files in os.walk(waiting.popleft()):
            parent, real = Path(name), Path(name).resolve()
            if real in seen:  # links may lead in a circle
                folders.clear()
                continue
            seen.add(real)
            waiting.extend(parent / each for each in sorted(folders) if (parent / each).is_symlink())
            paths = (parent / each for each in files if not each.startswith("._"))
            yield from (path for path in paths if path.is_file())


def files_under(source: Path, suffix: str) -> list[Path]:
    """The file itself, or all files of that suffix in a folder and below, sorted by name.

    Raises:
        InputError: There is none.
    """
    if source.is_file():
        return [source]
    found = sorted(path for path in files_below(source) if path.name.endswith(suffix))
    if not found:
        problem = f"holds no {suffix} file" if source.is_dir() else "does not exist"
        raise InputError(f"{source} {problem}. Name the folder or file with the annotations.")
    return found
