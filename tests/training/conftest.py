"""Keep the training's tests to one thread."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """OpenMP's threads spin while they wait: where others use the cores, a test takes 30 times as long."""
    if "torch" in sys.modules:  # by now all test modules are imported
        sys.modules["torch"].set_num_threads(1)
