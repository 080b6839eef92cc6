"""Write TensorFlow Lite graphs operation by operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from training.edgetpu.flatbuffer import pack

NAMES = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "PACK": "PackOptions",
}


@dataclass(frozen=True)
class Wire:
    """A tensor; computed, unless it has values."""

    shape: tuple[int, ...] = (1, 4, 4, 8)
    kind: str = "INT8"
    values: Sequence[int] | None = None
    is_open: bool = False


@dataclass(frozen=True)
class Step:
    """An operation on named wires."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    version: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


def build(wires: Mapping[str, Wire], steps: Sequence[Step], *, graphs: int = 1) -> bytes:
    """The file's bytes; its inputs and outputs are the first and the last wire."""
    model = schema.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(name, wire, model.buffers) for name, wire in wires.items()]
    names = list(wires)
    graph.inputs, graph.outputs = [0], [len(names) - 1]
    graph.operators = [_operator(step, names, model.operatorCodes) for step in steps]
    model.subgraphs = [graph] * graphs
    return pack(model)


def _tensor(name: str, wire: Wire, buffers: list[Any]) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type = name, list(wire.shape), getattr(schema.TensorType, wire.kind)
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = [0.5], [3]
    if wire.is_open:
        made.shapeSignature = [-1, *wire.shape[1:]]
    if wire.values is not None:
        buffer = schema.BufferT()
        kind = np.int32 if wire.kind == "INT32" else np.int8
        buffer.data = np.frombuffer(np.array(wire.values, kind).tobytes(), np.uint8)
        buffers.append(buffer)
        made.buffer = len(buffers) - 1
    return made


def _operator(step: Step, names: list[str], codes: list[Any]) -> Any:
    code = schema.OperatorCodeT()
    known = getattr(schema.BuiltinOperator, step.name, None)
    code.builtinCode = schema.BuiltinOperator.CUSTOM if known is None else known
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.customCode = step.name if known is None else None
    code.version = step.version
    codes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(codes) - 1
    operator.inputs, operator.outputs = ([names.index(n) for n in e] for e in (step.inputs, step.outputs))
    if step.name in NAMES:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, NAMES[step.name])
        operator.builtinOptions = getattr(schema, f"{NAMES[step.name]}T")()
        vars(operator.builtinOptions).update(step.options)
    return operator
