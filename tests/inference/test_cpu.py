"""Run real files on the processor, and refuse what is no usable model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pi_mask.errors import ModelError, UsageError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.inference.cpu import CpuInterpreter
from tests.tiny_model import (
    BOXES,
    COMPILED_MODEL,
    IMAGE,
    SCORES,
    TinyModel,
    TinyTensor,
    expected_outputs,
    write_model,
)

SCALE = float(np.float32(1 / 255))


def test_the_borders_come_from_the_file() -> None:
    """Names, shapes, types, scales and zero points are those of the file, outputs in its order."""
    image = TinyTensor("picture", (1, 8, 16, 3), "int8", (0.25,), (-128,))
    outputs = tuple(
        replace(image, name=name, shape=(1, rows, rows, 3)) for name, rows in (("b", 2), ("a", 4))
    )
    spec = CpuInterpreter(write_model(TinyModel((image,), outputs))).spec

    assert spec == ModelSpec(
        input=TensorSpec("picture", (1, 8, 16, 3), "int8", 0.25, -128),
        outputs=(
            TensorSpec("b", (1, 2, 2, 3), "int8", 0.25, -128),
            TensorSpec("a", (1, 4, 4, 3), "int8", 0.25, -128),
        ),
    )


def test_float_tensors_have_no_scale() -> None:
    """A float32 tensor is reported with scale 0 and zero point 0."""
    tensors = [replace(tensor, dtype="float32", scales=(), zero_points=()) for tensor in (IMAGE, BOXES)]
    spec = CpuInterpreter(write_model(TinyModel((tensors[0],), (tensors[1],)))).spec

    assert spec == ModelSpec(
        input=TensorSpec("image", (1, 8, 8, 3), "float32", 0.0, 0),
        outputs=(TensorSpec("boxes", (1, 4, 4, 3), "float32", 0.0, 0),),
    )


def test_results_are_those_of_the_model() -> None:
    """The outputs are computed from the very image that was given."""
    image = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)

    outputs = CpuInterpreter(write_model(), threads=2).invoke(image)

    assert [output.ravel().tolist() for output in outputs] == expected_outputs(image)


def test_no_threads_is_a_usage_error() -> None:
    """Fewer than one thread is refused before anything is loaded."""
    with pytest.raises(UsageError, match=r"^A model cannot run on 0 threads\. Use at least 1\.$"):
        CpuInterpreter(write_model(), threads=0)


WRONG_BORDERS = {
    "has 2 inputs and 2 outputs": TinyModel(inputs=(IMAGE, replace(IMAGE, name="second"))),
    "has no fixed shape": TinyModel(inputs=(replace(IMAGE, is_static=False),)),
    "has one scale per channel": TinyModel(
        inputs=(replace(IMAGE, dtype="int8", scales=(0.5, 0.5, 0.5), zero_points=(0, 0, 0)),),
        outputs=(replace(BOXES, dtype="int8", scales=(0.5, 0.5, 0.5), zero_points=(0, 0, 0)),),
    ),
    "has no scale": TinyModel(
        inputs=(replace(IMAGE, scales=(), zero_points=()),),
        outputs=(replace(BOXES, scales=(), zero_points=()),),
    ),
    "is int16": TinyModel(inputs=(replace(IMAGE, dtype="int16"),), outputs=(replace(BOXES, dtype="int16"),)),
    "input is (1, 8, 8, 1)": TinyModel(
        inputs=(replace(IMAGE, shape=(1, 8, 8, 1)),), outputs=(replace(BOXES, shape=(1, 4, 4, 1)),)
    ),
}


@pytest.mark.parametrize(("complaint", "model"), WRONG_BORDERS.items(), ids=list(WRONG_BORDERS))
def test_models_that_are_no_detector_are_refused(complaint: str, model: TinyModel) -> None:
    """A file that loads but cannot be fed or read is refused with what to change."""
    with pytest.raises(ModelError) as caught:
        CpuInterpreter(write_model(model))

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_FILES = {
    "empty": (b"", "The model file is empty."),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(1000), "The file is not a TensorFlow Lite model."),
    "seven bytes": (b"\x20\0\0\0TFL", "The file is not a TensorFlow Lite model."),
    "only a head": (b"\x20\0\0\0TFL3", "The model cannot be used:"),
    "noise after the head": (
        b"\x20\0\0\0TFL3" + np.random.default_rng(2).bytes(1000),
        "The model cannot be used:",
    ),
}


@pytest.mark.parametrize(("content", "complaint"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_what_is_no_model_is_refused(content: bytes, complaint: str) -> None:
    """A file that is no model at all is refused in one line."""
    with pytest.raises(ModelError) as caught:
        CpuInterpreter(content)

    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


# One child process for all lengths: a runtime that crashes fails the test instead of ending it.
TRUNCATE = """
import sys
from pi_mask.errors import ModelError
from pi_mask.inference.cpu import CpuInterpreter

content = sys.stdin.buffer.read()
for length in range(len(content)):
    try:
        CpuInterpreter(content[:length])
    except ModelError as error:
        assert "\\n" not in str(error), error
    else:
        sys.exit(f"{length} of {len(content)} bytes were taken for a model")
"""


def test_a_file_cut_off_anywhere_is_refused() -> None:
    """Of a good file, no beginning crashes the process or passes for a model."""
    pytest.importorskip("ai_edge_litert.interpreter", reason="tflite-runtime does crash; LiteRT must not")
    child = subprocess.run(
        [sys.executable, "-c", TRUNCATE], input=write_model(), capture_output=True, check=False
    )

    assert (child.returncode, child.stdout) == (0, b""), child.stderr.decode()


def test_a_compiled_model_names_the_option_it_needs() -> None:
    """A model for the Edge TPU is refused with the option that runs it."""
    with pytest.raises(
        ModelError, match=r"^The model is compiled for the Edge TPU; .* --accelerator edgetpu"
    ):
        CpuInterpreter(write_model(COMPILED_MODEL))


def test_an_unknown_operation_is_refused() -> None:
    """A custom operation that the runtime lacks is named."""
    with pytest.raises(ModelError, match=r"unresolved custom op: strange-op"):
        CpuInterpreter(write_model(TinyModel(custom_op="strange-op")))


def test_stdout_stays_clean(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing of the runtime's own chatter reaches stdout."""
    CpuInterpreter(write_model()).invoke(np.zeros(IMAGE.shape, np.uint8))

    assert capfd.readouterr().out == ""


def test_quantisation_is_read_per_output() -> None:
    """The scale in the file is a float32, and is passed on as stored."""
    spec = CpuInterpreter(write_model(TinyModel(outputs=(SCORES,)))).spec

    assert [output.scale for output in spec.outputs] == [SCALE]
