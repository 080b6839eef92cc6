"""Test pi_mask.commands.watching."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pi_mask import build
from pi_mask.calibrate.steps import STEP_NAMES
from pi_mask.commands import watching
from pi_mask.commands.watching import AtDoor, Collecting, Pace, open_camera_and_lamps, open_collecting
from pi_mask.errors import CameraTimeout, GpioError, UsageError
from pi_mask.settings import CameraSettings, IndicatorSettings, ModelSettings, Settings, ThresholdSettings
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import picture

MASK = STEP_NAMES["mask"]


@pytest.fixture
def opened(model: Path) -> Iterator[Collecting]:
    """The model of coloured patches, with a threshold of the owner's."""
    thresholds = ThresholdSettings(with_mask=0.7)
    with open_collecting(ModelSettings(name=str(model), accelerator="cpu", thresholds=thresholds)) as it:
        yield it


def frames(count: int) -> list[Frame]:
    """Somebody with a mask, at ten frames a second."""
    return [Frame(picture(MaskLabel.WITH_MASK), index / 10, index) for index in range(count)]


def test_the_model_collects_below_what_is_in_force(opened: Collecting) -> None:
    """The detector keeps faint faces, the rules are those of the settings."""
    assert set(opened.detector.rules.limits.tolist()) == {0.15}
    assert opened.rules.limits.tolist() == [0.7, 0.5, 0.5]
    assert opened.thresholds[MaskLabel.WITH_MASK] == 0.7


def test_a_step_is_announced_waited_for_and_watched(
    opened: Collecting, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sign and the line come first; frames of the pause are not part of the clip."""
    indicator, seen = RecordingIndicator(), []
    door = AtDoor(ScriptedCamera(frames(60), is_live=True), opened, indicator, Pace(1.0, 2.0))

    clip = door.watch(MASK, lambda frame, _kept: seen.append(frame.index))

    assert indicator.shown == [MASK.sign]
    assert seen == list(range(11, 31))
    assert [round(frame.timestamp, 1) for frame in clip] == [index / 10 for index in range(11, 31)]
    announced, counted = capsys.readouterr().err.splitlines()
    assert announced == f"mask: {MASK.instruction} In 1 s I watch for 2 s."
    assert counted == "mask: 20 frames, a face in 20."


def test_a_step_again_shows_its_sign_once(opened: Collecting) -> None:
    """Indicators are told about changes only."""
    indicator = RecordingIndicator()
    door = AtDoor(ScriptedCamera(frames(60), is_live=True), opened, indicator, Pace(0.0, 2.0))

    door.watch(MASK)
    door.watch(MASK)

    assert indicator.shown == [MASK.sign]


def test_live_counts_are_for_terminals(
    opened: Collecting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal one line is written over and over, and taken away in the end."""
    monkeypatch.setattr(watching, "is_on_terminal", lambda: True)
    door = AtDoor(ScriptedCamera(frames(8), is_live=True), opened, None, Pace(0.0, 0.5))

    door.watch(MASK)

    lines = [line.replace("\x1b[2K", "") for line in capsys.readouterr().err.split("\r")]
    assert [line.rpartition(" ")[0] for line in lines[1:6]] == [
        f"   {0.5 - index / 10:.1f} s left, {index + 1} frames: with_mask" for index in range(5)
    ]
    assert lines[-1].rstrip() == "mask: 5 frames, a face in 5."


def test_live_counts_stay_on_one_line(
    opened: Collecting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a narrow terminal, as on a telephone, they are cut: a line that wraps could not be written over."""
    monkeypatch.setattr(watching, "is_on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    door = AtDoor(ScriptedCamera(frames(8), is_live=True), opened, None, Pace(0.0, 0.5))

    door.watch(MASK)

    lines = [line.replace("\x1b[2K", "") for line in capsys.readouterr().err.split("\r")]
    assert lines[1] == "   0.5 s left, 1 fr"


def test_a_camera_that_stalls_ends_it(opened: Collecting) -> None:
    """A stall is the camera's error, with its advice, and not a short clip."""
    camera = ScriptedCamera([*frames(3), CameraTimeout("No frame for 5 s.")], is_live=True)

    with pytest.raises(CameraTimeout):
        AtDoor(camera, opened, None, Pace(0.0, 2.0)).watch(MASK)


def test_lamps_and_camera_are_released(opened: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it ends, lamps are off and the camera is free; the console is no lamp; files are no camera."""
    camera, indicator = ScriptedCamera([], is_live=True), RecordingIndicator()
    monkeypatch.setattr(build, "CAMERAS", {"webcam": lambda _: camera})
    monkeypatch.setattr(build, "INDICATORS", {"gpio": lambda _: indicator})
    settings = Settings(camera=CameraSettings(kind="webcam"))

    with pytest.raises(KeyboardInterrupt), open_camera_and_lamps(settings, opened.manifest):
        raise KeyboardInterrupt

    assert (camera.is_closed, indicator.is_closed) == (True, True)
    console = settings.model_copy(update={"indicator": IndicatorSettings(kind="console")})
    with open_camera_and_lamps(console, opened.manifest) as (_, lamps):
        assert lamps is None
    files = settings.model_copy(update={"camera": CameraSettings(kind="files", source="x.mp4")})
    with pytest.raises(UsageError, match="--from DIR"), open_camera_and_lamps(files, opened.manifest):
        pass


def test_pins_that_cannot_be_had_are_an_error(opened: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fake lamps: without pins it ends with their error, and the camera was never opened."""
    camera = ScriptedCamera([], is_live=True)

    def refuse(_: IndicatorSettings) -> RecordingIndicator:
        raise GpioError("The pins are busy. Stop the service.")

    monkeypatch.setattr(build, "CAMERAS", {"webcam": lambda _: camera})
    monkeypatch.setattr(build, "INDICATORS", {"gpio": refuse})
    settings = Settings(camera=CameraSettings(kind="webcam"))

    with pytest.raises(GpioError), open_camera_and_lamps(settings, opened.manifest):
        pass
    assert camera.reads == 0
