"""Talk to whoever started the command: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

import click

from pi_mask.errors import OutputError

_ESCAPES: Final = {n: repr(chr(n))[1:-1] for n in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""Line breaks and other control characters, such as those that colour a terminal."""
_CLEAR: Final = "\r\x1b[2K"
"""ECMA-48: to the start of the line, and erase it."""


def say(line: str) -> None:
    """Write one line of the result.

    Raises:
        OutputError: Standard output takes no more, because the disk is full.
        BrokenPipeError: The reader has gone.
    """
    _clear_line()
    try:
        click.echo(line)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> OutputError:
    """What to raise when standard output takes no more; nothing is written there from then on."""
    discard(sys.stdout)
    return OutputError(
        f"Standard output cannot be written: {error.strerror}. Free some space, or send it elsewhere."
    )


def tell(line: str) -> None:
    """Write one line that is not part of the result; what would break it, as in a file's name, is escaped.

    Where it cannot be written, on a full disk or to a reader who has gone, nobody can be told that either: a
    log is no reason to leave a door.
    """
    _clear_line()
    try:
        click.echo(line.translate(_ESCAPES), err=True)
    except OSError:
        discard(sys.stderr)


def configure_logging(level: str) -> None:
    """Send the package's log to standard error, from this level on; PI_MASK_DEBUG=1 shows all.

    A line that would have to wait for the reader is left out: meanwhile the lamps would stay as they are.

    Args:
        level: One of logging's names.
    """
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if _has_room(sys.stderr):
                tell(f"{record.levelname.capitalize()}: {record.getMessage()}")

    logger = logging.getLogger("pi_mask")
    logger.handlers = [Handler()]
    logger.setLevel("DEBUG" if is_debugging() else level)


def _has_room(stream: TextIO) -> bool:
    """Whether a line goes out at once: no full pipe, no terminal after Ctrl-S."""
    try:
        return bool(select.select([], [stream], [], 0)[1])
    except (OSError, ValueError):  # not a stream of the system's, or one that it cannot be asked about
        return True


def is_debugging() -> bool:
    """Whether PI_MASK_DEBUG is set."""
    return os.environ.get("PI_MASK_DEBUG", "") not in {"", "0"}


def is_somebody_there() -> bool:
    """Whether somebody could answer a question; a closed standard input is None."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_on_terminal() -> bool:
    """Whether somebody watches standard error."""
    return sys.stderr.isatty()


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[], None]]:
    """Show a bar with rate and time left on standard error, on a terminal only.

    Args:
        label: What is being done.
        length: Number of steps; 0 where nobody knows, which shows no bar.

    Yields:
        To be called after each step.
    """
    if not length or not is_on_terminal():
        yield lambda: None
        return
    start = time.perf_counter()

    def rate(steps: int | None) -> str | None:
        elapsed = time.perf_counter() - start
        return f"{steps / elapsed:.1f} a second" if steps and elapsed > 0 else None

    bar = click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True, item_show_func=rate)

    def advance() -> None:
        bar.update(1, bar.pos + 1)
        _live.is_shown = True

    with bar:
        _live.is_shown = True
        yield advance
    _live.is_shown = False


class _LiveLine:
    """A line of the terminal that is written over and over, below all others."""

    is_shown = False


_live = _LiveLine()


def show_live(line: str) -> None:
    """Write a line over the one that was written so before; on a terminal only."""
    click.echo(f"{_CLEAR}{line}", nl=False, err=True)
    _live.is_shown = True


def _clear_line() -> None:
    """Take a bar, or what is written over and over, off the terminal's line, so that another can go there."""
    if _live.is_shown:
        _live.is_shown = False
        with suppress(OSError):
            click.echo(_CLEAR, nl=False, err=True)


def discard(stream: TextIO) -> None:
    """Send a stream that failed nowhere: what is still buffered would fail again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
