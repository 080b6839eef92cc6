"""Make up the machines that the doctor examines."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pi_mask.doctor.base import Result
from pi_mask.doctor.machine import Machine, Service

PI = "Raspberry Pi 4 Model B Rev 1.5"


@dataclass(frozen=True, slots=True)
class Root:
    """A file system below a folder."""

    folder: Path

    def put(self, path: str, text: str = "") -> Path:
        """Write a file, with its folders."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def machine(self, service: Service | None = None) -> Machine:
        """The machine that has it."""
        return Machine(self.folder, service or Service())

    def pi(self, service: Service | None = None) -> Machine:
        """A Raspberry Pi that has it; the device tree ends texts with a NUL."""
        self.put("proc/device-tree/model", f"{PI}\0")
        return self.machine(service)


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs in the one folder of PATH."""

    folder: Path

    def script(self, name: str, body: str) -> None:
        """Install a shell script; it finds nothing on PATH but its like."""
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def answer(self, name: str, text: str) -> None:
        """Install a program that prints a text whatever it is asked."""
        self.script(name, f"printf '%s\\n' {shlex.quote(text)}")


def found(results: Iterable[Result]) -> list[tuple[str, str, str]]:
    """Status, code and message of each result."""
    return [(result.status.value, result.code, result.message) for result in results]


def advised(results: Iterable[Result]) -> list[str]:
    """The advice of each result that has one."""
    return [result.advice for result in results if result.advice]
