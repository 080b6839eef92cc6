"""Hold batch norm's statistics to the pictures that they are measured on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.batch_norm import measure_statistics
from training.networks.ssd import SsdMobileNetV2, SsdMobileNetV2Nano


@pytest.fixture
def batches() -> list[Tensor]:
    """Two batches, the second one darker."""
    torch.manual_seed(0)
    return [brightness * torch.rand(4, 3, 64, 64) for brightness in (1.0, 0.5)]


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """All batch norms within."""
    return [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_statistics_are_the_average_over_batches(batches: list[Tensor]) -> None:
    """The first layer's are those of its convolution; no weight changes, and nothing stays in training."""
    network = SsdMobileNetV2Nano()
    weights = {name: value.clone() for name, value in network.named_parameters()}
    convolution, norm = network.backbone.features[0][0], norms(network)[0]  # type: ignore[index]
    with torch.no_grad():
        seen = [convolution(images) for images in batches]

    measure_statistics(network, batches)

    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    variance = torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean, rtol=0.02, atol=0.005)
    torch.testing.assert_close(norm.running_var, variance, rtol=0.02, atol=0.005)
    assert all(torch.equal(weights[name], value) for name, value in network.named_parameters())
    assert not network.training
    assert {layer.momentum for layer in norms(network)} == {0.1}


def test_measuring_twice_gives_the_same(batches: list[Tensor]) -> None:
    """What the statistics were before has no say."""
    network = SsdMobileNetV2Nano()
    measure_statistics(network, batches)
    once = {name: value.clone() for name, value in network.named_buffers() if "running" in name}

    measure_statistics(network, batches)

    for name, value in network.named_buffers():
        if "running" in name:
            torch.testing.assert_close(value, once[name])


def test_frozen_layers_keep_theirs(batches: list[Tensor]) -> None:
    """Their weights were trained with ImageNet's statistics and are never trained again."""
    network = SsdMobileNetV2()
    frozen = norms(network.backbone.features[: network.backbone.n_frozen])
    for layer in frozen:
        nn.init.uniform_(layer.running_mean, 0, 0.1)  # type: ignore[arg-type]
    before = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in frozen]  # type: ignore[union-attr]

    measure_statistics(network, batches)

    assert len(frozen) > 3
    for layer, (mean, variance) in zip(frozen, before, strict=True):
        assert torch.equal(layer.running_mean, mean)  # type: ignore[arg-type]
        assert torch.equal(layer.running_var, variance)  # type: ignore[arg-type]
    others = [layer for layer in norms(network) if layer not in frozen]
    assert all(int(layer.num_batches_tracked) == 2 for layer in others)  # type: ignore[arg-type]
