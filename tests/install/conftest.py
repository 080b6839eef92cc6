"""Fixtures for the installer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.stand_ins import Computer


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """A made-up Pi 4 with 64-bit Bookworm."""
    return Computer(tmp_path)
