"""Make small collections by hand and import them as a user does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner
from numpy.typing import ArrayLike

from training.annotations import AnnotatedImage, read_annotations
from training.importers.__main__ import main
from training.importers.base import RawImage, Reader, ReadOptions

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Imported:
    """What one call left behind; ``images`` is empty where there is no COCO file."""

    code: int
    out: str
    err: str
    images: tuple[AnnotatedImage, ...]

    @property
    def boxes(self) -> list[list[tuple[str, Box]]]:
        """Per picture, label and rounded corners of each face; "ignore" for a region to ignore."""
        return [
            [
                (
                    face.label.value if face.label else "ignore",
                    (
                        round(face.box.xmin, 1),
                        round(face.box.ymin, 1),
                        round(face.box.xmax, 1),
                        round(face.box.ymax, 1),
                    ),
                )
                for face in image.faces
            ]
            for image in self.images
        ]


def picture(path: Path, size: tuple[int, int] = (100, 80)) -> Path:
    """Write a grey picture of some width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), 128, np.uint8))
    return path


def text(path: Path, *lines: str) -> Path:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def run(output: Path, *arguments: object) -> Imported:
    """Call the importer with these arguments and an output."""
    result = CliRunner().invoke(main, [*map(str, arguments), "--output", str(output)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    images = tuple(read_annotations(output)) if output.exists() else ()
    return Imported(result.exit_code, result.stdout, result.stderr, images)


def read_all(reader: Reader, source: Path, names: Path | None = None) -> list[RawImage]:
    """All pictures of a source; the first that is damaged is raised."""
    found = []
    for item in reader(source, ReadOptions(names)):
        if isinstance(item, Exception):
            raise item
        found.append(item)
    return found


def coco(path: Path, faces: list[tuple[str, Box]], **changes: object) -> Path:
    """Write a COCO file of one picture, ``a.jpg`` (100 × 80), with boxes as left, top, width, height."""
    names = sorted({label for label, _ in faces}) or ["with_mask"]
    content = {
        "images": [{"id": 4, "file_name": "a.jpg", "width": 100, "height": 80}],
        "annotations": [
            {"id": n, "image_id": 4, "category_id": names.index(label), "bbox": list(box)}
            for n, (label, box) in enumerate(faces)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        **changes,
    }
    return text(path, json.dumps(content))


def mafa_table(path: Path, table: str, name_key: str, rows: list[tuple[str, ArrayLike]]) -> Path:
    """Write a MATLAB file as MAFA's are."""
    from scipy.io import savemat

    entries = np.empty(len(rows), dtype=[(name_key, object), ("label", object)])
    for index, (name, labels) in enumerate(rows):
        entries[index] = (name, np.array(labels, float))
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {table: entries})
    return path
