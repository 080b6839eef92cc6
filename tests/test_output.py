"""Test pi_mask.output."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from pi_mask.camera.files import FilesCamera
from pi_mask.errors import OutputError
from pi_mask.output import AnnotatedFiles, VideoWriter, frame_count, write_picture
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import BLUE, GREEN, RED, picture, save_picture, save_video

if TYPE_CHECKING:
    from pi_mask.types import Image


def plain(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Image:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def played(path: Path) -> list[Image]:
    """All frames of a video as pi-mask reads them."""
    camera, images = FilesCamera([path]), []
    while (frame := camera.read()) is not None:
        images.append(frame.image)
    camera.close()
    return images


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond this many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def annotate(folder: Path, *inputs: Path) -> list[str]:
    """Copy what a FilesCamera reads; give the copies' names."""
    camera = FilesCamera(inputs)
    with AnnotatedFiles(folder, camera.files) as copies:
        while (frame := camera.read()) is not None:
            copies.add(frame, frame.image)
    camera.close()
    assert sorted(path.name for path in copies.written) == sorted(path.name for path in folder.iterdir())
    return [path.name for path in copies.written]


def test_a_video_has_every_frame_in_its_colours(tmp_path: Path) -> None:
    """What is written comes back: number, size, order, rate, and red stays red."""
    path = tmp_path / "film.mp4"
    colours = [RED, GREEN, BLUE] * 3
    with VideoWriter(path, 12.5, (64, 48)) as video:
        for colour in colours:
            video.write(plain(colour))

    images = played(path)

    assert [image.shape for image in images] == [(48, 64, 3)] * 9
    assert [int(np.argmax(image.mean(axis=(0, 1)))) for image in images] == [0, 1, 2] * 3
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == 12.5
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rate", [119.983, 239.873, 59.9401, 23.9761])
def test_odd_rates_of_telephones_are_written(tmp_path: Path, rate: float) -> None:
    """MPEG-4 refuses what is no fraction of two small numbers, so the nearest that is one is taken."""
    path = tmp_path / "film.mp4"
    with VideoWriter(path, rate, (64, 48)) as video:
        video.write(plain(RED))

    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(rate, rel=1e-4)


def test_a_frame_an_hour_is_written(tmp_path: Path) -> None:
    """A film slower than can be written is copied at the slowest rate, and no other film is lost for it."""
    path = tmp_path / "film.mp4"
    with VideoWriter(path, 1 / 3600, (64, 48)) as video:
        video.write(plain(RED))

    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(0.002)


def test_a_video_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until it is closed an older film stays under the name; closing twice is fine, writing then is not."""
    path = tmp_path / "film.mp4"
    path.write_text("older")
    video = VideoWriter(path, 10, (64, 48))
    video.write(plain(RED))

    assert path.read_text() == "older"
    video.close()
    video.close()
    assert frame_count(path) == 1
    with pytest.raises(OutputError, match=r"is finished\. Open another video"):
        video.write(plain(RED))


def test_a_video_without_frames_is_no_file(tmp_path: Path) -> None:
    """Nothing written leaves nothing behind."""
    VideoWriter(tmp_path / "film.mp4", 10, (64, 48)).close()

    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_what_was_written(tmp_path: Path) -> None:
    """A film that is broken off can be played as far as it goes."""

    def film() -> None:
        with VideoWriter(tmp_path / "film.mp4", 10, (64, 48)) as video:
            video.write(plain(RED))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film()

    assert len(played(tmp_path / "film.mp4")) == 1


def test_frames_of_another_size_are_scaled(tmp_path: Path) -> None:
    """OpenCV would leave out a frame of another size without a word."""
    with VideoWriter(tmp_path / "film.mp4", 10, (64, 48)) as video:
        video.write(plain(RED, 32, 24))
        video.write(plain(RED, 65, 49))

    assert [image.shape for image in played(tmp_path / "film.mp4")] == [(48, 64, 3)] * 2


@pytest.mark.parametrize(("path", "size"), [("none/film.mp4", (64, 48)), ("film.mp4", (0, 48))])
def test_a_video_that_cannot_be_opened_is_named(tmp_path: Path, path: str, size: tuple[int, int]) -> None:
    """A missing folder and an impossible size are errors at once."""
    with pytest.raises(OutputError, match=r"film\.mp4 cannot be written: .*\. Free some space"):
        VideoWriter(tmp_path / path, 10, size)

    assert list(tmp_path.iterdir()) == []


def test_a_video_in_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """OpenCV cannot be given such a name: an error before it takes the process down."""
    with pytest.raises(OutputError, match=r"its name is not UTF-8"):
        VideoWriter(tmp_path / os.fsdecode(b"\xff") / "film.mp4", 10, (64, 48))


def test_a_video_on_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """OpenCV reports no failed write; missing frames are noticed, and the half file goes."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8)
    video = VideoWriter(tmp_path / "film.mp4", 10, (64, 48))
    with full_disk(20_000):
        for image in noise:
            video.write(image)
        with pytest.raises(OutputError, match="of 30 frames are missing"):
            video.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG"])
def test_a_picture_comes_back(tmp_path: Path, name: str) -> None:
    """A picture has its size and colour, and nothing else lies beside it."""
    write_picture(tmp_path / name, plain(RED))

    stored = cv2.imread(str(tmp_path / name))
    assert stored is not None
    assert stored.shape == (48, 64, 3)
    assert np.abs(stored[..., ::-1].astype(int) - RED).max() <= 3
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_picture_on_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """A full disk is named, the older picture stays whole and no half one is left."""
    path = tmp_path / "a.png"
    path.write_text("older")
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with full_disk(1000), pytest.raises(OutputError, match=r"a\.png cannot be written: File too large\."):
        write_picture(path, noise)

    assert (path.read_text(), list(tmp_path.iterdir())) == ("older", [path])


def test_copies_of_the_same_name_get_numbers(tmp_path: Path) -> None:
    """Files from several folders, or of several kinds, never overwrite each other's copy."""
    first, second = tmp_path / "one", tmp_path / "two"
    for path in (first / "door.png", second / "DOOR.png", first / "door.bmp", second / "door-2.png"):
        save_picture(path)
    for path in (first / "door.avi", second / "door.mp4"):
        save_video(path, (), ())

    names = annotate(tmp_path / "out", first, second, first / "door.png")

    assert names == [
        "door.mp4",
        "door.png",
        "door-2.png",
        "DOOR-3.png",
        "door-2-2.png",
        "door-2.mp4",
        "door-4.png",
    ]


@pytest.mark.parametrize("letter", ["a", "é", "\N{FACE WITH MEDICAL MASK}"])
def test_the_longest_names_are_copied(tmp_path: Path, letter: str) -> None:
    """A file of which the name takes the 255 bytes that it may: nothing longer stands beside it meanwhile."""
    stem = letter * (251 // len(letter.encode()))
    photo = save_picture(tmp_path / f"{stem}.png")
    film = save_video(tmp_path / f"{stem}.mp4", ())

    assert annotate(tmp_path / "out", photo, film) == [photo.name, film.name]


def test_copies_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    """The same work done twice leaves the same files."""
    source = save_picture(tmp_path / "in" / "door.png", MaskLabel.WITH_MASK)

    assert annotate(tmp_path / "out", source) == annotate(tmp_path / "out", source) == ["door.png"]


def test_a_copied_video_keeps_its_rate(tmp_path: Path) -> None:
    """Each film has its own rate; of the same film twice in a row each copy is whole."""
    (tmp_path / "in").mkdir()
    slow = save_video(tmp_path / "in" / "slow.mp4", *[()] * 3, fps=5)
    fast = save_video(tmp_path / "in" / "fast.mp4", *[()] * 4, fps=30)
    single = save_video(tmp_path / "in" / "single.mp4", ())

    names = annotate(tmp_path / "out", slow, slow, fast, single)

    captures = [cv2.VideoCapture(str(tmp_path / "out" / name)) for name in names]
    assert names == ["slow.mp4", "slow-2.mp4", "fast.mp4", "single.mp4"]
    assert [round(capture.get(cv2.CAP_PROP_FPS), 3) for capture in captures] == [5, 5, 30, 10]
    assert [frame_count(tmp_path / "out" / name) for name in names] == [3, 3, 4, 1]


def test_the_folder_of_an_input_is_refused(tmp_path: Path) -> None:
    """Copies never go where an input lies."""
    source = save_picture(tmp_path / "in" / "door.png")

    for path in (source, source.parent):
        with pytest.raises(OutputError, match=r"would be overwritten\. Choose another folder\."):
            AnnotatedFiles(source.parent, [path])


@pytest.mark.parametrize("name", ["door.png", "window.png"])
def test_an_original_behind_a_link_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """A link to one of the output's own files is what it is, an original, also for another's copy."""
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    write_picture(real / "door.png", plain(RED))
    write_picture(links / "door.png", plain(BLUE))
    (links / name).unlink(missing_ok=True)
    (links / name).symlink_to(real / "door.png")
    before = (real / "door.png").read_bytes()

    with pytest.raises(OutputError, match="would be overwritten"):
        annotate(real, links)

    assert (real / "door.png").read_bytes() == before


def test_a_film_of_one_pixel_is_copied(tmp_path: Path) -> None:
    """The codec wants two; the files after it are not lost for it."""
    tiny = tmp_path / "a.gif"
    header, pixel = b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0", b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
    tiny.write_bytes(header + pixel)

    assert annotate(tmp_path / "out", tiny) == ["a.mp4"]


def test_a_folder_that_cannot_be_made_is_named_at_once(tmp_path: Path) -> None:
    """A file in the way is found before the work begins."""
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="cannot be written to: Not a directory"):
        AnnotatedFiles(tmp_path / "file" / "out", [])


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    """The last video is finished once."""
    copies = AnnotatedFiles(tmp_path / "out", [])
    for index in range(2):
        copies.add(Frame(picture(), index / 10, index, "film.mp4"), picture())
    copies.close()
    copies.close()

    assert frame_count(tmp_path / "out" / "film.mp4") == 2


def test_a_file_that_is_no_video_has_no_frames(tmp_path: Path) -> None:
    """Asking for the number of frames is no error."""
    (tmp_path / "text.mp4").write_text("no video")

    assert frame_count(tmp_path / "text.mp4") == 0
