"""Hold every interpreter to the same promises."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pi_mask.errors import ModelError
from pi_mask.inference.auto import AutoInterpreter
from pi_mask.inference.base import Interpreter, ModelSpec, TensorSpec
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from pi_mask.testing import ScriptedInterpreter
from tests.inference.fake_driver import FakeDriver, compile_fake_driver, plugged_in_driver
from tests.tiny_model import COMPILED_MODEL, write_model

SCALE = float(np.float32(1 / 255))
SPEC = ModelSpec(
    input=TensorSpec("image", (1, 8, 8, 3), "uint8", SCALE, 0),
    outputs=(
        TensorSpec("boxes", (1, 4, 4, 3), "uint8", SCALE, 0),
        TensorSpec("scores", (1, 2, 2, 3), "uint8", SCALE, 0),
    ),
)
IMAGE = np.random.default_rng(5).integers(0, 256, SPEC.input.shape, dtype=np.uint8)


def open_cpu(_: FakeDriver) -> Interpreter:
    """Open the tiny model on the processor."""
    return CpuInterpreter(write_model(), threads=1)


def open_edgetpu(driver: FakeDriver) -> Interpreter:
    """Open the compiled tiny model on the fake driver's device."""
    return EdgeTpuInterpreter(write_model(COMPILED_MODEL), library=driver.library)


def open_auto(driver: FakeDriver) -> Interpreter:
    """Open both, the device plugged in."""
    return AutoInterpreter(partial(open_edgetpu, driver), partial(open_cpu, driver))


def open_auto_without_device(driver: FakeDriver) -> Interpreter:
    """Open both, the device missing."""
    driver.unplug()
    return open_auto(driver)


def open_scripted(_: FakeDriver) -> Interpreter:
    """Open the double that other tests use, with the same answer to everything."""
    answer = tuple(np.full(output.shape, 7, output.dtype) for output in SPEC.outputs)
    return ScriptedInterpreter(SPEC, [answer] * 9)


IMPLEMENTATIONS: dict[str, tuple[Callable[[FakeDriver], Interpreter], str]] = {
    "cpu": (open_cpu, "cpu"),
    "edgetpu": (open_edgetpu, "edgetpu"),
    "auto": (open_auto, "edgetpu"),
    "auto without a device": (open_auto_without_device, "cpu"),
    "scripted": (open_scripted, "cpu"),
}


@pytest.fixture(scope="module")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the stand-in of libedgetpu."""
    return compile_fake_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture(params=IMPLEMENTATIONS)
def name(request: pytest.FixtureRequest) -> str:
    """Name one implementation after the other."""
    return str(request.param)


@pytest.fixture
def interpreter(
    name: str, fake_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Interpreter]:
    """Open the named implementation on the same model."""
    gc.collect()
    opened = IMPLEMENTATIONS[name][0](plugged_in_driver(fake_library, tmp_path, monkeypatch))
    yield opened
    opened.close()


def values(outputs: tuple[np.ndarray, ...]) -> list[list[int]]:
    """Flatten output tensors, which are valid until the next call only."""
    return [output.ravel().tolist() for output in outputs]


def test_the_spec_is_the_models(interpreter: Interpreter) -> None:
    """The borders are those of the file, before and after an inference."""
    before = interpreter.spec
    interpreter.invoke(IMAGE)

    assert [before, interpreter.spec] == [SPEC, SPEC]


def test_the_device_is_named(interpreter: Interpreter, name: str) -> None:
    """The device is "cpu" or "edgetpu", and stays so while nothing fails."""
    before = interpreter.device
    interpreter.invoke(IMAGE)

    expected = IMPLEMENTATIONS[name][1]
    assert [before, interpreter.device] == [expected, expected]


def test_outputs_come_as_the_spec_says(interpreter: Interpreter) -> None:
    """The outputs have the spec's order, shapes and types."""
    outputs = interpreter.invoke(IMAGE)

    assert [(output.shape, output.dtype.name) for output in outputs] == [
        (spec.shape, spec.dtype) for spec in interpreter.spec.outputs
    ]


def test_the_same_image_gives_the_same_answer(interpreter: Interpreter) -> None:
    """Two runs on one image agree, whatever its layout in memory."""
    turned = np.asfortranarray(IMAGE)

    first, second, third = (values(interpreter.invoke(image)) for image in (IMAGE, IMAGE, turned))

    assert first == second == third


def test_the_image_is_left_alone(interpreter: Interpreter) -> None:
    """The input is neither changed nor kept: writing to it later changes no output."""
    image = IMAGE.copy()

    outputs = interpreter.invoke(image)
    unchanged = image.tolist() == IMAGE.tolist()
    before = values(outputs)
    image.fill(0)

    assert unchanged
    assert values(outputs) == before


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (IMAGE[0], "uint8 (8, 8, 3)"),
        (IMAGE[:, :4], "uint8 (1, 4, 8, 3)"),
        (IMAGE[..., :1], "uint8 (1, 8, 8, 1)"),
        (IMAGE.astype(np.float32), "float32 (1, 8, 8, 3)"),
        (IMAGE.astype(np.int8), "int8 (1, 8, 8, 3)"),
    ],
    ids=["no batch", "cut", "grey", "float32", "int8"],
)
def test_a_wrong_input_is_refused(interpreter: Interpreter, image: np.ndarray, found: str) -> None:
    """A wrong shape or type is a ModelError that names both, and the next call works."""
    with pytest.raises(ModelError) as caught:
        interpreter.invoke(image)

    assert str(caught.value) == f"The input is {found}. This model takes uint8 (1, 8, 8, 3)."
    assert len(interpreter.invoke(IMAGE)) == 2


def test_closing_twice_is_fine(interpreter: Interpreter) -> None:
    """close() may be called again and again."""
    interpreter.close()
    interpreter.close()


def test_nothing_runs_after_close(interpreter: Interpreter) -> None:
    """A closed interpreter answers with a ModelError, on every device."""
    interpreter.invoke(IMAGE)
    interpreter.close()

    with pytest.raises(ModelError, match=r"^The interpreter is closed\. Open the model again"):
        interpreter.invoke(IMAGE)


def test_closing_before_any_inference_is_fine(interpreter: Interpreter) -> None:
    """A model that was opened for its spec only can be closed, and the spec stays readable."""
    spec = interpreter.spec
    interpreter.close()

    assert (spec, interpreter.spec) == (SPEC, SPEC)
