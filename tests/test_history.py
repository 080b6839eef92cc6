"""Test pi_mask.history."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.errors import CameraError, EdgeTpuError
from pi_mask.history import LONGEST_DELAY_S, MAX_CRASHES, WINDOW_S, Failure, History, runtime_folder


@dataclass
class Time:
    """A clock that a test sets, and the waits that were asked for."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def history(self, folder: Path | None) -> History:
        return History(folder, clock=lambda: self.now, wait=self.waits.append)


@pytest.fixture
def time() -> Time:
    """Seventeen minutes after the start of the machine."""
    return Time()


def test_failures_are_kept_from_one_process_to_the_next(tmp_path: Path, time: Time) -> None:
    """What one process noted the next one reads, oldest first."""
    time.history(tmp_path).note("exit-code")
    time.now += 5
    time.history(tmp_path).note("core-dump")

    assert time.history(tmp_path).failures == (Failure(1000.0, "exit-code"), Failure(1005.0, "core-dump"))


def test_the_delay_doubles_up_to_its_end(tmp_path: Path, time: Time) -> None:
    """A single failure costs nothing; then 2, 4, 8, 16 and 30 seconds, and 30 for ever."""
    history = time.history(tmp_path)
    delays = [history.delay_s]

    for _ in range(8):
        history.note("exit-code")
        delays.append(history.delay_s)

    assert delays == [0, 0, 2, 4, 8, 16, LONGEST_DELAY_S, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_old_failures_are_forgotten(tmp_path: Path, time: Time) -> None:
    """After ten minutes without one the door starts as fast as ever."""
    history = time.history(tmp_path)
    for _ in range(6):
        history.note("watchdog")

    time.now += WINDOW_S

    assert (history.failures, history.delay_s) == ((), 0.0)


def test_a_wanted_stop_forgets_everything(tmp_path: Path, time: Time) -> None:
    """A restart by hand after a repair waits for nothing."""
    history = time.history(tmp_path)
    for result in ("exit-code", "exit-code", "success"):
        history.note(result)

    assert history.failures == ()


def test_a_record_of_another_boot_counts_as_none(tmp_path: Path, time: Time) -> None:
    """Times ahead of the clock are of a machine that has started anew since."""
    time.history(tmp_path).note("exit-code")
    time.now = 10.0

    assert time.history(tmp_path).failures == ()


@given(damage=st.binary(max_size=60))
def test_a_damaged_record_never_stops_the_door(
    tmp_path_factory: pytest.TempPathFactory, damage: bytes
) -> None:
    """Whatever the file holds, there is a delay within its bounds and the next failure is kept."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "failures").write_bytes(damage)
    history = History(folder, clock=lambda: 1000.0)

    assert 0 <= history.delay_s <= LONGEST_DELAY_S
    history.note("signal")
    assert history.failures[-1] == Failure(1000.0, "signal")


def test_the_wait_comes_after_the_lights_are_on(tmp_path: Path, time: Time) -> None:
    """The block runs first; whether it succeeds or fails, the wait follows and the error goes on."""
    history = time.history(tmp_path)
    for _ in range(3):
        history.note("exit-code")

    with history.backing_off():
        assert time.waits == []
    with pytest.raises(CameraError), history.backing_off():
        raise CameraError("No camera found. Plug it in.")

    assert time.waits == [4.0, 4.0]


def test_the_service_itself_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anything else to wait by, the wait is a real one."""
    waits: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", lambda _, seconds: waits.append(seconds))
    for _ in range(3):
        History(tmp_path).note("exit-code")

    with History(tmp_path).backing_off():
        pass

    assert waits == [4.0]


def test_without_failures_nothing_is_waited_for(tmp_path: Path, time: Time) -> None:
    """A door that starts for the first time starts at once."""
    with time.history(tmp_path).backing_off():
        pass

    assert time.waits == []


@pytest.mark.parametrize("result", ["signal", "core-dump", "watchdog", "timeout"])
def test_a_driver_that_crashes_again_and_again_is_left_alone(tmp_path: Path, time: Time, result: str) -> None:
    """The third crash within ten minutes rules the Edge TPU out, until the window has passed."""
    history = time.history(tmp_path)
    for _ in range(MAX_CRASHES - 1):
        history.note(result)
    history.check_edgetpu()

    history.note(result)
    with pytest.raises(EdgeTpuError, match="crashed 3 times within 10 minutes"):
        history.check_edgetpu()

    time.now += WINDOW_S
    history.check_edgetpu()


def test_an_orderly_failure_says_nothing_about_the_edge_tpu(tmp_path: Path, time: Time) -> None:
    """A camera that is missing for an hour does not cost the door its Edge TPU."""
    history = time.history(tmp_path)
    for _ in range(10):
        history.note("exit-code")

    history.check_edgetpu()


def test_outside_the_service_nothing_is_kept(time: Time) -> None:
    """Without the service's folder there are no failures, waits or files."""
    history = time.history(None)

    history.note("core-dump")

    assert (history.failures, history.delay_s, history.folder) == ((), 0.0, None)


def test_a_full_memory_is_a_warning(tmp_path: Path, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    """A record that cannot be written costs the record, not the door."""
    with caplog.at_level(logging.WARNING, "pi_mask"):
        time.history(tmp_path / "missing").note("exit-code")

    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "No such file or directory. Free some memory."
    ]


def test_the_folder_is_the_one_that_systemd_made() -> None:
    """RUNTIME_DIRECTORY names it; empty or missing means no service."""
    assert runtime_folder({"RUNTIME_DIRECTORY": "/run/pi-mask"}) == Path("/run/pi-mask")
    assert runtime_folder({"RUNTIME_DIRECTORY": ""}) is None
    assert runtime_folder({}) is None
