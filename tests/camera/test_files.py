"""Test which files FilesCamera plays, in which order and at what pace."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pi_mask.camera import files
from pi_mask.camera.files import FilesCamera
from pi_mask.errors import CameraError, InputError
from tests.camera.media import plain, save_picture, save_video
from tests.camera.reading import only_image, outline, read_all


def test_time_and_index_over_mixed_sources(tmp_path: Path) -> None:
    """Time goes on over all files while the index starts again with each."""
    folder = tmp_path / "folder"
    folder.mkdir()
    save_picture(folder / "b.png", plain())
    save_video(folder / "a.mp4", frames=3, fps=10.0)
    last = save_picture(tmp_path / "last.jpg", plain())

    assert outline(read_all(folder, last)) == [
        ("a.mp4", 0, 0.0),
        ("a.mp4", 1, 0.1),
        ("a.mp4", 2, 0.2),
        ("b.png", 0, 0.3),
        ("last.jpg", 0, 1.3),
    ]


def test_folder_takes_only_what_it_should(tmp_path: Path) -> None:
    """A folder stands for the pictures and videos directly in it, whatever the case of their suffix."""
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "deeper").mkdir()
    save_picture(tmp_path / "deeper" / "c.png", plain())
    save_picture(tmp_path / ".hidden.png", plain())
    save_picture(tmp_path / "b.png", plain()).rename(tmp_path / "b.PNG")
    save_picture(tmp_path / "a.png", plain())

    assert outline(read_all(tmp_path)) == [("a.png", 0, 0.0), ("b.PNG", 0, 1.0)]


def test_file_without_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    """A picture that is named explicitly needs no suffix."""
    path = save_picture(tmp_path / "picture.png", plain()).rename(tmp_path / "picture")

    np.testing.assert_array_equal(only_image(path), plain())


def test_missing_path(tmp_path: Path) -> None:
    """A missing path is reported at once, with advice."""
    with pytest.raises(InputError, match=r"gone\.jpg does not exist\. Check the path\.$"):
        FilesCamera([tmp_path / "gone.jpg"])


def test_path_that_cannot_be_reached(tmp_path: Path) -> None:
    """So is one that the system refuses to look for."""
    name = "x" * 300

    with pytest.raises(InputError, match=rf"{name} cannot be reached: File name too long\. Check"):
        FilesCamera([tmp_path / name])


def test_folder_without_pictures(tmp_path: Path) -> None:
    """A folder that holds nothing to show is reported at once, with advice."""
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(InputError, match=r"holds no picture or video\. Name a folder with JPEG, PNG or MP4"):
        FilesCamera([tmp_path])


def test_folder_without_pictures_among_others(tmp_path: Path) -> None:
    """Where there is more to show, it is named at its turn and the others are shown."""
    (tmp_path / "empty").mkdir()
    path = save_picture(tmp_path / "a.png", plain())

    with closing(FilesCamera([path, tmp_path / "empty", path])) as camera:
        first = camera.read()
        with pytest.raises(InputError, match=r"empty holds no picture or video\."):
            camera.read()
        second, end = camera.read(), camera.read()

    assert [frame and frame.source for frame in (first, second, end)] == [str(path), str(path), None]


def test_no_source() -> None:
    """Nothing at all is reported at once."""
    with pytest.raises(InputError, match="No picture, folder or video was given"):
        FilesCamera([])


def test_device_is_no_file() -> None:
    """What would deliver bytes for ever is refused."""
    with pytest.raises(InputError, match="/dev/zero is neither a file nor a folder"):
        FilesCamera([Path("/dev/zero")])


def test_file_that_disappeared(tmp_path: Path) -> None:
    """A file that is gone when its turn comes is reported like a damaged one."""
    first, second = (save_picture(tmp_path / name, plain()) for name in ("a.png", "b.png"))
    with closing(FilesCamera([first, second])) as camera:
        first.unlink()

        with pytest.raises(InputError, match=r"a\.png cannot be read: No such file or directory"):
            camera.read()
        frame = camera.read()

    assert frame is not None
    assert frame.source == str(second)


def test_realtime_waits_for_each_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time a frame waits for its own time; after a pause of the reader the rest shifts by as much."""
    clock, waits = [100.0], []

    class Closed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            clock[0] += timeout
            return False

    monkeypatch.setattr(files.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(files.threading, "Event", Closed)
    with closing(FilesCamera([save_video(tmp_path / "a.mp4", frames=5, fps=10.0)], realtime=True)) as camera:
        for spent_s in (0.0, 0.04, 3.0, 0.0, 0.0):
            clock[0] += spent_s
            camera.read()

    assert waits == [pytest.approx(wait) for wait in (0.06, 0.1, 0.1)]


def test_close_ends_a_wait(tmp_path: Path) -> None:
    """Closing ends a read that waits for a picture's time."""
    paths = [save_picture(tmp_path / f"{name}.png", plain()) for name in "ab"]
    camera = FilesCamera(paths, realtime=True)
    camera.read()
    closer = threading.Thread(target=camera.close)
    closer.start()

    with pytest.raises(CameraError, match="These files were closed"):
        camera.read()
    closer.join()


def test_a_password_in_a_source_is_hidden() -> None:
    """Somebody forgot --camera webcam."""
    with pytest.raises(InputError, match=r"^rtsp:/\*\*\*@camera/1 does not exist"):
        FilesCamera([Path("rtsp://door:hunter2@camera/1")])
