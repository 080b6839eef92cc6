"""Check the camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Final

from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine
from pi_mask.errors import CameraTimeout, InputError, PiMaskError

if TYPE_CHECKING:
    from pi_mask.camera.base import Camera
    from pi_mask.doctor.picture import Look
    from pi_mask.settings import Settings

WATCHED_FRAMES: Final = 60
WATCHED_S: Final = 4.0
"""Long enough for a slow frame rate to show and for exposure to settle; whichever ends first."""

IN_USE = Symptom(
    "camera-in-use",
    Status.WARNING,
    "Not looked at: the service has the camera, and does not say that it sees anything.",
    "To have it looked at: sudo systemctl stop pi-mask, run this again, sudo systemctl start pi-mask",
)
LEFT_OUT = Symptom(
    "camera-left-out", Status.WARNING, "Not looked at (--no-camera).", "Run it without --no-camera."
)
MISSING = Symptom(
    "camera-missing", Status.FAULT, "{error}", "Check the camera and its cable, or camera.kind and source."
)
SILENT = Symptom("camera-silent", Status.FAULT, "{error}", "Check its cable, and restart the Pi.")


def check_camera(machine: Machine, settings: Settings) -> Iterator[Result]:
    """Open the camera of the settings, look at some seconds of it, and judge them.

    A camera that the service holds is left alone, for two programs cannot have it: the service's word counts.
    """
    from pi_mask.build import CAMERAS

    kind = settings.camera.kind
    if machine.service.is_running and kind != "files":
        in_use = ok(f"The service has it. {machine.service.status}")
        yield in_use if machine.service.is_watching else IN_USE.found()
        return
    try:
        with closing(CAMERAS[kind](settings.camera)) as camera:
            looks = _watch(camera)
    except CameraTimeout as error:
        yield SILENT.caused_by(error)
    except PiMaskError as error:
        yield MISSING.caused_by(error)
    else:
        yield from _report(looks, settings)


def _watch(camera: Camera) -> list[Look]:
    """Read for a while. Files that cannot be read are left out, unless that leaves nothing.

    Raises:
        PiMaskError: The camera failed, or nothing can be read.
    """
    from pi_mask.doctor.picture import look_at

    looks: list[Look] = []
    unreadable: InputError | None = None
    while len(looks) < WATCHED_FRAMES:
        try:
            frame = camera.read()
        except InputError as error:
            unreadable = error
            continue
        if frame is None:
            break
        looks.append(look_at(frame))
        if looks[-1].timestamp - looks[0].timestamp >= WATCHED_S:
            break
    if not looks:
        raise unreadable or CameraTimeout("The camera's stream ended without a frame. Check its cable.")
    return looks


def _report(looks: list[Look], settings: Settings) -> Iterator[Result]:
    from pi_mask.doctor.picture import frame_rate, judge, settled

    seen, fps = settled(looks), frame_rate(looks)
    rate = f", {fps:.1f} frames a second" if fps is not None else ""
    yield ok(
        f"{settings.camera.kind}: {seen.width}×{seen.height}{rate}, "
        f"brightness {seen.brightness:.0f}, focus {seen.focus:.0f}"
    )
    yield from judge(looks, settings)
