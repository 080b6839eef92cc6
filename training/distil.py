"""Let a network learn to see what a trained one sees (knowledge distillation).

Five thousand pictures are few for a network that starts from random weights, and a trained one has seen
ImageNet. The student's pyramid, through one linear layer a level, shall vary from place to place as the
teacher's does: the loss is one minus their correlation, channel by channel (PKD, Cao et al. 2022,
arXiv:2207.02039). A correlation asks for no scale, so networks of other widths and
kinds can teach each other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from training.networks.base import DetectionNetwork

_TRACED_SIZE = 64


class Distillation(nn.Module):
    """Compares a student's pyramid with its teacher's.

    Args:
        student: To be taught; only the widths of its levels are looked at.
        teacher: A trained network; it stays as it is.
    """

    def __init__(self, student: DetectionNetwork, teacher: DetectionNetwork) -> None:
        super().__init__()
        pairs = zip(_widths(student), _widths(teacher), strict=True)
        self.translate = nn.ModuleList(nn.Conv2d(own, its, 1, bias=False) for own, its in pairs)
        teacher.eval().requires_grad_(False)
        # Hidden from the module: neither averaged, nor optimised, nor saved with the student.
        self._teacher = (teacher.to(memory_format=torch.channels_last),)  # type: ignore[call-overload]

    def forward(self, image: Tensor, pyramid: list[Tensor]) -> Tensor:
        """The loss, 0 to 2, of a student's pyramid for N × 3 × H × W pictures, 0 to 1."""
        with torch.no_grad():
            # Hidden, it does not move to the pictures' device by itself; once there, this costs nothing.
            wanted = self._teacher[0].to(image.device).pyramid(image)
        shown = [translate(x) for translate, x in zip(self.translate, pyramid, strict=True)]
        with torch.autocast(image.device.type, enabled=False):
            losses = [1 - correlation(x, goal).mean() for x, goal in zip(shown, wanted, strict=True)]
        return torch.stack(losses).mean()


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's correlation of each channel over all pictures and places, −1 to 1; 0 for a constant one."""
    x, y = (each.float().transpose(0, 1).flatten(1) for each in (x, y))
    return cosine_similarity(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True), dim=1)


@torch.no_grad()
def _widths(network: DetectionNetwork) -> list[int]:
    modes = {module: module.training for module in network.modules()}
    pyramid = network.eval().pyramid(torch.zeros(1, 3, _TRACED_SIZE, _TRACED_SIZE))
    for module, mode in modes.items():  # frozen parts stay as they are: train() would wake them
        module.training = mode
    return [x.shape[1] for x in pyramid]
