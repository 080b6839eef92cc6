"""Read YOLO: one text file a picture, with class number, centre and size as fractions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pi_mask.camera.picture import PICTURE_SUFFIXES
from pi_mask.errors import InputError
from training.annotations import read_text
from training.importers.base import (
    UNREAD_SUFFIXES,
    Corners,
    RawFace,
    RawImage,
    ReadOptions,
    each,
    extent,
    files_under,
    numbers,
)

_NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "_darknet.labels")
_OTHER_FILES = {"train", "val", "valid", "test", "notes"}
_LABELS = "labels"
_LANDMARKS = 14
"""Values of a box with a face's five landmarks; or of a polygon of seven points."""


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read all label files of a folder and below.

    Those are the text files whose picture lies beside them, and all in folders called "labels". Where there
    is no such folder, the other text files count too, apart from lists and notes.
    """
    paths = [path for path in files_under(source, ".txt") if path.name.lower() != "classes.txt"]
    has_folders = any(_is_in_labels(path, source) for path in paths)
    pictured = _pictured({path.parent for path in paths})
    chosen = [
        path
        for path in paths
        if path.with_suffix("") in pictured
        or _is_in_labels(path, source)
        or not (has_folders or _is_list_or_note(path))
    ]
    names = class_names(options.names or _find_names(source))
    return each(lambda path: parse(path, names), chosen)


def _pictured(folders: Iterable[Path]) -> set[Path]:
    """The paths of the pictures in these folders, without suffix."""
    files = (path for folder in folders for path in folder.iterdir())
    suffixes = PICTURE_SUFFIXES | UNREAD_SUFFIXES
    return {path.with_suffix("") for path in files if path.suffix.lower() in suffixes}


def _is_in_labels(path: Path, source: Path) -> bool:
    return _LABELS in path.relative_to(source.parent).parts[:-1]


def _is_list_or_note(path: Path) -> bool:
    return path.stem.lower() in _OTHER_FILES or path.stem.lower().startswith("readme")


def _find_names(source: Path) -> Path | None:
    folders = (source, source.parent, source / _LABELS) if source.is_dir() else (source.parent,)
    return next(
        (folder / name for folder in folders for name in _NAME_FILES if (folder / name).is_file()), None
    )


def class_names(path: Path | None) -> dict[int, str]:
    """Names by class number, from a list of lines or the ``names`` of a YAML file; empty without a file.

    Raises:
        InputError: The file is damaged, or the YAML has no ``names``.
    """
    if path is None:
        return {}
    text = read_text(path)
    if path.suffix not in {".yaml", ".yml"}:
        return dict(enumerate(line.strip() for line in text.split("\n") if line.strip()))
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(text)
        names = content["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise InputError(
            f"{path} holds no list 'names' ({problem}). Name another file with --names."
        ) from error


def parse(path: Path, names: dict[int, str]) -> RawImage:
    """One picture's labels; an empty file has no faces, a class without a name keeps its number.

    Raises:
        InputError: A line is no box and no polygon.
    """
    faces = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        fields = line.split()
        if fields:
            where = f"{path}, line {number}"
            label, *values = numbers(fields, where)
            faces.append(RawFace(_name(label, names, where), _corners(values, where), where))
    return RawImage((path.stem,), tuple(faces), path, is_normalised=True)


def _name(number: float, names: dict[int, str], where: str) -> str:
    if not number.is_integer():
        raise InputError(f"{where}: {number:g} is no number of a class. Correct it.")
    return names.get(int(number), f"{number:g}")


def _corners(values: list[float], where: str) -> Corners:
    if len(values) in {4, 5}:  # the fifth is a score
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) == _LANDMARKS and _holds_points(values):
        raise InputError(
            f"{where}: 15 numbers that may be a box with five landmarks. Keep the first five; "
            "or, where it is a polygon, write the box around it."
        )
    if len(values) >= 6 and len(values) % 2 == 0:
        return extent(values[::2], values[1::2])
    raise InputError(f"{where}: {len(values) + 1} numbers are no box. Correct it.")


def _holds_points(values: list[float]) -> bool:
    """Whether the first four make a box that all others lie in; -1 is a point that nobody sees."""
    xmin, ymin, xmax, ymax = _corners(values[:4], "")
    points = zip(values[4::2], values[5::2], strict=True)
    return all((x < 0 and y < 0) or (xmin <= x <= xmax and ymin <= y <= ymax) for x, y in points)
