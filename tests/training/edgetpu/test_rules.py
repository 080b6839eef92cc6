"""Hold the prediction to one example for each published rule, and one beside it that is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.training.edgetpu.graphs import Step, Wire, build
from training.edgetpu.flatbuffer import read_graph
from training.edgetpu.rules import NEWEST_VERSION, SUPPORTED, obstacle

MAP = Wire()
WEIGHTS = Wire((8, 1, 1, 8), "INT8", [1] * 64)
BIAS = Wire((8,), "INT32", [0] * 8)


def ints(*values: int, shape: tuple[int, ...] | None = None) -> Wire:
    """A constant of whole numbers."""
    return Wire(shape or (len(values),), "INT32", values)


def reason(
    name: str,
    inputs: Sequence[Wire] = (MAP,),
    output: Wire = MAP,
    version: int = 1,
    options: Mapping[str, Any] | None = None,
) -> str:
    """What keeps an operation off the Edge TPU; "" for nothing."""
    wires = {f"in{i}": wire for i, wire in enumerate(inputs)} | {"out": output}
    step = Step(name, [f"in{i}" for i in range(len(inputs))], ["out"], version, options or {})
    graph = read_graph(build(wires, [step]))
    found = obstacle(graph.operations[0], graph.tensors)
    if found is None:
        return ""
    assert found.source
    return found.reason


@pytest.mark.parametrize("name", sorted(SUPPORTED - {"PAD", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}))
def test_a_supported_operation_on_8_bit_vectors_is_predicted(name: str) -> None:
    """Each name of the table is allowed where nothing else speaks against it."""
    vector = Wire((1, 8))
    constants = {"STRIDED_SLICE": [vector, ints(0, 0), ints(1, 8), ints(1, 1)]}
    one = Wire((8,), "INT8", [1] * 8)
    weighted = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PRELU"}
    inputs = constants.get(name, [vector, one] if name in weighted else [vector])
    if name == "TRANSPOSE_CONV":
        inputs = [ints(1, 8), one, vector]

    assert reason(name, inputs, vector, options={"axis": 1}) == ""


@pytest.mark.parametrize(
    "name", ["DEQUANTIZE", "GATHER", "TILE", "LEAKY_RELU", "HARD_SWISH", "DIV", "EXP", "mine"]
)
def test_other_operations_are_not(name: str) -> None:
    """What is not in the table stays on the CPU, custom operations too."""
    assert reason(name) == "not supported"


@pytest.mark.parametrize(("name", "newest"), [(name, rule[0]) for name, rule in NEWEST_VERSION.items()])
def test_newer_versions_are_refused(name: str, newest: int) -> None:
    """One version above the newest known one is refused, with the number."""
    assert reason(name, version=newest + 1) == f"version {newest + 1}, at most {newest} is known"
    assert "version" not in reason(name, [MAP, WEIGHTS, BIAS], version=newest)


@pytest.mark.parametrize(
    ("name", "inputs", "output", "options", "expected"),
    [
        ("ADD", [MAP, Wire(kind="FLOAT32")], MAP, {}, "works on FLOAT32; only 8-bit integers can"),
        ("QUANTIZE", [Wire(kind="FLOAT32")], MAP, {}, "works on FLOAT32; only 8-bit integers can"),
        ("QUANTIZE", [Wire(kind="UINT8")], MAP, {}, ""),
        ("ADD", [MAP, MAP], Wire(kind="INT16"), {}, "works on INT16; only 8-bit integers can"),
        ("LOGISTIC", [Wire(is_open=True)], MAP, {}, "a shape is not fixed"),
        ("LOGISTIC", [Wire((2, 4, 4, 8))], MAP, {}, "shape [2, 4, 4, 8]: only the last three may be above 1"),
        ("CONV_2D", [MAP, WEIGHTS, BIAS], MAP, {}, ""),
        ("CONV_2D", [MAP, Wire((8, 1, 1))], MAP, {}, "its weights are not constant"),
        ("TRANSPOSE_CONV", [ints(1, 4, 4, 8), WEIGHTS, MAP], MAP, {}, ""),
        (
            "CONV_2D",
            [MAP, WEIGHTS],
            MAP,
            {"dilationWFactor": 2, "dilationHFactor": 1},
            "its dilation differs between x and y",
        ),
        (
            "DEPTHWISE_CONV_2D",
            [MAP, WEIGHTS],
            MAP,
            {"dilationWFactor": 1, "dilationHFactor": 2},
            "its dilation differs between x and y",
        ),
        ("DEPTHWISE_CONV_2D", [MAP, Wire((8, 1, 1))], MAP, {}, "its weights are not constant"),
        ("FULLY_CONNECTED", [MAP, Wire((8, 8))], Wire((1, 8)), {}, "its weights are not constant"),
        ("PRELU", [MAP, Wire((1, 1, 8))], MAP, {}, "its weights are not constant"),
        ("TRANSPOSE_CONV", [ints(1, 4, 4, 8), MAP, MAP], MAP, {}, "its weights are not constant"),
        ("MAX_POOL_2D", [MAP], MAP, {"fusedActivationFunction": 3}, "has a fused activation"),
        ("AVERAGE_POOL_2D", [MAP], MAP, {"fusedActivationFunction": 3}, "has a fused activation"),
        ("CONCATENATION", [MAP, MAP, MAP], MAP, {}, ""),
        ("CONCATENATION", [MAP, MAP], MAP, {"fusedActivationFunction": 1}, "has a fused activation"),
        ("CONCATENATION", [MAP, Wire((1, 1, 1, 2), "INT8", [0, 0])], MAP, {}, ""),
        (
            "CONCATENATION",
            [MAP, Wire((1, 1, 1, 2), "INT8", [0, 1])],
            MAP,
            {},
            "joins a constant; only one of zeros, with one other input, can be",
        ),
        (
            "CONCATENATION",
            [MAP, MAP, Wire((1, 1, 1, 2), "INT8", [0, 0])],
            MAP,
            {},
            "joins a constant; only one of zeros, with one other input, can be",
        ),
        ("PAD", [MAP, ints(0, 0, 1, 1, 1, 1, 0, 0, shape=(4, 2))], MAP, {}, ""),
        ("PAD", [MAP, ints(0, 1, 1, 1, 1, 1, 0, 0, shape=(4, 2))], MAP, {}, "pads the batch dimension"),
        ("PAD", [MAP, Wire((4, 2))], MAP, {}, "its paddings are not constant"),
        ("MEAN", [MAP, ints(1, 2)], MAP, {}, ""),
        ("MEAN", [MAP, ints(-4)], MAP, {}, "reduces the batch dimension"),
        ("SUM", [MAP, ints(1, 0)], MAP, {}, "reduces the batch dimension"),
        ("REDUCE_MAX", [MAP, ints(0)], MAP, {}, "reduces the batch dimension"),
        ("REDUCE_MIN", [MAP, ints(0)], MAP, {}, "reduces the batch dimension"),
        ("REDUCE_MIN", [MAP, ints(3)], MAP, {}, ""),
        ("SOFTMAX", [Wire((1, 16_000))], Wire((1, 16_000)), {}, ""),
        ("SOFTMAX", [MAP], MAP, {}, "shape [1, 4, 4, 8]: only one dimension of up to 16,000 can be"),
        (
            "SOFTMAX",
            [Wire((1, 16_001))],
            MAP,
            {},
            "shape [1, 16001]: only one dimension of up to 16,000 can be",
        ),
        ("STRIDED_SLICE", [MAP, ints(0), ints(4), ints(2)], MAP, {}, "its strides are not all 1"),
        (
            "STRIDED_SLICE",
            [MAP, ints(0), ints(4), ints(1)],
            MAP,
            {"newAxisMask": 1},
            "has an ellipsis or a new axis",
        ),
        (
            "STRIDED_SLICE",
            [MAP, ints(0), ints(4), ints(1)],
            MAP,
            {"ellipsisMask": 1},
            "has an ellipsis or a new axis",
        ),
        ("PRELU", [MAP, Wire((1, 1, 8), "INT8", [1] * 8)], MAP, {}, ""),
        (
            "PRELU",
            [MAP, Wire((4, 1, 2), "INT8", [1] * 8)],
            MAP,
            {},
            "alpha has shape [4, 1, 2]: only one dimension",
        ),
        ("FULLY_CONNECTED", [MAP, WEIGHTS], Wire((1, 4, 8)), {}, "output [1, 4, 8]: only one dimension"),
        ("FULLY_CONNECTED", [MAP, WEIGHTS], Wire((1, 8)), {"weightsFormat": 1}, "its weights are shuffled"),
        ("PACK", [MAP, MAP], MAP, {"axis": 0}, "packs along the batch dimension"),
    ],
)
def test_each_rule_has_a_limit(
    name: str, inputs: Sequence[Wire], output: Wire, options: Mapping[str, Any], expected: str
) -> None:
    """The reason is the rule's; what just keeps to it has none."""
    assert reason(name, inputs, output, options=options) == expected


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        ("MEAN", [Wire((1, 4, 4, 6)), ints(3)], "reduces 6 channels: only a multiple of 4 can be"),
        ("MEAN", [Wire((1, 4, 4, 6)), ints(-1)], "reduces 6 channels: only a multiple of 4 can be"),
        ("MEAN", [Wire((1, 4, 4, 8)), ints(3)], ""),
        ("MEAN", [Wire((1, 4, 4, 6)), ints(1, 2)], ""),
        ("MEAN", [Wire((1, 4, 4, 6))], "its axes are not constant"),
        ("SPLIT", [ints(0), Wire((1, 8))], "splits the batch dimension"),
        ("SPLIT", [ints(-2), Wire((1, 8))], "splits the batch dimension"),
        ("SPLIT", [ints(1), Wire((1, 8))], ""),
        ("SOFTMAX", [Wire(())], "shape []: only one dimension of up to 16,000 can be"),
    ],
)
def test_axes_that_the_chip_cannot_take(name: str, inputs: Sequence[Wire], expected: str) -> None:
    """Means over channels in fours, no split of the batch; an operation that lacks a part is no traceback."""
    assert reason(name, inputs, Wire((1, 8))) == expected
