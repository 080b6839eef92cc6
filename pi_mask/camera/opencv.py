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
    from numpy.typing import NDArray

    from pi_mask.types import Image

if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

__all__ = ["bgr_to_rgb", "cv2"]


def bgr_to_rgb(bgr: NDArray[Any]) -> Image:
    """Turn OpenCV's channel order round, into a new C-contiguous array.

    Raises:
        cv2.error: The image does not have three channels.
    """
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
