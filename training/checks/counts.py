"""Count pictures and faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pi_mask.types import MaskLabel
from training.annotations import AnnotatedImage
from training.checks.finding import Entry

SIZES_PX = (0, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Lower ends of the bins of a face's shorter side; below 16 px faces are not measured."""


@dataclass(slots=True)
class Counts:
    """What one COCO file holds.

    Attributes:
        sources: Pictures per source.
        faces: Faces per source and label; a region to ignore has the label "ignore".
        sizes: Faces per label and bin of SIZES_PX.
    """

    pictures: int = 0
    without_faces: int = 0
    synthetic: int = 0
    groups: set[str] = field(default_factory=set)
    sources: Counter[str] = field(default_factory=Counter)
    faces: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: Counter[tuple[str, int]] = field(default_factory=Counter)

    def of_label(self, label: str) -> int:
        """Faces of one label in all sources."""
        return sum(count for (_, each), count in self.faces.items() if each == label)


LABELS = (*(label.value for label in MaskLabel), "ignore")


def count(entries: Sequence[Entry]) -> dict[str, Counts]:
    """Counts per COCO file, in the order of the files."""
    files = dict.fromkeys(entry.file for entry in entries)
    return {file: count_images([entry.image for entry in entries if entry.file == file]) for file in files}


def count_images(images: Iterable[AnnotatedImage]) -> Counts:
    """Counts of some pictures."""
    counts = Counts()
    for image in images:
        counts.pictures += 1
        counts.without_faces += not image.faces
        counts.synthetic += image.is_synthetic
        counts.groups.add(image.group)
        counts.sources[image.source] += 1
        for face in image.faces:
            label = face.label.value if face.label else "ignore"
            counts.faces[image.source, label] += 1
            counts.sizes[label, size_bin(face.box.shorter_side)] += 1
    return counts


def size_bin(side: float) -> int:
    """Lower end of the bin that holds a shorter side in pixels."""
    return max((low for low in SIZES_PX if low <= side), default=SIZES_PX[0])
