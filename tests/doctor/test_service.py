"""Test the check of the service, and how it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pi_mask.doctor.machine import Service, query_service
from pi_mask.doctor.service import check_service
from pi_mask.history import History
from tests.doctor.made_up import Programs, Root, advised, found

RUNNING = Service(
    load="loaded",
    active="active",
    sub="running",
    enabled="enabled",
    restarts="0",
    since="Mon 2026-11-23 08:00:00 UTC",
    user="pi-mask",
)
SHOWN = """\
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NRestarts=0
ActiveEnterTimestamp=Mon 2026-11-23 08:00:00 UTC
User=pi-mask
Other=x=y"""


def test_systemd_is_asked_once(programs: Programs) -> None:
    """What it does not say stays empty; without systemd all of it is."""
    without = query_service()
    programs.answer("systemctl", SHOWN)

    assert (without, query_service()) == (Service(), RUNNING)


def test_a_running_service_is_well(root: Root) -> None:
    """Since when stands beside it, and what it says of itself."""
    watching = replace(RUNNING, status="Watching: idle.")

    assert found(check_service(root.pi(RUNNING))) == [
        ("ok", "", "Active (running) since Mon 2026-11-23 08:00:00 UTC")
    ]
    assert found(check_service(root.pi(watching))) == [
        ("ok", "", "Active (running) since Mon 2026-11-23 08:00:00 UTC: Watching: idle.")
    ]


def test_a_missing_service_matters_on_a_pi_only(root: Root) -> None:
    """A desktop is not a door."""
    assert found(check_service(root.machine())) == [("ok", "", "Not installed")]
    assert found(check_service(root.pi())) == [
        ("warning", "service-missing", "The service is not installed: pi-mask does not start by itself.")
    ]


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        ("exit-code", "2", "exit code 2 (the configuration is wrong)"),
        ("exit-code", "3", "exit code 3 (hardware is missing)"),
        ("exit-code", "4", "exit code 4 (the model is unusable)"),
        ("exit-code", "77", "exit code 77"),
        ("watchdog", "6", "watchdog"),
        ("core-dump", "6", "core-dump"),
        ("", "", "no reason given"),
    ],
)
@pytest.mark.parametrize("state", [("failed", "failed"), ("activating", "auto-restart")])
def test_a_failing_service_is_a_fault(
    root: Root, state: tuple[str, str], result: str, status: str, reason: str
) -> None:
    """Whether systemd has given up or waits for the next try; the reason is in words."""
    service = replace(RUNNING, active=state[0], sub=state[1], result=result, exit_status=status, restarts="7")

    assert found(check_service(root.pi(service))) == [
        ("fault", "service-failing", f"The service fails: {reason}, 7 restarts.")
    ]
    assert advised(check_service(root.pi(service))) == ['Read why: "journalctl -u pi-mask -n 50".']


def test_a_service_that_starts_again_after_a_failure_is_a_fault(root: Root) -> None:
    """While it waits before the next try nobody watches the door, whatever systemd calls that."""
    waiting = replace(RUNNING, active="activating", sub="start", since="", result="success", restarts="7")
    file = root.put("run/pi-mask/failures")
    unknown = found(check_service(root.pi(waiting)))
    History(file.parent).note("exit-code")

    assert unknown == [("fault", "service-failing", "The service fails: starting again, 7 restarts.")]
    assert found(check_service(root.pi(waiting))) == [
        ("fault", "service-failing", "The service fails: starting again (lately: exit-code), 7 restarts.")
    ]
    assert found(check_service(root.pi(replace(waiting, restarts="0")))) == [("ok", "", "Activating (start)")]


def test_restarts_are_a_warning(root: Root) -> None:
    """It works, but did not always."""
    assert found(check_service(root.pi(replace(RUNNING, restarts="3"))))[1:] == [
        (
            "warning",
            "service-restarted",
            "The service was restarted 3 times, last on Mon 2026-11-23 08:00:00 UTC.",
        )
    ]


def test_the_last_failures_are_named(root: Root) -> None:
    """Whoever may read the service's record is told what ended it in the last minutes."""
    file = root.put("run/pi-mask/failures")
    for result in ("core-dump", "watchdog"):
        History(file.parent).note(result)

    message = found(check_service(root.pi(replace(RUNNING, restarts="3"))))[1][2]

    assert message.endswith("last on Mon 2026-11-23 08:00:00 UTC (lately: core-dump, watchdog).")


def test_a_service_that_is_off_is_two_warnings(root: Root) -> None:
    """Nobody watches now, and nobody will after the next boot."""
    stopped = replace(RUNNING, active="inactive", sub="dead", enabled="disabled")

    assert found(check_service(root.pi(stopped))) == [
        ("warning", "service-stopped", "The service is stopped: nobody watches the door."),
        ("warning", "service-disabled", "The service does not start at boot (disabled)."),
    ]


@pytest.mark.parametrize("load", ["bad-setting", "error", "masked"])
def test_a_unit_that_systemd_does_not_take_is_a_fault(root: Root, load: str) -> None:
    """It is there, so installing it is no help: usually a drop-in is wrong."""
    unusable = Service(load=load, active="inactive", sub="dead", enabled="enabled", restarts="0")

    assert found(check_service(root.pi(unusable))) == [
        ("fault", "service-unusable", f"systemd does not take the service's unit ({load}): it cannot start.")
    ]


def test_a_unit_that_systemd_does_not_find_is_missing(root: Root) -> None:
    """As it says where nothing was installed."""
    unknown = Service(load="not-found", active="inactive", sub="dead", restarts="0")

    assert [code for _, code, _ in found(check_service(root.pi(unknown)))] == ["service-missing"]
