"""Read COCO detection files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from pathlib import Path

from pi_mask.errors import InputError
from training.annotations import Json, read_json, stated
from training.importers.base import IGNORED, RawFace, RawImage, ReadOptions, each, from_size, numbers


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read one COCO file; ``iscrowd`` marks regions to ignore; ``source``, ``group``, ``synthetic`` are kept.

    Raises:
        InputError: The file is no whole JSON or no COCO detection file.
    """
    content = read_json(source)
    try:
        labels = {category["id"]: str(category["name"]) for category in content["categories"]}
        listed = content["images"]
        images = {image["id"]: image for image in listed}
        own: dict[Json, list[Json]] = defaultdict(list)
        for annotation in content["annotations"]:
            own[annotation["image_id"]].append(annotation)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{source} is no COCO detection file ({type(error).__name__}: {error}). Check the format's name."
        ) from error
    if len(images) < len(listed):
        raise InputError(f"{source}: a picture's id occurs twice. Export again.")
    strays = sorted(map(str, set(own) - set(images)))
    if strays:
        raise InputError(
            f"{source}: annotations belong to pictures not listed, first {strays[0]}. Export again."
        )
    return each(lambda image: _parse(source, image, own[image["id"]], labels), images.values())


def _parse(path: Path, image: Json, annotations: list[Json], labels: dict[Json, str]) -> RawImage:
    name = image.get("file_name")
    if not name:
        raise InputError(f"{path}: picture {image['id']} has no file_name. Export it again.")
    faces = []
    for annotation in annotations:
        where = f"{path}, annotation {annotation.get('id')} of {name}"
        box = annotation.get("bbox")
        category = annotation.get("category_id")
        if not isinstance(box, list) or not isinstance(category, Hashable) or category not in labels:
            raise InputError(f"{where}: it lacks a box or a category. Correct it.")
        label = IGNORED if annotation.get("iscrowd") else labels[category]
        faces.append(RawFace(label, from_size(box, where), where))
    size = numbers((image.get("width") or 0, image.get("height") or 0), f"{path}, {name}")
    group = stated(image, "group")
    return RawImage(
        (str(name),),
        tuple(faces),
        path,
        (int(size[0]), int(size[1])),
        source=stated(image, "source"),
        group=group if group != name else "",  # written so until November 2026: it stands alone
        is_synthetic=bool(image.get("synthetic", False)),
    )
