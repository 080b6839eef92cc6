"""Test that the frames of videos come whole and at their time."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pi_mask.camera import files
from pi_mask.camera.files import FALLBACK_FPS
from pi_mask.types import Frame
from tests.camera.media import encoded, plain, save_video, unsteady
from tests.camera.reading import only_error, outline, read_all


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


def test_unsteady_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Frames come when they were filmed, for a telephone slows down in the dark; none is called missing."""
    path = save_video(tmp_path / "a.mkv", frames=6, fps=10.0)
    path.write_bytes(unsteady(path.read_bytes(), [0, 100, 200, 1200, 1240, 1280]))
    after = save_video(tmp_path / "b.mp4", frames=1)

    times = [0.0, 0.1, 0.2, 1.2, 1.24, 1.28]
    assert outline(read_all(path, after)) == [
        *(("a.mkv", index, time) for index, time in enumerate(times)),
        ("b.mp4", 0, 1.38),
    ]
    assert caplog.messages == []


def test_broken_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a video's times run back or far ahead, its frames come at its rate."""
    monkeypatch.setattr(files, "LONGEST_PAUSE_S", 5.0)
    path = save_video(tmp_path / "a.mkv", frames=5, fps=10.0)
    path.write_bytes(unsteady(path.read_bytes(), [0, 150, -9000, 20_000, 500]))

    times = [0.0, 0.15, 0.25, 0.35, 0.5]
    assert outline(read_all(path)) == [("a.mkv", index, time) for index, time in enumerate(times)]


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
    assert files.frame_rate(stated) == used


def test_file_names_like_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon in a file's name is part of the name."""
    monkeypatch.chdir(tmp_path)
    save_video(tmp_path / "plain.mp4", frames=1).rename("concat:a.mp4")

    assert outline(read_all(Path("concat:a.mp4"))) == [("concat:a.mp4", 0, 0.0)]
