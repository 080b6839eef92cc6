"""Know which operations the Edge TPU's compiler takes.

The compiler is closed; its rules are collected from what its makers and its users wrote. They allow a
prediction, never a promise: what counts is the compiler's own log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from training.edgetpu.flatbuffer import Operation, Tensor

_CORAL: Final = "Coral, models-intro: supported operations (2022)"
_CORAL_REQUIREMENTS: Final = "Coral, models-intro: model requirements (2022)"

SUPPORTED: Final = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "L2_NORMALIZATION",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MUL",
        "PACK",
        "PAD",
        "PRELU",
        "QUANTIZE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SQUARED_DIFFERENCE",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
)
"""Coral's table of supported operations, in the schema's names."""

NEWEST_VERSION: Final = {
    # "Didn't find op for builtin opcode 'CONV_2D' version '6'": the whole file is refused.
    "CONV_2D": (5, "google-coral/edgetpu #631 (2022)"),
    # Version 4 came with a fused activation, in 2022: after the compiler's last release.
    "TRANSPOSE_CONV": (3, "TensorFlow, op_version.cc (2023)"),
    "FULLY_CONNECTED": (8, "public compiler logs: operation version not supported"),
    # Version 3 means half-pixel centres or aligned corners.
    "RESIZE_NEAREST_NEIGHBOR": (2, "google-coral/edgetpu #420 (2021), ultralytics/yolov5 #1127 (2021)"),
    "RESIZE_BILINEAR": (2, "google-coral/edgetpu #396 (2021)"),
}
"""Newest version of an operation that the compiler takes, where somebody found out."""

_REFUSING: Final = {"CONV_2D", "TRANSPOSE_CONV"}
"""Operations whose newer versions were seen to end the compiler, not only to stay on the CPU."""

_WEIGHTED: Final = {
    "CONV_2D": 0,
    "DEPTHWISE_CONV_2D": 0,
    "FULLY_CONNECTED": 0,
    "PRELU": 0,
    "TRANSPOSE_CONV": 2,
}
"""Operations with weights, and which of their inputs is the data."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an operation is not predicted to run on the Edge TPU, and who says so."""

    reason: str
    source: str


_WORD: Final = 4
Tensors: TypeAlias = Sequence[Tensor]
_Check: TypeAlias = Callable[[Operation, Tensors, Tensors], str]


def obstacle(operation: Operation, tensors: Sequence[Tensor]) -> Obstacle | None:
    """What keeps an operation by itself off the Edge TPU; None where nothing is known to.

    Args:
        operation: Of the graph.
        tensors: All tensors of the graph.
    """
    inputs = [tensors[position] for position in operation.inputs]
    outputs = [tensors[position] for position in operation.outputs]
    for names, check, source in _RULES:
        if not names or operation.name in names:
            reason = check(operation, inputs, outputs)
            if reason:
                return Obstacle(reason, source or NEWEST_VERSION[operation.name][1])
    return None


def refuses_file(operation: Operation) -> bool:
    """Whether the compiler is expected to refuse a whole file because of this operation's version."""
    return operation.name in _REFUSING and operation.version > NEWEST_VERSION[operation.name][0]


def _is_known(operation: Operation, _inputs: Tensors, _outputs: Tensors) -> str:
    return "" if operation.name in SUPPORTED else "not supported"


def _is_old_enough(operation: Operation, _inputs: Tensors, _outputs: Tensors) -> str:
    newest, _ = NEWEST_VERSION[operation.name]
    return f"version {operation.version}, at most {newest} is known" if operation.version > newest else ""


def _is_8_bit(_operation: Operation, inputs: Tensors, outputs: Tensors) -> str:
    computed = [tensor for tensor in inputs if not tensor.is_constant]
    wrong = sorted({tensor.kind for tensor in (*computed, *outputs)} - {"INT8", "UINT8"})
    return f"works on {', '.join(wrong)}; only 8-bit integers can" if wrong else ""


def _is_static(_operation: Operation, inputs: Tensors, outputs: Tensors) -> str:
    return "" if all(tensor.is_static for tensor in (*inputs, *outputs)) else "a shape is not fixed"


def _has_constant_weights(operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    others = [tensor for i, tensor in enumerate(inputs) if i != _WEIGHTED[operation.name]]
    return "" if all(tensor.is_constant for tensor in others) else "its weights are not constant"


def _has_three_dimensions(_operation: Operation, inputs: Tensors, outputs: Tensors) -> str:
    computed = [tensor for tensor in inputs if not tensor.is_constant]
    wide = [tensor.shape for tensor in (*computed, *outputs) if any(n > 1 for n in tensor.shape[:-3])]
    return f"shape {list(wide[0])}: only the last three may be above 1" if wide else ""


def _has_no_activation(operation: Operation, _inputs: Tensors, _outputs: Tensors) -> str:
    return "has a fused activation" if operation.options.get("fusedActivationFunction") else ""


def _joins_computed(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    constant = [tensor for tensor in inputs if tensor.is_constant]
    if constant and (len(inputs) > 2 or any(any(tensor.data) for tensor in constant)):
        return "joins a constant; only one of zeros, with one other input, can be"
    return ""


def _has_one_dilation(operation: Operation, _inputs: Tensors, _outputs: Tensors) -> str:
    same = operation.options.get("dilationWFactor") == operation.options.get("dilationHFactor")
    return "" if same else "its dilation differs between x and y"


def _pads_no_batch(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    if not inputs[1].is_constant:
        return "its paddings are not constant"
    return "pads the batch dimension" if inputs[1].integers()[0].any() else ""


def _reduces_no_batch(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    if len(inputs) < 2 or not inputs[1].is_constant:
        return "its axes are not constant"
    axes = inputs[1].integers() % max(1, len(inputs[0].shape))
    return "reduces the batch dimension" if np.any(axes == 0) else ""


def _reduces_whole_words(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    shape = inputs[0].shape
    axes = inputs[1].integers() % max(1, len(shape))
    is_odd = np.any(axes == len(shape) - 1) and shape[-1] % _WORD
    return f"reduces {shape[-1]} channels: only a multiple of {_WORD} can be" if is_odd else ""


def _splits_no_batch(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    axis, data = inputs[0], inputs[-1]
    is_batch = axis.is_constant and np.any(axis.integers() % max(1, len(data.shape)) == 0)
    return "splits the batch dimension" if is_batch else ""


def _is_short_vector(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    shape = inputs[0].shape
    if not shape or any(size > 1 for size in shape[:-1]) or shape[-1] > 16_000:
        return f"shape {list(shape)}: only one dimension of up to 16,000 can be"
    return ""


def _slices_plainly(operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    if not inputs[3].is_constant or np.any(inputs[3].integers() != 1):
        return "its strides are not all 1"
    masks = operation.options.get("ellipsisMask"), operation.options.get("newAxisMask")
    return "has an ellipsis or a new axis" if any(masks) else ""


def _has_flat_alpha(_operation: Operation, inputs: Tensors, _outputs: Tensors) -> str:
    shape = inputs[1].shape
    return f"alpha has shape {list(shape)}: only one dimension" if any(n > 1 for n in shape[:-1]) else ""


def _is_plainly_connected(operation: Operation, _inputs: Tensors, outputs: Tensors) -> str:
    if operation.options.get("weightsFormat"):
        return "its weights are shuffled"
    flat = not any(size > 1 for size in outputs[0].shape[:-1])
    return "" if flat else f"output {list(outputs[0].shape)}: only one dimension"


def _packs_no_batch(operation: Operation, _inputs: Tensors, _outputs: Tensors) -> str:
    return "packs along the batch dimension" if operation.options.get("axis") == 0 else ""


# (operations; none for all of them), check, source; the first that applies is the one reported.
_RULES: Final[tuple[tuple[tuple[str, ...], _Check, str], ...]] = (
    ((), _is_known, _CORAL),
    (tuple(NEWEST_VERSION), _is_old_enough, ""),
    ((), _is_8_bit, _CORAL_REQUIREMENTS),
    ((), _is_static, _CORAL_REQUIREMENTS),
    ((), _has_three_dimensions, _CORAL_REQUIREMENTS),
    (tuple(_WEIGHTED), _has_constant_weights, _CORAL_REQUIREMENTS),
    (("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION"), _has_no_activation, _CORAL),
    (("CONCATENATION",), _joins_computed, _CORAL),
    (("CONV_2D", "DEPTHWISE_CONV_2D"), _has_one_dilation, _CORAL),
    (("PAD",), _pads_no_batch, _CORAL),
    (("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), _reduces_no_batch, _CORAL),
    (("MEAN",), _reduces_whole_words, _CORAL),
    (("SPLIT",), _splits_no_batch, _CORAL),
    (("SOFTMAX",), _is_short_vector, _CORAL),
    (("STRIDED_SLICE",), _slices_plainly, _CORAL),
    (("PRELU",), _has_flat_alpha, _CORAL),
    (("FULLY_CONNECTED",), _is_plainly_connected, _CORAL),
    (("PACK",), _packs_no_batch, _CORAL),
)
