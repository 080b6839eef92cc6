"""Hold quantisation-aware training to the float network that it shall stay."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

from tests.training.raw_maps import SIDE
from training.networks.registry import load_checkpoint
from training.qat import DEFAULT, QuantisedTrainee

# They come from the packages and are as they should be.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
]
WEIGHTS = Path(__file__).parents[2] / "training" / "weights"


@pytest.mark.parametrize("name", ["ssd_mobilenet_v2_512", "yolov5s_448"])
def test_it_comes_nearer_to_its_float_network(name: str) -> None:
    """Trained weights do, in a few steps, on other pictures than those; batch norm's statistics stay."""
    network = load_checkpoint(WEIGHTS / f"{name}.safetensors").network
    before = copy.deepcopy(network)
    torch.manual_seed(0)
    pictures = [interpolate(torch.rand(4, 3, 8, 8), size=SIDE, mode="bilinear") for _ in range(34)]

    was, now = QuantisedTrainee(network, pictures[:4], replace(DEFAULT, steps=30)).learn(pictures)

    assert now < 0.9 * was
    assert not network.training
    assert not all(map(torch.equal, network.parameters(), before.parameters()))
    assert all(map(torch.equal, network.buffers(), before.buffers()))
