"""Draw contact sheets, so that people can look at many pictures at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import cv2
import numpy as np

from pi_mask.camera.picture import decode_picture
from pi_mask.errors import InputError, OutputError
from pi_mask.types import BoundingBox, MaskLabel
from training.annotations import Face, write_bytes
from training.checks.finding import Entry, Finding

if TYPE_CHECKING:
    from pi_mask.types import Image

# Told apart with any colour vision (Okabe and Ito, 2008), as on annotated pictures.
COLOURS: Final = {
    MaskLabel.WITH_MASK: (0, 158, 115),
    MaskLabel.WITHOUT_MASK: (213, 94, 0),
    MaskLabel.INCORRECT: (230, 159, 0),
    None: (86, 180, 233),
}
_TILE = 180
_LINE = 14
_CAPTION = 2 * _LINE + 4
_COLUMNS = 10
_CONTEXT = 0.35
"""Of a face's box to each side, shown around it."""

_NOTHING: Final = np.zeros((_TILE, _TILE, 3), np.uint8)

Item = TypeVar("Item")


def draw_sample(path: Path, entries: Sequence[Entry], count: int, seed: int) -> None:
    """Write pictures with their boxes, as many of each source as there is room for."""
    rng = np.random.default_rng(seed)
    chosen = _in_turns(_by(entries, [entry.image.source for entry in entries]), count, rng)
    _write(path, [_picture_tile(entry, entry.image.source) for entry in chosen])


def draw_faces(path: Path, entries: Sequence[Entry], label: MaskLabel, count: int, seed: int) -> None:
    """Write faces of one label, with what is around them, as many of each source as there is room for."""
    rng = np.random.default_rng(seed)
    faces = [(entry, face) for entry in entries for face in entry.image.faces if face.label is label]
    chosen = _in_turns(_by(faces, [entry.image.source for entry, _ in faces]), count, rng)
    _write(path, [_face_tile(entry, face) for entry, face in chosen])


def draw_findings(path: Path, entries: Sequence[Entry], findings: Sequence[Finding], count: int) -> None:
    """Write the pictures that findings are about, of each kind as many as there is room for."""
    rng = np.random.default_rng(0)
    chosen = _in_turns(_by(findings, [finding.kind.value for finding in findings]), count, rng)
    order = {finding: index for index, finding in enumerate(findings)}
    tiles = []
    for finding in sorted(chosen, key=lambda each: (each.kind.value, order[each])):
        tiles += [_picture_tile(entries[index], finding.kind.value) for index in finding.entries]
    _write(path, tiles)


def _by(items: Sequence[Item], keys: Sequence[str]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for key, item in zip(keys, items, strict=True):
        found[key].append(item)
    return found


def _in_turns(rows: dict[str, list[Item]], count: int, rng: np.random.Generator) -> list[Item]:
    """Up to so many items, one of each row in turn, each row in random order."""
    shuffled = [[row[index] for index in rng.permutation(len(row))] for row in rows.values()]
    longest = max(map(len, shuffled), default=0)
    turns = [row[turn] for turn in range(longest) for row in shuffled if turn < len(row)]
    return turns[:count]


def _picture_tile(entry: Entry, note: str) -> Image:
    image = _decoded(entry)
    if image is None:
        return _tile(_NOTHING, entry, note)
    scale = _TILE / max(image.shape[:2])
    small = _scaled(image, scale)
    for face in entry.image.faces:
        _draw_box(small, face, scale)
    return _tile(small, entry, note)


def _face_tile(entry: Entry, face: Face) -> Image:
    image = _decoded(entry)
    note = f"{face.box.shorter_side:.0f} px"
    if image is None or not np.isfinite((*face.box.center, face.box.width, face.box.height)).all():
        return _tile(_NOTHING, entry, note)
    x, y = face.box.center
    half = max(face.box.width, face.box.height, 2.0) * (0.5 + _CONTEXT)
    xmin, ymin = max(0, round(x - half)), max(0, round(y - half))
    crop = image[ymin : max(ymin + 1, round(y + half)), xmin : max(xmin + 1, round(x + half))]
    if not crop.size:
        return _tile(_NOTHING, entry, note)
    scale = _TILE / max(crop.shape[:2])
    small = _scaled(np.ascontiguousarray(crop), scale)
    box = face.box
    moved = BoundingBox(box.xmin - xmin, box.ymin - ymin, box.xmax - xmin, box.ymax - ymin)
    _draw_box(small, Face(moved, face.label), scale)
    return _tile(small, entry, note)


def _decoded(entry: Entry) -> Image | None:
    try:
        return decode_picture(entry.path)
    except InputError:
        return None


def _scaled(image: Image, scale: float) -> Image:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)  # type: ignore[return-value]


def _draw_box(image: Image, face: Face, scale: float) -> None:
    corners = np.array([face.box.xmin, face.box.ymin, face.box.xmax, face.box.ymax]) * scale
    if np.isfinite(corners).all():
        xmin, ymin, xmax, ymax = (int(value) for value in corners.clip(-_TILE, 2 * _TILE))
        cv2.rectangle(image, (xmin, ymin), (xmax, ymax), COLOURS[face.label], 1)


def _tile(image: Image, entry: Entry, note: str) -> Image:
    tile = np.zeros((_TILE + _CAPTION, _TILE, 3), np.uint8)
    tile[: image.shape[0], : image.shape[1]] = image
    for row, line in enumerate((entry.image.file_name, note), 1):
        place = (2, _TILE + row * _LINE)
        cv2.putText(tile, line, place, cv2.FONT_HERSHEY_PLAIN, 0.8, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _rows(tiles: Sequence[Image]) -> Iterator[Image]:
    empty = np.zeros_like(tiles[0])
    columns = min(_COLUMNS, len(tiles))
    for start in range(0, len(tiles), columns):
        row = list(tiles[start : start + columns])
        yield np.hstack(row + [empty] * (columns - len(row)))


def _write(path: Path, tiles: Sequence[Image]) -> None:
    """Write a PNG, or none where there is nothing to show.

    Raises:
        OutputError: It cannot be written.
    """
    if not tiles:
        path.unlink(missing_ok=True)
        return
    sheet = cv2.cvtColor(np.vstack(list(_rows(tiles))), cv2.COLOR_RGB2BGR)
    is_encoded, data = cv2.imencode(".png", sheet)
    if not is_encoded:
        raise OutputError(f"{path} cannot be encoded. Ask for fewer pictures: --sheet.")
    write_bytes(path, data.tobytes())
