"""Hold the public doubles to the rules of the parts they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from pi_mask.errors import CameraError, CameraTimeout, EdgeTpuError, InputError, ModelError, OutputError
from pi_mask.indicator.gpio import GpioIndicator
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.settings import GpioSettings
from pi_mask.testing import RecordingIndicator, ScriptedCamera, ScriptedInterpreter, watched_mock_factory
from pi_mask.types import Frame, Verdict

SPEC = ModelSpec(
    input=TensorSpec("image", (1, 4, 6, 3), "uint8", 1 / 255, 0),
    outputs=(
        TensorSpec("boxes", (1, 2, 4), "uint8", 0.5, 128),
        TensorSpec("scores", (1, 2), "float32", 0.0, 0),
    ),
)
IMAGE = np.zeros((1, 4, 6, 3), np.uint8)


def frame(index: int) -> Frame:
    """Make a frame, a tenth of a second after the one before it."""
    return Frame(np.zeros((2, 2, 3), np.uint8), timestamp=index / 10, index=index)


def outputs(value: int) -> tuple[np.ndarray, ...]:
    """Make output tensors that hold one value all over."""
    return np.full((1, 2, 4), value, np.uint8), np.full((1, 2), value, np.float32)


def test_the_camera_plays_its_script_to_the_end() -> None:
    """Frames and passing errors come in order, then None for good."""
    frames = [frame(0), frame(1), frame(2)]
    camera = ScriptedCamera([frames[0], CameraTimeout("slow"), frames[1], InputError("torn"), frames[2]])

    read: list[object] = []
    for _ in range(7):
        try:
            read.append(camera.read())
        except (CameraTimeout, InputError) as error:
            read.append(str(error))

    assert read == [frames[0], "slow", frames[1], "torn", frames[2], None, None]
    assert camera.reads == 7


def test_a_lost_camera_stays_lost() -> None:
    """After an error that is for good no frame comes any more."""
    camera = ScriptedCamera([CameraError("gone"), frame(0)], is_live=True)

    for _ in range(2):
        with pytest.raises(CameraError, match=r"^gone$"):
            camera.read()

    assert camera.is_live


def test_a_closed_camera_gives_no_frame() -> None:
    """Reading after close, called twice, is an error."""
    camera = ScriptedCamera([frame(0)])
    camera.close()
    camera.close()

    with pytest.raises(CameraError, match=r"^The camera is closed\. "):
        camera.read()

    assert camera.is_closed


def test_the_interpreter_plays_its_script() -> None:
    """Outputs and errors come in order, and proper calls are counted."""
    interpreter = ScriptedInterpreter(SPEC, [outputs(1), EdgeTpuError("gone"), outputs(2)], device="edgetpu")

    first = [tensor.tolist() for tensor in interpreter.invoke(IMAGE)]
    with pytest.raises(EdgeTpuError, match=r"^gone$"):
        interpreter.invoke(IMAGE)
    second = [tensor.tolist() for tensor in interpreter.invoke(IMAGE)]

    assert first == [tensor.tolist() for tensor in outputs(1)]
    assert second == [tensor.tolist() for tensor in outputs(2)]
    assert (interpreter.spec, interpreter.device, interpreter.invocations) == (SPEC, "edgetpu", 3)
    with pytest.raises(AssertionError, match="holds 3 results"):
        interpreter.invoke(IMAGE)


@pytest.mark.parametrize(
    "image",
    [IMAGE[0], IMAGE.astype(np.float32), IMAGE.astype(np.int8), np.zeros((1, 6, 4, 3), np.uint8)],
    ids=["no batch", "float32", "int8", "turned"],
)
def test_the_interpreter_refuses_a_wrong_input(image: np.ndarray) -> None:
    """An input of another shape or type is an error that names both, and is not counted."""
    interpreter = ScriptedInterpreter(SPEC, [outputs(1)])

    with pytest.raises(ModelError) as caught:
        interpreter.invoke(image)

    assert str(caught.value) == (
        f"The input is {image.dtype} {image.shape}. This model takes uint8 (1, 4, 6, 3)."
    )
    assert interpreter.invocations == 0


def test_outputs_last_until_the_next_call() -> None:
    """Whoever keeps tensors past the next call or close finds them overwritten; the script stays whole."""
    script = [outputs(1), outputs(2)]
    interpreter = ScriptedInterpreter(SPEC, script)

    first = interpreter.invoke(IMAGE)
    second = interpreter.invoke(IMAGE)
    interpreter.close()

    assert [tensor.any() for tensor in (*first, *second)] == [False, False, False, False]
    assert [tensor.all() for tensor in (*script[0], *script[1])] == [True, True, True, True]


def test_a_closed_interpreter_runs_nothing() -> None:
    """Running after close, called twice, is an error."""
    interpreter = ScriptedInterpreter(SPEC, [outputs(1)])
    interpreter.close()
    interpreter.close()

    with pytest.raises(ModelError, match=r"^The interpreter is closed\. "):
        interpreter.invoke(IMAGE)

    assert interpreter.is_closed


@pytest.mark.parametrize("wrong", [outputs(1)[:1], outputs(1)[::-1]], ids=["too few", "swapped"])
def test_a_script_that_the_model_cannot_give_is_refused(wrong: tuple[np.ndarray, ...]) -> None:
    """Outputs of another number, shape or type than the model's are refused before the first call."""
    with pytest.raises(ValueError, match=r"^The script's outputs are "):
        ScriptedInterpreter(SPEC, [outputs(1), wrong])


def test_the_indicator_records_changes() -> None:
    """Each change is remembered in order."""
    indicator = RecordingIndicator()

    indicator.show(Verdict.IDLE)
    indicator.show(Verdict.IDLE, is_degraded=True)
    indicator.show(Verdict.MASK, is_degraded=True)

    assert indicator.shown == [(Verdict.IDLE, False), (Verdict.IDLE, True), (Verdict.MASK, True)]


def test_the_indicator_refuses_what_is_no_change() -> None:
    """Showing the same pair twice in a row is the caller's mistake."""
    indicator = RecordingIndicator()
    indicator.show(Verdict.MASK)

    with pytest.raises(AssertionError, match="told about changes only"):
        indicator.show(Verdict.MASK)


def test_the_closed_indicator_refuses_verdicts() -> None:
    """A verdict after close is an error and is not recorded."""
    indicator = RecordingIndicator()
    indicator.close()

    with pytest.raises(OutputError, match=r"^The indicator is closed\. "):
        indicator.show(Verdict.MASK)

    assert (indicator.shown, indicator.is_closed) == ([], True)


def test_watched_pins_report_by_name_what_is_on() -> None:
    """Active-low parts are reported as on or off too, in the order of the changes."""
    changes: list[tuple[str, bool]] = []
    settings = GpioSettings(relay_pin=24, relay_active_high=False, leds_active_high=False, buzzer_pin=None)
    factory = watched_mock_factory(settings, lambda part, is_on: changes.append((part, is_on)))

    indicator = GpioIndicator(settings, pin_factory=factory)
    indicator.show(Verdict.NO_MASK)
    indicator.show(Verdict.MASK)
    indicator.close()

    assert changes == [
        ("red", True),
        ("red", False),
        ("green", True),
        ("relay", True),
        ("relay", False),
        ("green", False),
    ]
