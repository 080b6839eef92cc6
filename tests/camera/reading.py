"""Read files to their end for the tests of FilesCamera."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pi_mask.camera.files import FilesCamera
from pi_mask.errors import InputError
from pi_mask.types import Frame


def read_all(*sources: Path) -> list[Frame | str]:
    """Every frame, and the message of every error in its place."""
    seen: list[Frame | str] = []
    with closing(FilesCamera(sources)) as camera:
        while True:
            try:
                frame = camera.read()
            except InputError as error:
                seen.append(str(error))
                continue
            if frame is None:
                return seen
            seen.append(frame)


def outline(seen: list[Frame | str]) -> list[Any]:
    """File name, index and timestamp of each frame; errors as they are."""
    return [
        s if isinstance(s, str) else (Path(s.source).name, s.index, pytest.approx(s.timestamp)) for s in seen
    ]


def only_image(path: Path) -> Any:
    """The image of a file that holds one."""
    (frame,) = read_all(path)
    assert isinstance(frame, Frame), frame
    return frame.image


def only_error(path: Path) -> str:
    """The message about a file that cannot be read."""
    (error,) = read_all(path)
    assert isinstance(error, str)
    return error
