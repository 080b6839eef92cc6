"""Test what every camera promises, on all cameras that need no hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pi_mask.camera.base import Camera
from pi_mask.camera.files import FilesCamera
from pi_mask.camera.webcam import WebcamCamera
from pi_mask.errors import CameraError
from pi_mask.types import Frame
from tests.camera.media import NetworkCamera, plain, save_picture, save_video

FRAMES = 3
Opener = Callable[[], Camera]


def image(folder: Path, _: ExitStack) -> Opener:
    """One picture."""
    path = save_picture(folder / "a.png", plain())
    return lambda: FilesCamera([path])


def pictures(folder: Path, _: ExitStack) -> Opener:
    """A folder of pictures."""
    for name in ("a.png", "b.jpg", "c.webp"):
        save_picture(folder / name, plain())
    return lambda: FilesCamera([folder])


def video(folder: Path, _: ExitStack) -> Opener:
    """A video."""
    path = save_video(folder / "a.mp4", FRAMES)
    return lambda: FilesCamera([path])


def video_in_real_time(folder: Path, _: ExitStack) -> Opener:
    """A video at its own frame rate."""
    path = save_video(folder / "a.mp4", FRAMES, fps=100.0)
    return lambda: FilesCamera([path], realtime=True)


def webcam_recording(folder: Path, _: ExitStack) -> Opener:
    """A video in place of a webcam."""
    path = save_video(folder / "a.avi", 300)
    return lambda: WebcamCamera(str(path), timeout_s=10.0)


def webcam_http(_: Path, resources: ExitStack) -> Opener:
    """A network camera."""
    served = resources.enter_context(closing(NetworkCamera()))
    return lambda: WebcamCamera(served.url, timeout_s=10.0)


@pytest.fixture(params=[image, pictures, video, video_in_real_time, webcam_recording, webcam_http])
def open_camera(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Open one kind of camera, which sees nothing but red."""
    with ExitStack() as resources:
        yield request.param(tmp_path, resources)


def frames_of(camera: Camera) -> list[Frame]:
    """The first frames, or all there are."""
    frames: list[Frame] = []
    while len(frames) < FRAMES and (frame := camera.read()) is not None:
        frames.append(frame)
    return frames


def test_red_is_red(open_camera: Opener) -> None:
    """The channels are red, green and blue, in this order."""
    with closing(open_camera()) as camera:
        frame = camera.read()

    assert frame is not None
    np.testing.assert_allclose(frame.image.astype(int), plain(), atol=12)


def test_layout(open_camera: Opener) -> None:
    """An image is height × width × 3 of uint8 without gaps."""
    with closing(open_camera()) as camera:
        layouts = {
            (f.image.shape, str(f.image.dtype), f.image.flags["C_CONTIGUOUS"]) for f in frames_of(camera)
        }

    assert layouts == {((48, 64, 3), "uint8", True)}


def test_order(open_camera: Opener) -> None:
    """Timestamps grow strictly, and so do the indices within a source."""
    with closing(open_camera()) as camera:
        frames = frames_of(camera)

    assert all(isinstance(frame.timestamp, float) and isinstance(frame.index, int) for frame in frames)
    for earlier, later in pairwise(frames):
        assert later.timestamp > earlier.timestamp
        assert later.index > (earlier.index if later.source == earlier.source else -1)


def test_images_are_kept(open_camera: Opener) -> None:
    """A later read leaves the images of earlier frames alone."""
    with closing(open_camera()) as camera:
        frames = frames_of(camera)

    assert len({frame.image.ctypes.data for frame in frames}) == len(frames)
    for frame in frames:
        np.testing.assert_allclose(frame.image.astype(int), plain(), atol=12)


def test_end(open_camera: Opener) -> None:
    """Files end with None again and again; a live camera has no end."""
    with closing(open_camera()) as camera:
        while not camera.is_live and camera.read() is not None:
            pass
        after = [camera.read() for _ in range(2)]

    assert [frame is None for frame in after] == [not camera.is_live] * 2


def test_source_is_named(open_camera: Opener) -> None:
    """Every frame says where it comes from."""
    with closing(open_camera()) as camera:
        assert all(frame.source for frame in frames_of(camera))


def test_close_twice(open_camera: Opener) -> None:
    """Closing again does nothing."""
    camera = open_camera()
    camera.read()
    camera.close()
    camera.close()


def test_close_unread(open_camera: Opener) -> None:
    """A camera may be closed before the first read."""
    open_camera().close()


def test_read_after_close(open_camera: Opener) -> None:
    """A read after closing is an error: None would look like the end of the files."""
    camera = open_camera()
    camera.read()
    camera.close()

    with pytest.raises(CameraError, match=r"closed\. Open (it|them) again"):
        camera.read()


def test_open_again(open_camera: Opener) -> None:
    """A source that was closed can be opened anew."""
    open_camera().close()
    with closing(open_camera()) as camera:
        assert camera.read() is not None
