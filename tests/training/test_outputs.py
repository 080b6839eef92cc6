"""Hold commands to trying, before they begin, what would keep them from an end."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

import click
import pytest
from click.testing import CliRunner

from tests.training.colour_data import save_data
from training import average, check, evaluate, mistakes, prune, qat, quantise, thresholds, unlabelled
from training.classify import train as classify
from training.run_folder import RECORD

WEIGHTS = Path(__file__).parents[2] / "training" / "weights" / "nano_320.safetensors"


@pytest.mark.parametrize(
    ("command", "inputs", "name"),
    [
        (average.main, ("--checkpoint", WEIGHTS, "--checkpoint", WEIGHTS, "--data", "DATA"), "mean.ckpt"),
        (check.main, ("DATA",), "report"),
        (classify.main, ("--data", "DATA", "--val", "DATA"), "classifier"),
        (evaluate.main, ("--model", "MODEL", "--data", "DATA"), "evaluation"),
        (mistakes.main, ("--model", "MODEL", "--data", "DATA"), "sheets"),
        (qat.main, ("--checkpoint", WEIGHTS, "--data", "DATA"), "int8.ckpt"),
        (quantise.main, ("--checkpoint", WEIGHTS, "--data", "DATA"), "models"),
        (unlabelled.main, ("--model", "MODEL", "--data", "DATA"), "marked.json"),
    ],
    ids=["average", "check", "classify", "evaluate", "mistakes", "qat", "quantise", "unlabelled"],
)
def test_an_unwritable_output_is_noticed_before_the_pictures_are_read(
    command: click.Command, inputs: tuple[str | Path, ...], name: str, tmp_path: Path, model: Path
) -> None:
    """Where minutes of work cannot go is one line at once; the pictures, which are missing, come later."""
    data = save_data(tmp_path / "data", [((), ())])
    (tmp_path / "data" / "images" / "0.png").unlink()
    (tmp_path / "taken").write_text("")
    meant = {"DATA": data, "MODEL": model}
    arguments = [*(meant.get(str(each), each) for each in inputs), "--output", tmp_path / "taken" / name]

    result = CliRunner().invoke(command, [str(each) for each in arguments])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {tmp_path / 'taken'}")
    assert " cannot be written to: " in result.stderr
    assert result.stderr.endswith(". Choose another folder.\n")


@pytest.mark.parametrize("command", [evaluate.main, thresholds.main], ids=["evaluate", "thresholds"])
def test_a_models_read_only_folder_is_noticed_before_the_pictures_are_read(
    command: click.Command, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is written last, after minutes; whether that will do is known before."""
    data = save_data(tmp_path / "data", [((), ())])
    (tmp_path / "data" / "images" / "0.png").unlink()
    anywhere = tempfile.TemporaryFile

    def elsewhere(dir: Path) -> IO[Any]:
        if dir == model.parent:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return anywhere(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", elsewhere)
    output = ["--output", str(tmp_path / "out")] if command is evaluate.main else []

    result = CliRunner().invoke(command, ["--model", str(model), "--data", str(data), *output])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {model.parent} cannot be written to: Read-only file system. Choose another folder.\n"
    )


@pytest.mark.parametrize(
    ("command", "inputs"),
    [
        (average.main, ("--checkpoint", "CHECKPOINT", "--checkpoint", "CHECKPOINT", "--data", "DATA")),
        (prune.main, ("--checkpoint", "CHECKPOINT")),
        (qat.main, ("--checkpoint", "CHECKPOINT", "--data", "DATA")),
        (quantise.main, ("--checkpoint", "CHECKPOINT", "--data", "DATA")),
    ],
    ids=["average", "prune", "qat", "quantise"],
)
def test_a_parents_damaged_record_is_noticed_before_anything_is_made(
    command: click.Command, inputs: tuple[str, ...], tmp_path: Path
) -> None:
    """One line names the record; no weights are left without one, and no pictures are read in vain."""
    data = save_data(tmp_path / "data", [((), ())])
    (tmp_path / "data" / "images" / "0.png").unlink()
    checkpoint, record, output = (tmp_path / name for name in ("last.safetensors", RECORD, "made.ckpt"))
    shutil.copyfile(WEIGHTS, checkpoint)
    record.write_text('{"commit": "a')
    meant = {"DATA": data, "CHECKPOINT": checkpoint}
    arguments = [*(meant.get(each, each) for each in inputs), "--output", output]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}

    result = CliRunner().invoke(command, [str(each) for each in arguments])

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"Error: {record} is no whole JSON")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
