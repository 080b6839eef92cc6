"""Test the check of the camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pi_mask import build
from pi_mask.doctor.camera import WATCHED_FRAMES, check_camera
from pi_mask.doctor.machine import Service
from pi_mask.errors import CameraError, CameraTimeout, InputError
from pi_mask.settings import CameraSettings, Settings
from pi_mask.testing import ScriptedCamera
from pi_mask.types import Frame
from tests.doctor.made_up import Root, advised, found
from tests.doctor.test_picture import textured

WEBCAM = Settings(camera=CameraSettings(kind="webcam"))
RUNNING = Service(load="loaded", active="active", sub="running")


def frames(count: int, fps: float = 10.0) -> list[Frame]:
    """Sharp frames, no two the same."""
    noisy = [textured() for _ in range(count)]
    for index, image in enumerate(noisy):
        image[0, 0] = index
    return [Frame(image, index / fps, index) for index, image in enumerate(noisy)]


def install(
    monkeypatch: pytest.MonkeyPatch, *script: Frame | CameraError | InputError, kind: str = "webcam"
) -> ScriptedCamera:
    """Put a scripted camera in the place of a kind."""
    camera = ScriptedCamera(script, is_live=True)
    monkeypatch.setattr(build, "CAMERAS", {kind: lambda _: camera})
    return camera


def test_a_good_camera_is_described(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolution, frame rate, brightness and focus; it is closed afterwards, having kept no picture."""
    camera = install(monkeypatch, *frames(30))

    ((status, _, message),) = found(check_camera(root.machine(), WEBCAM))

    assert status == "ok"
    assert message.startswith("webcam: 640×480, 10.0 frames a second, brightness 1")
    assert camera.is_closed


@pytest.mark.parametrize(("fps", "read"), [(100.0, WATCHED_FRAMES), (1.0, 5)])
def test_it_looks_for_a_while_only(
    root: Root, monkeypatch: pytest.MonkeyPatch, fps: float, read: int
) -> None:
    """60 frames or four seconds, whichever ends first."""
    camera = install(monkeypatch, *frames(70, fps))

    list(check_camera(root.machine(), WEBCAM))

    assert camera.reads == read


def test_dark_frames_are_a_warning_beside_the_description(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen comes first, then what is wrong with it."""
    dark = [Frame(np.full((480, 640, 3), 3 + index, np.uint8), index / 10, index) for index in range(4)]
    install(monkeypatch, *dark)

    assert [(status, code) for status, code, _ in found(check_camera(root.machine(), WEBCAM))] == [
        ("ok", ""),
        ("warning", "camera-dark"),
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            CameraTimeout("Webcam 0 delivered no frame for 5 s. Check its cable."),
            ("camera-silent", "Webcam 0 delivered no frame for 5 s.", "Check its cable."),
        ),
        (
            CameraError("There is no webcam at /dev/video0. Plug it in."),
            ("camera-missing", "There is no webcam at /dev/video0.", "Plug it in."),
        ),
        (
            CameraError("Gone"),
            ("camera-missing", "Gone", "Check the camera and its cable, or camera.kind and source."),
        ),
    ],
)
def test_a_camera_that_fails_is_a_fault_of_the_hardware(
    root: Root, monkeypatch: pytest.MonkeyPatch, error: CameraError, expected: tuple[str, str, str]
) -> None:
    """Its own words are message and advice; exit code 3."""
    camera = install(monkeypatch, error)

    results = list(check_camera(root.machine(), WEBCAM))

    code, message, advice = expected
    assert found(results) == [("fault", code, message)]
    assert (advised(results), results[0].exit_code, camera.is_closed) == ([advice], 3, True)


def test_a_stream_that_ends_at_once_is_silent(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame is no picture to judge."""
    install(monkeypatch)

    assert found(check_camera(root.machine(), WEBCAM)) == [
        ("fault", "camera-silent", "The camera's stream ended without a frame.")
    ]


def test_files_that_cannot_be_read_are_left_out(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless that leaves nothing."""
    settings = Settings(camera=CameraSettings(kind="files", source="x"))
    broken = InputError("b.png is empty. Copy it again.")
    install(monkeypatch, broken, *frames(1), kind="files")
    one = found(check_camera(root.machine(RUNNING), settings))
    install(monkeypatch, broken, kind="files")

    none = found(check_camera(root.machine(RUNNING), settings))

    assert [status for status, _, _ in one] == ["ok"]
    assert none == [("fault", "camera-missing", "b.png is empty.")]


def test_the_running_service_keeps_its_camera(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs cannot have it, so it is not even opened: the service's word counts."""
    camera = install(monkeypatch, *frames(3))
    watching = replace(RUNNING, status="Watching on the CPU, without the Edge TPU: idle.")
    lost = replace(RUNNING, status="Webcam 0 is lost.")
    silent = (
        "warning",
        "camera-in-use",
        "Not looked at: the service has the camera, and does not say that it sees anything.",
    )

    assert [found(check_camera(root.machine(service), WEBCAM)) for service in (watching, lost, RUNNING)] == [
        [("ok", "", "The service has it. Watching on the CPU, without the Edge TPU: idle.")],
        [silent],
        [silent],
    ]
    assert camera.reads == 0
