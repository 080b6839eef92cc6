"""Choose the value range of every tensor for int8.

ai-edge-quantizer's own statistics are a moving average over the last twenty or so pictures of each
picture's extremes. A pyramid level that rarely holds a face then gets a range without faces, and their scores
are cut off: it cost 2.1 points of mAP50, see LOG.md. Here every picture's extremes are kept, and
the range is a percentile of them.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from ai_edge_quantizer.quantizer import Quantizer
from numpy.typing import NDArray

Statistics: TypeAlias = dict[str, dict[str, NDArray[Any]]]


def calibrate(
    machine: Quantizer, signature: str, inputs: Iterable[Mapping[str, NDArray[np.float32]]], percentile: float
) -> Statistics:
    """Per tensor the given percentile of the pictures' maxima, and its mirror of their minima.

    Args:
        machine: Loaded with the float model and a static recipe.
        signature: Key of the model's signature.
        inputs: One mapping from input name to tensor per picture.
        percentile: 100 takes the extremes of all pictures, 50 a typical picture's.

    Raises:
        ValueError: There is no input.
    """
    # Each call draws a progress bar of its own, and no option turns it off.
    with contextlib.redirect_stderr(io.StringIO()):
        pictures = [machine.calibrate({signature: [one]}, num_threads=2) for one in inputs]
    if not pictures:
        raise ValueError("no picture to calibrate with; give at least one")
    return {
        name: {
            "min": np.percentile([one[name]["min"] for one in pictures], 100 - percentile, axis=0),
            "max": np.percentile([one[name]["max"] for one in pictures], percentile, axis=0),
        }
        for name in pictures[0]
        if pictures[0][name]
    }


def set_range(statistics: Statistics, name: str, low: float, high: float) -> None:
    """Fix the range of one tensor."""
    entry = statistics[name]
    entry["min"] = np.full_like(entry["min"], low)
    entry["max"] = np.full_like(entry["max"], high)


def limit_range(statistics: Statistics, name: str, low: float, high: float) -> None:
    """Cut the range of one tensor to what means something; steps are finer for it."""
    entry = statistics[name]
    entry["min"] = np.clip(entry["min"], low, high)
    entry["max"] = np.clip(entry["max"], low, high)
