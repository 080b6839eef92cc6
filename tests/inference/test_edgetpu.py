"""Run compiled models through a real delegate interface."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from pi_mask.errors import EdgeTpuError, ModelError
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import COMPILED_MODEL, SCORES, expected_outputs, write_model

COMPILED = write_model(COMPILED_MODEL)
IMAGE = np.random.default_rng(3).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


def test_the_compiled_model_runs_on_the_delegate(driver: FakeDriver) -> None:
    """The delegate takes the compiled operation and its results arrive, in the file's order."""
    interpreter = EdgeTpuInterpreter(COMPILED, library=driver.library)

    outputs = interpreter.invoke(IMAGE)

    assert [output.ravel().tolist() for output in outputs] == expected_outputs(IMAGE)
    assert driver.steps == ["create", "prepare", "invoke"]


def test_the_device_is_passed_on(driver: FakeDriver) -> None:
    """The chosen device reaches the driver as its option; without a choice there is no option."""
    EdgeTpuInterpreter(COMPILED, device="usb:0", library=driver.library).close()
    EdgeTpuInterpreter(COMPILED, library=driver.library).close()

    created = ["create", "option device=usb:0", "prepare", "destroy", "create", "prepare", "destroy"]
    assert driver.steps == created


def test_closing_frees_the_device(driver: FakeDriver) -> None:
    """After close() the driver's delegate is gone at once, also after a failure."""
    interpreter = EdgeTpuInterpreter(COMPILED, library=driver.library)
    driver.unplug()
    with pytest.raises(EdgeTpuError):
        interpreter.invoke(IMAGE)

    interpreter.close()
    gc.collect()  # pytest.raises keeps the traceback, and with it the native interpreter, in a cycle

    assert driver.steps == ["create", "prepare", "invoke", "destroy"]


def test_no_device_says_so(driver: FakeDriver, capfd: pytest.CaptureFixture[str]) -> None:
    """The driver's silent refusal becomes "no Edge TPU found", and stderr stays clean."""
    driver.unplug()

    with pytest.raises(EdgeTpuError) as caught:
        EdgeTpuInterpreter(COMPILED, library=driver.library)
    gc.collect()

    assert str(caught.value) == (
        "No Edge TPU found. Plug it in (a USB 3 port, its own cable), or use --accelerator cpu."
    )
    assert capfd.readouterr() == ("", "")


def test_a_missing_driver_leaves_stderr_clean(capfd: pytest.CaptureFixture[str]) -> None:
    """The runtime's traceback from a half made delegate never shows."""
    with pytest.raises(EdgeTpuError, match=r"^The Edge TPU driver cannot be loaded"):
        EdgeTpuInterpreter(COMPILED, library="libno-such-driver.so.1")
    gc.collect()

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [("Unknown option", "Unknown option"), ("", "Failed to load delegate from ")],
    ids=["with a reason", "without a word"],
)
def test_a_refused_device_is_no_missing_device(driver: FakeDriver, words: str, reason: str) -> None:
    """Where devices are there and the driver refuses, the error names the wish and the driver's words."""
    driver.tell("refuse", words)

    with pytest.raises(EdgeTpuError) as caught:
        EdgeTpuInterpreter(COMPILED, device="usb:7", library=driver.library)

    message = str(caught.value)
    assert message.startswith("The driver refused the device 'usb:7' (")
    assert reason in message
    assert "\n" not in message


def test_a_device_that_fails_later_is_reported(driver: FakeDriver) -> None:
    """A device lost between two inferences is an EdgeTpuError with the driver's words."""
    interpreter = EdgeTpuInterpreter(COMPILED, library=driver.library)
    driver.tell("fail_after", "1")
    interpreter.invoke(IMAGE)

    with pytest.raises(EdgeTpuError) as caught:
        interpreter.invoke(IMAGE)

    message = str(caught.value)
    assert message.startswith("The Edge TPU failed: USB transfer error: timed out")
    assert message.endswith("Re-plug it (a USB 3 port, its own cable, no hub), or use --accelerator cpu.")
    assert "\n" not in message


def test_a_model_for_the_cpu_is_refused(driver: FakeDriver) -> None:
    """A model that never went through the compiler would run on the CPU unnoticed, so it is refused."""
    with pytest.raises(ModelError, match=r"^The model is not compiled for the Edge TPU\."):
        EdgeTpuInterpreter(write_model(), library=driver.library)

    assert driver.steps == []


def test_a_damaged_model_is_not_blamed_on_the_device(driver: FakeDriver) -> None:
    """A compiled file with a hole in it is a ModelError, not an EdgeTpuError."""
    damaged = COMPILED[:8] + bytes(64) + COMPILED[72:]

    with pytest.raises(ModelError, match=r"^The model cannot be used: .*install pi-mask's models again\.$"):
        EdgeTpuInterpreter(damaged, library=driver.library)


def test_a_model_with_other_borders_is_refused(driver: FakeDriver) -> None:
    """The borders of a compiled model are checked like any other's."""
    int32 = replace(COMPILED_MODEL, outputs=(replace(SCORES, dtype="int32"),))

    with pytest.raises(ModelError, match=r"^Tensor 'scores' of the model is int32\."):
        EdgeTpuInterpreter(write_model(int32), library=driver.library)


def test_an_operation_the_driver_does_not_take_is_reported(driver: FakeDriver) -> None:
    """Where the driver leaves the compiled operation alone, the TPU cannot run the model."""
    other = write_model(replace(COMPILED_MODEL, custom_op="edgetpu-custom-op-2"))

    with pytest.raises(EdgeTpuError) as caught:
        EdgeTpuInterpreter(other, library=driver.library)

    assert str(caught.value).startswith("The Edge TPU cannot run the model: Encountered unresolved custom op")
    assert "\n" not in str(caught.value)
