"""Hold a run that is broken off to saying why, and to leaving whole checkpoints."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pi_mask.errors import OutputError
from tests.training.short_runs import NANO, QUIET, SHORT, eight_pictures
from training.fitting import WholeCheckpoints
from training.run_folder import Run
from training.train import train
from training.trainee import Config, Trainee

pytestmark = QUIET


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight pictures of faces."""
    return eight_pictures(tmp_path)


def test_an_interrupted_run_is_an_interruption(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with code 130, as everywhere; a full disk with one line."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    config = Config(network=NANO, epochs=1, **SHORT)
    monkeypatch.setattr(Trainee, "training_step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(config, Run(data, data, tmp_path / "one"))
    monkeypatch.setattr(Trainee, "training_step", full)
    with pytest.raises(OutputError, match="The run cannot be written: No space left on device"):
        train(config, Run(data, data, tmp_path / "two"))


def test_a_checkpoint_that_is_cut_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written beside its place, whatever file system /tmp is on."""
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)

    def cut(_self: object, _checkpoint: object, where: Path, _options: object = None) -> None:
        Path(where).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(TorchCheckpointIO, "save_checkpoint", cut)
    with pytest.raises(KeyboardInterrupt):
        WholeCheckpoints().save_checkpoint({"epoch": 2}, path)

    assert torch.load(path, weights_only=False) == {"epoch": 1}
