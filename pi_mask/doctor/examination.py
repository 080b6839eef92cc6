"""Run all checks, each where it can do no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from pydantic import TypeAdapter

from pi_mask.doctor.base import Result, Status, Symptom
from pi_mask.doctor.camera import LEFT_OUT, check_camera
from pi_mask.doctor.clock import check_clock
from pi_mask.doctor.config import NOT_CHECKED, check_config
from pi_mask.doctor.coral import check_coral
from pi_mask.doctor.machine import Machine
from pi_mask.doctor.model import check_model, check_runtime
from pi_mask.doctor.pins import check_pins
from pi_mask.doctor.power import check_power, check_temperature
from pi_mask.doctor.rights import check_rights
from pi_mask.doctor.service import check_service
from pi_mask.doctor.storage import check_disk
from pi_mask.doctor.system import check_system
from pi_mask.errors import SettingsError
from pi_mask.redaction import clean
from pi_mask.settings import LoadedSettings, Settings

MachineCheck: TypeAlias = Callable[[Machine], Iterable[Result]]
DeviceCheck: TypeAlias = Callable[[Machine, Settings], Iterable[Result]]

TIMEOUT_S: Final = 90.0
"""A camera may take 10 s to open, and each frame up to camera.timeout_s; the TPU's own probe takes 20."""

MACHINE_CHECKS: Final[Mapping[str, MachineCheck]] = MappingProxyType(
    {
        "system": check_system,
        "power": check_power,
        "temperature": check_temperature,
        "disk": check_disk,
        "clock": check_clock,
        "service": check_service,
    }
)
DEVICE_CHECKS: Final[Mapping[str, DeviceCheck]] = MappingProxyType(
    {
        "rights": check_rights,
        "runtime": check_runtime,
        "model": check_model,
        "coral": check_coral,
        "camera": check_camera,
        "pins": check_pins,
    }
)
"""Checks that load native code or wait for devices; each runs in a child process."""
NAMES: Final = ("config", *MACHINE_CHECKS, *DEVICE_CHECKS)

BROKEN = Symptom(
    "check-broken",
    Status.FAULT,
    "This check itself failed: {reason}.",
    "That is a bug: please report it with pi-mask doctor --bundle FILE.zip.",
)
CRASHED = Symptom(
    "check-crashed",
    Status.FAULT,
    "Its process died ({reason}): a library or driver is broken.",
    "Install pi-mask anew (install.sh); if it stays, report it with pi-mask doctor --bundle FILE.zip.",
)
HANGING = Symptom(
    "check-hanging",
    Status.FAULT,
    "No answer within {seconds:g} s: a driver hangs.",
    "Re-plug the device, and restart the Pi.",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a child process has to know."""

    machine: Machine
    settings: Settings


def examine(
    machine: Machine, loaded: LoadedSettings | SettingsError, *, has_camera: bool = True
) -> Iterator[Result]:
    """Run every check and give its results, secrets hidden, as they come.

    Args:
        machine: What to examine.
        loaded: The settings, or why there are none: then what needs them is not checked.
        has_camera: False leaves the camera alone.
    """
    for name in NAMES:
        for result in guarded(_results(name, machine, loaded, has_camera=has_camera)):
            yield replace(result, check=name, message=clean(result.message), advice=clean(result.advice))


def exit_code(results: Iterable[Result]) -> int:
    """0 without a fault; else the first that occurs of 3 hardware, 4 model, 2 configuration, 1 others."""
    codes = {result.exit_code for result in results if result.status is Status.FAULT}
    return next((code for code in (3, 4, 2) if code in codes), 1 if codes else 0)


def guarded(results: Iterable[Result]) -> Iterator[Result]:
    """The results until a check breaks, and then that it did."""
    try:
        yield from results
    except Exception as error:  # whatever it is, the other checks go on
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
        yield BROKEN.found(reason=reason)


def _results(
    name: str, machine: Machine, loaded: LoadedSettings | SettingsError, *, has_camera: bool
) -> Iterable[Result]:
    if name == "config":
        return check_config(machine, loaded)
    if name in MACHINE_CHECKS:
        return MACHINE_CHECKS[name](machine)
    if name == "camera" and not has_camera:
        return [LEFT_OUT.found()]
    if isinstance(loaded, SettingsError):
        return [NOT_CHECKED.found()]
    return run_apart(name, machine, loaded.settings)


def run_apart(
    name: str, machine: Machine, settings: Settings, timeout_s: float = TIMEOUT_S
) -> Iterator[Result]:
    """Run a device's check in a child process, which may crash or hang.

    Args:
        name: A key of ``DEVICE_CHECKS``.
        machine: Handed over.
        settings: Handed over.
        timeout_s: Time until the child and all that it started are killed.
    """
    # -P and the parent's own path: the child imports this very package, wherever the doctor was started.
    command = [sys.executable, "-P", "-m", "pi_mask.doctor.child", name]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    request = TypeAdapter(Request).dump_json(Request(machine, settings))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
    ) as child:
        is_hanging = False
        try:
            output, errors = child.communicate(request, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            is_hanging = True
            _end(child)
            output, errors = child.communicate()
        finally:  # Ctrl-C does not reach a session of its own
            _end(child)
    result = TypeAdapter(Result)
    for line in output.splitlines():
        yield result.validate_json(line)
    if is_hanging:
        yield HANGING.found(seconds=timeout_s)
    elif child.returncode != 0:
        yield CRASHED.found(reason=_cause(child.returncode, errors))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child that still runs, with the children it has."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def _cause(code: int, errors: bytes) -> str:
    if code < 0:
        return signal.Signals(-code).name
    last_words = errors.decode(errors="replace").strip().rpartition("\n")[2]
    return last_words or f"exit code {code}"
