"""Test pi_mask.calibrate.recordings and how clips are read."""

from __future__ import annotations

import os
import re
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from pi_mask.build import open_detector
from pi_mask.calibrate.collect import collect, collecting_score, watch
from pi_mask.calibrate.recordings import find_recordings, strangers
from pi_mask.calibrate.steps import STEPS
from pi_mask.camera.files import FilesCamera
from pi_mask.errors import InputError
from pi_mask.settings import ModelSettings
from pi_mask.testing import ScriptedCamera
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import picture, save_video

REQUIRED = [step.name for step in STEPS if step.is_required]


def fill(folder: Path, *names: str) -> None:
    """Make files that look like clips."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_clips_and_folders_of_clips_are_found(tmp_path: Path) -> None:
    """A step is a clip or a folder of clips in any container, in the order of the steps and names."""
    fill(tmp_path, *(f"{name}.mp4" for name in REQUIRED if name != "bare"))
    fill(tmp_path, "bare/b.mkv", "bare/a.MP4", "bare/notes.txt", ".mask.part.mp4")

    found = find_recordings(tmp_path)

    assert [step.name for step in found] == REQUIRED
    by_name = {step.name: [path.name for path in clips] for step, clips in found.items()}
    assert (by_name["bare"], by_name["mask"]) == (["a.MP4", "b.mkv"], ["mask.mp4"])


def test_missing_steps_are_named_with_what_to_do(tmp_path: Path) -> None:
    """All that is missing is named at once; the optional step is not."""
    fill(tmp_path, *(f"{name}.mp4" for name in REQUIRED if name not in {"bare", "under_nose"}))

    with pytest.raises(InputError, match=r"no clip of: bare, under_nose .* --step bare --step under_nose$"):
        find_recordings(tmp_path)
    with pytest.raises(InputError, match="missing cannot be reached: No such file"):
        find_recordings(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter everything")
@pytest.mark.parametrize("locked", [".", "mask"])
def test_a_folder_that_may_not_be_entered_is_named(tmp_path: Path, locked: str) -> None:
    """Its names can be listed and nothing more."""
    fill(tmp_path, "mask/a.mp4")
    folder = tmp_path / locked
    folder.chmod(0o400)
    try:
        with pytest.raises(InputError, match=rf"^{re.escape(str(folder))}/\S+ cannot be reached: Permission"):
            find_recordings(tmp_path)
    finally:
        folder.chmod(0o700)


def test_misspelt_clips_are_strangers(tmp_path: Path) -> None:
    """A clip or folder that is no step is named; other files are nobody's business."""
    fill(tmp_path, "mask.mp4", "maks_near.mp4", "others/x.mp4", "notes.txt")

    assert strangers(tmp_path) == ("maks_near.mp4", "others")


def test_a_clip_is_watched_to_its_end_and_its_pictures_are_let_go(model: Path, tmp_path: Path) -> None:
    """Every frame leaves its time, its faces and its light, and no pixel."""
    path = save_video(tmp_path / "mask.mp4", *[(MaskLabel.WITH_MASK,)] * 3, (), fps=10)

    with open_detector(ModelSettings(name=str(model), accelerator="cpu", min_score=0.15)) as opened:
        kept = watch(FilesCamera([path]), opened.detector, None)

    assert [round(frame.timestamp, 3) for frame in kept] == [0.0, 0.1, 0.2, 0.3]
    assert [[face.label for face in frame.faces] for frame in kept] == [[MaskLabel.WITH_MASK]] * 3 + [[]]
    assert [frame.size for frame in kept] == [(128, 128)] * 4
    assert [frame.light is None for frame in kept] == [False] * 3 + [True]
    assert not any(hasattr(frame, "image") for frame in kept)


def test_the_light_is_that_of_the_face(model: Path) -> None:
    """Brightness is taken where the face is, and beside it that of the whole frame."""
    image = picture(MaskLabel.WITH_MASK)

    with open_detector(ModelSettings(name=str(model), accelerator="cpu", min_score=0.15)) as opened:
        kept = collect(Frame(image, 0.0, 0), opened.detector)

    (left, top, right, bottom) = (round(side) for side in astuple(kept.faces[0].box))
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert kept.light is not None
    assert kept.light.face == pytest.approx(luma[top:bottom, left:right].mean(), abs=1)
    assert kept.light.frame == pytest.approx(luma.mean(), abs=1)


def test_a_camera_is_watched_by_its_own_clock(model: Path) -> None:
    """Watching for a second ends with the first frame a second later, however fast frames are read."""
    frames = [Frame(picture(), 5.0 + index / 4, index) for index in range(20)]
    seen: list[int] = []

    with open_detector(ModelSettings(name=str(model), accelerator="cpu", min_score=0.15)) as opened:
        kept = watch(
            ScriptedCamera(frames, is_live=True),
            opened.detector,
            1.0,
            lambda frame, _kept: seen.append(frame.index),
        )

    assert [frame.timestamp for frame in kept] == [5.0, 5.25, 5.5, 5.75]
    assert seen == [0, 1, 2, 3]


def test_the_thresholds_in_force_can_always_be_tried() -> None:
    """Who has set a threshold below the usual collecting score is collected for as well."""
    assert collecting_score(dict.fromkeys(MaskLabel, 0.5)) == 0.15
    assert collecting_score({**dict.fromkeys(MaskLabel, 0.5), MaskLabel.INCORRECT: 0.05}) == 0.05
