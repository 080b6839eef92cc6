"""Show verdicts as lines of text."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Final, TextIO

from pi_mask.commands.streams import discard
from pi_mask.errors import OutputError
from pi_mask.types import Verdict


@dataclass(frozen=True, slots=True)
class _Line:
    symbol: str
    plain_symbol: str
    text: str
    colour: int


_LINES: Final = {
    Verdict.IDLE: _Line("○", "o", "IDLE       nobody is here", 90),
    Verdict.CHECKING: _Line("…", "?", "CHECKING   please look at the camera", 33),
    Verdict.MASK: _Line("✔", "+", "MASK       thank you, come in", 32),
    Verdict.INCORRECT: _Line("▲", "!", "INCORRECT  pull the mask over nose and chin", 33),
    Verdict.NO_MASK: _Line("✖", "x", "NO MASK    please put on a mask", 31),
    Verdict.FAULT: _Line("⚠", "#", "FAULT      not working, see the log", 31),
}
_DEGRADED: Final = " (slower: the CPU stands in for the Edge TPU)"


class ConsoleIndicator:
    """One line per change: a symbol, the verdict, what to do about it.

    The text says all that the colour says. Colour (ECMA-48 SGR) appears on a terminal only, and not while
    ``NO_COLOR`` is set (no-color.org) or ``TERM`` is "dumb". A stream that cannot encode the symbols gets
    ASCII ones.

    Args:
        stream: Where the lines go, flushed one by one and left open; standard output by default. On standard
            error they are a log: what can't be written there, on a full disk, is given up.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._is_coloured = _takes_colour(self._stream)
        self._takes_symbols = _takes_symbols(self._stream)
        self._shown: tuple[Verdict, bool] | None = None
        self._is_closed = False

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> None:
        """Write one line; the same arguments again write nothing.

        Raises:
            OutputError: The indicator is closed, or the stream takes no more.
            BrokenPipeError: The reader of standard output has gone.
        """
        if self._is_closed:
            raise OutputError("The console indicator is closed. Open it again before showing a verdict.")
        if self._shown == (verdict, is_degraded):
            return
        self._shown = (verdict, is_degraded)
        try:
            self._stream.write(self._line(verdict, is_degraded=is_degraded) + "\n")
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write no more; the stream stays open."""
        self._is_closed = True

    def _give_up(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError) and self._stream is not sys.stderr:
            raise error
        discard(self._stream)
        if self._stream is not sys.stderr:
            raise OutputError(
                f"The console cannot be written: {error.strerror}. Free some space, or send it elsewhere."
            ) from error

    def _line(self, verdict: Verdict, *, is_degraded: bool) -> str:
        line = _LINES[verdict]
        symbol = line.symbol if self._takes_symbols else line.plain_symbol
        text = f"{symbol} {line.text}{_DEGRADED if is_degraded else ''}"
        return f"\x1b[{line.colour}m{text}\x1b[0m" if self._is_coloured else text


def _takes_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _takes_symbols(stream: TextIO) -> bool:
    try:
        "".join(line.symbol for line in _LINES.values()).encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
