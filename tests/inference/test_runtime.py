"""Find the right runtime, or say what to install."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

from pi_mask.errors import PiMaskError
from pi_mask.inference.runtime import Runtime, find_runtime, one_line


class Packages:
    """Importable modules by name; all others are missing."""

    def __init__(self, **versions: str) -> None:
        self.modules = {}
        for name, version in versions.items():
            self.modules[name] = SimpleNamespace(__version__=version)
            self.modules[f"{name}.interpreter"] = SimpleNamespace(
                Interpreter=name.upper, load_delegate=name.title
            )

    def __call__(self, name: str) -> ModuleType:
        if name not in self.modules:
            raise ImportError(f"No module named {name!r}")
        return self.modules[name]  # type: ignore[return-value]


def test_litert_comes_first() -> None:
    """LiteRT is taken where both runtimes are installed."""
    packages = Packages(ai_edge_litert="2.3.0", tflite_runtime="2.14.0", numpy="2.4.6")

    found = find_runtime(packages)

    litert = packages.modules["ai_edge_litert.interpreter"]
    assert found == Runtime("ai-edge-litert", "2.3.0", litert.Interpreter, litert.load_delegate)


def test_tflite_runtime_is_the_fallback() -> None:
    """tflite-runtime is taken where LiteRT cannot be imported."""
    packages = Packages(tflite_runtime="2.14.0", numpy="1.26.4")

    found = find_runtime(packages)

    tflite = packages.modules["tflite_runtime.interpreter"]
    assert found == Runtime("tflite-runtime", "2.14.0", tflite.Interpreter, tflite.load_delegate)


def test_tflite_runtime_beside_numpy_2_is_refused() -> None:
    """The pair that imports and then fails at the first model is refused with both ways out."""
    with pytest.raises(PiMaskError) as caught:
        find_runtime(Packages(tflite_runtime="2.14.0", numpy="2.0.1"))

    assert str(caught.value) == (
        "tflite-runtime does not work with numpy 2.0.1. "
        "Install an older one: pip install 'numpy<2'; or another runtime: pip install ai-edge-litert."
    )


def test_no_runtime_names_the_package_to_install() -> None:
    """Without a runtime the error says why LiteRT failed and what to install."""
    with pytest.raises(PiMaskError) as caught:
        find_runtime(Packages(numpy="2.4.6"))

    assert str(caught.value) == (
        "No TensorFlow Lite runtime can be imported (No module named 'ai_edge_litert.interpreter'). "
        "Install it with: pip install ai-edge-litert (32-bit ARM: pip install tflite-runtime 'numpy<2')."
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("first.\n  second.\n"), "first. second"),
        (RuntimeError(""), "RuntimeError without a reason"),
        (RuntimeError(" \n"), "RuntimeError without a reason"),
    ],
)
def test_native_messages_become_one_line(error: Exception, text: str) -> None:
    """Whatever native code says fits into one line and is never empty."""
    assert one_line(error) == text
