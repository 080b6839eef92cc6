"""Catch what picture codecs write to the standard error stream."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator

STDERR = 2
_PIPE_BYTES = 65536
_CODEC_LINE = re.compile(r"JPEG|JFIF|SOS|progression|libpng|TIFF|webp", re.IGNORECASE)
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def caught_codec_messages() -> Iterator[list[str]]:
    """Keep libjpeg and libpng from writing to the terminal while a picture is decoded.

    They know nothing of OpenCV's log level and their messages name no file; yet libjpeg tells by nothing else
    that half of a picture is missing. Lines that no codec wrote are passed on afterwards.

    Yields:
        A list that is filled, when the block ends, with the codecs' lines.
    """
    messages: list[str] = []
    with _one_at_a_time, contextlib.ExitStack() as restored:
        try:
            original = os.dup(STDERR)
        except OSError:  # a service may run without the stream: there is nothing to keep clean then
            yield messages
            return
        restored.callback(os.close, original)
        # A pipe and no file, so that nothing is written to disk; it never blocks, so that a codec with more
        # to say than fits cannot stop the program.
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        os.dup2(writing, STDERR)
        os.close(writing)
        try:
            yield messages
        finally:
            os.dup2(original, STDERR)
            messages += _codec_lines(reading)


def _codec_lines(reading: int) -> list[str]:
    """Read the pipe, close it, pass on what is not the codecs' and return the rest."""
    caught = b""
    with contextlib.suppress(BlockingIOError):
        caught = os.read(reading, _PIPE_BYTES)
    os.close(reading)
    lines = caught.decode(errors="replace").splitlines(keepends=True)
    foreign = "".join(line for line in lines if not _CODEC_LINE.search(line))
    if foreign:
        os.write(STDERR, foreign.encode())
    return [line.strip() for line in lines if _CODEC_LINE.search(line)]
