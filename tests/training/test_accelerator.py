"""Hold training to working on a graphics card too, as far as that shows without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.training.colour_data import save_data
from training.networks.registry import NETWORKS
from training.precision import native_precision
from training.train import main
from training.trainee import Config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The options that say where pictures come from and results go."""
    data = str(save_data(tmp_path, []))
    return ["--data", data, "--val", data, "--output", str(tmp_path / "run")]


def test_every_network_trains_on_another_device_than_the_cpu() -> None:
    """Loss and measured maps are the CPU's, without and with a teacher, and no tensor is left behind."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.training.other_device"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=900
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(NETWORKS) + 1


def test_without_a_graphics_card_the_cpu_is_named(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to do, before anything is written."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(main, [*files, "--accelerator", "cuda", "--precision", "float32"])

    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "Leave --accelerator out to train on the CPU" in result.output
    assert not Path(files[-1]).exists()


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "float32")])
def test_a_graphics_card_computes_in_what_it_has(
    files: list[str], monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str
) -> None:
    """bf16 is asked of the card, not of the processor beside it."""
    seen: list[Config] = []
    monkeypatch.setattr("training.train.train", lambda config, _run: seen.append(config))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)

    for options in (["--accelerator", "cuda", "--workers", "8"], []):
        CliRunner().invoke(main, [*files, *options], catch_exceptions=False)

    card, cpu = seen
    assert (card.accelerator, card.workers, card.precision) == ("cuda", 8, expected)
    assert (cpu.accelerator, cpu.workers, cpu.precision) == ("cpu", 1, native_precision())
