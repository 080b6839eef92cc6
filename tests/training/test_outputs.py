"""Hold long commands to trying where they will write before they begin."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.training.colour_data import save_data
from training import average, check, evaluate, mistakes, qat, quantise, unlabelled
from training.classify import train as classify

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
