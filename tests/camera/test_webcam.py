"""Test that USB and network cameras become Frames."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pi_mask.camera import webcam
from pi_mask.camera.webcam import WebcamCamera
from pi_mask.errors import CameraError, CameraTimeout
from pi_mask.types import Frame
from tests.camera.media import NetworkCamera, plain, save_video

PATIENCE = 100
"""Attempts before a test gives up; each ends by itself."""


@pytest.fixture
def network_camera() -> Iterator[NetworkCamera]:
    """A camera on 127.0.0.1."""
    with closing(NetworkCamera()) as camera:
        yield camera


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect without the pauses that are meant for people's networks."""
    monkeypatch.setattr(webcam, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(webcam, "LAST_RETRY_S", 0.05)


def read_patiently(camera: WebcamCamera) -> Frame:
    """The next frame, however many time-outs come before it."""
    for _ in range(PATIENCE):
        try:
            return camera.read()
        except CameraTimeout:
            continue
    raise AssertionError("the camera never came back")


def read_until_stalled(camera: WebcamCamera, wait_s: float = math.inf) -> CameraTimeout:
    """Read what is on its way, then return the time-out."""
    for _ in range(PATIENCE):
        try:
            camera.read(wait_s)
        except CameraTimeout as error:
            return error
    raise AssertionError("the camera never stalled")


def test_network_camera(network_camera: NetworkCamera) -> None:
    """Frames of a network camera are red, new and newer each time."""
    with closing(WebcamCamera(network_camera.url, timeout_s=5.0)) as camera:
        frames = [camera.read() for _ in range(5)]

    for frame in frames:
        assert (frame.image.shape, frame.image.dtype, frame.source) == (
            (48, 64, 3),
            np.uint8,
            network_camera.url,
        )
        np.testing.assert_allclose(frame.image.astype(int), plain(), atol=3)
    assert len({frame.index for frame in frames}) == 5
    assert sorted(frames, key=lambda frame: frame.timestamp) == frames


def test_stalled_camera(network_camera: NetworkCamera) -> None:
    """A camera that sends nothing more ends the wait, and is read again when it goes on."""
    with closing(WebcamCamera(network_camera.url, timeout_s=0.5)) as camera:
        last = camera.read()
        network_camera.stall()
        error = read_until_stalled(camera)
        network_camera.resume()
        frame = read_patiently(camera)

    assert str(error).startswith(f"Webcam {network_camera.url} ")
    assert frame.index > last.index
    assert frame.timestamp > last.timestamp


def test_a_late_frame_is_waited_for_on(
    network_camera: NetworkCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """A read that waits for less than the time-out says so and costs nothing: the camera isn't lost."""
    with closing(WebcamCamera(network_camera.url, timeout_s=60.0)) as camera:
        last = camera.read()
        network_camera.stall()
        error = read_until_stalled(camera, wait_s=0.5)
        network_camera.resume()
        frame = read_patiently(camera)

    assert str(error) == (
        f"Webcam {network_camera.url} delivered no frame for 0.5 s. Check its cable or network."
    )
    assert frame.index > last.index
    assert caplog.messages == []


def test_camera_that_goes_and_comes_back(
    network_camera: NetworkCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost camera is reconnected by itself, with one warning when lost and one line when back."""
    caplog.set_level(logging.INFO, logger="pi_mask.camera.webcam")
    with closing(WebcamCamera(network_camera.url, timeout_s=0.5)) as camera:
        last = camera.read()
        network_camera.go_away()
        error = read_until_stalled(camera)
        network_camera.come_back()
        frame = read_patiently(camera)

    assert "is lost. Check its cable or network" in str(error)
    assert frame.index > last.index
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert [
        record.getMessage().removeprefix(f"Webcam {network_camera.url} ") for record in caplog.records
    ] == [
        "is lost. Check its cable or network; reconnecting.",
        "is back.",
    ]


def test_recording_in_place_of_a_camera(tmp_path: Path) -> None:
    """A video file is played in a loop, with indices and timestamps that go on."""
    path = save_video(tmp_path / "a.mp4", frames=3)
    with closing(WebcamCamera(str(path), timeout_s=5.0)) as camera:
        frames = [camera.read()]
        while frames[-1].index < 6:
            frames.append(camera.read())

    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    assert sorted(frames, key=lambda frame: frame.timestamp) == frames


def test_no_such_device() -> None:
    """A device that is not there is an error with advice and the exit code for missing hardware."""
    with pytest.raises(
        CameraError, match=r"^There is no webcam at /dev/video97\. Plug it in, or choose"
    ) as caught:
        WebcamCamera("97")

    assert caught.value.exit_code == 3
    assert not isinstance(caught.value, CameraTimeout)


def test_a_number_is_never_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called "0", as a mistyped ``2> 0`` leaves it, does not stand before the first camera."""
    monkeypatch.chdir(tmp_path)
    save_video(tmp_path / "a.mp4", frames=3).rename("97")

    with pytest.raises(CameraError, match=r"^There is no webcam at /dev/video97\."):
        WebcamCamera("97")


def test_huge_index() -> None:
    """A number that no device can have is an error like any other."""
    with pytest.raises(CameraError, match="There is no webcam at /dev/video99999999999"):
        WebcamCamera("99999999999")


def test_name_that_is_too_long() -> None:
    """So is one that the system refuses to look for."""
    with pytest.raises(CameraError, match=r"^There is no webcam at x+\. Plug it in"):
        WebcamCamera("x" * 300)


@pytest.mark.parametrize("start", ["rtsp:/", "rtsp;//", "rtsp:", ""])
def test_mistyped_address_hides_its_password(start: str) -> None:
    """What does not begin as a URL is looked for as a device, and may hold a password all the same."""
    with pytest.raises(CameraError, match=r"There is no webcam at \S*@camera/1\. Plug it in") as caught:
        WebcamCamera(f"{start}door:hunter2@camera/1")

    assert "hunter2" not in str(caught.value)


def test_device_that_is_no_camera() -> None:
    """A device that OpenCV cannot open is said to be in use."""
    with pytest.raises(CameraError, match=r"Cannot open webcam /dev/null\. Close what else uses it"):
        WebcamCamera("/dev/null")


def test_device_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that may not be opened says which group opens it."""
    device = tmp_path / "video0"
    device.mkdir()
    monkeypatch.setattr(webcam.os, "access", lambda *_: False)

    with pytest.raises(CameraError, match=r"No permission to use .*video0\. Run: sudo usermod -aG video"):
        WebcamCamera(str(device))


def test_unreachable_stream(network_camera: NetworkCamera, capfd: pytest.CaptureFixture[str]) -> None:
    """A stream that nobody serves is an error without its password, and nothing is on the terminal."""
    network_camera.go_away()
    url = f"http://someone:pass@word/1@127.0.0.1:{network_camera.port}/video?pwd=secret"

    with pytest.raises(CameraError) as caught:
        WebcamCamera(url)

    assert str(caught.value) == (
        f"Cannot open the stream http://***@127.0.0.1:{network_camera.port}/video?***. "
        "Check the address, the password and the network."
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("is_stream", "is_told"), [(True, True), (False, False)], ids=["stream", "file"])
def test_the_service_has_no_network(
    is_stream: bool, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the service a stream that does not open may be right and locked out, which a file is never."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    (tmp_path / "text.mp4").write_text("no film")

    with pytest.raises(CameraError) as caught:
        WebcamCamera("rtsp://127.0.0.1:1/door" if is_stream else str(tmp_path / "text.mp4"))

    lock = "The service has no network without a drop-in for this camera (docs/service.md). Check"
    assert (lock in str(caught.value)) == is_told


@pytest.mark.parametrize(
    "secret", ["user=me_password=abc_channel=1.sdp", "cam/pwd:abc/1", "x?Token=abc", "user=me&pass=abc"]
)
def test_password_in_a_path_is_nowhere(secret: str) -> None:
    """Some cameras want it there."""
    with pytest.raises(CameraError, match=r"^Cannot open the stream rtsp://127\.0\.0\.1:1/") as caught:
        WebcamCamera(f"rtsp://127.0.0.1:1/{secret}")

    assert "abc" not in str(caught.value)


def test_password_is_nowhere(network_camera: NetworkCamera, caplog: pytest.LogCaptureFixture) -> None:
    """A password in a URL opens the stream and is in no frame, message or log line."""
    caplog.set_level(logging.DEBUG)
    url = network_camera.url.replace("//", "//someone:secret@") + "?token=secret"
    with closing(WebcamCamera(url, timeout_s=0.5)) as camera:
        frame = camera.read()
        network_camera.go_away()
        error = read_until_stalled(camera)

    assert frame.source == network_camera.url.replace("//", "//***@") + "?***"
    assert "secret" not in str(error) + caplog.text + " ".join(t.name for t in threading.enumerate())


def test_close_ends_the_thread(network_camera: NetworkCamera) -> None:
    """Nothing of a closed camera goes on running."""
    before = threading.active_count()
    camera = WebcamCamera(network_camera.url, timeout_s=5.0)
    camera.read()
    camera.close()
    network_camera.go_away()

    assert threading.active_count() < before


def test_close_ends_a_read(network_camera: NetworkCamera) -> None:
    """Closing ends a read that waits in another thread."""
    camera = WebcamCamera(network_camera.url, timeout_s=30.0)
    network_camera.stall()
    closer = threading.Thread(target=camera.close)
    closer.start()

    with pytest.raises(CameraError, match="was closed"):
        read_until_stalled(camera)
    network_camera.resume()
    closer.join()


def test_unread_frame_grows_too_old(network_camera: NetworkCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that waited longer than the time-out is not shown as news."""
    with closing(WebcamCamera(network_camera.url, timeout_s=0.5)) as camera:
        last = camera.read()
        network_camera.go_away()
        read_until_stalled(camera)
        camera._newest = webcam._Grab(last.image, last.timestamp - 1.0, last.index + 1)

        with pytest.raises(CameraTimeout):
            camera.read()
