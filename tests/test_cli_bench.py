"""Test pi-mask bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pi_mask.camera.opencv import cv2
from pi_mask.types import MaskLabel
from tests.colour_model import save_picture
from tests.conftest import Invoke

FIGURES = {"min_ms", "median_ms", "p95_ms"}


def test_json_has_the_documented_keys(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--json gives the setting of the measurement and the figures of every stage."""
    source = save_picture(tmp_path / "door.png", MaskLabel.WITHOUT_MASK)
    arguments = ["--model", model, "--frames", "3", "--source", source, "--threads", "1", "--json"]

    outcome = invoke("bench", *arguments)
    document = json.loads(outcome.out)

    stages = document.pop("stages")
    assert {name: set(spread) for name, spread in stages.items()} == dict.fromkeys(
        ("preprocess", "inference", "postprocess", "decide", "total"), FIGURES
    )
    for name in ("fps", "overhead_ratio", "peak_memory_mib"):
        assert document.pop(name) > 0
    assert document == {
        "schema": 1,
        "model": "colours",
        "device": "cpu",
        "threads": 1,
        "width": 128,
        "height": 128,
        "source": str(source),
        "frames": 3,
        "faces_per_frame": 1.0,
    }


def test_the_table_says_what_was_measured_on(invoke: Invoke, model: Path) -> None:
    """In words: model, device, threads, frames, that nobody is in the made-up pictures, all stages."""
    outcome = invoke("bench", "--model", model, "--frames", "2", "--size", "100x80")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.lines[:3] == [
        "colours on cpu, 2 threads",
        "2 frames of 100×80, made-up pictures without a face",
        "",
    ]
    assert [line.split()[0] for line in outcome.lines[3:9]] == [
        "ms",
        "preprocess",
        "inference",
        "postprocess",
        "decide",
        "total",
    ]


@pytest.mark.parametrize("size", ["640", "0x480", "5000x480", "axb", "1x2x3", "-1x4"])
def test_a_wrong_size_is_a_usage_error(invoke: Invoke, size: str) -> None:
    """--size that is none is one line and code 2."""
    outcome = invoke("bench", "--size", size)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert f"'{size}' is not WIDTHxHEIGHT" in outcome.err


def test_a_missing_source_is_a_usage_error(invoke: Invoke, tmp_path: Path) -> None:
    """--source that leads nowhere is one line and code 2."""
    assert invoke("bench", "--source", tmp_path / "none.mp4").code == 2


def test_pictures_of_different_sizes_need_one(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """Frames of two sizes are not reported as frames of the first one's: code 2 says what to add."""
    save_picture(tmp_path / "large.png", MaskLabel.WITHOUT_MASK)
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((48, 64, 3), np.uint8))
    arguments = ["bench", "--model", model, "--frames", "2", "--source", tmp_path]

    refused, scaled = invoke(*arguments), invoke(*arguments, "--size", "64x48")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "Error: These pictures are of different sizes. Give them one, such as --size 640x480.\n"
    )
    assert (scaled.code, scaled.lines[1]) == (0, f"2 frames of 64×48, {tmp_path}")
