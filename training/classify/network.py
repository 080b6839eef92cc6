"""Say how the one face in a small square picture wears its mask."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pi_mask.errors import ModelError
from training.data import LABELS
from training.networks.mobilenet_v2 import MobileNetV2Features
from training.networks.registry import UNREADABLE

SIDE = 96
"""Of the input in pixels: three cells of stride 32 across."""


class FaceClassifier(nn.Module):
    """MobileNetV2 with one logit per label; 1.8 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = MobileNetV2Features()
        self.label = nn.Linear(self.features.channels[-1], len(LABELS))

    def forward(self, image: Tensor) -> Tensor:
        """Map N × 3 × 96 × 96, 0 to 1, to N × labels logits."""
        logits: Tensor = self.label(self.features(image)[-1].mean(dim=(2, 3)))
        return logits


def load_classifier(checkpoint: Path) -> FaceClassifier:
    """Read the averaged weights of a checkpoint of ``training.classify.train``.

    Raises:
        ModelError: It is none.
    """
    prefix, network = "network.", FaceClassifier()
    try:
        # Lightning's checkpoints hold more than tensors; load only your own.
        state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
        network.load_state_dict({n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)})
    except UNREADABLE as error:
        raise ModelError(
            f"{checkpoint} holds no face classifier. Give a .ckpt that training.classify.train wrote."
        ) from error
    return network.eval()
