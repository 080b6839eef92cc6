"""Test pi_mask.build."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from pi_mask import build
from pi_mask.build import open_detector, open_pipeline
from pi_mask.commands import options
from pi_mask.errors import EdgeTpuError, ModelError, OutputError, UsageError
from pi_mask.manifest import ModelInput
from pi_mask.settings import (
    CameraSettings,
    IndicatorSettings,
    ModelSettings,
    PolicySettings,
    Settings,
    ThresholdSettings,
)
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, MaskLabel, Verdict
from tests.colour_model import SIDE, STRIDE, install_model, picture, save_picture

MASKED = MaskLabel.WITH_MASK


def on_cpu(model: Path, **values: float) -> ModelSettings:
    """Settings of a model on the CPU."""
    return ModelSettings(name=str(model), accelerator="cpu", **values)  # type: ignore[arg-type]


def frames(count: int, *labels: MaskLabel) -> list[Frame]:
    """Frames at ten a second."""
    return [Frame(picture(*labels), index / 10, index) for index in range(count)]


@pytest.mark.parametrize(
    ("registry", "section", "key", "literals"),
    [
        (build.CAMERAS, CameraSettings, "kind", options.CAMERAS),
        (build.INTERPRETERS, ModelSettings, "accelerator", options.ACCELERATORS),
        (build.INDICATORS, IndicatorSettings, "kind", options.INDICATORS),
    ],
    ids=["camera", "accelerator", "indicator"],
)
def test_registries_settings_and_flags_agree(
    registry: Mapping[str, object], section: type[CameraSettings], key: str, literals: tuple[str, ...]
) -> None:
    """What a flag offers is what the settings allow and what can be built."""
    assert tuple(registry) == literals
    assert set(get_args(section.model_fields[key].annotation)) == set(literals)


def test_a_detector_is_made_as_the_manifest_says(model: Path) -> None:
    """The model named by its file finds faces, on the CPU, with the manifest's thresholds."""
    with open_detector(on_cpu(model)) as opened:
        detections, _ = opened.detector.detect(frames(1, MASKED)[0])

    assert [face.label for face in detections] == [MASKED]
    assert (opened.manifest.name, opened.interpreter.device) == ("colours", "cpu")


def test_the_interpreter_is_closed_afterwards(model: Path) -> None:
    """After the block the model is released."""
    with open_detector(on_cpu(model)) as opened:
        pass

    with pytest.raises(ModelError, match="closed"):
        opened.detector.detect(frames(1)[0])


@pytest.mark.parametrize(("min_score", "found"), [(None, 1), (0.5, 1), (0.99999, 0)])
def test_min_score_replaces_the_thresholds(model: Path, min_score: float | None, found: int) -> None:
    """A smallest score in the settings beats the manifest's."""
    settings = on_cpu(model).model_copy(update={"min_score": min_score})
    with open_detector(settings) as opened:
        assert len(opened.detector.detect(frames(1, MASKED)[0])[0]) == found


def test_a_label_may_have_its_own_threshold(model: Path) -> None:
    """A threshold in the settings counts for its label alone; the others keep the manifest's."""
    settings = on_cpu(model).model_copy(update={"thresholds": ThresholdSettings(with_mask=0.99999)})
    frame = Frame(picture(MASKED, MaskLabel.WITHOUT_MASK, side=SIDE), 0.0, 0)

    with open_detector(settings) as opened:
        limits = build.label_thresholds(settings, opened.manifest)
        detections, _ = opened.detector.detect(frame)

    assert limits == {MASKED: 0.99999, MaskLabel.WITHOUT_MASK: 0.5, MaskLabel.INCORRECT: 0.5}
    assert [face.label for face in detections] == [MaskLabel.WITHOUT_MASK]


def test_min_score_beats_the_thresholds_per_label(model: Path) -> None:
    """Who asks for one smallest score gets it for every label."""
    settings = on_cpu(model, min_score=0.2).model_copy(
        update={"thresholds": ThresholdSettings(incorrect=0.9)}
    )

    with open_detector(settings) as opened:
        assert build.label_thresholds(settings, opened.manifest) == dict.fromkeys(MaskLabel, 0.2)


def test_a_model_that_is_not_its_manifest_is_refused(tmp_path: Path) -> None:
    """Nothing runs that differs from what the manifest describes."""
    head = {"kind": "ssd", "levels": [{"stride": 16, "outputs": {"scores": 1, "boxes": 0}}]}
    path = install_model(tmp_path, "exchanged", head=head)
    damaged = install_model(tmp_path, "damaged").with_suffix(".tflite")
    damaged.write_bytes(damaged.read_bytes()[:-1])

    for model, message in ((path, "the manifest says"), (damaged, "does not match its manifest")):
        with pytest.raises(ModelError, match=message), open_detector(on_cpu(model)):
            pass


def test_an_edge_tpu_needs_a_compiled_model(model: Path) -> None:
    """Asked for by name, the Edge TPU is never replaced."""
    settings = ModelSettings(name=str(model), accelerator="edgetpu")

    with pytest.raises(EdgeTpuError, match="no file compiled for the Edge TPU"), open_detector(settings):
        pass


def test_auto_steps_down_with_a_warning_and_the_amber_sign(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Auto without an Edge TPU runs on the CPU, says so, and shows it."""
    settings = Settings(model=ModelSettings(name=str(model), accelerator="auto"))
    indicator = RecordingIndicator()

    with (
        caplog.at_level(logging.WARNING, "pi_mask"),
        open_pipeline(settings, camera=ScriptedCamera(frames(1)), indicator=indicator) as pipeline,
    ):
        list(pipeline)

    assert indicator.shown == [(Verdict.IDLE, True)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def with_compiled(folder: Path) -> Path:
    """A model with a file for the Edge TPU, which no Edge TPU has to run."""
    plain = install_model(folder).with_suffix(".tflite").read_bytes()
    compiled = {"file": "compiled_edgetpu.tflite", "sha256": hashlib.sha256(plain).hexdigest()}
    (folder / "compiled_edgetpu.tflite").write_bytes(plain)
    return install_model(folder, edgetpu=compiled).with_suffix(".tflite")


def leave_alone() -> None:
    """Refuse the Edge TPU."""
    raise EdgeTpuError("It crashed too often.")


def test_an_edge_tpu_is_left_alone_on_demand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the check says stands in the log, the CPU works, and the amber sign shows it."""
    settings = Settings(model=ModelSettings(name=str(with_compiled(tmp_path)), accelerator="auto"))
    indicator = RecordingIndicator()

    with (
        caplog.at_level(logging.WARNING, "pi_mask"),
        open_pipeline(
            settings,
            camera=ScriptedCamera(frames(1)),
            indicator=indicator,
            check_edgetpu=leave_alone,
        ) as pipeline,
    ):
        list(pipeline)

    assert indicator.shown == [(Verdict.IDLE, True)]
    assert ["It crashed too often." in record.getMessage() for record in caplog.records] == [True]


def test_an_edge_tpu_asked_for_by_name_is_checked_too(tmp_path: Path) -> None:
    """Without permission to step down the refusal is the error."""
    settings = ModelSettings(name=str(with_compiled(tmp_path)), accelerator="edgetpu")

    with pytest.raises(EdgeTpuError, match="too often"), open_detector(settings, leave_alone):
        pass


def test_a_cpu_by_choice_is_no_degradation(model: Path) -> None:
    """Who asks for the CPU gets no amber sign."""
    indicator = RecordingIndicator()

    with open_pipeline(
        Settings(model=on_cpu(model)), camera=ScriptedCamera(frames(4, MASKED)), indicator=indicator
    ) as pipeline:
        list(pipeline)

    assert indicator.shown == [(v, False) for v in (Verdict.IDLE, Verdict.CHECKING, Verdict.MASK)]


def test_policy_settings_reach_the_door(model: Path) -> None:
    """A smallest face larger than anybody leaves the door idle."""
    settings = Settings(model=on_cpu(model), policy=PolicySettings(min_face_px=100))
    indicator = RecordingIndicator()

    with open_pipeline(settings, camera=ScriptedCamera(frames(4, MASKED)), indicator=indicator) as pipeline:
        list(pipeline)

    assert indicator.shown == [(Verdict.IDLE, False)]


def test_files_and_console_by_name(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The settings' words lead to the real classes; that a picture alone shows nobody is said."""
    settings = Settings(
        model=on_cpu(model),
        camera=CameraSettings(kind="files", source=str(save_picture(tmp_path / "door.png"))),
        indicator=IndicatorSettings(kind="console"),
    )

    with open_pipeline(settings) as pipeline:
        observations = list(pipeline)

    assert [observation.verdict for observation in observations] == [Verdict.IDLE]
    assert "IDLE" in capsys.readouterr().out
    assert "Use pi-mask detect for pictures" in caplog.text


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (CameraSettings(kind="files"), "Add --source"),
        (CameraSettings(kind="picamera", source="/dev/video0"), "A Pi camera has a number"),
        (CameraSettings(kind="picamera", source="rtsp://u:secret@h"), r"not the source 'rtsp://\*\*\*@h'"),
    ],
    ids=["files", "picamera", "password"],
)
def test_an_impossible_source_is_a_usage_error(model: Path, camera: CameraSettings, message: str) -> None:
    """A source that the camera cannot have is refused with advice; the lights are off."""
    indicator = RecordingIndicator()
    settings = Settings(model=on_cpu(model), camera=camera)

    with pytest.raises(UsageError, match=message), open_pipeline(settings, indicator=indicator):
        pass

    assert (indicator.is_closed, indicator.shown) == (True, [])


@pytest.mark.parametrize("end", [None, KeyboardInterrupt(), ZeroDivisionError()], ids=repr)
def test_everything_is_closed_however_it_ends(model: Path, end: BaseException | None) -> None:
    """On a normal end, an interruption and a bug camera and indicator are closed."""
    camera, indicator = ScriptedCamera([]), RecordingIndicator()

    def use() -> None:
        with open_pipeline(Settings(model=on_cpu(model)), camera=camera, indicator=indicator):
            if end is not None:
                raise end

    if end is None:
        use()
    else:
        with pytest.raises(type(end)):
            use()
    assert (camera.is_closed, indicator.is_closed) == (True, True)


def test_what_was_handed_over_is_closed_when_the_model_fails(tmp_path: Path) -> None:
    """A model that cannot be opened leaves no camera running and no light on."""
    camera, indicator = ScriptedCamera([]), RecordingIndicator()
    settings = Settings(model=on_cpu(tmp_path / "missing.tflite"))

    with pytest.raises(ModelError), open_pipeline(settings, camera=camera, indicator=indicator):
        pass

    assert (camera.is_closed, indicator.is_closed) == (True, True)


def test_a_camera_that_fails_to_close_leaves_no_light_on(model: Path) -> None:
    """The indicator is closed whatever closing the camera does."""

    class Stubborn(ScriptedCamera):
        def close(self) -> None:
            raise OutputError("This camera won't close. Unplug it.")

    indicator = RecordingIndicator()
    settings = Settings(model=on_cpu(model))

    with pytest.raises(OutputError), open_pipeline(settings, camera=Stubborn([]), indicator=indicator):
        pass

    assert indicator.is_closed


@pytest.mark.parametrize(
    ("camera", "letterbox", "size"),
    [
        ((640, 480), True, (320, 240)),
        ((640, 360), True, (320, 180)),
        ((1000, 700), True, (320, 224)),
        ((256, 192), True, (256, 192)),
        ((640, 480), False, (640, 480)),
    ],
)
def test_a_pi_camera_is_asked_for_what_the_model_sees(
    camera: tuple[int, int], letterbox: bool, size: tuple[int, int]
) -> None:
    """The processor shrinks to the model's input, in even numbers, and never enlarges or crops."""
    settings = CameraSettings(kind="picamera", width=camera[0], height=camera[1])

    assert build.isp_size(settings, ModelInput(width=320, height=320, letterbox=letterbox)) == size


def test_smaller_frames_mean_smaller_faces(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the Pi camera delivers half the size, the smallest face that counts is half as large too."""
    asked: list[CameraSettings] = []

    def open_camera(settings: CameraSettings) -> ScriptedCamera:
        asked.append(settings)
        half = picture(MASKED, side=SIDE)
        return ScriptedCamera([Frame(half, index / 10, index) for index in range(4)])

    monkeypatch.setattr(build, "CAMERAS", {**build.CAMERAS, "picamera": open_camera})
    face_px = 1.5 * STRIDE  # two strides wide, half a stride of it outside the picture
    shown: list[set[Verdict]] = []
    for smallest in (2 * face_px - 1, 2 * face_px + 1):  # of the configured size, twice the model's
        settings = Settings(
            camera=CameraSettings(width=2 * SIDE, height=2 * SIDE),
            model=on_cpu(model),
            policy=PolicySettings(min_face_px=smallest),
        )
        with open_pipeline(settings, indicator=RecordingIndicator()) as pipeline:
            shown.append({observation.verdict for observation in pipeline})

    assert [(each.width, each.height) for each in asked] == [(SIDE, SIDE)] * 2
    assert [Verdict.MASK in each for each in shown] == [True, False]


def test_a_manifest_about_another_file_is_refused(tmp_path: Path) -> None:
    """A model file beside a copy of another model's manifest does not run, nor does the other model."""
    manifest = install_model(tmp_path)
    other = tmp_path / "other.tflite"
    other.write_bytes(b"")
    other.with_suffix(".json").write_bytes(manifest.read_bytes())
    message = "The manifest beside .*other.tflite is about colours.tflite"

    with pytest.raises(ModelError, match=message), open_detector(on_cpu(other)):
        pass
