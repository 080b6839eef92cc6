"""Hold the training loop to its schedule, to going on where it stopped, and to several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pi_mask.errors import InputError
from tests.training.power_cut import train_first_epoch
from tests.training.short_runs import NANO, QUIET, SHORT, eight_pictures
from training.data import TrainingSet, load_coco
from training.networks.registry import NETWORKS, Checkpoint, load_checkpoint, save_checkpoint
from training.networks.yolov5 import YoloV5
from training.run_folder import Run, first_epoch
from training.train import EpochPlan, build_network, main, train
from training.trainee import Config

pytestmark = QUIET
ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight pictures of faces."""
    return eight_pictures(tmp_path)


def test_small_pictures_come_first(data: Path) -> None:
    """The first epochs see small pictures, the last ones no mosaics, each epoch others than before."""
    config = Config(size=96, small_size=64, small_epochs=2, epochs=4, mosaic_free_epochs=1)
    pictures = TrainingSet(load_coco(data), config.size, config.augment, 1.0, seed=1)
    plan = EpochPlan(pictures, config)

    class Trainer:
        """As much of Lightning's as the plan looks at."""

        current_epoch = 0
        check_val_every_n_epoch = 4

    trainer, seen = Trainer(), []
    for epoch in range(4):
        trainer.current_epoch = epoch
        plan.on_train_epoch_start(trainer, None)  # type: ignore[arg-type]
        seen.append((pictures.epoch, pictures[0][0].shape[1:], pictures._augmenter.config.mosaic > 0))

    small, large = (64, 64), (96, 96)
    assert seen == [(0, small, True), (1, small, True), (2, large, True), (3, large, False)]
    assert trainer.check_val_every_n_epoch == 1
    assert Config(size=160, small_size=224, small_epochs=9).size_at(0) == 160


def test_a_run_goes_on_where_it_stopped(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed, the second epoch follows the first: steps count on, the optimiser has its state."""
    torch.manual_seed(0)
    run = Run(data, data, tmp_path / "run")
    train_first_epoch(Config(network=NANO, epochs=2, **SHORT), run, monkeypatch)
    before = torch.load(run.output / "last.ckpt", weights_only=False)

    train(Config(network=NANO, epochs=2, **SHORT), Run(data, data, run.output, resume=True))

    after = torch.load(run.output / "last.ckpt", weights_only=False)
    assert [(c["epoch"], c["global_step"], c["network"], c["size"]) for c in (before, after)] == [
        (0, 4, NANO, 64),
        (1, 8, NANO, 64),
    ]
    steps = {int(state["step"]) for state in after["optimizer_states"][0]["state"].values()}
    assert steps == {8}
    # The first start's figures stay.
    assert [(run.output / name / "metrics.csv").exists() for name in ("log", "log2")] == [True, True]


def test_a_short_run_is_not_lost(data: Path, tmp_path: Path) -> None:
    """Weights are averaged after a tenth of the steps; the last epoch is measured, so there is a best."""
    torch.manual_seed(0)
    before = NETWORKS[NANO]()
    save_checkpoint(Checkpoint(NANO, 64, before), tmp_path / "start.ckpt")
    short = SHORT | {"warmup_steps": Config.warmup_steps, "val_every_epochs": 4}

    train(Config(network=NANO, epochs=3, **short), Run(data, data, tmp_path, start=tmp_path / "start.ckpt"))

    after = load_checkpoint(tmp_path / "last.ckpt").network
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    assert all(not torch.equal(a, b) for a, b in pairs if a.ndim > 1)
    assert (tmp_path / "best.ckpt").exists()
    # Else some of float32's convolutions are bf16 from here on in this process, on CPUs with AMX.
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_first_epoch_is_as_planned_in_a_process_of_its_own(data: Path, tmp_path: Path) -> None:
    """Lightning starts the processes that read before it says which epoch begins."""
    config = Config(size=96, small_size=64, small_epochs=2, epochs=3)
    for first, side in ((0, 64), (2, 96)):
        pictures = TrainingSet(load_coco(data), config.size, config.augment, 1.0, seed=1)
        plan = EpochPlan(pictures, config, first)
        assert (plan._data.epoch, pictures[0][0].shape[1:]) == (first, (side, side))

    last = {"epoch": 4}
    torch.save(last, tmp_path / "last.ckpt")
    (tmp_path / "run.json").write_text(json.dumps({"config": asdict(config)}))
    assert first_epoch(config, Run(data, data, tmp_path, resume=True)) == 5
    assert first_epoch(config, Run(data, data, tmp_path / "other")) == 0


def test_two_processes_end_with_the_same_weights(data: Path) -> None:
    """Each sees half of the pictures, gradients are averaged: the weights agree to the last bit."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.training.two_processes", str(data.parent)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=900)

    first, second = (torch.load(data.parent / f"process{rank}.pt") for rank in (0, 1))
    weights = [name for name, _ in NETWORKS[NANO]().named_parameters()]
    assert len(weights) > 100
    assert all(torch.equal(first[name], second[name]) for name in weights)
    stored = torch.load(data.parent / "run" / "last.ckpt", weights_only=False)
    # Eight pictures, two a process and step, are two steps only where each process has its own half.
    assert stored["global_step"] == 2
    assert json.loads((data.parent / "run" / "run.json").read_text())["config"]["devices"] == 2


def test_anchors_of_a_file_are_trained_with(data: Path, tmp_path: Path) -> None:
    """They replace the default ones, in the network and so in its checkpoints and manifest."""
    anchors = [[[8.0, 9.5], [12.0, 14.0], [20.0, 22.0]]] * 3
    file = tmp_path / "anchors.json"
    file.write_text(json.dumps({"anchors": anchors}))

    network = build_network(Config(network="yolov5n"), Run(data, data, tmp_path, anchors=file))

    assert isinstance(network, YoloV5)
    assert network.level_anchors() == tuple(tuple((w, h) for w, h in level) for level in anchors)


def test_frozen_parts_stay_as_they_are(data: Path, tmp_path: Path) -> None:
    """Neither weights nor batch norm's statistics of such a part move, measuring in between or not."""
    torch.manual_seed(0)
    before = NETWORKS["yolov5n"]()
    start = tmp_path / "start.ckpt"
    save_checkpoint(Checkpoint("yolov5n", 64, before), start)
    config = Config(network="yolov5n", epochs=2, frozen=("stage2", "stage3"), **SHORT)

    train(config, Run(data, data, tmp_path / "run", start=start))

    after = load_checkpoint(tmp_path / "run" / "last.ckpt").network.state_dict()
    # An average of equal numbers is rounded.
    kept = {name for name, x in before.state_dict().items() if torch.allclose(x, after[name], rtol=1e-6)}
    moved = {name.split(".")[0] for name in before.state_dict().keys() - kept}
    assert moved == {name for name, _ in before.named_children()} - {"stage2", "stage3"}


def test_how_the_scarce_class_is_treated_can_be_chosen(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to make more of few wrongly worn masks has an option, so that it can be measured alone."""
    seen: list[Config] = []
    monkeypatch.setattr("training.train.train", lambda config, _run: seen.append(config))
    files = ("--data", str(data), "--val", str(data), "--output", str(data.parent / "run"))
    chosen = ("--incorrect-weight", "1", "--two-class-weight", "1", "--augment", "wrong_mask=0")

    for options in ((), chosen):
        CliRunner().invoke(main, [*files, *options], catch_exceptions=False)

    ways = [(c.incorrect_weight, c.loss.two_class_weight, c.augment.hard.wrong_mask) for c in seen]
    assert ways == [(3.0, 0.25, 0.04), (1.0, 1.0, 0.0)]
    assert seen[0] == Config()


def test_a_run_that_goes_on_can_see_other_pictures(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same seed its first epoch would show what the first run's did."""
    seen: list[Config] = []
    monkeypatch.setattr("training.train.train", lambda config, _run: seen.append(config))
    files = ("--data", str(data), "--val", str(data), "--output", str(data.parent / "run"))

    CliRunner().invoke(main, [*files, "--seed", "7"], catch_exceptions=False)

    (config,) = seen
    first, other = (
        TrainingSet(load_coco(data), 64, config.augment, 1.0, seed)[0][0] for seed in (1, config.seed)
    )
    assert config.seed == 7
    assert not torch.equal(first, other)


def refusal(*arguments: object) -> tuple[int, str]:
    """Exit code and last line of a command that fails."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result.exit_code, result.output.strip().splitlines()[-1]


def test_what_cannot_be_trained_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    """Odd sizes, useless anchors, unknown parts and variations: usage errors that say what to do."""
    files = ("--data", data, "--val", data, "--output", tmp_path / "run")
    anchors = tmp_path / "anchors.json"
    anchors.write_text('{"anchors": [[1, 2]]}')

    assert refusal(*files, "--size", 100) == (
        2,
        "Error: Invalid value for '--size': 100 is no multiple of 32: the coarsest cells have 32 px",
    )
    assert refusal(*files, "--network", NANO, "--anchors", anchors) == (
        2,
        "Error: This network has no anchors. Leave --anchors out, or choose a yolov5 network.",
    )
    code, line = refusal(*files, "--network", "yolov5n", "--anchors", anchors)
    assert (code, line.startswith(f"Error: {anchors} holds no anchors for three levels. Give ")) == (2, True)
    code, line = refusal(*files, "--batch", 9)
    assert (code, line) == (2, "Error: 8 pictures a process make no batch of 9. Choose a smaller one.")
    code, line = refusal(*files, "--freeze", "stage9")
    assert (code, line.startswith("Error: This network has no part 'stage9'. Choose from ")) == (2, True)
    everything = [word for name, _ in NETWORKS[NANO]().named_children() for word in ("--freeze", name)]
    code, line = refusal(*files, "--network", NANO, *everything)
    assert (code, line) == (
        2,
        "Error: All parts are frozen, so nothing would be trained. Leave out one --freeze.",
    )
    code, line = refusal(*files, "--augment", "mosaik=0.5")
    assert (code, line) == (2, "Error: Nothing that varies pictures is called 'mosaik'. Known: mosaic.")
    code, line = refusal(*files, "--augment", "mosaic=2")
    assert (code, line) == (2, "Error: mosaic is a probability, not '2'. Give a number from 0 to 1.")


def test_other_networks_are_not_resumed_nor_started_from(data: Path, tmp_path: Path) -> None:
    """A checkpoint of another network is named as such, with what to do; it is a model error."""
    output = tmp_path / "run"
    output.mkdir()
    save_checkpoint(Checkpoint(NANO, 64, NETWORKS[NANO]()), output / "last.ckpt")
    files = ("--data", data, "--val", data, "--network", "yolov5n")

    assert refusal(*files, "--output", output, "--resume") == (
        4,
        f"Error: {output / 'last.ckpt'} holds a {NANO}. Resume with --network {NANO}.",
    )
    code, line = refusal(*files, "--output", tmp_path / "new", "--start", output / "last.ckpt")
    assert code == 4
    assert line.startswith("Error: A YoloV5n cannot start from a SsdMobileNetV2Nano: they have other layers.")


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path) -> None:
    """Its weights would be written over the last good ones."""
    torch.manual_seed(0)
    config = Config(network=NANO, epochs=3, learning_rate=1e9, **SHORT)

    with pytest.raises(InputError, match="The loss is no number any more"):
        train(config, Run(data, data, tmp_path / "run"))


def test_anchors_are_set_on_weights_to_start_from(tmp_path: Path) -> None:
    """A run that goes on may get others."""
    anchors = [[[5.0, 6.0]] * 3, [[30.0, 40.0]] * 3, [[90.0, 120.0]] * 3]
    file, start = tmp_path / "anchors.json", tmp_path / "n.ckpt"
    file.write_text(json.dumps({"anchors": anchors}))
    save_checkpoint(Checkpoint("yolov5n", 64, NETWORKS["yolov5n"]()), start)

    network = build_network(
        Config(network="yolov5n"), Run(file, file, tmp_path / "run", start=start, anchors=file)
    )

    assert isinstance(network, YoloV5)
    assert [[list(each) for each in level] for level in network.level_anchors()] == anchors


def test_a_low_rate_never_rises(data: Path, tmp_path: Path) -> None:
    """A gentle run's rate is the highest after its warm-up, not at its end."""
    config = Config(network=NANO, epochs=2, learning_rate=1e-6, **SHORT)
    train(config, Run(data, data, tmp_path / "run"))

    stored = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)

    assert stored["optimizer_states"][0]["param_groups"][0]["lr"] <= 1e-6
