"""Make annotated pictures for the model that takes patches of colour for faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pi_mask.types import MaskLabel
from tests.colour_model import save_picture


def face(place: int) -> tuple[int, int, int, int]:
    """Corners of the box that the model gives the patch at a place, counted from the left.

    The patch has 32 px; the model's box is twice as wide and cut off at the picture's edge.
    """
    return max(0, 64 * place - 16), 16, 64 * place + 48, 80


def save_data(folder: Path, pictures: Sequence[tuple[Sequence[MaskLabel], Sequence[MaskLabel]]]) -> Path:
    """Write pictures and their COCO file; return its path.

    Args:
        folder: Made where it is missing.
        pictures: The colours that are shown and the labels that the annotation gives, from the left.
    """
    names = [label.value for label in MaskLabel]
    images, annotations = [], []
    for index, (shown, labels) in enumerate(pictures):
        name = f"{index}.png"
        save_picture(folder / "images" / name, *shown)
        images.append({"id": index, "file_name": name, "width": 128, "height": 128, "group": str(index)})
        for place, label in enumerate(labels):
            xmin, ymin, xmax, ymax = face(place)
            box = [xmin, ymin, xmax - xmin, ymax - ymin]
            entry = {"image_id": index, "category_id": names.index(label.value), "bbox": box}
            annotations.append({"id": len(annotations) + 1, **entry})
    categories = [{"id": position, "name": name} for position, name in enumerate(names)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
