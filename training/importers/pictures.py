"""Find the pictures that annotations speak of."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pi_mask.camera.picture import PICTURE_SUFFIXES
from pi_mask.errors import InputError
from training.importers.base import UNREAD_SUFFIXES, files_below


class PictureIndex:
    """All pictures of a folder and below, found by what an annotation calls them.

    Args:
        folder: Where to look.

    Raises:
        InputError: There is no such folder, or no picture in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        self._unread: dict[str, list[Path]] = defaultdict(list)
        self._found: set[Path] = set()
        for path in sorted(files_below(folder.absolute())):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                self._by_stem[_key(path.name)].append(path)
            elif path.suffix.lower() in UNREAD_SUFFIXES:
                self._unread[_normal(path.stem)].append(path)
        if not self._by_stem and not self._unread:
            problem = "holds no picture" if folder.is_dir() else "is no folder"
            raise InputError(f"{folder} {problem}. Say where the pictures lie: --images FOLDER.")

    def find(self, names: Sequence[str], near: Path) -> Path:
        """Return the one picture that bears the first of these names that any bears.

        Case, suffix and the form of accented letters may differ. Folders in a name must agree; of a path on
        another machine those that do. Among pictures of the same name in several folders, the one whose path
        has most in common with the annotation's wins.

        Args:
            names: As annotations have them, with or without folders and suffix; backslashes are slashes.
            near: The annotation file.

        Raises:
            InputError: There is none, or none of a kind that is read; there is more than one; or another
                annotation spoke of it before.
        """
        spellings = (*names, *_without_unread_suffix(names))
        for name in spellings:
            found = _candidates(self._by_stem, name)
            if len(found) > 1:
                found = _nearest(found, near)
            if len(found) == 1:
                return self._take(found[0], name, near)
            if found:
                raise InputError(
                    f"{near}: {name!r} may be {found[0]} or {found[1]}. Name the right folder with --images."
                )
        unread = [path for name in spellings for path in _candidates(self._unread, name)]
        if unread:
            raise InputError(f"{near}: {unread[0]} is of a kind that is not read. Save it as JPEG or PNG.")
        raise InputError(
            f"{near}: picture {names[0]!r} is not in {self._folder} or below. Restore it, or name "
            "another folder with --images."
        )

    def below(self, picture: Path) -> str:
        """Its path within the folder, with slashes."""
        return picture.relative_to(self._folder.absolute()).as_posix()

    def _take(self, picture: Path, name: str, near: Path) -> Path:
        if picture in self._found:
            raise InputError(
                f"{near}: {name!r} is {picture}, of which another annotation speaks already. "
                "Correct the name, or put both together."
            )
        self._found.add(picture)
        return picture

    @property
    def unfound(self) -> list[Path]:
        """Pictures that no annotation spoke of."""
        return sorted({path for paths in self._by_stem.values() for path in paths} - self._found)


def _without_unread_suffix(names: Sequence[str]) -> list[str]:
    """What pictures of a kind that is not read may be called once they are saved as another."""
    suffixes = [PurePosixPath(name).suffix for name in names]
    return [
        name.removesuffix(suffix)
        for name, suffix in zip(names, suffixes, strict=True)
        if suffix.lower() in UNREAD_SUFFIXES
    ]


def _candidates(pictures: Mapping[str, list[Path]], name: str) -> list[Path]:
    wanted = PurePosixPath(name.replace("\\", "/"))
    folders = [_normal(part) for part in wanted.parts[:-1] if part != "."]
    named = pictures.get(_key(wanted.name), [])
    found = [path for path in named if _ends_with(path, folders)]
    while not found and folders and _is_elsewhere(wanted):
        folders = folders[1:]
        found = [path for path in named if _ends_with(path, folders)]
    same = [path for path in found if _normal(path.name) == _normal(wanted.name)] or found
    return [path for path in same if _composed(path.name) == _composed(wanted.name)] or same


def _nearest(paths: Sequence[Path], near: Path) -> list[Path]:
    """Those that share the most folder names with the annotation's path, "labels" and "images" apart."""
    own = Counter((*near.parts[:-1], near.stem))
    shared = [(own & Counter(path.parts[:-1])).total() for path in paths]
    return [path for path, count in zip(paths, shared, strict=True) if count == max(shared)]


def _ends_with(picture: Path, folders: list[str]) -> bool:
    own = [_normal(part) for part in picture.parts[:-1]]
    return own[max(0, len(own) - len(folders)) :] == folders


def _is_elsewhere(name: PurePosixPath) -> bool:
    """Whether it is a path that only means something on the machine, or in the folder, it was written in."""
    return name.is_absolute() or ".." in name.parts or name.parts[0].endswith(":")


def _composed(text: str) -> str:
    # macOS decomposes accented letters in file names, annotation tools on other systems do not.
    return unicodedata.normalize("NFC", text)


def _normal(text: str) -> str:
    return _composed(text).casefold()


def _key(name: str) -> str:
    path = PurePosixPath(name)
    return _normal(path.stem if path.suffix.lower() in PICTURE_SUFFIXES else path.name)
