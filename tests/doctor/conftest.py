"""Share made-up machines and stand-in programs among the doctor's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.made_up import Programs, Root


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """An empty file system."""
    folder = tmp_path / "root"
    folder.mkdir()
    return Root(folder)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """The only programs that are installed: none yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Programs(folder)
