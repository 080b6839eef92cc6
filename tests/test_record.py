"""Test pi_mask.record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pi_mask.calibrate.steps import STEPS
from pi_mask.camera.files import FilesCamera
from pi_mask.errors import OutputError
from pi_mask.record import ClipWriter, prepare_folder, publish
from pi_mask.types import Frame


def frames(times: Sequence[float]) -> list[Frame]:
    """Frames at these times, each a little brighter."""
    return [Frame(np.full((48, 64, 3), 3 * index, np.uint8), t, index) for index, t in enumerate(times)]


def played(path: Path) -> list[Frame]:
    """All frames of a clip."""
    camera = FilesCamera([path])
    return list(iter(camera.read, None))


@pytest.mark.parametrize(
    ("times", "fps", "count"),
    [
        ([5 + index / 4 for index in range(20)], 4.0, 20),
        ([index / 10 for index in range(20)] + [2.5, 2.6], 10.0, 27),
        ([index / 10 for index in range(12)] + [1.12, 1.14, 1.2], 10.0, 13),
        ([0.0, 0.5, 1.0], 2.0, 3),
        ([7.0], 1.0, 1),
    ],
    ids=["steady", "a gap", "too fast", "few", "one"],
)
def test_a_clip_lasts_as_long_as_what_it_shows(
    times: list[float], fps: float, count: int, tmp_path: Path
) -> None:
    """The rate is that of the first frames; gaps are filled and frames that come too early are left out."""
    path = tmp_path / "mask.mp4"

    with ClipWriter(path) as clip:
        for frame in frames(times):
            clip.add(frame)

    shown = played(path)
    assert len(shown) == count
    assert shown[-1].timestamp == pytest.approx((count - 1) / fps, abs=0.01)


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    """A camera that showed nothing leaves nothing."""
    with ClipWriter(tmp_path / "mask.mp4"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_note_beside_the_clips_is_no_clip(tmp_path: Path) -> None:
    """Nobody is told to delete a text that calibrate would not take for a clip either."""
    (tmp_path / "mask.txt").touch()

    prepare_folder(tmp_path, STEPS)

    (tmp_path / "mask.MKV").touch()
    with pytest.raises(OutputError, match=r"mask\.MKV is there already"):
        prepare_folder(tmp_path, STEPS)


def test_a_finished_clip_takes_nobodys_place(tmp_path: Path) -> None:
    """What came there meanwhile stays."""
    part, clip = tmp_path / "part.mp4", tmp_path / "mask.mp4"
    part.write_bytes(b"new")
    clip.write_bytes(b"mine")

    with pytest.raises(OutputError, match="is there already"):
        publish(part, clip)

    assert clip.read_bytes() == b"mine"
