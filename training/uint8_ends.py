"""Give an int8 model uint8 input and outputs, by a QUANTIZE operation at each end.

Image bytes then go in as they are: nothing to quantise on the hot path, and the browser runtime loads it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# The same real value is stored 128 higher as uint8: scale × (q − zp) with q and zp both shifted.
_SHIFT = 128


def with_uint8_ends(model: bytes) -> bytes:
    """Return the model with every int8 input and output turned into uint8.

    Raises:
        ValueError: An end is neither int8 nor uint8.
    """
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    _take_in_buffers(content, model)
    graph = content.subgraphs[0]
    code = _quantize_code(content)
    twins = {}
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.type not in (schema.TensorType.INT8, schema.TensorType.UINT8):
            raise ValueError(f"tensor {tensor.name!r} is no int8: quantise the model with int8 ends first")
        if tensor.type == schema.TensorType.INT8:
            twins[index] = _add_twin(graph, index, code, is_input=index in graph.inputs)
    graph.inputs = [twins.get(index, index) for index in graph.inputs]
    graph.outputs = [twins.get(index, index) for index in graph.outputs]
    _rename(content, twins)
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _take_in_buffers(content: schema.ModelT, model: bytes) -> None:
    """Move weights inside that lie behind the flatbuffer, at absolute offsets: they would be lost."""
    for buffer in content.buffers:
        if buffer.size:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def _quantize_code(content: schema.ModelT) -> int:
    """Position of the QUANTIZE operator code, added if the model has none."""
    for position, code in enumerate(content.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.QUANTIZE:
            return position
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    content.operatorCodes.append(code)
    return len(content.operatorCodes) - 1


def _add_twin(graph: schema.SubGraphT, index: int, code: int, *, is_input: bool) -> int:
    """Add the uint8 tensor and the operation between it and the int8 one; return its index."""
    inner = graph.tensors[index]
    outer = copy.deepcopy(inner)
    outer.type = schema.TensorType.UINT8
    outer.buffer = 0
    outer.quantization.zeroPoint = [int(inner.quantization.zeroPoint[0]) + _SHIFT]
    name = inner.name if isinstance(inner.name, str) else inner.name.decode()
    outer.name, inner.name = name, name + "_int8"
    graph.tensors.append(outer)
    twin = len(graph.tensors) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    operator.inputs, operator.outputs = ([twin], [index]) if is_input else ([index], [twin])
    graph.operators.insert(0 if is_input else len(graph.operators), operator)
    return twin


def _rename(content: schema.ModelT, twins: Mapping[int, int]) -> None:
    """Let the signatures point at the new ends."""
    for signature in content.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = twins.get(entry.tensorIndex, entry.tensorIndex)
