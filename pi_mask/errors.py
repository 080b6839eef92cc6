"""Name every error that pi-mask reports to people.

The tree::

    PiMaskError                 exit code 1
    ├── UsageError              exit code 2   the command line or the configuration is wrong
    │   └── SettingsError
    ├── InputError              exit code 1   a picture, folder or video cannot be read
    ├── OutputError             exit code 1   a result cannot be written
    ├── HardwareMissingError    exit code 3   a device is not there
    │   ├── CameraError
    │   │   └── CameraTimeout   the camera is there, yet delivers nothing
    │   ├── EdgeTpuError
    │   └── GpioError
    └── ModelError              exit code 4   a model is unusable

Every message says what failed, then what to do about it, in one line for each thing that is wrong.
"""

from typing import ClassVar


class PiMaskError(Exception):
    """Root of all errors whose message is meant for the user.

    Args:
        lines: The message; several where several things are wrong. A name in it may hold line breaks.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def messages(error: BaseException) -> list[str]:
    """Return what an error says after what those say that it came on top of, which it must not hide.

    A camera is lost, FAULT is to be shown, and a lamp does not obey either: both are to be mended.
    """
    found: list[str] = []
    step: BaseException | None = error
    while step is not None:
        if isinstance(step, PiMaskError):
            found[:0] = step.lines
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    return found


class UsageError(PiMaskError):
    """The command line or the configuration asks for something impossible."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown or invalid; the message names key, value and source."""


class InputError(PiMaskError):
    """A picture, folder or video cannot be read."""


class OutputError(PiMaskError):
    """A result cannot be written."""


class HardwareMissingError(PiMaskError):
    """A device is not there or cannot be used."""

    exit_code = 3


class CameraError(HardwareMissingError):
    """The camera cannot be opened or was lost for good."""


class CameraTimeout(CameraError):  # noqa: N818 the design's word, as in queue.Empty
    """The camera is there, yet delivered no frame in time."""


class EdgeTpuError(HardwareMissingError):
    """No usable Edge TPU, or its driver refused."""


class GpioError(HardwareMissingError):
    """The pins cannot be driven."""


class ModelError(PiMaskError):
    """A model file or its manifest is unusable."""

    exit_code = 4
