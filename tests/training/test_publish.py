"""Hold published weights to the network that they were taken from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pi_mask.errors import ModelError
from training.networks.registry import Checkpoint, load_checkpoint, save_checkpoint
from training.networks.ssd import SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n
from training.provenance import run_record
from training.publish import main

NAME = "ssd_mobilenet_v2_nano"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A run's last checkpoint with its record."""
    torch.manual_seed(0)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text('{"commit": "abc"}')
    save_checkpoint(Checkpoint(NAME, 128, SsdMobileNetV2Nano()), folder / "last.ckpt")
    return folder / "last.ckpt"


def test_published_weights_are_half_as_large_and_say_the_same(checkpoint: Path, tmp_path: Path) -> None:
    """Name and size are kept, the record lies beside them, and outputs differ by float16's rounding only."""
    output = tmp_path / "weights" / "nano.safetensors"

    result = CliRunner().invoke(main, ["--checkpoint", str(checkpoint), "--output", str(output)])

    assert result.exit_code == 0, result.output
    before, after = load_checkpoint(checkpoint), load_checkpoint(output)
    assert (after.name, after.size) == (NAME, 128)
    assert output.stat().st_size < 0.6 * checkpoint.stat().st_size
    assert json.loads(output.with_suffix(".json").read_text()) == {"commit": "abc"} == run_record(output)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for one, other in zip(before.network(image).flat(), after.network(image).flat(), strict=True):
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


def test_a_damaged_record_is_named(checkpoint: Path, tmp_path: Path) -> None:
    """A run that was broken off, or a disk that was full: one line, and no weights without their record."""
    record = checkpoint.with_name("run.json")
    record.write_text('{"commit": "a')
    output = tmp_path / "weights" / "nano.safetensors"

    result = CliRunner().invoke(main, ["--checkpoint", str(checkpoint), "--output", str(output)])

    assert (result.exit_code, result.output.count("\n"), output.exists()) == (1, 1, False)
    assert result.output.startswith(f"Error: {record} is no whole JSON")


def test_published_anchors_are_those_of_the_network(tmp_path: Path) -> None:
    """Halved, they would differ from what the manifest of the same network says."""
    network = YoloV5n()
    network.set_anchors([[[10.1, 13.3]] * 3, [[30.7, 61.9]] * 3, [[333.3, 326.7]] * 3])

    save_checkpoint(Checkpoint("yolov5n", 64, network), tmp_path / "n.safetensors")

    read = load_checkpoint(tmp_path / "n.safetensors").network
    assert read.level_anchors() == network.level_anchors()


def test_another_ending_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    """A name that promises something else is a wrong use, and nothing is written."""
    output = tmp_path / "nano.pt"

    result = CliRunner().invoke(main, ["--checkpoint", str(checkpoint), "--output", str(output)])

    assert (result.exit_code, output.exists()) == (2, False)
    assert ".safetensors" in result.output


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"nonsense" * 9])
def test_damaged_weights_are_named(content: bytes, tmp_path: Path) -> None:
    """An empty, a nameless and a wrong file each end in one line that says what to give."""
    path = tmp_path / "some.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=r"some\.safetensors is no checkpoint\. Give a \.ckpt of"):
        load_checkpoint(path)


def test_a_place_that_cannot_be_written_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    """A file where a folder should be: exit code 1, and what to do."""
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "nano.safetensors"

    result = CliRunner().invoke(main, ["--checkpoint", str(checkpoint), "--output", str(output)])

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"{output} cannot be written" in result.stderr
