"""Name what can be wrong with a data set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pi_mask.camera.picture import PICTURE_SUFFIXES
from training.annotations import AnnotatedImage


class Kind(Enum):
    """What is wrong; the value is the name used in reports."""

    UNREADABLE = "unreadable picture"
    LISTED_TWICE = "picture listed twice"
    SIZE = "size differs from the annotation"
    SIDEWAYS = "sides swapped against the annotation"
    ORIENTATION = "EXIF orientation"
    EMPTY_BOX = "empty box"
    OUTSIDE = "box outside the picture"
    REPEATED_BOX = "same box twice"
    ODD_SHAPE = "box of an odd shape"
    OTHER_LABEL = "copies differ in a label"
    OTHER_FACES = "copies differ in their faces"
    COPY = "same picture twice in a group"
    NEAR_DUPLICATE = "near-duplicates in different groups"
    SHARED_GROUP = "group in both files"
    LEAK = "near-duplicates in both files"

    @property
    def is_error(self) -> bool:
        """Whether it spoils training or its figures, and is not just worth a look."""
        return self not in _WORTH_A_LOOK


_WORTH_A_LOOK = {
    Kind.ORIENTATION,
    Kind.REPEATED_BOX,
    Kind.ODD_SHAPE,
    Kind.OTHER_LABEL,
    Kind.OTHER_FACES,
    Kind.COPY,
    Kind.NEAR_DUPLICATE,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of one of the files that are checked.

    Attributes:
        file: Name of its COCO file.
        path: Of the picture.
    """

    file: str
    path: Path
    image: AnnotatedImage

    @property
    def group(self) -> str:
        """The picture's group; its path where it stands alone: names may be the same in two folders."""
        stands_alone = self.image.group == self.image.file_name
        return str(self.path) if stands_alone else self.image.group

    @property
    def has_group(self) -> bool:
        """Whether somebody gave it a group; the importers name the others' after the picture itself."""
        return not (
            self.image.group == self.image.file_name
            or Path(self.image.group).suffix.lower() in PICTURE_SUFFIXES
        )

    @property
    def name(self) -> str:
        """COCO file and picture, for people."""
        return f"{self.file}: {self.image.file_name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        entries: Positions of the pictures it is about: one, or two for a pair.
        detail: Numbers, for people.
    """

    kind: Kind
    entries: tuple[int, ...]
    detail: str = ""
