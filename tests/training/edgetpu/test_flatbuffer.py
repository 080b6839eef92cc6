"""Hold what is read of a file to what was written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_mask.errors import ModelError
from pi_mask.inference.cpu import CpuInterpreter
from tests.colour_model import install_model
from tests.training.edgetpu.graphs import Step, Wire, build
from training.edgetpu.flatbuffer import (
    Operation,
    Tensor,
    TfliteGraph,
    operator_name,
    pack,
    read_graph,
    unpack,
)

SMALL = build(
    {"a": Wire(), "axes": Wire((2,), "INT32", [1, 2]), "b": Wire((1, 8), is_open=True)},
    [Step("MEAN", ["a", "axes"], ["b"], 2), Step("mine", ["b"], ["b"])],
)


def test_tensors_and_operations_are_those_of_the_file() -> None:
    """Names, shapes, types, constants, quantisation, versions and connections come back as they are."""
    data = np.array([1, 2], np.int32).tobytes()

    assert read_graph(SMALL) == TfliteGraph(
        tensors=(
            Tensor("a", (1, 4, 4, 8), "INT8", True, b"", (0.5,), (3,)),
            Tensor("axes", (2,), "INT32", True, data, (0.5,), (3,)),
            Tensor("b", (1, 8), "INT8", False, b"", (0.5,), (3,)),
        ),
        operations=(Operation("MEAN", 2, (0, 1), (2,), {}), Operation("mine", 1, (2,), (2,), {})),
        inputs=(0,),
        outputs=(2,),
        n_graphs=1,
        weights_bytes=8,
    )


@pytest.mark.parametrize(
    ("new", "old", "name"), [(0, 3, "CONV_2D"), (150, 127, "GELU"), (3, 3, "CONV_2D"), (32, 32, "mine")]
)
def test_operations_of_old_and_new_files_have_their_names(new: int, old: int, name: str) -> None:
    """Old files tell them in a byte alone; what a byte cannot hold is told beside it."""
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = new, old, b"mine"

    assert operator_name(code) == name


@pytest.mark.parametrize(("kind", "number"), [("INT32", np.int32), ("INT64", np.int64)])
def test_axes_are_read_in_either_width(kind: str, number: type[np.signedinteger[Any]]) -> None:
    """Converters write paddings and axes in 4 or 8 bytes."""
    data = np.array([[1, -2], [3, 4]], number).tobytes()

    assert Tensor("axes", (2, 2), kind, True, data, (), ()).integers().tolist() == [[1, -2], [3, 4]]


def test_the_borders_are_the_interpreters(tmp_path: Path) -> None:
    """What is read of input and outputs equals what the runtime says of them."""
    model = install_model(tmp_path).with_suffix(".tflite").read_bytes()

    assert read_graph(model).borders == CpuInterpreter(model, threads=1).spec


def test_a_file_packed_again_is_the_same_network(tmp_path: Path) -> None:
    """Unpacked and packed, a model gives the same bytes for the same picture."""
    model = install_model(tmp_path).with_suffix(".tflite").read_bytes()
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)

    outputs = [CpuInterpreter(each, threads=1).invoke(image) for each in (model, pack(unpack(model)))]

    assert all(np.array_equal(one, other) for one, other in zip(*outputs, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"GIF89a" * 9, "is not a TensorFlow Lite model"),
        (build({"a": Wire()}, []), "no operations"),
    ],
)
def test_no_model_is_refused(content: bytes, message: str) -> None:
    """Other files and empty ones are an error with advice."""
    with pytest.raises(ModelError, match=message):
        read_graph(content)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, len(SMALL) - 1), place=st.integers(8, len(SMALL) - 1), value=st.integers(0, 255))
def test_a_damaged_file_never_surprises(cut: int, place: int, value: int) -> None:
    """Cut off anywhere, or with any byte changed, a file is either read or refused."""
    changed = SMALL[:place] + bytes([value]) + SMALL[place + 1 :]
    for damaged in (SMALL[:cut], changed):
        with suppress(ModelError):
            read_graph(damaged)
