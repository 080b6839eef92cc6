"""Check the systemd service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine, Service
from pi_mask.history import History

_MEANINGS: Final = {
    "1": "a failure",
    "2": "the configuration is wrong",
    "3": "hardware is missing",
    "4": "the model is unusable",
}
RUNTIME_FOLDER: Final = "run/pi-mask"
_LOG: Final = 'Read why: "journalctl -u pi-mask -n 50".'

MISSING = Symptom(
    "service-missing",
    Status.WARNING,
    "The service is not installed: pi-mask does not start by itself.",
    "Run ./install.sh.",
)
UNUSABLE = Symptom(
    "service-unusable",
    Status.FAULT,
    "systemd does not take the service's unit ({load}): it cannot start.",
    'Read why: "systemctl status pi-mask". To take your changes of it back: sudo systemctl revert pi-mask',
)
FAILING = Symptom("service-failing", Status.FAULT, "The service fails: {what}, {restarts} restarts.", _LOG)
STOPPED = Symptom(
    "service-stopped",
    Status.WARNING,
    "The service is stopped: nobody watches the door.",
    "Start it: sudo systemctl start pi-mask",
)
DISABLED = Symptom(
    "service-disabled",
    Status.WARNING,
    "The service does not start at boot (disabled).",
    "Enable it: sudo systemctl enable pi-mask",
)
RESTARTED = Symptom(
    "service-restarted",
    Status.WARNING,
    "The service was restarted {restarts} times, last on {since}{lately}.",
    _LOG,
)


def check_service(machine: Machine) -> Iterator[Result]:
    """Say whether the service runs, starts at boot, and how often it had to be restarted."""
    service = machine.service
    if not service.is_installed:
        if service.load not in {"", "not-found"}:
            yield UNUSABLE.found(load=service.load)
        else:
            yield MISSING.found() if machine.is_raspberry_pi else ok("Not installed")
        return
    restarts = int(service.restarts) if service.restarts.isdecimal() else 0
    if service.active == "failed" or service.sub == "auto-restart":
        yield FAILING.found(what=_reason(service), restarts=restarts)
    elif service.active == "activating" and restarts:  # the back-off lies in its start: pi_mask/history.py
        yield FAILING.found(what=f"starting again{_lately(machine)}", restarts=restarts)
    elif service.is_running:
        since = f" since {service.since}" if service.since else ""
        status = f": {service.status}" if service.status else ""
        yield ok(f"{service.active.capitalize()} ({service.sub}){since}{status}")
        if restarts:
            since = service.since or "an unknown day"
            yield RESTARTED.found(restarts=restarts, since=since, lately=_lately(machine))
    else:
        yield STOPPED.found()
    if service.enabled == "disabled":
        yield DISABLED.found()


def _lately(machine: Machine) -> str:
    """What ended the service in the last minutes, as far as this user may read it."""
    results = [failure.result for failure in History(machine.root / RUNTIME_FOLDER).failures]
    return f" (lately: {', '.join(results)})" if results else ""


def _reason(service: Service) -> str:
    if service.result != "exit-code":
        return service.result or "no reason given"
    meaning = _MEANINGS.get(service.exit_status)
    return f"exit code {service.exit_status}" + (f" ({meaning})" if meaning else "")
