"""Hold pruning to networks that are smaller, whole and can be stored, trained and narrowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from pi_mask.errors import ModelError
from training.networks.base import DetectionNetwork, count_weights
from training.networks.registry import NETWORKS, Checkpoint, load_checkpoint, save_checkpoint, start_from
from training.prune import main, prune

SMALL = ("ssd_mobilenet_v2_nano", "yolov5n")


def built(name: str) -> DetectionNetwork:
    """A network with random weights, the same in every run."""
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


def channels(network: nn.Module) -> dict[str, int]:
    """Output channels of each convolution."""
    return {name: m.out_channels for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}


def outputs(network: DetectionNetwork) -> list[torch.Tensor]:
    """What it says of one picture."""
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return list(network.eval()(picture).flat())


@pytest.mark.parametrize("name", NETWORKS)
def test_each_layer_loses_its_share(name: str) -> None:
    """Convolutions keep some 70 % in multiples of 8; predictions and frozen layers keep all."""
    whole, slim = built(name), built(name)
    prune(slim, 0.3)

    kept = channels(slim)
    modules = dict(whole.named_modules())
    for layer, count in channels(whole).items():
        module = modules[layer]
        assert isinstance(module, nn.Conv2d)
        if module.bias is not None or not module.weight.requires_grad:
            assert kept[layer] == count
        else:
            assert kept[layer] % 8 == 0
            assert abs(kept[layer] - 0.7 * count) <= 4
    assert count_weights(slim) < 0.6 * count_weights(whole)
    assert [x.shape for x in outputs(slim)] == [x.shape for x in outputs(whole)]
    frozen = [n for n, p in whole.named_parameters() if not p.requires_grad]
    assert [n for n, p in slim.named_parameters() if not p.requires_grad] == frozen


def test_the_strongest_channels_stay() -> None:
    """Channels whose weights are zero go first: what the network says does not change, nor its mode."""
    network = built("ssd_mobilenet_v2_nano")
    first = network.get_submodule("backbone.features.5.conv.0")
    assert isinstance(first, nn.Sequential)
    wide = first[0].out_channels
    dead = torch.arange(0, wide, 4)
    with torch.no_grad():
        first[0].weight[dead] = 0.0
        first[1].weight[dead] = 0.0
        network.get_submodule("backbone.features.5.conv.1.0").weight[dead] = 0.0  # type: ignore[index,operator]
        network.get_submodule("backbone.features.5.conv.1.1").weight[dead] = 0.0  # type: ignore[index,operator]
        network.get_submodule("backbone.features.5.conv.2").weight[:, dead] = 0.0  # type: ignore[index,operator]
    before = outputs(network)

    from training.networks.slim import shrink

    shrink(network.train(), {"backbone.features.5.conv.0.0": wide - len(dead)})

    assert network.training
    assert channels(network)["backbone.features.5.conv.0.0"] == wide - len(dead)
    assert bool((first[1].weight != 0).all())
    # Looking through it was no training: statistics stay.
    assert not any(int(x) for name, x in network.named_buffers() if name.endswith("num_batches_tracked"))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, outputs(network), strict=True))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_a_pruned_network_survives_its_file(tmp_path: Path, name: str, suffix: str) -> None:
    """The widths need no record of their own: the weights' shapes say them."""
    slim = built(name)
    prune(slim, 0.4)
    path = tmp_path / f"slim{suffix}"

    save_checkpoint(Checkpoint(name, 96, slim), path)
    read = load_checkpoint(path)

    assert (read.name, read.size) == (name, 96)
    assert str(read.network) == str(slim)  # layers whose own numbers were wrong could not be pruned again
    tolerance = 1e-5 if suffix == ".ckpt" else 0.05
    assert all(
        torch.allclose(a, b, atol=tolerance)
        for a, b in zip(outputs(slim), outputs(read.network), strict=True)
    )


def test_it_trains_on(tmp_path: Path) -> None:
    """Started from, a pruned network keeps its widths, and all its weights but frozen ones get gradients."""
    network = built("ssd_mobilenet_v2")
    prune(network, 0.5)
    save_checkpoint(Checkpoint("ssd_mobilenet_v2", 64, network), tmp_path / "slim.ckpt")

    started = start_from("ssd_mobilenet_v2", load_checkpoint(tmp_path / "slim.ckpt"))
    sum(x.square().mean() for x in started(torch.rand(2, 3, 64, 64)).flat()).backward()  # type: ignore[union-attr]

    assert started.training
    assert channels(started) == channels(network)
    without = [n for n, p in started.named_parameters() if p.grad is None]
    assert without == [n for n, p in built("ssd_mobilenet_v2").named_parameters() if not p.requires_grad]


def test_a_narrow_network_starts_from_a_wide_ones_strongest_channels() -> None:
    """YOLOv5n has YOLOv5s's shape at half the width, so it can take over half of its channels."""
    wide, narrow = built("yolov5s"), built("yolov5n")

    started = start_from("yolov5n", Checkpoint("yolov5s", 64, wide))

    assert channels(started) == channels(narrow)
    with pytest.raises(
        ModelError, match=r"^A YoloV5n cannot start from a SsdMobileNetV2Nano: they have other"
    ):
        start_from("yolov5n", Checkpoint("ssd_mobilenet_v2_nano", 64, built("ssd_mobilenet_v2_nano")))


def test_the_command_says_what_is_left(tmp_path: Path) -> None:
    """It writes a checkpoint and a record of what it came from, and names the next step."""
    whole = tmp_path / "last.ckpt"
    save_checkpoint(Checkpoint("ssd_mobilenet_v2_nano", 96, built("ssd_mobilenet_v2_nano")), whole)
    output = tmp_path / "slim" / "pruned.ckpt"

    result = CliRunner().invoke(main, ["--checkpoint", str(whole), "--share", "0.5", "--output", str(output)])

    assert result.exit_code == 0, result.output
    left = count_weights(load_checkpoint(output).network)
    assert (
        f"{output}: {left:,} of {count_weights(built('ssd_mobilenet_v2_nano')):,} weights." in result.output
    )
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["pruned_share"] == 0.5
    assert record["ancestors"] == {record["start"]: {"file": "last.ckpt"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--share", "1", "--output", "x.ckpt"], "1.0 is not in the range 0<x<1"),
        (["--output", "x.tflite"], "x.tflite does not end in .ckpt. Name it so"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Removing all channels, or writing a file that nothing reads, is a usage error in one line."""
    whole = tmp_path / "last.ckpt"
    whole.write_bytes(b"")

    result = CliRunner().invoke(main, ["--checkpoint", str(whole), *arguments])

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
