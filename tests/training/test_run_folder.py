"""Hold a run's folder to going on with what was begun in it, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pi_mask.errors import UsageError
from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data
from tests.training.power_cut import train_first_epoch
from tests.training.short_runs import NANO, QUIET, SHORT, eight_pictures
from training.augment import AugmentConfig
from training.networks.registry import NETWORKS, Checkpoint, save_checkpoint
from training.run_folder import Run, first_epoch, write_record
from training.train import train
from training.trainee import Config

pytestmark = QUIET


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight pictures of faces."""
    return eight_pictures(tmp_path)


def test_another_schedule_is_not_resumed(data: Path, tmp_path: Path) -> None:
    """The cosine would rise again, and the record would be of another run."""
    run = Run(data, data, tmp_path / "run")
    train(Config(network=NANO, epochs=1, **SHORT), run)
    record = (run.output / "run.json").read_text()

    with pytest.raises(
        UsageError, match=r"was begun with another --epochs: 1\. Resume it with that, or .*--start"
    ):
        train(Config(network=NANO, epochs=2, **SHORT), Run(data, data, run.output, resume=True))

    assert (run.output / "run.json").read_text() == record


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"size": 96}, "--size: 64"),
        ({"frozen": ("backbone",)}, "--freeze"),
        ({"augment": AugmentConfig(grey=0.5)}, "--augment"),
        ({"devices": 2}, "--devices: 1"),
    ],
)
def test_a_run_goes_on_as_it_was_begun(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], option: str
) -> None:
    """Other pictures, parts or processes in the middle would spoil its schedule, or end in a traceback."""
    run, config = Run(data, data, tmp_path / "run"), Config(network=NANO, epochs=2, **SHORT)
    train_first_epoch(config, run, monkeypatch)
    again = replace(run, resume=True)

    with pytest.raises(UsageError, match=f"begun with another {option}"):
        train(replace(config, **change), again)
    with pytest.raises(UsageError, match="begun with another --teacher"):
        first_epoch(config, replace(again, teacher=run.output / "last.ckpt"))
    anchors = tmp_path / "anchors.json"
    anchors.write_text("[]")
    with pytest.raises(UsageError, match="begun with another --anchors"):
        first_epoch(config, replace(again, anchors=anchors))
    with pytest.raises(UsageError, match=r"holds a run\. Go on with it: --resume"):
        train(config, run)
    assert first_epoch(replace(config, val_every_epochs=3, workers=2), again) == 1


def begun(run: Run, config: Config) -> Run:
    """A run after its first epoch, to go on with."""
    write_record(config, run)
    torch.save({"epoch": 0}, run.output / "last.ckpt")
    return replace(run, resume=True)


def test_a_run_goes_on_with_its_own_data_and_anchors(data: Path, tmp_path: Path) -> None:
    """Other annotations under the same name are other data; anchors may not go, nor become others."""
    anchors = tmp_path / "anchors.json"
    anchors.write_text("[1]")
    again = begun(Run(data, data, tmp_path / "run", anchors=anchors), Config())

    assert first_epoch(Config(), again) == 1
    with pytest.raises(UsageError, match="begun with another --anchors"):
        first_epoch(Config(), replace(again, anchors=None))
    anchors.write_text("[2]")
    with pytest.raises(UsageError, match="begun with another --anchors"):
        first_epoch(Config(), again)
    anchors.write_text("[1]")
    data.write_text(data.read_text() + " ")
    with pytest.raises(UsageError, match="begun with another --data"):
        first_epoch(Config(), again)


def test_a_run_of_an_older_version_goes_on(data: Path, tmp_path: Path) -> None:
    """Its record may hold a setting that there is no more, and lack what came since."""
    again = begun(Run(data, data, tmp_path / "run"), Config())
    record = json.loads((again.output / "run.json").read_text())
    del record["config"]["seed"], record["data"]
    record["config"]["momentum"] = 0.9
    (again.output / "run.json").write_text(json.dumps(record))

    assert first_epoch(Config(seed=7), again) == 1


def test_a_run_of_a_graphics_card_goes_on_without_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint's tensors lie on the card, which this machine need not have."""
    run = Run(data, data, tmp_path / "run")
    write_record(Config(accelerator="cuda"), run)
    with monkeypatch.context() as card:
        card.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
        torch.save({"epoch": 3, "state_dict": {"weight": torch.zeros(2)}}, run.output / "last.ckpt")

    assert first_epoch(Config(), replace(run, resume=True)) == 4


def test_another_teacher_is_not_resumed_with(tmp_path: Path) -> None:
    """Whose view a network shares is part of what it learns."""
    data = save_data(tmp_path / "data", [((MaskLabel.WITH_MASK,), (MaskLabel.WITH_MASK,))])
    teachers = []
    for name in ("one", "other"):
        teachers.append(tmp_path / name / "last.ckpt")
        save_checkpoint(Checkpoint(NANO, 64, NETWORKS[NANO]()), teachers[-1])
        (tmp_path / name / "run.json").write_text(json.dumps({"commit": name}))
    again = begun(Run(data, data, tmp_path / "run", teacher=teachers[0]), Config())

    assert first_epoch(Config(), again) == 1
    with pytest.raises(UsageError, match="begun with another --teacher"):
        first_epoch(Config(), replace(again, teacher=teachers[1]))
