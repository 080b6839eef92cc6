"""Test how checks are run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pi_mask.doctor import examination
from pi_mask.doctor.base import Result, Status, ok
from pi_mask.doctor.examination import DEVICE_CHECKS, NAMES, examine, exit_code, run_apart
from pi_mask.doctor.machine import Machine
from pi_mask.errors import SettingsError
from pi_mask.settings import CameraSettings, Settings, load_settings
from tests.doctor.made_up import Programs, Root, found

FAULT = {code: Result(Status.FAULT, "x", "y", "z", code) for code in (1, 2, 3, 4)}
WARNING = Result(Status.WARNING, "x", "y", "z")

# Replaces a check in the child process, which imports this file before anything else.
_REPLACEMENT = """
import sys
if sys.orig_argv[-2:-1] == ["pi_mask.doctor.child"]:
    import os, signal, threading
    from types import MappingProxyType
    from pi_mask.doctor import examination
    from pi_mask.doctor.base import ok

    def crash(machine, settings):
        os.write(1, b"native words\\n")
        yield ok("before")
        os.kill(os.getpid(), signal.SIGILL)

    def leave(machine, settings):
        yield ok("before")
        sys.stderr.write("Traceback\\nlast words\\n")
        sys.stderr.flush()
        os._exit(7)

    def hang(machine, settings):
        yield ok("before")
        threading.Event().wait()

    def fail(machine, settings):
        yield ok("before")
        raise RuntimeError("a mistake.\\nIndeed.")

    examination.DEVICE_CHECKS = MappingProxyType(
        {"coral": crash, "camera": hang, "pins": fail, "model": leave}
    )
"""


@pytest.fixture
def broken_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks of devices crash, hang and fail in their processes."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_REPLACEMENT)
    monkeypatch.syspath_prepend(str(folder))


def test_a_crash_costs_its_own_check_only(root: Root, broken_checks: None) -> None:
    """What was found before counts; the signal is named; native chatter is not taken for a result."""
    assert found(run_apart("coral", root.machine(), Settings())) == [
        ("ok", "", "before"),
        ("fault", "check-crashed", "Its process died (SIGILL): a library or driver is broken."),
    ]


def test_a_process_that_ends_by_itself_is_a_crash_too(root: Root, broken_checks: None) -> None:
    """Its last words are the reason."""
    assert found(run_apart("model", root.machine(), Settings())) == [
        ("ok", "", "before"),
        ("fault", "check-crashed", "Its process died (last words): a library or driver is broken."),
    ]


def test_a_hanging_check_is_ended(root: Root, broken_checks: None) -> None:
    """The doctor does not wait for ever; how long is in the message."""
    results = found(run_apart("camera", root.machine(), Settings(), timeout_s=0.05))

    assert results[-1] == ("fault", "check-hanging", "No answer within 0.05 s: a driver hangs.")


def test_a_mistake_in_a_check_is_reported_as_one(root: Root, broken_checks: None) -> None:
    """In one line, without a traceback."""
    assert found(run_apart("pins", root.machine(), Settings()))[1:] == [
        ("fault", "check-broken", "This check itself failed: RuntimeError: a mistake. Indeed.")
    ]


def test_a_mistake_in_a_check_of_the_machine_leaves_the_others(
    root: Root, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name has at least one result, in order."""

    def fail(_machine: Machine) -> Iterator[Result]:
        yield from ()
        raise ValueError

    checks = {**examination.MACHINE_CHECKS, "power": fail}
    monkeypatch.setattr(examination, "MACHINE_CHECKS", checks)
    results = list(examine(root.machine(), SettingsError("x = 1 is wrong. Mend it.")))

    assert list(dict.fromkeys(result.check for result in results)) == list(NAMES)
    assert [r.message for r in results if r.check == "power"] == ["This check itself failed: ValueError."]


def test_wrong_settings_leave_the_devices_alone(root: Root, programs: Programs) -> None:
    """Nobody knows which camera or pins to look at."""
    results = list(examine(root.machine(), SettingsError("x = 1 is wrong. Mend it.")))

    assert [(r.check, r.code) for r in results if r.check in DEVICE_CHECKS] == [
        (name, "config-in-the-way") for name in DEVICE_CHECKS
    ]
    assert exit_code(results) == 2


def test_secrets_are_hidden_in_every_result(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever check they come from."""

    def talk(_machine: Machine) -> Iterator[Result]:
        yield Result(Status.FAULT, "rtsp://u:hunter2@cam is lost", "Look at rtsp://u:hunter2@cam.", "x", 3)

    monkeypatch.setattr(examination, "MACHINE_CHECKS", {"system": talk})
    monkeypatch.setattr(examination, "NAMES", ("system",))
    (result,) = examine(root.machine(), SettingsError("x"))

    assert (result.message, result.advice) == ("rtsp://***@cam is lost", "Look at rtsp://***@cam.")


def test_the_camera_can_be_left_out(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started for it."""
    monkeypatch.setattr(examination, "NAMES", ("camera",))
    loaded = load_settings({}, environ={})

    assert found(examine(root.machine(), loaded, has_camera=False)) == [
        ("warning", "camera-left-out", "Not looked at (--no-camera).")
    ]


def test_settings_and_machine_reach_the_process(root: Root, tmp_path: Path) -> None:
    """The real child, asked about a camera of files that has nothing to show."""
    settings = Settings(camera=CameraSettings(kind="files", source=str(tmp_path / "none.png")))

    ((status, code, message),) = found(run_apart("camera", root.machine(), settings))

    assert (status, code) == ("fault", "camera-missing")
    assert str(tmp_path / "none.png") in message


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([1], 1), ([1, 2], 2), ([2, 4, 1], 4), ([4, 2, 3, 1], 3)],
)
def test_hardware_counts_first(codes: list[int], expected: int) -> None:
    """3 before 4 before 2 before 1; warnings do not count."""
    assert exit_code([ok("x"), WARNING, *(FAULT[code] for code in codes)]) == expected


def test_ctrl_c_ends_the_process_of_a_check(
    root: Root, broken_checks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a session of its own, where the terminal's signal does not reach."""
    ended: list[int] = []
    real: Callable[[int, int], None] = os.killpg

    def kill(group: int, number: int) -> None:
        ended.append(number)
        real(group, number)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "killpg", kill)
    monkeypatch.setattr("subprocess.Popen.communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(run_apart("camera", root.machine(), Settings()))

    assert ended == [signal.SIGKILL]
