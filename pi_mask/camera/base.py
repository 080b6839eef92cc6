"""Define what every camera does."""

from typing import Protocol

from pi_mask.types import Frame


class Camera(Protocol):
    """A source of frames. ``close()`` may be called twice and from a signal handler's unwinding."""

    @property
    def is_live(self) -> bool:
        """True for a device, whose end of stream is a fault; False for files, which just end."""
        ...

    def read(self) -> Frame | None:
        """Return the next frame (the newest one for a live camera), or None at the end of the files.

        Raises:
            CameraTimeout: No frame came within the camera's ``timeout_s``; another read may succeed.
            CameraError: The camera is gone for good.
            InputError: One file cannot be read; the next read goes on with the file after it.
        """
        ...

    def close(self) -> None:
        """Release the device."""
        ...
