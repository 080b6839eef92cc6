"""Read CSV tables with a header: one line a face."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pi_mask.errors import InputError
from training.annotations import read_text
from training.importers.base import RawFace, RawImage, ReadOptions, each, four, numbers

_COLUMNS = {
    "file": ("filename", "file", "file_name", "image", "image_path", "path"),
    "label": ("class", "label", "class_name", "label_name", "category"),
    "xmin": ("xmin", "x_min", "x1", "left"),
    "ymin": ("ymin", "y_min", "y1", "top"),
    "xmax": ("xmax", "x_max", "x2", "right"),
    "ymax": ("ymax", "y_max", "y2", "bottom"),
}
_SIZE = {"width": ("width", "image_width"), "height": ("height", "image_height")}
"""Of the picture, which need not be there."""
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
Row = tuple[str, dict[str, str]]


class Lines(Protocol):
    """What :func:`csv.reader` returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]:
        """Line by line."""
        ...


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read one table; comma, semicolon or tab; a line without coordinates is a picture without faces.

    Raises:
        InputError: A column is missing, or a line has too few or many: all that follows may be shifted.
    """
    by_picture: dict[str, list[Row]] = defaultdict(list)
    for where, row in _rows(source):
        by_picture[row["file"]].append((where, row))
    return each(lambda item: _parse(source, *item), by_picture.items())


def _rows(source: Path) -> Iterator[Row]:
    text = read_text(source)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count), strict=True)
    titles = [title.strip().lower() for title in next(_lines(reader, source), [])]
    places = {key: _place(titles, key, source) for key in _COLUMNS}
    places |= {key: titles.index(name) for key, names in _SIZE.items() for name in names if name in titles}
    for fields in _lines(reader, source):
        if any(field.strip() for field in fields):
            where = f"{source}, line {reader.line_num}"
            if len(fields) != len(titles):
                raise InputError(f"{where}: {len(fields)} columns, not {len(titles)}. Correct it.")
            yield where, {key: fields[at].strip() for key, at in places.items()}


def _lines(reader: Lines, source: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(f"{source}, line {reader.line_num}: {error}. Correct it.") from error


def _place(titles: list[str], key: str, source: Path) -> int:
    for name in _COLUMNS[key]:
        if name in titles:
            return titles.index(name)
    raise InputError(
        f"{source} has no column for {key}: its first line is {titles}. Name one {_COLUMNS[key][0]}."
    )


def _parse(path: Path, name: str, rows: list[Row]) -> RawImage:
    if not name:
        raise InputError(f"{rows[0][0]}: it names no picture. Correct it.")
    faces = []
    for where, row in rows:
        values = [row[side] for side in _CORNERS]
        if not any(values) and not row["label"]:
            continue
        if not row["label"]:
            raise InputError(f"{where}: the face has no label. Correct it.")
        faces.append(RawFace(row["label"], four(values, where), where))
    return RawImage((name,), tuple(faces), path, _stated_size(*rows[0]))


def _stated_size(where: str, row: dict[str, str]) -> tuple[int, int] | None:
    sides = [row.get(key, "") for key in _SIZE]
    if not all(sides):
        return None
    width, height = numbers(sides, where)
    return int(width), int(height)
