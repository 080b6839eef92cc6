"""Hold a network that learns from mirror images to what they show."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from pi_mask.decoder import Decoder
from tests.training.raw_maps import SIDE, random_maps
from training.mirror import DEFAULT, MirrorTrainee, mirrored
from training.networks.base import DetectionNetwork
from training.networks.registry import load_checkpoint
from training.networks.ssd import SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n
from training.torch_interpreter import float_spec

# They come from the packages and are as they should be.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
]
NETWORKS = pytest.mark.parametrize("kind", [SsdMobileNetV2Nano, YoloV5n])
WEIGHTS = Path(__file__).parents[2] / "training" / "weights"


def faces(network: DetectionNetwork, maps: list[Tensor]) -> NDArray[np.float32]:
    """What pi_mask's decoder reads from raw maps: boxes and scores, N × 7, from left to right."""
    decoder = Decoder(network.head(), float_spec(network, SIDE), (0.5,) * 3)
    got = decoder.decode([x.permute(0, 2, 3, 1).numpy() for x in maps])
    rows = np.concatenate([got.boxes, got.scores], axis=1)
    return rows[np.lexsort(rows.round(2).T)]


@NETWORKS
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_mirrored_maps_are_those_of_the_mirror_image(
    kind: type[SsdMobileNetV2Nano] | type[YoloV5n], seed: int
) -> None:
    """The decoder finds each face as far from the other side, with the same scores; twice is nothing."""
    network = kind()
    maps = list(random_maps(network, seed))

    there = mirrored(maps, network)

    seen = faces(network, maps)
    seen[:, [0, 2]] = SIDE - seen[:, [2, 0]]
    assert len(seen) > 0
    np.testing.assert_allclose(faces(network, there), seen[np.lexsort(seen.round(2).T)], atol=0.05)
    assert all(map(torch.equal, mirrored(there, network), maps))


@pytest.mark.parametrize("name", ["ssd_mobilenet_v2_512", "yolov5s_448"])
def test_it_comes_nearer_to_the_mean_of_both_views(name: str) -> None:
    """Trained weights do, in a few steps, on other pictures than those; batch norm's statistics stay."""
    network = load_checkpoint(WEIGHTS / f"{name}.safetensors").network
    before = copy.deepcopy(network)
    torch.manual_seed(0)
    pictures = [interpolate(torch.rand(4, 3, 8, 8), size=SIDE, mode="bilinear") for _ in range(34)]

    was, now = MirrorTrainee(network, replace(DEFAULT, steps=30, learning_rate=1e-4)).learn(pictures)

    assert now < 0.9 * was
    assert not network.training
    assert not all(map(torch.equal, network.parameters(), before.parameters()))
    assert all(map(torch.equal, network.buffers(), before.buffers()))


@pytest.mark.parametrize("name", ["ssd_mobilenet_v2_512", "yolov5s_448"])
def test_a_picture_and_its_mirror_image_want_the_same(name: str) -> None:
    """Whichever of the two is given, its wanted maps are those that it has as the other's mirror image."""
    trainee = MirrorTrainee(load_checkpoint(WEIGHTS / f"{name}.safetensors").network, DEFAULT)
    torch.manual_seed(0)
    images = interpolate(torch.rand(2, 3, 8, 8), size=SIDE, mode="bilinear")

    _, wanted = trainee.answers(images)
    _, of_mirrored = trainee.answers(images.flip(3))

    for one, other in zip(wanted, of_mirrored, strict=True):
        assert not torch.equal(one[:2], one[2:])
        torch.testing.assert_close(one, other.roll(2, 0))
