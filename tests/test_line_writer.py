"""Test how lines reach a reader who takes their time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import pytest

from pi_mask.commands import line_writer
from pi_mask.commands.line_writer import LineWriter
from pi_mask.errors import OutputError

LONG = "x" * 100_000
"""More than a pipe holds."""
STOPPED = "Whoever reads standard output has stopped reading. Keep reading it, or send it to a file."


@dataclass(frozen=True, slots=True)
class Pipe:
    """Both ends, as text."""

    reader: TextIO
    writer: TextIO


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe; closing the reader first ends the thread that is stuck in a write, before its end is closed."""
    end, start = os.pipe()
    with os.fdopen(start, "w") as writer:
        with os.fdopen(end) as reader:
            yield Pipe(reader, writer)
        for thread in threading.enumerate():
            if thread.name == "results":
                thread.join()


def test_lines_arrive_whole_and_in_order(pipe: Pipe) -> None:
    """All lines, each with its end, are written when close returns."""
    writer = LineWriter(pipe.writer)
    for number in range(100):
        writer.say(f"line {number}")

    writer.close()

    assert [pipe.reader.readline() for _ in range(100)] == [f"line {number}\n" for number in range(100)]


def test_a_reader_who_pauses_holds_nothing_up(pipe: Pipe) -> None:
    """What the pipe cannot hold waits, and arrives once it is read."""
    writer = LineWriter(pipe.writer)
    writer.say(LONG)
    writer.say("after")

    assert [pipe.reader.readline(), pipe.reader.readline()] == [f"{LONG}\n", "after\n"]
    writer.close()


def test_a_reader_who_stopped_is_an_error(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many lines wait, the next one is refused, with advice."""
    monkeypatch.setattr(line_writer, "MOST_LINES", 3)
    writer = LineWriter(pipe.writer)

    def say_on() -> None:
        for _ in range(5):  # one is being written, three wait
            writer.say(LONG)

    with pytest.raises(OutputError) as caught:
        say_on()

    assert str(caught.value) == STOPPED


def test_the_end_waits_for_a_short_time_only(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that nobody takes at the end are an error too, not a program that hangs."""
    monkeypatch.setattr(line_writer, "PATIENCE_S", 0.01)
    writer = LineWriter(pipe.writer)
    writer.say(LONG)

    with pytest.raises(OutputError) as caught:
        writer.close()

    assert str(caught.value) == STOPPED


STUCK = """
import sys
from pi_mask.commands import line_writer
line_writer.PATIENCE_S = 0.01
writer = line_writer.LineWriter(sys.stdout)
writer.say(100_000 * "x")
try:
    writer.close()
except line_writer.OutputError:
    sys.exit(7)
"""


def test_a_program_ends_though_nobody_reads() -> None:
    """Its last write is stuck for good, and its exit code is its own."""
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE) as program:
        try:
            assert program.wait(60) == 7
        finally:
            program.kill()


def test_a_reader_who_has_gone_is_a_broken_pipe(pipe: Pipe) -> None:
    """Which ends a program quietly; every later line fails alike."""
    pipe.reader.close()
    writer = LineWriter(pipe.writer)
    writer.say("line")

    for attempt in (writer.close, writer.check, lambda: writer.say("another")):
        with pytest.raises(BrokenPipeError):
            attempt()


def test_nothing_said_is_nothing_to_wait_for() -> None:
    """Without a line there is no thread to end."""
    LineWriter(None).close()


def test_a_closed_standard_output_takes_every_line() -> None:
    """A shell's 1>&- is nothing that can fail."""
    writer = LineWriter(None)
    writer.say("line")

    writer.close()
