"""Test pi-mask models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pi_mask import manifest
from tests.colour_model import install_model
from tests.conftest import Invoke


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the shipped models."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(manifest, "models_dir", lambda: folder)
    return folder


def test_a_table_with_the_default_first(invoke: Invoke, shipped: Path) -> None:
    """Each model is a row: name, default, size, input, Edge TPU, mAP50, thresholds."""
    changed: dict[str, dict[str, Any]] = {
        "another": {"metrics": {}},
        manifest.DEFAULT_MODEL: {"edgetpu": {"file": "tpu.tflite", "sha256": "0" * 64}},
    }
    for name, changes in changed.items():
        content = bytes(1_230_000)
        file = {"file": f"{name}.tflite", "sha256": hashlib.sha256(content).hexdigest()}
        install_model(shipped, name, cpu=file, **changes)
        (shipped / f"{name}.tflite").write_bytes(content)

    outcome = invoke("models")

    thresholds = "with_mask 0.5, without_mask 0.5, incorrect 0.5"
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.lines == [
        "name                           size    input  edgetpu  mAP50    thresholds",
        f"ssd_mobilenet_v2_512  default  1.2 MB  64×64  yes      0.875    {thresholds}",
        f"another                        1.2 MB  64×64  no       unknown  {thresholds}",
    ]


def test_json_is_one_line_a_model(invoke: Invoke, shipped: Path) -> None:
    """--json gives the same facts under documented keys."""
    path = install_model(shipped, "another")

    assert [json.loads(line) for line in invoke("models", "--json").lines] == [
        {
            "schema": 1,
            "name": "another",
            "default": False,
            "size_bytes": path.with_suffix(".tflite").stat().st_size,
            "input": [64, 64],
            "edgetpu": False,
            "map50": 0.875,
            "thresholds": {"with_mask": 0.5, "without_mask": 0.5, "incorrect": 0.5},
        }
    ]


@pytest.mark.parametrize("damage", ["no model", "manifest", "file", "content"])
def test_a_broken_installation_is_named(invoke: Invoke, shipped: Path, damage: str) -> None:
    """No model, a broken manifest, a missing file or another one: one line and code 4."""
    if damage == "manifest":
        install_model(shipped).write_text("{}")
    if damage == "file":
        install_model(shipped).with_suffix(".tflite").unlink()
    if damage == "content":
        install_model(shipped).with_suffix(".tflite").write_bytes(b"another")

    outcome = invoke("models")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (4, "", 1)
