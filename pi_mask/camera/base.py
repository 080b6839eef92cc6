"""Define what every camera does."""

import math
from typing import Protocol

from pi_mask.types import Frame


class Camera(Protocol):
    """A source of frames. ``close()`` may be called twice and from a signal handler's unwinding."""

    @property
    def is_live(self) -> bool:
        """True for a device, whose end of stream is a fault; False for files, which just end."""
        ...

    def read(self, wait_s: float = math.inf) -> Frame | None:
        """Return the next frame (the newest one for a live camera), or None at the end of the files.

        Args:
            wait_s: Seconds to wait for a live camera's frame, above 0; ``timeout_s`` at most. To wait for
                less than that gives nothing up: the next read waits on.

        Raises:
            CameraTimeout: No frame came within that time; another read may succeed.
            CameraError: The camera is gone for good.
            InputError: One file cannot be read; the next read goes on with the file after it.
        """
        ...

    def close(self) -> None:
        """Release the device."""
        ...
