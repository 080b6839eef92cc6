"""Share what every test of an import needs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A COCO file that is not there, in a folder that is not there."""
    return tmp_path / "out" / "train.json"
