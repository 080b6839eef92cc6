"""Test what all commands share: help, errors, exit codes, streams."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from pi_mask import __version__
from pi_mask.commands.group import cli
from pi_mask.errors import CameraError, GpioError, ModelError, OutputError, PiMaskError, SettingsError
from pi_mask.types import MaskLabel
from tests.colour_model import save_picture
from tests.conftest import Invoke


def failing(error: BaseException) -> click.Command:
    """A command that fails."""

    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


def detecting(picture: Path, model: Path) -> list[str | Path]:
    """A command line for a process of its own."""
    return [sys.executable, "-m", "pi_mask", "detect", picture, "--model", model]


def test_help_lists_every_command_and_exit_code(invoke: Invoke) -> None:
    """--help names all commands and explains all exit codes."""
    outcome = invoke("--help")

    assert (outcome.code, outcome.err) == (0, "")
    assert all(f"\n  {name} " in outcome.out for name in cli.commands)
    assert all(f"\n    {code} " in outcome.out for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize("arguments", [(), ("config",)], ids=["pi-mask", "config"])
def test_lists_of_commands_are_whole(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    """No command is described by the beginning of a sentence."""
    assert "..." not in invoke(*arguments).out.partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [(), ("config",)], ids=["pi-mask", "config"])
def test_without_a_command_the_help_appears(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    """A bare group shows its help and succeeds."""
    assert invoke(*arguments) == invoke(*arguments, "--help")


def test_version(invoke: Invoke) -> None:
    """--version prints name and number."""
    assert invoke("--version").out == f"pi-mask {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PiMaskError("Broken. Mend it."), 1),
        (OutputError("Broken. Mend it."), 1),
        (SettingsError("Broken. Mend it."), 2),
        (CameraError("Broken. Mend it."), 3),
        (ModelError("Broken. Mend it."), 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_line_and_its_exit_code(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, error: PiMaskError, code: int
) -> None:
    """Every error of pi-mask ends as one line on standard error, with the code of its class."""
    monkeypatch.setitem(cli.commands, "fail", failing(error))

    outcome = invoke("fail")

    assert (outcome.code, outcome.out, outcome.err) == (code, "", "Error: Broken. Mend it.\n")


@pytest.mark.parametrize(
    "command",
    [("detect",), ("detect", "--model"), ("bench", "--source"), ("config", "check"), ("calibrate", "--from")],
    ids=" ".join,
)
def test_a_line_break_in_a_name_breaks_no_line(
    invoke: Invoke, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """An error is one line whatever a path holds, and a terminal obeys no name."""
    picture = save_picture(tmp_path / "door.png", MaskLabel.WITH_MASK)
    arguments = [picture] if "--model" in command else ["--dry-run"] if "--from" in command else []

    outcome = invoke(*command, "no\n\x1b[31msuch", *arguments)

    assert outcome.code in {1, 2, 4}
    assert (outcome.err.count("\n"), r"no\n\x1b[31msuch" in outcome.err) == (1, True)


def test_several_faults_are_a_line_each(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that names several things gives each a line of its own."""
    monkeypatch.setitem(cli.commands, "fail", failing(SettingsError("One. Mend it.", "Two\n. Mend it.")))

    assert invoke("fail").err == "Error: One. Mend it.\nError: Two\\n. Mend it.\n"


def test_an_error_on_the_way_out_hides_none(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where closing fails as well, the error that ended the command is told first."""

    @contextmanager
    def closing_badly() -> Iterator[None]:
        try:
            yield
        finally:
            try:
                raise OSError(5, "Input/output error")
            except OSError as error:
                raise GpioError("An output may still be on. Check it.") from error

    @closing_badly()
    def fail() -> None:
        raise ModelError("Broken. Mend it.")

    monkeypatch.setitem(cli.commands, "fail", click.Command("fail", callback=fail))

    outcome = invoke("fail")

    assert outcome.err == "Error: Broken. Mend it.\nError: An output may still be on. Check it.\n"
    assert outcome.code == GpioError.exit_code


def test_a_bug_is_one_line_too(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception ends with code 1 and asks to be reported."""
    monkeypatch.setitem(cli.commands, "fail", failing(ZeroDivisionError("by\nzero")))

    outcome = invoke("fail")

    advice = "This is a bug; run it with PI_MASK_DEBUG=1 and report it."
    assert (outcome.code, outcome.err) == (1, f"Error: ZeroDivisionError: by zero. {advice}\n")


@pytest.mark.parametrize(
    ("message", "shown"),
    [("No such thing", "No such thing."), ("No such thing.", "No such thing."), ("This one?", "This one?")],
)
def test_wrong_usage_ends_as_a_sentence(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, message: str, shown: str
) -> None:
    """Click's words get a full stop unless they end with one or with a question."""
    monkeypatch.setitem(cli.commands, "fail", failing(click.UsageError(message)))

    assert invoke("fail").err == f'Error: {shown} Run "pi-mask fail --help".\n'


@pytest.mark.parametrize(("value", "is_shown"), [("1", True), ("0", False), ("", False)])
def test_debugging_shows_the_traceback(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, value: str, is_shown: bool
) -> None:
    """PI_MASK_DEBUG=1 adds the traceback and keeps line and exit code."""
    monkeypatch.setitem(cli.commands, "fail", failing(ModelError("Broken. Mend it.")))
    monkeypatch.setenv("PI_MASK_DEBUG", value)

    outcome = invoke("fail")

    assert outcome.code == 4
    assert ("Traceback" in outcome.err) is is_shown
    assert outcome.err.endswith("Error: Broken. Mend it.\n")


def test_an_interruption_has_its_own_code_and_no_traceback(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with code 130 and a single word."""
    monkeypatch.setitem(cli.commands, "fail", failing(KeyboardInterrupt()))

    outcome = invoke("fail")

    assert (outcome.code, outcome.out, outcome.err.strip()) == (130, "", "Error: Interrupted.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dance",), "Error: No such command 'dance'. Run \"pi-mask --help\".\n"),
        (("detect",), "Error: Missing argument 'PATHS...'. Run \"pi-mask detect --help\".\n"),
        (("models", "--colour"), "Error: No such option '--colour'. Run \"pi-mask models --help\".\n"),
        (
            ("run", "--camera", "box"),
            "Error: Invalid value for '--camera': 'box' is not one of 'picamera', 'webcam', 'files'. "
            'Run "pi-mask run --help".\n',
        ),
        (
            ("run", "--threads", "many"),
            'Error: model.threads = "many" (flag --threads) is not allowed. '
            "Give a whole number from 1 to 16.\n",
        ),
    ],
    ids=["command", "argument", "option", "choice", "value"],
)
def test_wrong_usage_is_one_line_with_advice(
    invoke: Invoke, arguments: tuple[str, ...], message: str
) -> None:
    """What the command line gets wrong is one line and exit code 2."""
    outcome = invoke(*arguments)

    told = outcome.err.replace("option: --colour", "option '--colour'")  # as an older Click says it
    assert (outcome.code, outcome.out, told) == (2, "", message)


def test_every_problem_of_the_settings_is_a_line(invoke: Invoke) -> None:
    """Several wrong settings are all reported at once, a line each."""
    outcome = invoke("run", "--threads", "0", "--min-score", "2")

    assert outcome.code == 2
    assert [line.partition(" (")[0] for line in outcome.err.splitlines()] == [
        "Error: model.threads = 0",
        "Error: model.min_score = 2.0",
    ]


def test_a_reader_that_leaves_ends_it_quietly(model: Path, tmp_path: Path, clean_environment: None) -> None:
    """A closed pipe, as left by head, ends the command without a word."""
    save_picture(tmp_path / "door.png")
    command = detecting(tmp_path / "door.png", model)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate()

    assert (process.returncode, err.partition("INFO: Created")[0]) == (1, "")


def test_closed_streams_are_no_bug(model: Path, tmp_path: Path, clean_environment: None) -> None:
    """Without standard error results stay what they are; without standard output nothing fails for that."""
    command = detecting(save_picture(tmp_path / "door.png"), model)

    def closing(stream: str) -> subprocess.CompletedProcess[str]:
        shell = ["sh", "-c", f'exec "$@" {stream}>&-', "sh", *command, "--json", "--output", tmp_path / "out"]
        return subprocess.run(shell, capture_output=True, text=True, check=False)

    without_errors, without_results = closing("2"), closing("1")

    assert (without_errors.returncode, without_results.returncode) == (0, 0)
    assert [json.loads(line)["frame"] for line in without_errors.stdout.splitlines()] == [0]
    assert "This is a bug" not in without_results.stderr


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_what_asks_for_a_terminal_goes_on_without_standard_output(
    command: str, model: Path, tmp_path: Path, clean_environment: None
) -> None:
    """The console and doctor end as they would with somebody to read them, and without a word about it."""
    picture = save_picture(tmp_path / "door.png")
    flags = ["--camera", "files", "--source", picture, "--model", model, "--indicator", "console"]
    words = [sys.executable, "-m", "pi_mask", command, *flags, "--accelerator", "cpu"]

    seen, unseen = (
        subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closing}', "sh", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        for closing in ("", ">&-")
    )

    assert unseen.returncode == seen.returncode
    assert "Error" not in unseen.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("words", [(), ("--help",), ("--version",), ("run", "--help")])
def test_a_full_disk_behind_standard_output_is_named(
    words: tuple[str, ...], model: Path, tmp_path: Path, clean_environment: None
) -> None:
    """Results, help and version that cannot be written end with code 1 and one line of advice."""
    save_picture(tmp_path / "door.png")
    command = [sys.executable, "-m", "pi_mask", *words] if words else detecting(tmp_path / "door.png", model)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    own = [line for line in result.stderr.splitlines() if not line.startswith("INFO: Created")]
    reason = "No space left on device"
    assert (result.returncode, own) == (
        1,
        [f"Error: Standard output cannot be written: {reason}. Free some space, or send it elsewhere."],
    )
