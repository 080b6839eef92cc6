"""Hold quantisation-aware training to the float network that it shall stay."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data
from training.networks.base import DetectionNetwork
from training.networks.registry import Checkpoint, load_checkpoint, save_checkpoint
from training.networks.ssd import SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n
from training.provenance import data_hash
from training.qat import Config, QuantisedTrainee, divergence, main, retrain

# They come from the packages and are as they should be.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
]
NETWORKS = pytest.mark.parametrize("kind", [SsdMobileNetV2Nano, YoloV5n])
SIDE = 64
WEIGHTS = Path(__file__).parents[2] / "training" / "weights"


def maps(network: DetectionNetwork, seed: int) -> tuple[Tensor, ...]:
    """Random raw values in the shapes of a network's outputs."""
    torch.manual_seed(seed)
    return tuple(
        3 * torch.randn(1, depth, rows, columns) for _, rows, columns, depth in network.output_shapes(SIDE)
    )


@NETWORKS
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 2))
def test_only_what_agrees_is_no_distance_apart(
    kind: type[SsdMobileNetV2Nano] | type[YoloV5n], seed: int, scale: float
) -> None:
    """Nothing is nearer than the wanted maps themselves; what is further off counts more."""
    network = kind()
    wanted, noise = maps(network, seed), maps(network, seed + 1)
    near, far = ([x + scale * s * n for x, n in zip(wanted, noise, strict=True)] for s in (0.5, 1.0))

    same, little, much = (float(divergence(own, wanted, network)) for own in (wanted, near, far))

    assert same == pytest.approx(0, abs=1e-6)
    assert 0 < little < much


@NETWORKS
def test_boxes_of_nobody_do_not_count(kind: type[SsdMobileNetV2Nano] | type[YoloV5n]) -> None:
    """Where the float network is sure that nobody is, a box may be anywhere."""
    network = kind()
    levels = len(network.strides)
    one, other = (list(maps(network, seed)) for seed in (1, 2))
    for index, (name, value) in enumerate(zip(network.output_kinds(), one, strict=True)):
        if name != "boxes":
            other[index] = value
    empty = [x - 40 if name == "scores" else x for name, x in zip(network.output_kinds(), one, strict=True)]
    empty[0][..., 0, 0] = one[0][..., 0, 0] = 5.0  # one face, so that the sum of what is sure is above 0
    elsewhere = [*empty[:levels], *other[levels : 2 * levels], *empty[2 * levels :]]
    elsewhere[levels][..., 0, 0] = empty[levels][..., 0, 0]

    assert float(divergence(elsewhere, empty, network)) < 1e-4
    assert float(divergence(other, one, network)) > 0.1


def entropies(said: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergences of the logits' probabilities."""
    p, q = wanted.double().sigmoid(), said.double().sigmoid()
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


@NETWORKS
def test_the_distance_is_that_of_its_description(kind: type[SsdMobileNetV2Nano] | type[YoloV5n]) -> None:
    """Summed box by box, and divided by how sure it is wanted that somebody is there."""
    network = kind()
    own, wanted = maps(network, 1), maps(network, 2)
    total = sure = 0.0
    for level, anchors in enumerate(network.level_anchors()):
        ours, goals = own[level :: len(network.strides)], wanted[level :: len(network.strides)]
        for anchor in range(max(1, len(anchors))):
            scores, boxes = (slice(anchor * depth, (anchor + 1) * depth) for depth in (3, 4))
            present: Tensor | float = 1.0
            if anchors:
                present = goals[2][:, anchor].sigmoid()
                total += float(entropies(ours[2][:, anchor], goals[2][:, anchor]).sum())
            best = present * goals[0][:, scores].sigmoid().amax(1)
            sure += float(best.sum())
            total += float((present * entropies(ours[0][:, scores], goals[0][:, scores]).sum(1)).sum())
            total += float((best * (ours[1][:, boxes] - goals[1][:, boxes]).square().sum(1)).sum()) / 2

    assert float(divergence(own, wanted, network)) == pytest.approx(total / sure, rel=1e-4)


def test_what_int8_cuts_off_is_no_error() -> None:
    """Values beyond the limits mean nothing more: to be cut to them is all that is asked for."""
    torch.manual_seed(0)
    network = SsdMobileNetV2Nano().eval()
    for heads, value in ((network.scores, 9.0), (network.boxes, 20.0)):
        for head in heads:
            torch.nn.init.constant_(head[-1].bias, value)  # type: ignore[index]
    pictures = torch.rand(2, 3, SIDE, SIDE)

    assert QuantisedTrainee(network, [pictures], Config()).measure([pictures]) < 0.1


@pytest.mark.parametrize("name", ["ssd_mobilenet_v2_512", "yolov5s_448"])
def test_it_comes_nearer_to_its_float_network(name: str) -> None:
    """Trained weights do, in a few steps, on other pictures than those; batch norm's statistics stay."""
    network = load_checkpoint(WEIGHTS / f"{name}.safetensors").network
    before = copy.deepcopy(network)
    torch.manual_seed(0)
    pictures = [interpolate(torch.rand(4, 3, 8, 8), size=SIDE, mode="bilinear") for _ in range(34)]

    was, now = retrain(network, pictures[:4], pictures, Config(steps=30))

    assert now < 0.9 * was
    assert not network.training
    assert not all(map(torch.equal, network.parameters(), before.parameters()))
    assert all(map(torch.equal, network.buffers(), before.buffers()))


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A checkpoint with its record."""
    torch.manual_seed(0)
    path = tmp_path / "float" / "last.ckpt"
    path.parent.mkdir()
    save_checkpoint(Checkpoint("ssd_mobilenet_v2_nano", SIDE, SsdMobileNetV2Nano().eval()), path)
    (path.parent / "run.json").write_text(json.dumps({"commit": "abc"}))
    return path


def run(start: Path, data: Path, output: Path, *options: str) -> Result:
    """The command with two steps; far more pictures than that are wanted of so few."""
    arguments = ["--checkpoint", start, "--data", data, "--output", output, "--steps", 2, *options]
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_the_command_writes_a_checkpoint_that_says_where_it_is_from(start: Path, tmp_path: Path) -> None:
    """Fewer pictures than steps want are drawn again; options, data and the float checkpoint are kept."""
    data = save_data(tmp_path / "data", [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))] * Config.batch)
    output = tmp_path / "int8" / "last.ckpt"

    result = run(start, data, output, "--augment", "grey=0.5")

    assert result.exit_code == 0, result.output
    assert "away from the float network" in result.output
    record = json.loads(output.with_suffix(".json").read_text())
    assert (record["config"]["steps"], record["config"]["augment"]["grey"]) == (2, 0.5)
    assert record["data"] == {data.name: data_hash(data)}
    assert record["ancestors"][record["start"]]["commit"] == "abc"
    made = load_checkpoint(output)
    assert (made.name, made.size) == ("ssd_mobilenet_v2_nano", SIDE)


def test_what_cannot_work_is_said_at_once(start: Path, tmp_path: Path) -> None:
    """A name that other commands would not read, and too few pictures: one line each, nothing written."""
    data = save_data(tmp_path / "data", [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))])

    wrong_name = run(start, data, tmp_path / "weights.pt")
    too_few = run(start, data, tmp_path / "weights.ckpt")

    assert "does not end in .ckpt" in wrong_name.output
    assert "give at least 8" in too_few.output
    assert {wrong_name.exit_code, too_few.exit_code} == {2}
    assert not list(tmp_path.glob("weights*"))


def test_a_rate_that_breaks_the_network_writes_nothing(tmp_path: Path) -> None:
    """One line that says to lower it."""
    data = save_data(tmp_path / "data", [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))] * Config.batch)

    result = run(WEIGHTS / "nano_320.safetensors", data, tmp_path / "weights.ckpt", "--learning-rate", "1e30")

    assert "Lower --learning-rate" in result.output
    assert not list(tmp_path.glob("weights*"))
