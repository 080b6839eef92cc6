"""Hold one model inside a TensorFlow Lite runtime."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.inference.runtime import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.inference.runtime import NativeInterpreter
    from pi_mask.types import Image

EDGETPU_OP = b"edgetpu-custom-op"
"""Name of the one operation that edgetpu_compiler puts in place of all it could map; stored as plain text."""

_DTYPES = ("uint8", "int8", "float32")
_DAMAGED = "The file is damaged or needs a newer runtime; install pi-mask's models again."


def check_file(model: bytes) -> None:
    """Refuse what is clearly no model before native code sees it.

    This is no more than a courtesy to whoever named a wrong file. LiteRT 2.3 verifies the whole flatbuffer
    itself: cut off at each of 656 offsets or with 1,500 random corruptions, a file was refused or ran and
    none crashed. tflite-runtime 2.14.0 does not: 440 of the 656 cut files were a segmentation fault, which
    no cheap look can foresee. The checksum in the manifest is the guard, and it was compared with these
    very bytes.

    Raises:
        ModelError: Empty, or not a TensorFlow Lite file.
    """
    if not model:
        raise ModelError("The model file is empty. Install pi-mask's models again.")
    if model[4:8] != b"TFL3":
        raise ModelError("The file is not a TensorFlow Lite model. Name a .tflite file.")


class Graph:
    """One allocated model: its borders, and a way to run it.

    It reports its caller's mistakes as ``ModelError`` and lets the runtime's own errors pass, because only
    the back end knows whether the model or a device is to blame.

    Args:
        native: An ``Interpreter`` of the runtime, tensors not yet allocated.

    Raises:
        ModelError: The model cannot be allocated, or its borders are not those of a detector.
    """

    def __init__(self, native: NativeInterpreter) -> None:
        self._native: NativeInterpreter | None = native
        native.allocate_tensors()
        inputs, outputs = native.get_input_details(), native.get_output_details()
        self.spec = _spec(inputs, outputs)
        self._input_index = inputs[0]["index"]
        self._output_indices = [details["index"] for details in outputs]

    def check(self, image: Image) -> None:
        """Refuse an input that does not fit.

        Raises:
            ModelError: Wrong shape or type, or the graph is closed.
        """
        self._require_open()
        wanted = self.spec.input
        if image.shape != wanted.shape or image.dtype != wanted.dtype:
            takes = f"{wanted.dtype} {wanted.shape}"
            raise ModelError(f"The input is {image.dtype} {image.shape}. This model takes {takes}.")

    def run(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model once on a checked input; the native errors are ``runtime.NATIVE_ERRORS``."""
        # set_tensor and get_tensor copy once each and make the output arrays anew. Views by tensor(), copied
        # into buffers that live on, are slower all the same: 2.7 against 1.3 µs a call around an 8 × 8 model,
        # 11.9 against 10.3 µs at 320 × 320 with 24 kB of outputs (LiteRT 2.3.0, x86-64, best of 30 rounds).
        # Handing out the bare views is no option: LiteRT refuses to invoke while one is alive.
        native = self._require_open()
        native.set_tensor(self._input_index, image)
        native.invoke()
        return tuple(native.get_tensor(index) for index in self._output_indices)

    def close(self) -> None:
        """Let go of the model and, with it, of its delegate; calling it again is fine."""
        self._native = None

    def _require_open(self) -> NativeInterpreter:
        if self._native is None:
            raise ModelError("The interpreter is closed. Open the model again before running it.")
        return self._native


def refused(error: BaseException) -> ModelError:
    """Word the runtime's refusal of a model as an error for people."""
    return ModelError(f"The model cannot be used: {one_line(error)}. {_DAMAGED}")


def _spec(inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> ModelSpec:
    if len(inputs) != 1 or not outputs:
        found = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(f"The model has {found}. Use a detector with one input and at least one output.")
    spec = ModelSpec(_tensor(inputs[0]), tuple(_tensor(details) for details in outputs))
    match spec.input.shape:
        case (1, _, _, 3):
            return spec
        case shape:
            wanted = "1 × height × width × 3"
            raise ModelError(f"The model's input is {shape}. Use a model that takes one image of {wanted}.")


def _tensor(details: Mapping[str, Any]) -> TensorSpec:
    name, dtype = str(details["name"]), np.dtype(details["dtype"]).name
    shape = tuple(int(size) for size in details["shape"])
    if not shape or min(shape) < 1 or min(details["shape_signature"], default=1) < 1:
        raise ModelError(f"Tensor {name!r} of the model has no fixed shape. Convert it with static shapes.")
    if dtype not in _DTYPES:
        raise ModelError(f"Tensor {name!r} of the model is {dtype}. Convert it to {' or '.join(_DTYPES)}.")
    scale, zero_point = (0.0, 0) if dtype == "float32" else _quantization(name, details)
    return TensorSpec(name, shape, dtype, scale, zero_point)


def _quantization(name: str, details: Mapping[str, Any]) -> tuple[float, int]:
    parameters = details["quantization_parameters"]
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    if len(scales) != 1 or len(zero_points) != 1:
        found = "one scale per channel" if len(scales) > 1 else "no scale"
        raise ModelError(f"Tensor {name!r} of the model has {found}. Quantise it per tensor.")
    scale = float(scales[0])
    if not (math.isfinite(scale) and scale > 0):
        raise ModelError(f"Tensor {name!r} of the model has the scale {scale}. {_DAMAGED}")
    return scale, int(zero_points[0])
