"""Test pi_mask.service against a real socket."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from pi_mask.errors import CameraError, CameraTimeout, GpioError
from pi_mask.service import PETS_PER_TIMEOUT, Notifier
from pi_mask.types import Frame, Observation, Verdict

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 0)
WATCHDOG = {"WATCHDOG_USEC": "15000000"}
PAUSE_S = 15 / PETS_PER_TIMEOUT


class Manager:
    """The service manager's end of the line.

    Args:
        address: Where it listens; an abstract name begins with a zero byte.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)
        self.variables = {"NOTIFY_SOCKET": address.replace("\0", "@")}

    def heard(self) -> list[str]:
        """What has come since the last call; a datagram is there once it is sent."""
        messages = []
        for _ in count():
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                break
        return messages

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager that listens on a path."""
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def seen(verdict: Verdict, *, has_frame: bool = True, is_degraded: bool = False) -> Observation:
    """One turn of the loop."""
    fault = "No frame for 5 s.\nCheck the cable." if verdict is Verdict.FAULT else ""
    frame = FRAME if has_frame else None
    return Observation(frame, (), (), verdict, is_degraded=is_degraded, fault=fault)


def test_the_manager_hears_when_the_door_is_open_and_when_it_closes(manager: Manager) -> None:
    """READY comes when the block begins, STOPPING when it ends, also by an error."""
    notifier = Notifier(manager.variables)

    with notifier.serving():
        during = manager.heard()
    with pytest.raises(CameraError), notifier.serving():
        raise CameraError("The camera is gone.")

    assert during == ["READY=1"]
    assert manager.heard() == ["STOPPING=1", "READY=1", "STOPPING=1"]


def test_an_abstract_name_is_reached() -> None:
    """A socket without a file, as systemd makes for services with a file system of their own."""
    manager = Manager(f"\0pi-mask-test-{os.getpid()}")

    Notifier(manager.variables).status("Here.")

    assert manager.heard() == ["STATUS=Here."]
    manager.close()


def test_each_change_is_a_status_of_one_line(manager: Manager) -> None:
    """The status follows verdict, fault and a lost Edge TPU, and nothing is sent while they stay."""
    notifier = Notifier(manager.variables)

    for observation in (
        *[seen(Verdict.IDLE)] * 3,
        *[seen(Verdict.IDLE, is_degraded=True)] * 2,
        *[seen(Verdict.FAULT, has_frame=False)] * 2,
        seen(Verdict.MASK),
    ):
        notifier.observed(observation)

    assert manager.heard() == [
        "STATUS=Watching: idle.",
        "STATUS=Watching on the CPU, without the Edge TPU: idle.",
        "STATUS=No frame for 5 s. Check the cable.",
        "STATUS=Watching: mask.",
    ]


def test_only_good_looks_pet_the_watchdog(manager: Manager) -> None:
    """A fault pets nothing, with or without a frame; the next good look does at once."""
    seconds = iter(range(0, 1000, 3))
    notifier = Notifier({**manager.variables, **WATCHDOG}, clock=lambda: float(next(seconds)))
    pets: list[int] = []

    for observation in (
        seen(Verdict.IDLE),
        seen(Verdict.FAULT, has_frame=False),
        seen(Verdict.FAULT),
        seen(Verdict.IDLE, has_frame=False),
        seen(Verdict.IDLE),
    ):
        notifier.observed(observation)
        pets.append(manager.heard().count("WATCHDOG=1"))

    assert pets == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(("timeout_s", "end_s"), [(0.5, 13.5), (2, 12), (5, 10), (7, 7), (10, 10)])
def test_a_stall_ends_in_order_before_the_watchdog(manager: Manager, timeout_s: float, end_s: float) -> None:
    """Faults come every time-out of the camera; at the last one that the watchdog waits for it is over."""
    now = last_pet = 100.0
    notifier = Notifier({**manager.variables, **WATCHDOG}, clock=lambda: now)

    def stall() -> None:
        nonlocal now
        while True:
            now += timeout_s
            notifier.observed(seen(Verdict.FAULT, has_frame=False))

    with notifier.serving():
        for _ in range(30):
            now += 0.5
            notifier.observed(seen(Verdict.IDLE))
            last_pet = now if "WATCHDOG=1" in manager.heard() else last_pet
        with pytest.raises(CameraTimeout, match=r"Check the cable\. Starting anew, before the watchdog"):
            stall()

    assert now == 115 + end_s
    assert now < last_pet + 15 == 129  # not from the last good look, a second later


def test_a_read_that_took_long_may_do_so_again(manager: Manager) -> None:
    """A camera that is opened anew now and then makes one fault slower than those between."""
    now = 100.0
    notifier = Notifier({**manager.variables, **WATCHDOG}, clock=lambda: now)

    def stall() -> None:
        nonlocal now
        for pause_s in (3, *[1] * 20):
            now += pause_s
            notifier.observed(seen(Verdict.FAULT, has_frame=False))

    with notifier.serving(), pytest.raises(CameraTimeout):
        stall()

    assert now == 111  # another 4.5 s would be too many


@pytest.mark.parametrize("has_look", [False, True], ids=["after opening", "after a good look"])
def test_what_went_before_takes_nothing_from_a_stall(manager: Manager, has_look: bool) -> None:
    """However long opening or a good look took, a stall after it may last as long as any other."""
    now = 100.0
    notifier = Notifier({**manager.variables, **WATCHDOG}, clock=lambda: now)

    def stall() -> None:
        nonlocal now
        while True:
            now += 1
            notifier.observed(seen(Verdict.FAULT, has_frame=False))

    now += 32
    with notifier.serving():
        if has_look:
            now += 8
            notifier.observed(seen(Verdict.IDLE))
        start = now
        with pytest.raises(CameraTimeout):
            stall()

    assert now - start == 14


def test_without_a_watchdog_a_stall_may_last() -> None:
    """On a desktop a camera may be plugged in again after an hour."""
    seconds = iter(range(0, 10000, 5))
    notifier = Notifier({}, clock=lambda: float(next(seconds)))

    for _ in range(720):
        notifier.observed(seen(Verdict.FAULT, has_frame=False))


def test_the_watchdog_is_petted_ten_times_in_its_time(manager: Manager) -> None:
    """At 30 frames a second the manager is woken no more often than it needs."""
    seconds = 0.0
    notifier = Notifier({**manager.variables, **WATCHDOG}, clock=lambda: seconds)

    for index in range(450):
        seconds = index / 30
        notifier.observed(seen(Verdict.IDLE))

    assert manager.heard().count("WATCHDOG=1") == PETS_PER_TIMEOUT


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "much"}, {**WATCHDOG, "WATCHDOG_PID": "1"}],
    ids=["none", "damaged", "of another process"],
)
def test_no_watchdog_is_not_petted(manager: Manager, watchdog: dict[str, str]) -> None:
    """Without a time-out for this process there is nothing to pet."""
    Notifier({**manager.variables, **watchdog}).observed(seen(Verdict.IDLE))

    assert manager.heard() == ["STATUS=Watching: idle."]


def test_the_own_watchdog_is_petted(manager: Manager) -> None:
    """The manager names the process that it means."""
    watchdog = {**WATCHDOG, "WATCHDOG_PID": str(os.getpid())}

    Notifier({**manager.variables, **watchdog}).observed(seen(Verdict.IDLE))

    assert manager.heard() == ["STATUS=Watching: idle.", "WATCHDOG=1"]


def test_an_error_is_left_as_the_status(manager: Manager) -> None:
    """The service's status shows why the service ended, and the error goes on."""
    with pytest.raises(CameraError), Notifier(manager.variables).explaining():
        raise CameraError("No camera found. Plug it in.")

    assert manager.heard() == ["STATUS=No camera found. Plug it in."]


def test_the_status_names_every_error(manager: Manager) -> None:
    """A lamp that cannot be switched off afterwards does not hide why the service ended."""

    @contextmanager
    def closing_badly() -> Iterator[None]:
        try:
            yield
        finally:
            raise GpioError("An output may still be on. Check it.")

    with pytest.raises(GpioError), Notifier(manager.variables).explaining(), closing_badly():
        raise CameraError("No camera found. Plug it in.")

    assert manager.heard() == ["STATUS=No camera found. Plug it in. An output may still be on. Check it."]


def test_a_name_that_is_no_text_is_told_all_the_same(manager: Manager) -> None:
    """A film whose name is not UTF-8 has a question mark in the status, and ends nothing."""
    Notifier(manager.variables).status("Film \udcff.mp4 is damaged. Copy it again.")

    assert manager.heard() == ["STATUS=Film ?.mp4 is damaged. Copy it again."]


def test_outside_a_service_everything_goes_nowhere() -> None:
    """On a desktop there is no manager, and nothing fails for that."""
    notifier = Notifier({})

    with notifier.explaining(), notifier.serving():
        notifier.observed(seen(Verdict.MASK))


def test_a_deaf_manager_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The door goes on without its manager; the log says so once, and anew after it had come back."""
    path = tmp_path / "notify"
    notifier = Notifier({"NOTIFY_SOCKET": str(path)})
    warnings = []

    with caplog.at_level(logging.WARNING, "pi_mask"):
        for is_there in (False, False, True, False):
            manager = Manager(str(path)) if is_there else None
            notifier.status("Here.")
            warnings.append(len(caplog.records))
            if manager is not None:
                manager.close()
                path.unlink()

    assert warnings == [1, 1, 1, 2]
    assert caplog.records[0].getMessage().startswith("The service manager cannot be told anything: ")
