"""Run a PyTorch detector behind pi_mask's Interpreter protocol, for one evaluation of float and int8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from pi_mask.inference.base import ModelSpec, TensorSpec
from training.networks.base import DetectionNetwork

if TYPE_CHECKING:
    from pi_mask.types import Image

INPUT_SCALE = 1.0 / 255.0


def float_spec(network: DetectionNetwork, size: int) -> ModelSpec:
    """Borders of a float network: uint8 picture in, float maps out, channels last."""
    outputs = tuple(
        TensorSpec(f"output_{i}", shape, "float32", 0.0, 0)
        for i, shape in enumerate(network.output_shapes(size))
    )
    return ModelSpec(TensorSpec("image", (1, size, size, 3), "uint8", INPUT_SCALE, 0), outputs)


class TorchInterpreter:
    """A float network that looks like a model file."""

    device = "cpu"

    def __init__(self, network: DetectionNetwork, size: int) -> None:
        self._network = network
        self.spec = float_spec(network, size)

    def invoke(self, image: Image) -> tuple[NDArray[Any], ...]:
        """Run once in float32; see :class:`pi_mask.inference.base.Interpreter`."""
        place = next(self._network.parameters()).device  # training on a card measures there
        with torch.inference_mode():
            tensor = torch.from_numpy(image).to(place).permute(0, 3, 1, 2).float() * INPUT_SCALE
            maps = self._network(tensor).flat()
            return tuple(x.float().permute(0, 2, 3, 1).contiguous().cpu().numpy() for x in maps)

    def close(self) -> None:
        """Nothing to release."""
