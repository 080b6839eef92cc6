"""An interpreter that steps down and back up, on a fake driver and a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pi_mask.inference.auto import AutoInterpreter
from pi_mask.inference.base import Interpreter
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import BOXES, COMPILED_MODEL, SCORES, write_model

LOGGER = "pi_mask.inference.auto"
COMPILED = write_model(replace(COMPILED_MODEL, outputs=(SCORES, BOXES)))
"""Compiled with its outputs in another order than the CPU's model."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def open_cpu() -> Interpreter:
    """Open the tiny model on the processor."""
    return CpuInterpreter(write_model(), threads=1)


def open_edgetpu(driver: FakeDriver) -> Interpreter:
    """Open the compiled tiny model."""
    return EdgeTpuInterpreter(COMPILED, library=driver.library)


def make_auto(
    driver: FakeDriver, clock: Clock, edgetpu: Callable[[], Interpreter] | None = None
) -> AutoInterpreter:
    """Make an interpreter that asks the fake driver and the given clock."""
    return AutoInterpreter(edgetpu or partial(open_edgetpu, driver), open_cpu, retry_s=30.0, clock=clock)


def picture(seed: int) -> np.ndarray:
    """Make an image that no other seed makes."""
    return np.random.default_rng(seed).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


def answers(interpreter: Interpreter, seed: int) -> list[list[int]]:
    """Run the picture of a seed and flatten the outputs."""
    return [output.ravel().tolist() for output in interpreter.invoke(picture(seed))]


def retry_threads() -> list[threading.Thread]:
    """Return the running attempts to get the Edge TPU back."""
    return [thread for thread in threading.enumerate() if thread.name == "edgetpu-retry"]


def finish_retry() -> None:
    """Wait for the attempt under way."""
    for thread in retry_threads():
        thread.join(timeout=60)
        assert not thread.is_alive()


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what was logged."""
    return [(record.levelname, record.getMessage()) for record in caplog.records]
