"""Run a model on the processor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pi_mask.errors import ModelError, UsageError
from pi_mask.inference.graph import EDGETPU_OP, Graph, check_file, refused
from pi_mask.inference.runtime import NATIVE_ERRORS, runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pi_mask.inference.base import ModelSpec
    from pi_mask.types import Image


def default_threads() -> int:
    """Return one thread per core, up to 4: small int8 models gain nothing from more."""
    return min(os.cpu_count() or 1, 4)


class CpuInterpreter:
    """A model on the processor, through XNNPACK.

    LiteRT prints "INFO: Created TensorFlow Lite XNNPACK delegate for CPU." on stderr, once per process.
    Neither an environment variable nor the Python interface silences it, and diverting file descriptor 2
    would also swallow the last words of a crash, so it stays.

    Args:
        model: The file's content. Not a path: the caller compared the checksum of these very bytes.
        threads: Number of threads, at least 1; None for ``default_threads()``.

    Raises:
        ModelError: The model is damaged, compiled for the Edge TPU, or not a detector.
        UsageError: ``threads`` is below 1.
        PiMaskError: No TensorFlow Lite runtime is installed.
    """

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        threads = default_threads() if threads is None else threads
        if threads < 1:
            raise UsageError(f"A model cannot run on {threads} threads. Use at least 1.")
        check_file(model)
        if EDGETPU_OP in model:
            advice = "Use --accelerator edgetpu, or the same model from before edgetpu_compiler."
            raise ModelError(f"The model is compiled for the Edge TPU; the CPU cannot run it. {advice}")
        make_interpreter = runtime().make_interpreter
        try:
            self._graph = Graph(make_interpreter(model_content=model, num_threads=threads))
        except NATIVE_ERRORS as error:
            raise refused(error) from error

    @property
    def spec(self) -> ModelSpec:
        """Shapes, types and quantisation of input and outputs, from the file."""
        return self._graph.spec

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def invoke(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model once; see ``base.Interpreter.invoke``.

        Raises:
            ModelError: The input does not fit, the interpreter is closed, or the runtime failed.
        """
        self._graph.check(image)
        try:
            return self._graph.run(image)
        except NATIVE_ERRORS as error:
            raise refused(error) from error

    def close(self) -> None:
        """Release the model; calling it again is fine."""
        self._graph.close()
