"""Write results without waiting for whoever reads them."""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import Final, TextIO

from pi_mask.commands.streams import unwritable
from pi_mask.errors import OutputError

MOST_LINES: Final = 1000
"""Lines that may wait, some 300 KB, beside the 64 KiB of a pipe: many minutes of a busy door."""
PATIENCE_S: Final = 5.0
"""For what is left at the end; well within the 20 s that systemd gives the service to stop."""


class LineWriter:
    """Standard output for a loop that nothing may hold up.

    A reader who pauses fills the pipe, and then a write lasts until the reader goes on: the lamps would show
    what they showed, a released door included. So the lines wait here for a thread that writes them, one by
    one and in order. When too many wait, the reader counts as gone for good.

    Args:
        stream: Standard output; None where the shell closed it (1>&-), which takes every line.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        # Unlike Queue it has no lock that a signal could leave behind locked.
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def say(self, line: str) -> None:
        """Have one line written.

        Raises:
            OutputError: Too many lines wait, or those before could not be written.
            BrokenPipeError: The reader has gone.
        """
        self.check()
        if self._lines.qsize() >= MOST_LINES:
            raise _unread()
        self._lines.put(line)
        if self._thread is None:
            # A daemon: where it is stuck in a write, the process can end nevertheless.
            self._thread = threading.Thread(target=self._write_all, name="results", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raise what went wrong with the lines so far, as :meth:`say` does."""
        if isinstance(self._failure, BrokenPipeError):
            raise self._failure
        if self._failure is not None:
            raise unwritable(self._failure) from self._failure

    def close(self) -> None:
        """Wait until all is written, for ``PATIENCE_S`` at most; raises as :meth:`say` does."""
        if self._thread is None:
            return
        self._lines.put(None)
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            raise _unread()
        self.check()

    def _write_all(self) -> None:
        try:
            for line in iter(self._lines.get, None):
                self._write(line)
        except OSError as error:
            self._failure = error

    def _write(self, line: str) -> None:
        """Write below the stream: a stuck write would hold its lock, and Python could not end."""
        if self._stream is None:
            return
        data = f"{line}\n".encode()
        while data:
            data = data[os.write(self._stream.fileno(), data) :]


def _unread() -> OutputError:
    return OutputError(
        "Whoever reads standard output has stopped reading. Keep reading it, or send it to a file."
    )
