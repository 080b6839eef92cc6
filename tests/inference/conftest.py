"""Share the stand-in of the Edge TPU's driver among the tests of inference."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.inference.fake_driver import FakeDriver, compile_fake_driver, plugged_in_driver


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the stand-in of libedgetpu once."""
    return compile_fake_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(fake_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Attach one Edge TPU on USB, with nothing wrong."""
    gc.collect()  # interpreters of earlier tests must not write into this test's log
    return plugged_in_driver(fake_library, tmp_path, monkeypatch)
