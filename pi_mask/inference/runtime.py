"""Find a TensorFlow Lite runtime on this machine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from pi_mask.errors import PiMaskError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NATIVE_ERRORS = (RuntimeError, ValueError, SystemError, MemoryError)
"""What the runtimes' native code raises; LiteRT reports even a refused tensor as a bare ValueError."""

_INSTALL = "Install it with: pip install ai-edge-litert (32-bit ARM: pip install tflite-runtime 'numpy<2')."


class NativeInterpreter(Protocol):
    """What is used of a runtime's ``Interpreter``; the packages carry no type annotations themselves."""

    def allocate_tensors(self) -> object: ...  # noqa: D102  # the runtime documents them
    def get_input_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def get_output_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def set_tensor(self, tensor_index: int, value: NDArray[np.generic]) -> None: ...  # noqa: D102
    def invoke(self) -> None: ...  # noqa: D102
    def get_tensor(self, tensor_index: int) -> NDArray[np.generic]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Runtime:
    """A TensorFlow Lite runtime; the two packages agree on these two names.

    Attributes:
        package: Name on PyPI.
        version: As the package states it, "" where it states none.
        make_interpreter: The runtime's ``Interpreter`` class.
        load_delegate: ``load_delegate(library, options)``.
    """

    package: str
    version: str
    make_interpreter: Callable[..., NativeInterpreter]
    load_delegate: Callable[..., object]


def find_runtime(import_module: Callable[[str], ModuleType] = importlib.import_module) -> Runtime:
    """Import LiteRT, or tflite-runtime where LiteRT cannot be imported.

    Args:
        import_module: Imports a module by its dotted name.

    Raises:
        PiMaskError: Neither can be imported, or the one found does not work with the installed numpy.
    """
    try:
        module = import_module("ai_edge_litert.interpreter")
        return _describe("ai-edge-litert", import_module("ai_edge_litert"), module)
    except (ImportError, OSError) as litert_error:
        reason = one_line(litert_error)
    try:
        package, module = import_module("tflite_runtime"), import_module("tflite_runtime.interpreter")
    except (ImportError, OSError) as error:
        raise PiMaskError(f"No TensorFlow Lite runtime can be imported ({reason}). {_INSTALL}") from error
    numpy_version = str(import_module("numpy").__version__)
    # tflite-runtime 2.14.0 imports fine beside numpy 2, yet its first Interpreter() raises SystemError.
    if int(numpy_version.partition(".")[0]) >= 2:
        advice = (
            "Install an older one: pip install 'numpy<2'; or another runtime: pip install ai-edge-litert."
        )
        raise PiMaskError(f"tflite-runtime does not work with numpy {numpy_version}. {advice}")
    return _describe("tflite-runtime", package, module)


@cache
def runtime() -> Runtime:
    """Return the runtime of this process, found at the first call.

    Raises:
        PiMaskError: See ``find_runtime``.
    """
    return find_runtime()


def one_line(error: BaseException) -> str:
    """Return the message of an error from native code in one line, without a full stop; never empty."""
    return " ".join(str(error).split()).rstrip(".") or f"{type(error).__name__} without a reason"


def _describe(name: str, package: ModuleType, module: ModuleType) -> Runtime:
    version = str(getattr(package, "__version__", ""))
    return Runtime(name, version, module.Interpreter, module.load_delegate)
