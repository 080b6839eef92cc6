"""Test pi_mask.stopped as the service manager starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pi_mask import stopped
from pi_mask.errors import GpioError
from pi_mask.history import History
from pi_mask.indicator import off
from pi_mask.indicator.off import WIRING, leave_wiring
from pi_mask.settings import GpioSettings


def stop(folder: Path | None, result: str = "core-dump") -> subprocess.CompletedProcess[str]:
    """Run it as ExecStopPost= does."""
    environment = {name: value for name, value in os.environ.items() if name != "RUNTIME_DIRECTORY"}
    if folder is not None:
        environment |= {"RUNTIME_DIRECTORY": str(folder), "SERVICE_RESULT": result}
    command = [sys.executable, "-m", "pi_mask.stopped"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_process_switches_off_and_notes_the_end(tmp_path: Path) -> None:
    """A real process, mock pins: code 0, one line in the log, and the end is there for the next start."""
    leave_wiring(tmp_path, GpioSettings(pin_factory="mock"))

    ended = stop(tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "Warning: Mock pins: no real light is driven.\n"
    assert [failure.result for failure in History(tmp_path).failures] == ["core-dump"]


def test_outside_the_service_it_does_nothing() -> None:
    """Who starts it by hand learns what to do instead."""
    ended = stop(None)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "systemctl stop pi-mask" in ended.stderr


def test_a_wanted_stop_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SERVICE_RESULT=success, and none at all, forget what was before."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    for result in ("success", None):
        History(tmp_path).note("exit-code")
        monkeypatch.setenv("SERVICE_RESULT", result) if result else monkeypatch.delenv("SERVICE_RESULT")

        assert stopped.main() == 0
        assert History(tmp_path).failures == ()


def test_outputs_go_off_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door is made safe first."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SERVICE_RESULT", "watchdog")
    before: list[object] = []
    monkeypatch.setattr(off, "clear_up", lambda folder: before.append(History(folder).failures))

    assert stopped.main() == 0

    assert before == [()]
    assert [failure.result for failure in History(tmp_path).failures] == ["watchdog"]


def test_an_output_that_may_be_on_is_said_and_the_end_noted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal gets the line, systemd the code, and the next start its record."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SERVICE_RESULT", "signal")
    (tmp_path / WIRING).write_text("damaged")

    code = stopped.main()

    assert code == GpioError.exit_code
    assert capsys.readouterr().err.startswith("Error: ")
    assert [failure.result for failure in History(tmp_path).failures] == ["signal"]
