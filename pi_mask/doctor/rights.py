"""Check that users may use the devices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.coral import find_usb
from pi_mask.doctor.machine import Machine

if TYPE_CHECKING:
    from pi_mask.settings import Settings

SERVICE_LACKS = Symptom(
    "rights-service",
    Status.FAULT,
    "The service's user {user} is not in {groups}.",
    "Run: sudo usermod -aG {groups} {user} && sudo systemctl restart pi-mask",
)
USER_LACKS = Symptom(
    "rights-user",
    Status.WARNING,
    "You are not in {groups}, so checks below may fail for you alone.",
    "Run: sudo usermod -aG {groups} $USER, then log in again.",
)


def check_rights(machine: Machine, settings: Settings) -> Iterator[Result]:
    """See that the user of the service, and whoever asks, are in the groups of the devices in use."""
    known = {line.partition(":")[0] for line in (machine.read("etc/group") or "").splitlines()}
    needed = [group for group in _needed(machine, settings) if group in known]
    lacking = [*_service_lacks(machine, needed), *_user_lacks(needed)]
    yield from lacking or [
        ok(f"May use the devices of {', '.join(needed)}" if needed else "No group is needed")
    ]


def _needed(machine: Machine, settings: Settings) -> Iterator[str]:
    camera = settings.camera
    if camera.kind == "picamera" or (camera.kind == "webcam" and "://" not in camera.source):
        yield "video"
    if settings.indicator.kind == "gpio" and settings.indicator.gpio.pin_factory != "mock":
        yield "gpio"
    if settings.model.accelerator != "cpu" and find_usb(machine.root):
        yield "plugdev"


def _service_lacks(machine: Machine, needed: list[str]) -> Iterator[Result]:
    service = machine.service
    if not service.is_installed or service.user in {"", "root"}:
        return
    has = {*(ask("id", "-nG", service.user) or "").split(), *service.groups.split()}
    if lacking := [group for group in needed if group not in has]:
        yield SERVICE_LACKS.found(user=service.user, groups=",".join(lacking))


def _user_lacks(needed: list[str]) -> Iterator[Result]:
    has = set((ask("id", "-nG") or "").split())
    lacking = [group for group in needed if group not in has]
    if lacking and os.geteuid() != 0:
        yield USER_LACKS.found(groups=",".join(lacking))
