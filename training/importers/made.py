"""Tell pictures that training's own commands made from those of a collection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pi_mask.errors import InputError
from training.annotations import IMAGES, read_annotations

_REPORT = "report.json"
_DRAWN = re.compile(r"(charts|sheet|findings|faces-.+)\.png")
"""What :mod:`training.check` draws beside its report."""


def without_made(pictures: Sequence[Path]) -> list[Path]:
    """Those that no import copied and no check drew, where an output lies among the collection."""
    folders = {path.parent for path in pictures}
    copies = {copy for folder in folders if folder.name == IMAGES for copy in _copies(folder)}
    reports = {folder for folder in folders if (folder / _REPORT).is_file()}
    return [
        path
        for path in pictures
        if path not in copies and not (path.parent in reports and _DRAWN.fullmatch(path.name))
    ]


def _copies(folder: Path) -> set[Path]:
    """What COCO files beside the folder list as copied into it; only an import notes the original's name."""
    found: set[Path] = set()
    for path in folder.parent.glob("*.json"):
        with suppress(InputError):  # another kind of JSON, or somebody else's COCO file
            found.update(folder / image.file_name for image in read_annotations(path) if image.original)
    return found
