"""Hold rewritten models to the results of the original."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.manifest import load_manifest, models_dir, read_model, shipped_models
from tests.training.edgetpu.graphs import Step, Wire, build
from training.edgetpu.flatbuffer import pack, read_graph, unpack
from training.edgetpu.prepare import prepare


def resize(factor: float, *, half: bool = True, corners: bool = False, across: float = 0) -> bytes:
    """A model of one nearest-neighbour resizing; ``across`` is another factor for the width."""
    rows, columns = int(4 * factor), int(4 * (across or factor))
    wires = {
        "a": Wire((1, 4, 4, 2)),
        "size": Wire((2,), "INT32", [rows, columns]),
        "b": Wire((1, rows, columns, 2)),
    }
    options = {"halfPixelCenters": half, "alignCorners": corners}
    return build(wires, [Step("RESIZE_NEAREST_NEIGHBOR", ["a", "size"], ["b"], 3, options)])


def run(model: bytes) -> list[int]:
    """What the model makes of the numbers from 0."""
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.arange(32, dtype=np.int8).reshape(1, 4, 4, 2))
    interpreter.invoke()
    flat: list[int] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel().tolist()
    return flat


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_whole_factors_need_no_half_pixels(factor: int) -> None:
    """The rewritten operation is of version 2, has no half-pixel centres, and reads the same pixels."""
    before, after = resize(factor), prepare(resize(factor))

    operation = read_graph(after).operations[0]
    assert (operation.version, operation.options["halfPixelCenters"]) == (2, False)
    assert run(after) == run(before)


@given(x=st.integers(0, 10_000), factor=st.integers(1, 64))
def test_both_ways_of_counting_read_the_same_pixel(x: int, factor: int) -> None:
    """⌊(x + ½) ÷ n⌋ is ⌊x ÷ n⌋ for whole numbers."""
    assert (2 * x + 1) // (2 * factor) == x // factor


@pytest.mark.parametrize(
    "model",
    [resize(1.5), resize(2, across=1.5), resize(1.5, across=2), resize(2, half=False, corners=True)],
    ids=["1.5", "1.5 across", "1.5 down", "corners"],
)
def test_others_stay_as_they_are(model: bytes) -> None:
    """A broken factor or aligned corners would read other pixels: nothing is touched."""
    before, after = read_graph(model).operations[0], read_graph(prepare(model)).operations[0]

    assert (after.version, after.options) == (3, before.options)


def with_one_code(model: bytes) -> bytes:
    """The same file with all operations of the first one's code, as converters write them."""
    content = unpack(model)
    for operator in content.subgraphs[0].operators:
        operator.opcodeIndex = 0
    content.operatorCodes = content.operatorCodes[:1]
    return pack(content)


def test_operations_that_share_a_version_are_rewritten_together_or_not_at_all() -> None:
    """It is that of both: of a resizing that must keep it, and of an operation on floats."""
    options = {"halfPixelCenters": True, "alignCorners": False}
    ends = {"a": Wire((1, 4, 4, 2)), "whole": Wire((1, 8, 8, 2)), "b": Wire((1, 6, 6, 2))}
    resizings = [Step("RESIZE_NEAREST_NEIGHBOR", ["a"], [end], 3, options) for end in ("whole", "b")]
    mixed = {"a": Wire(), "f": Wire(kind="FLOAT32")}
    additions = [Step("ADD", [kind, kind], [kind]) for kind in ("a", "f")]

    for wires, steps in ((ends, resizings), (mixed, additions)):
        model = with_one_code(build(wires, steps))
        assert read_graph(prepare(model)) == read_graph(model)


def test_versions_are_raised_for_int8_only() -> None:
    """An int8 ADD declares version 2, a float one and a newer one what they did."""
    wires = {"a": Wire(), "b": Wire(), "f": Wire(kind="FLOAT32")}
    steps = [
        Step("ADD", ["a", "a"], ["b"]),
        Step("ADD", ["a", "a"], ["b"], 4),
        Step("ADD", ["f", "f"], ["f"]),
        Step("QUANTIZE", ["f"], ["b"]),
    ]

    versions = [operation.version for operation in read_graph(prepare(build(wires, steps))).operations]

    assert versions == [2, 4, 1, 1]


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_answer_the_same(name: str) -> None:
    """Every output byte for a picture of noise is the original's; preparing twice changes nothing more."""
    path = models_dir() / f"{name}.json"
    before = read_model(path, load_manifest(path).cpu)
    after = prepare(before)
    models = [CpuInterpreter(model, threads=1) for model in (before, after)]
    image = np.random.default_rng(0).integers(0, 256, models[0].spec.input.shape, np.uint8)

    assert models[0].spec == models[1].spec
    outputs = [model.invoke(image) for model in models]
    assert all(np.array_equal(one, other) for one, other in zip(*outputs, strict=True))
    assert read_graph(prepare(after)) == read_graph(after)
