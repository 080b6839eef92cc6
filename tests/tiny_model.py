"""Write TensorFlow Lite models of a few hundred bytes for tests."""

from __future__ import annotations

from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

EDGETPU_OP = "edgetpu-custom-op"


@dataclass(frozen=True, slots=True)
class TinyTensor:
    """One tensor at the border of a tiny model.

    Attributes:
        name: As in the file.
        shape: 1 × height × width × channels.
        dtype: A numpy name.
        scales: One per tensor, one per channel, or none.
        zero_points: As many.
        is_static: False to mark the batch dimension as unknown.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    scales: tuple[float, ...] = (1 / 255,)
    zero_points: tuple[int, ...] = (0,)
    is_static: bool = True


IMAGE = TinyTensor("image", (1, 8, 8, 3))
BOXES = TinyTensor("boxes", (1, 4, 4, 3))
SCORES = TinyTensor("scores", (1, 2, 2, 3))


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A model whose every output holds the maxima over equal blocks of the first input.

    Attributes:
        inputs: Only the first one is used.
        outputs: Their heights and widths divide the input's.
        custom_op: Name of one custom operation in place of the built-in ones; "" for none.
    """

    inputs: tuple[TinyTensor, ...] = (IMAGE,)
    outputs: tuple[TinyTensor, ...] = (BOXES, SCORES)
    custom_op: str = ""


CPU_MODEL = TinyModel()
COMPILED_MODEL = TinyModel(custom_op=EDGETPU_OP)


def write_model(model: TinyModel = CPU_MODEL) -> bytes:
    """Return the content of the model's .tflite file."""
    tensors = (*model.inputs, *model.outputs)
    first_output = len(model.inputs)
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(tensor) for tensor in tensors]
    graph.inputs = list(range(first_output))
    graph.outputs = list(range(first_output, len(tensors)))
    graph.operators = _custom(graph.outputs) if model.custom_op else _pools(model, graph.outputs)
    file = schema.ModelT()
    file.version = 3
    file.operatorCodes = [_operator_code(model.custom_op)]
    file.subgraphs = [graph]
    file.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def expected_outputs(image: NDArray[np.uint8], model: TinyModel = CPU_MODEL) -> list[list[int]]:
    """Return what the model answers to an image, each output flattened."""
    _, height, width, channels = image.shape
    answers = []
    for output in model.outputs:
        rows, columns = output.shape[1:3]
        blocks = image.reshape(rows, height // rows, columns, width // columns, channels)
        answers.append(blocks.max(axis=(1, 3)).ravel().tolist())
    return answers


def _tensor(tensor: TinyTensor) -> schema.TensorT:
    made = schema.TensorT()
    made.name = tensor.name
    made.shape = list(tensor.shape)
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    if tensor.scales:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = list(tensor.scales)
        made.quantization.zeroPoint = list(tensor.zero_points)
        made.quantization.quantizedDimension = len(tensor.shape) - 1 if len(tensor.scales) > 1 else 0
    if not tensor.is_static:
        made.shapeSignature = [-1, *tensor.shape[1:]]
    return made


def _operator_code(custom_op: str) -> schema.OperatorCodeT:
    operator_code = schema.OperatorCodeT()
    builtin = schema.BuiltinOperator.CUSTOM if custom_op else schema.BuiltinOperator.MAX_POOL_2D
    operator_code.builtinCode = operator_code.deprecatedBuiltinCode = builtin
    operator_code.customCode = custom_op or None
    return operator_code


def _custom(outputs: list[int]) -> list[schema.OperatorT]:
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], outputs
    return [operator]


def _pools(model: TinyModel, outputs: list[int]) -> list[schema.OperatorT]:
    operators = []
    for index, tensor in zip(outputs, model.outputs, strict=True):
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.filterHeight = options.strideH = model.inputs[0].shape[1] // tensor.shape[1]
        options.filterWidth = options.strideW = model.inputs[0].shape[2] // tensor.shape[2]
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [0], [index]
        operator.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
        operator.builtinOptions = options
        operators.append(operator)
    return operators
