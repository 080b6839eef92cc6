"""Read TensorFlow Lite files down to their single operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.inference.graph import check_file

_DAMAGED = "Convert or download it again."


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_OPERATORS = _names(schema.BuiltinOperator)
_TYPES = _names(schema.TensorType)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a graph.

    Attributes:
        shape: Sizes, the batch first where there is one.
        kind: The schema's name of the element type, such as "INT8".
        is_static: No dimension is left open.
        data: The values' bytes of a constant; empty where they are computed.
        scales: Quantisation steps: one, one per channel, or none.
        zero_points: As many.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    is_static: bool
    data: bytes
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]

    @property
    def is_constant(self) -> bool:
        """Whether the values are in the file."""
        return bool(self.data)

    def integers(self) -> NDArray[np.int64]:
        """The values of a constant INT32 or INT64 tensor, such as paddings or axes, in its shape."""
        kind = np.int64 if self.kind == "INT64" else np.int32
        return np.frombuffer(self.data, kind).astype(np.int64).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a graph, in its order of execution.

    Attributes:
        name: The schema's name, such as "CONV_2D"; a custom operation's own name.
        version: As the file declares it.
        inputs: Positions among the graph's tensors; optional ones that are left out are missing.
        outputs: Likewise.
        options: The schema's fields, such as ``fusedActivationFunction``.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """The first graph of a file.

    Attributes:
        n_graphs: Number of graphs in the file.
        weights_bytes: Size of all constants.
    """

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    n_graphs: int
    weights_bytes: int

    @property
    def borders(self) -> ModelSpec:
        """Input and outputs, as an interpreter would tell them."""
        specs = [
            TensorSpec(
                tensor.name,
                tensor.shape,
                tensor.kind.lower(),
                tensor.scales[0] if tensor.scales else 0.0,
                tensor.zero_points[0] if tensor.zero_points else 0,
            )
            for tensor in (self.tensors[position] for position in (*self.inputs[:1], *self.outputs))
        ]
        return ModelSpec(specs[0], tuple(specs[1:]))


def unpack(model: bytes) -> schema.ModelT:
    """The content of a .tflite file as objects that can be changed.

    Raises:
        ModelError: It is no such file, or damaged.
    """
    check_file(model)
    try:
        content = schema.ModelT.InitFromPackedBuf(model, 0)
        for buffer in content.buffers:
            # Large files keep weights behind the flatbuffer, at absolute offsets.
            if buffer.size:
                buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
                buffer.offset = buffer.size = 0
    except Exception as error:  # the generated code checks nothing: anything may come out of a damaged file
        raise ModelError(f"The model cannot be read ({type(error).__name__}). {_DAMAGED}") from error
    return content


def pack(content: schema.ModelT) -> bytes:
    """The bytes of a .tflite file."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def read_graph(model: bytes) -> TfliteGraph:
    """Read a .tflite file.

    Raises:
        ModelError: It is no such file, damaged, or empty.
    """
    content = unpack(model)
    if not content.subgraphs or not content.subgraphs[0].operators:
        raise ModelError(f"The model has no operations. {_DAMAGED}")
    try:
        graph = content.subgraphs[0]
        tensors = tuple(_tensor(tensor, content.buffers) for tensor in graph.tensors)
        return TfliteGraph(
            tensors,
            tuple(_operation(operator, content.operatorCodes) for operator in graph.operators),
            _positions(graph.inputs),
            _positions(graph.outputs),
            len(content.subgraphs),
            sum(len(buffer.data) for buffer in content.buffers if buffer.data is not None),
        )
    except (IndexError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise ModelError(f"The model cannot be read ({type(error).__name__}). {_DAMAGED}") from error


def operator_name(code: schema.OperatorCodeT) -> str:
    """The schema's name of an operator code; a custom one's own name."""
    # Old files and readers know the code in a single byte only, whose last value says: look at the new field.
    name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
    return _text(code.customCode) if name == "CUSTOM" else name


def _tensor(tensor: schema.TensorT, buffers: list[schema.BufferT]) -> Tensor:
    data = buffers[tensor.buffer].data
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else ()
    quantization = tensor.quantization
    scales = quantization.scale if quantization is not None and quantization.scale is not None else ()
    points = quantization.zeroPoint if quantization is not None and quantization.zeroPoint is not None else ()
    return Tensor(
        _text(tensor.name),
        _positions(tensor.shape),
        _TYPES[tensor.type],
        all(size >= 0 for size in signature),
        b"" if data is None else bytes(bytearray(data)),
        tuple(float(scale) for scale in scales),
        _positions(points),
    )


def _operation(operator: schema.OperatorT, codes: list[schema.OperatorCodeT]) -> Operation:
    code = codes[operator.opcodeIndex]
    options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    inputs = tuple(position for position in _positions(operator.inputs) if position >= 0)
    return Operation(operator_name(code), int(code.version), inputs, _positions(operator.outputs), options)


def _positions(values: Sequence[int] | None) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def _text(name: bytes | str | None) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name or "")
