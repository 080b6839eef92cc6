"""Hold the mean of several runs to the networks that went into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pi_mask.errors import ModelError
from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data
from training.average import average, main
from training.networks.registry import Checkpoint, load_checkpoint, save_checkpoint
from training.networks.ssd import SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n
from training.provenance import data_hash, run_record
from training.trainee import Config

NAME = "ssd_mobilenet_v2_nano"
PICTURES = [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))] * Config.batch


def checkpoint(seed: int, size: int = 64) -> Checkpoint:
    """A network with random weights."""
    torch.manual_seed(seed)
    return Checkpoint(NAME, size, SsdMobileNetV2Nano().eval())


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """The last checkpoints of two runs, each with its record."""
    paths = []
    for seed, size in ((1, 96), (2, 64)):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"commit": str(seed)}))
        save_checkpoint(checkpoint(seed, size), folder / "last.ckpt")
        paths.append(folder / "last.ckpt")
    return paths


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A batch of pictures."""
    return save_data(tmp_path / "data", PICTURES)


def test_every_weight_is_the_mean() -> None:
    """Of weights and of batch norm's statistics; what counts steps stays whole."""
    one, other = checkpoint(1).network.state_dict(), checkpoint(2).network.state_dict()

    mean = average([checkpoint(1), checkpoint(2)]).network.state_dict()

    assert mean.keys() == one.keys()
    for name, value in mean.items():
        expected = (one[name] + other[name]) / 2 if value.is_floating_point() else one[name]
        torch.testing.assert_close(value, expected)


def test_the_mean_of_equals_is_each_of_them() -> None:
    """Nothing is lost by averaging."""
    mean = average([checkpoint(3)] * 3).network.state_dict()

    assert all(torch.equal(mean[name], value) for name, value in checkpoint(3).network.state_dict().items())


def test_networks_built_differently_are_refused() -> None:
    """Another network, and YOLOv5 with other anchors."""
    with pytest.raises(ModelError, match="not built like"):
        average([checkpoint(1), Checkpoint("yolov5n", 64, YoloV5n())])
    other = YoloV5n()
    other.set_anchors([[[9.0, 9.0]] * 3] * 3)
    with pytest.raises(ModelError, match="different anchors"):
        average([Checkpoint("yolov5n", 64, YoloV5n()), Checkpoint("yolov5n", 64, other)])


def test_anchors_that_were_rounded_are_the_same() -> None:
    """Weights were once published with anchors of half precision; runs go on from them."""
    one, other = YoloV5n(), YoloV5n()
    one.set_anchors([[[10.1, 13.3]] * 3] * 3)
    other.set_anchors(torch.tensor([[[10.1, 13.3]] * 3] * 3).half().tolist())

    average([Checkpoint("yolov5n", 64, one), Checkpoint("yolov5n", 64, other)])


def test_the_command_writes_weights_and_where_they_came_from(runs: list[Path], tmp_path: Path) -> None:
    """The result is read like any checkpoint, has the first one's size, and names all that went into it."""
    output = tmp_path / "made" / "mean.ckpt"

    result = CliRunner().invoke(main, [*(f"--checkpoint={path}" for path in runs), "--output", str(output)])

    assert result.exit_code == 0, result.output
    read = load_checkpoint(output)
    assert (read.name, read.size) == (NAME, 96)
    record = run_record(output)
    assert [record["ancestors"][name] for name in record["averaged"]] == [{"commit": "1"}, {"commit": "2"}]
    assert {"commit", "versions"} <= set(record)
    plain = average([load_checkpoint(path) for path in runs]).network.state_dict()
    assert all(torch.equal(plain[name], value) for name, value in read.network.state_dict().items())


def test_with_pictures_the_statistics_are_the_means_own(runs: list[Path], data: Path, tmp_path: Path) -> None:
    """Nothing else differs from the plain mean, and the record says what they were measured on."""
    output = tmp_path / "mean.ckpt"
    options = (f"--data={data}", "--batches=1", "--augment=mosaic=0", f"--output={output}")

    result = CliRunner().invoke(main, [*(f"--checkpoint={path}" for path in runs), *options])

    assert result.exit_code == 0, result.output
    read = load_checkpoint(output)
    record = run_record(output)
    assert (record["config"]["augment"]["mosaic"], record["config"]["batches"]) == (0, 1)
    assert record["data"] == {data.name: data_hash(data)}
    plain = average([load_checkpoint(path) for path in runs]).network.state_dict()
    made = read.network.state_dict()
    changed = {name for name, value in plain.items() if not torch.equal(made[name], value)}
    assert changed == {name for name, _ in read.network.named_buffers()}


def test_a_wrong_use_is_said_in_one_line(runs: list[Path], tmp_path: Path) -> None:
    """One checkpoint, another ending, too few pictures or none to vary: nothing is written."""
    one, few = f"--checkpoint={runs[0]}", save_data(tmp_path / "few", PICTURES[:3])
    for arguments in (
        [one, f"--output={tmp_path}/mean.ckpt"],
        [one, one, f"--output={tmp_path}/mean.pt"],
        [one, one, f"--data={few}", f"--output={tmp_path}/mean.ckpt"],
        [one, one, "--augment=mosaic=0", f"--output={tmp_path}/mean.ckpt"],
    ):
        result = CliRunner().invoke(main, arguments)
        assert (result.exit_code, result.output.count("\n")) == (2, 1), result.output
    assert not list(tmp_path.glob("mean*"))
