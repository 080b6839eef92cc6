"""Share a bench with stand-ins for the devices among the fault tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.door import Bench


@pytest.fixture
def bench(tmp_path: Path, model: Path) -> Bench:
    """A door whose devices all work, in front of nobody."""
    return Bench.make(tmp_path, model)
