"""Hold the measurement's form; no time is tested."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tests.colour_model import picture
from tests.tiny_model import TinyModel, TinyTensor, write_model
from training.latency import against_float, main, stages

FLOAT = TinyModel(
    (TinyTensor("image", (1, 8, 8, 3), "float32", (), ()),),
    (TinyTensor("maps", (1, 4, 4, 3), "float32", (), ()),),
)
STAGES = {"preprocess_ms", "inference_ms", "postprocess_ms"}


def test_every_stage_takes_time(model: Path) -> None:
    """Three positive figures."""
    spent = stages(model, [picture()], threads=1, frames=3)

    assert set(spent) == STAGES
    assert all(value > 0 for value in spent.values())


def test_int8_and_float_take_turns() -> None:
    """Both are run on inputs of their own type; the ratio is that of their medians."""
    result = against_float(write_model(), write_model(FLOAT), runs=5)

    assert set(result) == {"int8_ms", "float32_ms", "ratio"}
    assert result["ratio"] > 0


def test_the_command_prints_json(model: Path, tmp_path: Path) -> None:
    """One and two threads; with a float file the ratio for both."""
    parent = tmp_path / "float.tflite"
    parent.write_bytes(write_model(FLOAT))

    result = CliRunner().invoke(main, ["--model", str(model), "--float-model", str(parent)])

    figures = json.loads(result.stdout)
    assert set(figures) == {"threads_1", "threads_2", "float32_threads_1", "float32_threads_2"}
    assert set(figures["threads_2"]) == STAGES
