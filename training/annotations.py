"""Hold annotated pictures in the one form that all training data has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pi_mask.errors import InputError, OutputError
from pi_mask.types import BoundingBox, MaskLabel

Json: TypeAlias = Any
"""What a JSON file holds: nobody vouches for its shape."""

IMAGES = "images"
"""Folder beside the COCO file in which its pictures lie."""


@dataclass(frozen=True, slots=True)
class Face:
    """One annotated face; label None marks a region to ignore, neither a face nor background."""

    box: BoundingBox
    label: MaskLabel | None


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One picture and what is known about it.

    Attributes:
        file_name: Within the folder ``images/`` beside the COCO file.
        width: In pixels, as ``height``; boxes are in the same pixels. 0 where the file does not say.
        source: The collection it came from.
        group: Pictures of one group show the same person, minute or film: a split never divides them. One
            that stands alone has its own file name here, and no group in the COCO file.
        is_synthetic: A drawn or pasted mask, or another made-up part.
        original: What the source calls it.
    """

    file_name: str
    width: int
    height: int
    faces: tuple[Face, ...]
    source: str = ""
    group: str = ""
    is_synthetic: bool = False
    original: str = ""


def read_json(path: Path) -> Json:
    """Read a JSON file, with or without a byte order mark.

    Raises:
        InputError: It cannot be read, or is no whole JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no whole JSON ({error}). Export or download it again.") from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark; and with any line ends.

    Raises:
        InputError: It cannot be read, or is in another encoding.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: no UTF-8 text ({error.reason}). Convert the file to UTF-8."
        ) from error


def read_annotations(path: Path) -> list[AnnotatedImage]:
    """Read a COCO file of this form; boxes are taken as they stand, however wrong.

    Raises:
        InputError: The file is damaged, lacks a part, or has another category.
    """
    content = read_json(path)
    try:
        return _parse(path, content)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{path} is no COCO detection file of this form ({type(error).__name__}: {error}). "
            "Import it: python -m training.importers coco --help."
        ) from error


def _parse(path: Path, content: Json) -> list[AnnotatedImage]:
    known = {label.value: label for label in MaskLabel}
    names = {category["id"]: category["name"] for category in content["categories"]}
    unknown = sorted(set(names.values()) - set(known))
    if unknown:
        raise InputError(
            f"{path}: categories {unknown} are none of {sorted(known)}. Import it with --map: "
            "python -m training.importers coco --help."
        )
    faces: dict[int, list[Face]] = defaultdict(list)
    for annotation in content["annotations"]:
        x, y, width, height = map(float, annotation["bbox"])
        label = None if annotation.get("iscrowd") else known[names[annotation["category_id"]]]
        faces[annotation["image_id"]].append(Face(BoundingBox(x, y, x + width, y + height), label))
    ids = [image["id"] for image in content["images"]]
    nameless = [image["id"] for image in content["images"] if not isinstance(image["file_name"], str)]
    if nameless:
        raise InputError(f"{path}: picture {nameless[0]} has no file_name. Export or import it again.")
    strays = faces.keys() - set(ids)
    if strays or len(set(ids)) < len(ids):
        first = min(map(str, strays), default="")
        problem = f"annotations of the unlisted picture {first}" if strays else "a picture's id occurs twice"
        raise InputError(f"{path}: {problem}. Export or import it again.")
    return [
        AnnotatedImage(
            image["file_name"],
            int(image.get("width", 0)),
            int(image.get("height", 0)),
            tuple(faces[image["id"]]),
            stated(image, "source"),
            stated(image, "group") or image["file_name"],
            bool(image.get("synthetic", False)),
            stated(image, "original"),
        )
        for image in content["images"]
    ]


def stated(entry: Json, key: str) -> str:
    """What an entry says of a key, as text; empty where it says nothing or null."""
    value = entry.get(key)
    return "" if value is None else str(value)


def write_annotations(path: Path, images: Sequence[AnnotatedImage]) -> None:
    """Write a COCO file; a region to ignore becomes ``iscrowd`` 1.

    Raises:
        OutputError: It cannot be written.
    """
    ids = {label: position for position, label in enumerate(MaskLabel, 1)}
    annotations: list[dict[str, Any]] = []
    for index, image in enumerate(images):
        for face in image.faces:
            box = face.box
            values = [round(value, 2) for value in (box.xmin, box.ymin, box.width, box.height)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": ids[face.label or MaskLabel.WITH_MASK],
                    "bbox": values,
                    "area": round(box.area, 2),
                    "iscrowd": int(face.label is None),
                }
            )
    content = {
        "images": [_image_entry(index, image) for index, image in enumerate(images)],
        "annotations": annotations,
        "categories": [{"id": ids[label], "name": label.value} for label in MaskLabel],
    }
    write_text(path, json.dumps(content, ensure_ascii=False, indent=0) + "\n")


def _image_entry(index: int, image: AnnotatedImage) -> dict[str, Any]:
    return {
        "id": index,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
        "source": image.source,
        # Names repeat from one collection to the next: as a group one would join strangers.
        **({"group": image.group} if image.group not in {"", image.file_name} else {}),
        "synthetic": image.is_synthetic,
        **({"original": image.original} if image.original else {}),
    }


def write_text(path: Path, text: str) -> None:
    """Write a file, and the folders above it.

    Raises:
        OutputError: It cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, and the folders above it; whoever interrupts this leaves the old file or none.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Check the folder and the disk."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
