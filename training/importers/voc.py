"""Read Pascal VOC: one XML file a picture.

Also FMLD's (Batagelj et al. 2021), which annotates the pictures of MAFA and WIDER FACE.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from pi_mask.errors import InputError
from training.importers.base import (
    IGNORED,
    RawFace,
    RawImage,
    ReadOptions,
    each,
    files_under,
    four,
    numbers,
)

_ROOT = "annotation"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read all XML files of a folder and below."""
    return each(parse, files_under(source, ".xml"))


def read_fmld(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """As VOC; faces marked "difficult" are those that FMLD's authors did not count, hence ignored."""
    return each(lambda path: parse(path, is_difficult_ignored=True), files_under(source, ".xml"))


def parse(path: Path, *, is_difficult_ignored: bool = False) -> RawImage:
    """One picture's annotation.

    Raises:
        InputError: The XML is truncated, of another form, or lacks a name or a number.
    """
    root, lines = _load(path)
    faces = []
    for line, item in zip(lines, root.iter("object"), strict=True):
        where = f"{path}, line {line}"
        label = _text(item, "name")
        if is_difficult_ignored and _text(item, "difficult") == "1":
            label = IGNORED
        if not label:
            raise InputError(f"{where}: the object has no name. Add it.")
        corners = four([_text(item, f"bndbox/{side}") for side in _CORNERS], where)
        faces.append(RawFace(label, corners, where))
    stated = [_text(root, f"size/{side}") for side in ("width", "height")]
    size = [int(side) for side in numbers(stated, f"{path}, size")] if all(stated) else []
    names = tuple(dict.fromkeys(filter(None, (_text(root, "filename"), path.stem))))
    return RawImage(names, tuple(faces), path, (size[0], size[1]) if size else None)


def _load(path: Path) -> tuple[ElementTree.Element, list[int]]:
    """The root, and the line of each object."""
    try:
        # Expat limits the expansion of entities since 2.4.1 and ElementTree loads none from outside.
        root = ElementTree.parse(path).getroot()  # noqa: S314
        lines = _object_lines(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path} is no whole XML ({error}). Download or export it again.") from error
    if root.tag != _ROOT:
        raise InputError(
            f"{path} is no Pascal VOC: it begins with <{root.tag}>, not <{_ROOT}>. Export it as Pascal VOC."
        )
    return root, lines


def _object_lines(xml: bytes) -> list[int]:
    """The line of each object, which ElementTree does not tell."""
    lines: list[int] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: (
        lines.append(parser.CurrentLineNumber) if name == "object" else None
    )
    parser.Parse(xml, True)
    return lines


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
