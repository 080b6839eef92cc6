"""Run a compiled model on a Coral Edge TPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pi_mask.errors import EdgeTpuError, ModelError
from pi_mask.inference.graph import EDGETPU_OP, Graph, check_file, refused
from pi_mask.inference.libedgetpu import (
    PLUG_IN_ADVICE,
    REPLUG_ADVICE,
    default_library,
    list_devices,
    load_driver,
)
from pi_mask.inference.runtime import NATIVE_ERRORS, one_line, runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pi_mask.inference.base import ModelSpec
    from pi_mask.types import Image


class EdgeTpuInterpreter:
    """A model on an Edge TPU, through the driver's TensorFlow Lite delegate.

    A driver that does not fit the runtime kills the process here instead of raising: try it in a child
    process first (``probe.open_probed`` does both).

    Args:
        model: The file's content, compiled by edgetpu_compiler. Not a path: the caller compared the
            checksum of these very bytes.
        device: "" for any, "usb", "pci", or one by number: ":0", "usb:1", "pci:0".
        library: The driver's path or file name; "" for the operating system's default.

    Raises:
        EdgeTpuError: No driver, no device, or the device was refused.
        ModelError: The model is damaged, not compiled for the Edge TPU, or not a detector.
        PiMaskError: No TensorFlow Lite runtime is installed.
    """

    def __init__(self, model: bytes, *, device: str = "", library: str = "") -> None:
        check_file(model)
        if EDGETPU_OP not in model:
            advice = "Compile it with edgetpu_compiler, or use --accelerator cpu."
            raise ModelError(f"The model is not compiled for the Edge TPU. {advice}")
        self._graph = _build(model, _load_delegate(device, library))

    @property
    def spec(self) -> ModelSpec:
        """Shapes, types and quantisation of input and outputs, from the file."""
        return self._graph.spec

    @property
    def device(self) -> str:
        """Always "edgetpu"."""
        return "edgetpu"

    def invoke(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model once; see ``base.Interpreter.invoke``.

        Raises:
            EdgeTpuError: The device failed or disappeared.
            ModelError: The input does not fit, or the interpreter is closed.
        """
        self._graph.check(image)
        try:
            return self._graph.run(image)
        except NATIVE_ERRORS as error:
            raise EdgeTpuError(f"The Edge TPU failed: {one_line(error)}. {REPLUG_ADVICE}") from error

    def close(self) -> None:
        """Release the model and the device; calling it again is fine."""
        self._graph.close()


def _load_delegate(device: str, library: str) -> object:
    # Where the library or its entry points are missing, the runtime's Delegate fails half made and prints
    # a traceback from __del__ on stderr. Loading the driver here first raises one clean error instead.
    load_driver(library)
    options = {"device": device} if device else {}
    try:
        return runtime().load_delegate(library or default_library(), options)
    except NATIVE_ERRORS as error:
        # libedgetpu reports nothing with its refusal, so the list of devices has to tell the reason.
        if not list_devices(library):
            raise EdgeTpuError(f"No Edge TPU found. {PLUG_IN_ADVICE}") from error
        wish = f"the device {device!r}" if device else "to open the Edge TPU"
        advice = "See which there are with pi-mask doctor, and whether another program uses it."
        raise EdgeTpuError(f"The driver refused {wish} ({one_line(error)}). {advice}") from error


def _build(model: bytes, delegate: object) -> Graph:
    try:
        return Graph(runtime().make_interpreter(model_content=model, experimental_delegates=[delegate]))
    except ValueError as error:  # the runtime's word for a file that it cannot read
        raise refused(error) from error
    except NATIVE_ERRORS as error:
        advice = "Re-plug it, see that the driver is as new as the model (pi-mask doctor)"
        message = f"The Edge TPU cannot run the model: {one_line(error)}. {advice}, or use --accelerator cpu."
        raise EdgeTpuError(message) from error
