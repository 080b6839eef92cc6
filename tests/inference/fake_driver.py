"""Build and steer the library that stands for libedgetpu."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "delegate" / "fake_edgetpu.c"
STATE_VARIABLE = "FAKE_EDGETPU_DIR"
USB_PATH = "/sys/bus/usb/devices/2-1"


def compile_fake_driver(directory: Path) -> Path:
    """Compile the library into a directory; without a C compiler, skip here and fail in CI."""
    return compile_library(SOURCE, directory / "libfakeedgetpu.so")


def compile_library(source: Path, library: Path, *options: str) -> Path:
    """Compile a shared library from one file; without a C compiler, skip here and fail in CI."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        reason = f"No C compiler found for {source.name}. Install gcc (apt install gcc libc6-dev)."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    flags = ["-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    command = [compiler, *flags, "-o", str(library), str(source), *options]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return library


@dataclass(frozen=True, slots=True)
class FakeDriver:
    """A driver whose device does as told, in this process and in its children.

    Attributes:
        library: Path of the compiled library.
        state: Directory of the device's state, named by FAKE_EDGETPU_DIR.
    """

    library: str
    state: Path

    def plug_in(self, *devices: str) -> None:
        """Attach devices, each a "usb PATH" or "pci PATH"; one on USB unless told otherwise."""
        (self.state / "devices").write_text("\n".join(devices or (f"usb {USB_PATH}",)))

    def unplug(self) -> None:
        """Take all devices away."""
        (self.state / "devices").unlink()

    def tell(self, name: str, value: str) -> None:
        """Write a file of the state: refuse, crash, hang or fail_after (see fake_edgetpu.c)."""
        (self.state / name).write_text(value)

    def untell(self, name: str) -> None:
        """Remove a file of the state."""
        (self.state / name).unlink()

    @property
    def steps(self) -> list[str]:
        """What the library was asked to do so far, in order."""
        log = self.state / "log"
        return log.read_text().splitlines() if log.exists() else []


def plugged_in_driver(library: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """Return a driver with one device on USB, steered by files in a directory."""
    monkeypatch.setenv(STATE_VARIABLE, str(state))
    driver = FakeDriver(str(library), state)
    driver.plug_in()
    return driver
