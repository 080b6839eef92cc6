"""Hold distillation to teaching what the teacher sees, and to leaving the teacher alone."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data
from tests.training.power_cut import train_first_epoch
from training.distil import Distillation, correlation
from training.networks.registry import NETWORKS, Checkpoint, load_checkpoint, save_checkpoint
from training.run_folder import Run
from training.train import train
from training.trainee import Config, part_of

NANO = "ssd_mobilenet_v2_nano"


@given(
    scale=st.floats(0.01, 100), shift=st.floats(-100, 100), sign=st.sampled_from((-1, 1)), seed=st.integers(0)
)
def test_neither_scale_nor_shift_matter(scale: float, shift: float, sign: int, seed: int) -> None:
    """A map and its own straight line agree wholly, or are wholly opposed."""
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed % 2**63))
    torch.testing.assert_close(
        correlation(x, sign * scale * x + shift), torch.full((3,), float(sign)), atol=1e-3, rtol=0
    )


def test_a_constant_channel_teaches_nothing() -> None:
    """A channel of the teacher that ReLU6 holds at 0 everywhere: correlation 0 and gradients 0, not NaN."""
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    found = correlation(x, torch.zeros(2, 3, 4, 4))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert found.tolist() == [0, 0, 0]
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("name", ["yolov5n", NANO])
def test_a_student_comes_to_see_what_its_teacher_sees(name: str) -> None:
    """Of another kind or another width: the loss falls on the same pictures, the teacher stays as it was."""
    torch.manual_seed(0)
    student, teacher = NETWORKS[name](), NETWORKS["ssd_mobilenet_v2"]()
    distillation = Distillation(student, teacher)
    before = copy.deepcopy(teacher.state_dict())
    pictures = torch.rand(4, 3, 64, 64)
    optimizer = torch.optim.AdamW([*student.parameters(), *distillation.parameters()], 3e-3)
    losses = []
    for _ in range(15):
        loss = distillation(pictures, student.pyramid(pictures))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert 0.8 < losses[0] <= 2
    assert losses[-1] < 0.6 * losses[0]
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert [name for name, _ in distillation.named_parameters()] == [
        f"translate.{i}.weight" for i in range(3)
    ]


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")
@pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
def test_a_taught_run_is_a_run_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoint loads as the student alone, can be resumed, and its record names the teacher."""
    data = save_data(tmp_path, [([label], [label]) for label in [*MaskLabel] * 2])
    teacher = tmp_path / "teacher.ckpt"
    save_checkpoint(Checkpoint(NANO, 64, NETWORKS[NANO]()), teacher)
    config = Config(
        network="yolov5n", size=64, batch=2, epochs=2, warmup_steps=1, workers=0, val_every_epochs=1
    )
    run = Run(data, data, tmp_path / "run", teacher=teacher)

    train_first_epoch(config, run, monkeypatch)
    train(config, replace(run, resume=True))

    assert load_checkpoint(run.output / "last.ckpt").name == "yolov5n"
    assert torch.load(run.output / "last.ckpt", weights_only=False)["epoch"] == 1
    record = json.loads((run.output / "run.json").read_text())
    assert record["ancestors"] == {record["teacher"]: {"file": "teacher.ckpt"}}


def test_a_frozen_part_sleeps_on() -> None:
    """Looking at a student's widths leaves each part its mode: a frozen batch norm learns nothing."""
    student, teacher = NETWORKS["yolov5n"](), NETWORKS["yolov5n"]()
    student.train()
    part_of(student, "stage2").eval()

    Distillation(student, teacher)

    assert not any(module.training for module in part_of(student, "stage2").modules())
    assert part_of(student, "stage3").training
