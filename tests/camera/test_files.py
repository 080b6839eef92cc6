"""Test that files become Frames."""

from __future__ import annotations

import os
import struct
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_mask.camera import files
from pi_mask.camera.codec_messages import caught_codec_messages
from pi_mask.camera.files import FALLBACK_FPS, FilesCamera
from pi_mask.errors import CameraError, InputError
from pi_mask.types import Frame
from tests.camera import media
from tests.camera.media import RED, encoded, noise, plain, png, png_chunk, save_picture, save_video


def read_all(*sources: Path) -> list[Frame | str]:
    """Every frame, and the message of every error in its place."""
    seen: list[Frame | str] = []
    with closing(FilesCamera(sources)) as camera:
        while True:
            try:
                frame = camera.read()
            except InputError as error:
                seen.append(str(error))
                continue
            if frame is None:
                return seen
            seen.append(frame)


def outline(seen: list[Frame | str]) -> list[Any]:
    """File name, index and timestamp of each frame; errors as they are."""
    return [
        s if isinstance(s, str) else (Path(s.source).name, s.index, pytest.approx(s.timestamp)) for s in seen
    ]


def only_image(path: Path) -> Any:
    """The image of a file that holds one."""
    (frame,) = read_all(path)
    assert isinstance(frame, Frame), frame
    return frame.image


def only_error(path: Path) -> str:
    """The message about a file that cannot be read."""
    (error,) = read_all(path)
    assert isinstance(error, str)
    return error


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


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    """A red picture is red in every format, up to what JPEG and WebP lose."""
    image = only_image(save_picture(tmp_path / f"red{suffix}", plain()))

    assert (image.shape, image.dtype, image.flags["C_CONTIGUOUS"]) == ((48, 64, 3), np.uint8, True)
    np.testing.assert_allclose(image.astype(int), plain(), atol=3)


BLENDED = [(128, 128, 255), (255, 255, 255)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(".png", np.array([[7, 200]], np.uint8)), [(7, 7, 7), (200, 200, 200)]),
        (png((2, 1, 8, 4), bytes([0, 100, 255, 50, 0])), [(100, 100, 100), (255, 255, 255)]),
        (png((2, 1, 8, 6), bytes([0, 0, 0, 255, 127, 9, 9, 9, 0])), BLENDED),
        (png((2, 1, 8, 6), bytes([0, 9, 8, 7, 255, 6, 5, 4, 255])), [(9, 8, 7), (6, 5, 4)]),
        (png((2, 1, 16, 6), b"\0" + struct.pack(">8H", 0, 0, 65535, 32767, 9, 9, 9, 0)), BLENDED),
        (png((2, 1, 8, 3), bytes([0, 0, 1]), png_chunk(b"PLTE", bytes([*RED, 1, 2, 3]))), [RED, (1, 2, 3)]),
        (
            png(
                (2, 1, 8, 3),
                bytes([0, 0, 1]),
                png_chunk(b"PLTE", bytes([*RED, 1, 2, 3])),
                png_chunk(b"tRNS", bytes([255, 0])),
            ),
            [RED, (255, 255, 255)],
        ),
        (png((2, 1, 16, 0), b"\0" + struct.pack(">2H", 0x8000, 0xFFFF)), [(128,) * 3, (255,) * 3]),
        (png((2, 1, 1, 0), b"\0\x80"), [(255, 255, 255), (0, 0, 0)]),
    ],
    ids=["grey", "grey+alpha", "rgba", "opaque", "rgba16", "palette", "palette+alpha", "grey16", "1 bit"],
)
def test_kinds_of_pixels(tmp_path: Path, data: bytes, expected: list[tuple[int, int, int]]) -> None:
    """Every kind of pixel comes out as 8-bit RGB, transparency blended over white."""
    path = tmp_path / "two.png"
    path.write_bytes(data)

    image = only_image(path)

    assert (image.dtype, image.flags["C_CONTIGUOUS"]) == (np.uint8, True)
    np.testing.assert_array_equal(image, np.array([expected], np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (6000, 4000)])
def test_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    """A single pixel and 24 megapixels are both pictures."""
    assert only_image(save_picture(tmp_path / "p.png", plain(size=size))).shape == (size[1], size[0], 3)


def test_exif_orientation(tmp_path: Path) -> None:
    """A picture taken with a camera on its side comes out upright."""
    upright = np.concatenate([plain((255, 0, 0), (32, 32)), plain((0, 0, 255), (32, 32))], axis=0)
    path = tmp_path / "side.jpg"
    path.write_bytes(media.with_orientation(encoded(".jpg", np.rot90(upright)), 6))

    image = only_image(path)

    assert image.shape == upright.shape
    away_from_the_edge = np.r_[0:28, 36:64]
    np.testing.assert_allclose(image[away_from_the_edge].astype(int), upright[away_from_the_edge], atol=3)


def damaged_files() -> dict[str, tuple[str, bytes, str]]:
    """Name, content and expected reason of files that cannot be read."""
    jpeg, tiny = encoded(".jpg", noise()), encoded(".jpg", plain(size=(8, 8)))
    thumbnail = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiny) + 2) + tiny + jpeg[2:]
    pixels, stored = noise(), encoded(".png", noise())
    return {
        "empty picture": ("a.jpg", b"", "is empty"),
        "empty video": ("a.mp4", b"", "is empty"),
        "text": ("a.png", b"not a picture at all", "is no picture that can be read"),
        "text without suffix": ("a", b"not a picture at all", "is no picture that can be read"),
        "half a JPEG": ("a.jpg", jpeg[: len(jpeg) // 2], "is truncated: the JPEG has no end"),
        "JPEG without its last bytes": ("a.jpg", jpeg[:-8], "is truncated: the JPEG has no end"),
        "half a JPEG with a whole thumbnail": (
            "a.jpg",
            thumbnail[: len(thumbnail) // 2],
            "is truncated: the JPEG has no end",
        ),
        "JPEG with a hole": (
            "a.jpg",
            jpeg[: len(jpeg) // 2] + jpeg[-200:],
            "is damaged (Corrupt JPEG data: premature end of data segment)",
        ),
        "JPEG start only": ("a.jpg", b"\xff\xd8\xff\xd9", "is truncated or damaged"),
        "half a PNG": ("a.png", stored[: len(stored) // 2], "is truncated or damaged"),
        "half a WebP": ("a.webp", encoded(".webp", pixels)[:-99], "is truncated or damaged"),
        "half a BMP": ("a.bmp", encoded(".bmp", pixels)[:-99], "is truncated or damaged"),
        "half a TIFF": ("a.tif", encoded(".tiff", pixels)[:-99], "is truncated or damaged"),
        "too many pixels": ("a.png", png((60000, 60000, 8, 0), b""), "has more pixels than OpenCV accepts"),
        "text as video": ("a.mp4", b"not a video at all" * 99, "cannot be opened"),
    }


@pytest.mark.parametrize("case", damaged_files())
def test_unreadable_file(tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    """An unreadable file is named with the reason, in one line, and the next read goes on after it."""
    name, content, reason = damaged_files()[case]
    bad, good = tmp_path / name, save_picture(tmp_path / "good.png", plain())
    bad.write_bytes(content)

    error, frame = read_all(bad, good)

    assert isinstance(error, str)
    assert error.startswith(f"{bad} {reason}")
    assert "\n" not in error
    assert outline([frame]) == [("good.png", 0, 0.0)]
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff\xd8\xff\xe0 a second picture"])
def test_bytes_after_the_end_of_a_jpeg(tmp_path: Path, tail: bytes) -> None:
    """What a phone appends to a JPEG does not make it truncated."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(".jpg", plain()) + tail)

    np.testing.assert_allclose(only_image(path).astype(int), plain(), atol=3)


def test_superfluous_bytes_in_a_jpeg(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A JPEG with padding before its end, as cheap cameras write, is whole, and nothing is said of it."""
    jpeg = encoded(".jpg", plain())
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:-2] + b"\0" * 8 + jpeg[-2:])

    np.testing.assert_allclose(only_image(path).astype(int), plain(), atol=3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_video(tmp_path: Path, suffix: str) -> None:
    """A red video is red in every frame, and its frames come at its own rate."""
    seen = read_all(save_video(tmp_path / f"red{suffix}", frames=4, fps=20.0))

    assert outline(seen) == [(f"red{suffix}", index, 0.05 * index) for index in range(4)]
    for frame in seen:
        assert isinstance(frame, Frame)
        assert (frame.image.shape, frame.image.dtype) == ((48, 64, 3), np.uint8)
        assert frame.image.flags["C_CONTIGUOUS"]
        np.testing.assert_allclose(frame.image.astype(int), plain(), atol=12)


def test_truncated_video(tmp_path: Path) -> None:
    """An MP4 without its index, which stands at the end, cannot be opened."""
    path = save_video(tmp_path / "a.mp4", frames=30)
    path.write_bytes(path.read_bytes()[:-500])

    assert only_error(path).startswith(f"{path} cannot be opened: it is truncated or no video.")


def test_half_a_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was recorded until the copy broke off is shown, and that there was more is said."""
    path = save_video(tmp_path / "a.avi", frames=40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    frames = read_all(path)

    assert 0 < len(frames) < 30
    ending = f"{path} ends after {len(frames)} of 40 frames. If it is cut off, copy it again."
    assert caplog.messages == [ending]


def test_video_that_promises_too_much(tmp_path: Path) -> None:
    """A video just ends where its frames end, whatever its header says."""
    path = save_video(tmp_path / "a.avi", frames=5)
    data = path.read_bytes()
    header = data.index(b"avih") + 8
    path.write_bytes(data[: header + 16] + struct.pack("<I", 5000) + data[header + 20 :])

    assert [frame.index for frame in read_all(path) if isinstance(frame, Frame)] == [0, 1, 2, 3, 4]


def test_video_held_on_its_side(tmp_path: Path) -> None:
    """A video whose file says that the phone was turned comes out upright."""
    path = save_video(tmp_path / "a.mp4", frames=2)
    data = path.read_bytes()
    matrix = data.index(b"tkhd") + 44
    quarter_turn = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    path.write_bytes(data[:matrix] + quarter_turn + data[matrix + len(quarter_turn) :])

    assert [frame.image.shape for frame in read_all(path) if isinstance(frame, Frame)] == [(64, 48, 3)] * 2


def test_raw_video_has_a_frame_rate(tmp_path: Path) -> None:
    """A stream of bare JPEGs, which states no rate, still has time."""
    path = tmp_path / "a.mjpeg"
    path.write_bytes(encoded(".jpg", plain()) * 3)

    assert outline(read_all(path)) == [("a.mjpeg", index, index / FALLBACK_FPS) for index in range(3)]


@pytest.mark.parametrize(
    ("stated", "used"),
    [(0.0, 25.0), (-1.0, 25.0), (float("nan"), 25.0), (float("inf"), 25.0), (1000.0, 25.0), (29.97, 29.97)],
)
def test_implausible_frame_rates(stated: float, used: float) -> None:
    """A frame rate that cannot be true is replaced."""
    assert files._frame_rate(stated) == used


def test_file_names_like_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon in a file's name is part of the name."""
    monkeypatch.chdir(tmp_path)
    save_video(tmp_path / "plain.mp4", frames=1).rename("concat:a.mp4")

    assert outline(read_all(Path("concat:a.mp4"))) == [("concat:a.mp4", 0, 0.0)]


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


def test_foreign_messages_pass(capfd: pytest.CaptureFixture[str]) -> None:
    """Only the codecs' own lines are kept from the terminal."""
    with caught_codec_messages() as messages:
        os.write(2, b"libpng warning: odd\nsomebody else's line\n")

    assert messages == ["libpng warning: odd"]
    assert capfd.readouterr().err == "somebody else's line\n"


def test_a_password_in_a_source_is_hidden() -> None:
    """Somebody forgot --camera webcam."""
    with pytest.raises(InputError, match=r"^rtsp:/\*\*\*@camera/1 does not exist"):
        FilesCamera([Path("rtsp://door:hunter2@camera/1")])
