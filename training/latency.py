"""Measure how long a model takes on this machine, against the same network in float32.

    python -m training.latency --model models/ssd_mobilenet_v2_512.tflite \
        --float-model training/runs/ssd/last.320.float.tflite

The float32 file is the one that training.quantise leaves beside the checkpoint.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from pi_mask.bench import made_up_pictures, measure
from pi_mask.build import open_detector
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.settings import ModelSettings
from training.command import Command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.types import Image

FRAMES = 200
_WARM_UP = 10


def stages(model: Path, images: Sequence[Image], threads: int, frames: int = FRAMES) -> dict[str, float]:
    """Median milliseconds of each stage of a frame, as ``pi-mask bench`` measures them."""
    settings = ModelSettings(name=str(model), accelerator="cpu", threads=threads)
    with open_detector(settings) as opened:
        spreads = measure(opened.detector, images, frames).stages
    names = ("preprocess", "inference", "postprocess")
    return {f"{name}_ms": round(spreads[name].median_ms, 3) for name in names}


def against_float(model: bytes, parent: bytes, threads: int = 1, runs: int = FRAMES) -> dict[str, float]:
    """Median milliseconds of inference alone, of both, and their ratio.

    The two take turns, so that whatever else the machine does meets both.

    Args:
        model: The int8 file's content.
        parent: The float32 file's content.
        threads: Of each.
        runs: Of each.
    """
    spent: list[list[float]] = [[], []]
    interpreters = [CpuInterpreter(content, threads=threads) for content in (model, parent)]
    inputs = [_noise(interpreter) for interpreter in interpreters]
    for _ in range(_WARM_UP + runs):
        for interpreter, image, times in zip(interpreters, inputs, spent, strict=True):
            start = time.perf_counter()
            interpreter.invoke(image)
            times.append((time.perf_counter() - start) * 1e3)
    int8, float32 = (float(np.median(times[_WARM_UP:])) for times in spent)
    return {"int8_ms": round(int8, 3), "float32_ms": round(float32, 3), "ratio": round(int8 / float32, 3)}


def _noise(interpreter: CpuInterpreter) -> NDArray[Any]:
    values = np.random.default_rng(0).random(interpreter.spec.input.shape, np.float32)
    return values if interpreter.spec.input.dtype == "float32" else (values * 255).astype(np.uint8)


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--float-model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(model: Path, float_model: Path | None) -> None:
    """Print latencies with one and two threads, and the ratio to float32, as JSON."""
    images = made_up_pictures(640, 480)
    result: dict[str, Any] = {f"threads_{n}": stages(model, images, n) for n in (1, 2)}
    if float_model:
        pair = model.read_bytes(), float_model.read_bytes()
        result |= {f"float32_threads_{n}": against_float(*pair, threads=n) for n in (1, 2)}
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
