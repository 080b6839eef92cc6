"""Define what every interpreter does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pi_mask.types import Image


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor at the border of a model.

    Attributes:
        name: As in the file.
        shape: Including the batch dimension of 1.
        dtype: "uint8", "int8" or "float32".
        scale: Quantisation step; 0.0 for float tensors. real = scale × (integer − zero_point).
        zero_point: Quantised value that means 0.0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The borders of a model, read from the file itself."""

    input: TensorSpec
    outputs: tuple[TensorSpec, ...]


class Interpreter(Protocol):
    """A loaded model, ready to run."""

    @property
    def spec(self) -> ModelSpec:
        """Shapes, types and quantisation of input and outputs, outputs in the file's order."""
        ...

    @property
    def device(self) -> str:
        """Where the next inference runs: "cpu" or "edgetpu"."""
        ...

    def invoke(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model once.

        Args:
            image: Input tensor, 1 × height × width × 3, in the input's own type; it is not kept.

        Returns:
            The raw output tensors, in the order of ``spec.outputs``; valid until the next call.

        Raises:
            EdgeTpuError: The accelerator failed or disappeared.
            ModelError: The runtime refused the model or the input.
        """
        ...

    def close(self) -> None:
        """Release the model and the device; calling it again is fine."""
        ...
