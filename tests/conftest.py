"""Share the command line, kept away from this machine's own configuration, among the tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.colour_model import install_model


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Standard output, line by line."""
        return self.out.splitlines()


Invoke: TypeAlias = Callable[..., Outcome]


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the environment's settings and every configuration file; the home is a folder of the test."""
    from pi_mask import settings

    service = ("NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "WATCHDOG_USEC")
    for name in list(os.environ):
        if name.startswith("PI_MASK_") or name in ("XDG_CONFIG_HOME", *service):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(settings, "SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")


@pytest.fixture
def invoke(clean_environment: None, capfd: pytest.CaptureFixture[str]) -> Iterator[Invoke]:
    """Run pi-mask with some arguments in this process; the log goes back to how it was."""
    from pi_mask.cli import main

    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        # LiteRT's own greeting, written by its C++ part.
        own = [line for line in err.splitlines(keepends=True) if not line.startswith("INFO: Created Tensor")]
        return Outcome(int(end.value.code or 0), out, "".join(own))

    yield run
    logger = logging.getLogger("pi_mask")
    logger.handlers = []
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A real model that takes patches of pure colour for faces."""
    folder = tmp_path / "model"
    folder.mkdir()
    return install_model(folder).with_suffix(".tflite")
