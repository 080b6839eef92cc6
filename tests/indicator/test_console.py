"""Hold the console indicator to its lines."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from pi_mask.errors import OutputError
from pi_mask.indicator.console import ConsoleIndicator
from pi_mask.types import Verdict

PLAIN = {
    Verdict.IDLE: "○ IDLE       nobody is here\n",
    Verdict.CHECKING: "… CHECKING   please look at the camera\n",
    Verdict.MASK: "✔ MASK       thank you, come in\n",
    Verdict.INCORRECT: "▲ INCORRECT  pull the mask over nose and chin\n",
    Verdict.NO_MASK: "✖ NO MASK    please put on a mask\n",
    Verdict.FAULT: "⚠ FAULT      not working, see the log\n",
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def written(stream: io.StringIO, *, is_degraded: bool = False) -> str:
    """Show every verdict on a stream and return what it got."""
    indicator = ConsoleIndicator(stream)
    for verdict in Verdict:
        indicator.show(verdict, is_degraded=is_degraded)
    return stream.getvalue()


def test_one_plain_line_per_change() -> None:
    """A pipe gets symbol and text, one line for each verdict, without colour codes."""
    assert written(io.StringIO()) == "".join(PLAIN.values())


def test_the_text_tells_of_the_lost_accelerator() -> None:
    """Each degraded line carries the note."""
    note = " (slower: the CPU stands in for the Edge TPU)\n"

    assert written(io.StringIO(), is_degraded=True) == "".join(
        line.replace("\n", note) for line in PLAIN.values()
    )


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the same lines are coloured, and each puts the colour back."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    colours = {
        Verdict.IDLE: 90,
        Verdict.CHECKING: 33,
        Verdict.MASK: 32,
        Verdict.INCORRECT: 33,
        Verdict.NO_MASK: 31,
        Verdict.FAULT: 31,
    }

    assert written(Terminal()) == "".join(
        f"\x1b[{colours[verdict]}m{line[:-1]}\x1b[0m\n" for verdict, line in PLAIN.items()
    )


@pytest.mark.parametrize(("key", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    """NO_COLOR, or a terminal that knows no codes, gets plain lines."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(key, value)

    assert written(Terminal()) == "".join(PLAIN.values())


def test_a_terminal_without_unicode_gets_ascii() -> None:
    """Where the stream cannot encode the symbols, ASCII ones stand in."""
    raw = io.BytesIO()
    indicator = ConsoleIndicator(io.TextIOWrapper(raw, encoding="ascii"))

    for verdict in Verdict:
        indicator.show(verdict)

    assert [line[:2] for line in raw.getvalue().decode("ascii").splitlines()] == [
        "o ",
        "? ",
        "+ ",
        "! ",
        "x ",
        "# ",
    ]


def test_the_same_verdict_again_writes_nothing() -> None:
    """Repeating a verdict adds no line; a change of the degraded sign does."""
    stream = io.StringIO()
    indicator = ConsoleIndicator(stream)

    for is_degraded in (False, False, True, True):
        indicator.show(Verdict.MASK, is_degraded=is_degraded)

    note = " (slower: the CPU stands in for the Edge TPU)\n"
    assert stream.getvalue() == PLAIN[Verdict.MASK] + PLAIN[Verdict.MASK].replace("\n", note)


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream the lines go to standard output, and close leaves it open."""
    indicator = ConsoleIndicator()
    indicator.show(Verdict.IDLE)
    indicator.close()

    assert capsys.readouterr() == (PLAIN[Verdict.IDLE], "")


def test_a_full_disk_ends_results_and_not_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard output a line that cannot be written is an error; on standard error it is given up."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        ConsoleIndicator(full).show(Verdict.IDLE)

    unwritten = pytest.raises(OutputError, match=r"^The console cannot be written: No space left on device\.")
    with Path("/dev/full").open("w") as full, unwritten:
        ConsoleIndicator(full).show(Verdict.IDLE)


def test_a_broken_pipe_rises() -> None:
    """When the reader has gone the caller hears of it, and closing is still fine."""
    indicator = ConsoleIndicator(BrokenPipe())

    with pytest.raises(BrokenPipeError):
        indicator.show(Verdict.IDLE)

    indicator.close()
