"""Run a PyTorch detector behind pi_mask's Interpreter protocol, for one evaluation of float and int8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import nn

from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.manifest import Head, Level
from training.networks.ssd import STRIDES

if TYPE_CHECKING:
    from pi_mask.types import Image

INPUT_SCALE = 1.0 / 255.0


def ssd_head() -> Head:
    """The manifest's description of SsdMobileNetV2's outputs: scores of all levels, then boxes."""
    count = len(STRIDES)
    levels = [Level(stride=s, outputs={"scores": i, "boxes": count + i}) for i, s in enumerate(STRIDES)]
    return Head(kind="ssd", levels=tuple(levels))


def ssd_spec(size: int, n_labels: int = 3) -> ModelSpec:
    """Borders of the float network: uint8 picture in, float maps out, channels last."""
    maps = [(depth, stride) for depth in (n_labels, 4) for stride in STRIDES]
    outputs = tuple(
        TensorSpec(f"output_{i}", (1, size // stride, size // stride, depth), "float32", 0.0, 0)
        for i, (depth, stride) in enumerate(maps)
    )
    return ModelSpec(TensorSpec("image", (1, size, size, 3), "uint8", INPUT_SCALE, 0), outputs)


class TorchInterpreter:
    """A float network that looks like a model file."""

    device = "cpu"

    def __init__(self, network: nn.Module, size: int) -> None:
        self._network = network
        self.spec = ssd_spec(size)

    def invoke(self, image: Image) -> tuple[NDArray[Any], ...]:
        """Run once in float32; see :class:`pi_mask.inference.base.Interpreter`."""
        with torch.inference_mode():
            tensor = torch.from_numpy(image).permute(0, 3, 1, 2).float() * INPUT_SCALE
            scores, boxes = self._network(tensor)
            return tuple(x.float().permute(0, 2, 3, 1).contiguous().numpy() for x in (*scores, *boxes))

    def close(self) -> None:
        """Nothing to release."""
