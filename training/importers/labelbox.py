"""Read Labelbox exports: NDJSON with one data row a line, and the older JSON list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pi_mask.errors import InputError
from training.annotations import Json, read_json, read_text
from training.importers.base import Corners, RawFace, RawImage, ReadOptions, each, extent, from_size, numbers


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read an export of either kind; rows that nobody labelled are left out.

    Raises:
        InputError: A file that begins as a list is no whole JSON.
    """
    return each(lambda row: _parse(source, *row), _labelled(source))


def _labelled(source: Path) -> list[tuple[str, Json]]:
    """Where a row stands and what it is: a mapping, or the text that is no JSON."""
    text = read_text(source)
    if text.lstrip().startswith("["):
        rows = [(f"{source}, row {n}", row) for n, row in enumerate(read_json(source), 1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        rows = [(f"{source}, line {n}", _json(line)) for n, line in lines if line.strip()]
    return [(where, row) for where, row in rows if _is_labelled(row, where)]


def _is_labelled(row: Json, where: str) -> bool:
    """Whether somebody labelled a row; one that is wrong counts, so that it is reported."""
    try:
        return not isinstance(row, Mapping) or _objects(row, where) is not None
    except (KeyError, TypeError, AttributeError, InputError):
        return True


def _json(line: str) -> Json:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return line


def _objects(row: Mapping[str, Json], where: str) -> list[Json] | None:
    """The annotated objects of a row; None where there is no label."""
    if "projects" not in row:
        return None if row.get("Skipped") else _old_objects(row.get("Label"))
    projects = [_opinions(project) for project in row["projects"].values()]
    # Several labellers' opinions of one picture would be the same faces twice: the first one counts. A
    # project without objects may have asked for something else.
    found = [next(filter(None, opinions)) for opinions in projects if any(opinions)]
    if len(found) > 1:
        raise InputError(f"{where}: {len(found)} projects have objects in it. Export one project alone.")
    return found[0] if found else ([] if any(projects) else None)


def _opinions(project: Mapping[str, Json]) -> list[list[Json]]:
    """Per labeller who did not skip the row, the objects."""
    done = (
        label
        for label in project.get("labels", [])
        if not (label.get("performance_details") or {}).get("skipped")
    )
    return [list(label["annotations"].get("objects", [])) for label in done]


def _old_objects(label: Json) -> list[Json] | None:
    if not isinstance(label, Mapping):  # "Skip"
        return None
    if "objects" in label:
        return list(label["objects"])
    return [
        {"title": name, "geometry": item.get("geometry")}
        for name, items in label.items()
        if isinstance(items, list)
        for item in items
    ]


def _parse(path: Path, where: str, row: Json) -> RawImage:
    if not isinstance(row, Mapping):
        raise InputError(f"{where} is no whole JSON object. Export it again.")
    try:
        faces = tuple(_face(item, where) for item in _objects(row, where) or [])
        names = _names(row)
        media = row.get("media_attributes") or {}
        size = (int(media["width"]), int(media["height"])) if {"width", "height"} <= set(media) else None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{where} is no Labelbox row ({type(error).__name__}: {error}). Export it again."
        ) from error
    if not names:
        raise InputError(f"{where} names no picture. Export it with external ids.")
    return RawImage(names, faces, path, size)


def _face(item: Mapping[str, Json], where: str) -> RawFace:
    label = item.get("name") or item.get("title") or item.get("value")
    if not label:
        raise InputError(f"{where}: an object has no name. Correct it.")
    return RawFace(str(label), _corners(item, where), where)


def _corners(item: Mapping[str, Json], where: str) -> Corners:
    box = item.get("bounding_box") or item.get("bbox")
    if box:
        return from_size([box[side] for side in ("left", "top", "width", "height")], where)
    points = item.get("polygon") or item.get("geometry") or item.get("point")
    if not points:
        raise InputError(f"{where}: an object is neither a box nor a polygon nor a point. Correct it.")
    points = [points] if isinstance(points, Mapping) else points
    return extent(numbers((p["x"] for p in points), where), numbers((p["y"] for p in points), where))


def _names(row: Mapping[str, Json]) -> tuple[str, ...]:
    data = row.get("data_row") or {}
    link = data.get("row_data") or row.get("Labeled Data") or ""
    stated = (data.get("external_id"), row.get("External ID"), data.get("global_key"))
    linked = PurePosixPath(unquote(urlsplit(str(link)).path)).name
    return tuple(dict.fromkeys(str(name) for name in (*stated, linked) if name))
