"""Load OpenCV with its own messages silenced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# pi-mask reports every failure itself, in one line with advice; OpenCV and FFmpeg would write theirs beside
# it, FFmpeg's with the password of a camera's URL. FFmpeg reads its level at the first capture, from the
# environment only; someone who has set either variable wants to see the messages.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pi_mask.types import Image

_SILENT = 0

if "OPENCV_LOG_LEVEL" not in os.environ:
    # OpenCV 4.11, the Pi's, and older have it at the top, and no name for the level.
    getattr(cv2.utils, "logging", cv2).setLogLevel(_SILENT)

__all__ = ["bgr_to_rgb", "cv2", "file_name"]


def file_name(path: Path) -> str:
    """A file's name as OpenCV can be given it.

    It is absolute, because FFmpeg takes "name:rest" for a protocol.

    Raises:
        ValueError: The name is not UTF-8. OpenCV would take the process down.
    """
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError("its name is not UTF-8") from error
    return name


def bgr_to_rgb(bgr: NDArray[Any]) -> Image:
    """Turn OpenCV's channel order round, into a new C-contiguous array.

    Raises:
        cv2.error: The image does not have three channels.
    """
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
