"""Write an int8 model in the words that the Edge TPU's old compiler understands, its results unchanged."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from ai_edge_litert import schema_py_generated as schema

from training.edgetpu.flatbuffer import operator_name, pack, unpack

_INT8_VERSIONS: Final = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "LOGISTIC": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "RELU6": 2,
    "RESIZE_BILINEAR": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "STRIDED_SLICE": 2,
    "SUB": 2,
    "TRANSPOSE": 2,
}
"""What TensorFlow's own converter declares for int8 (TensorFlow, op_version.cc, 2023); 1 for all others."""


def prepare(model: bytes) -> bytes:
    """Return a model that gives the same results and is more likely to be mapped as a whole.

    - Nearest-neighbour resizing by a whole factor n reads pixel ⌊(x + ½) ÷ n⌋ with half-pixel centres and
      ⌊x ÷ n⌋ without: the same one, because x is a whole number. The compiler takes the latter only.
    - The new quantiser leaves the version of every operation at 1, which says "float or uint8". They are
      raised to what an int8 file of the compiler's own time declares.

    Raises:
        ModelError: It is no TensorFlow Lite model.
    """
    content = unpack(model)
    users: dict[int, list[tuple[schema.OperatorT, schema.SubGraphT]]] = defaultdict(list)
    for graph in content.subgraphs:
        for operator in graph.operators:
            users[operator.opcodeIndex].append((operator, graph))
    for position, code in enumerate(content.operatorCodes):
        name = operator_name(code)
        if name == "RESIZE_NEAREST_NEIGHBOR" and all(_is_whole_factor(*user) for user in users[position]):
            for operator, _ in users[position]:
                operator.builtinOptions.halfPixelCenters = False
            code.version = 1
        if all(_is_int8(*user) for user in users[position]):
            code.version = max(code.version, _INT8_VERSIONS.get(name, 1))
    return pack(content)


def _is_whole_factor(operator: schema.OperatorT, graph: schema.SubGraphT) -> bool:
    small, large = (graph.tensors[ends[0]].shape[1:3] for ends in (operator.inputs, operator.outputs))
    is_whole = all(wide % narrow == 0 for narrow, wide in zip(small, large, strict=True))
    return is_whole and not operator.builtinOptions.alignCorners


def _is_int8(operator: schema.OperatorT, graph: schema.SubGraphT) -> bool:
    outputs = operator.outputs if operator.outputs is not None else ()
    return any(graph.tensors[output].type == schema.TensorType.INT8 for output in outputs[:1])
