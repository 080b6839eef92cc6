"""Describe the machine that is examined."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pi_mask.doctor.ask import ask

UNIT = "pi-mask"
_PROPERTIES = {
    "load": "LoadState",
    "active": "ActiveState",
    "sub": "SubState",
    "enabled": "UnitFileState",
    "result": "Result",
    "exit_status": "ExecMainStatus",
    "restarts": "NRestarts",
    "since": "ActiveEnterTimestamp",
    "status": "StatusText",
    "user": "User",
    "groups": "SupplementaryGroups",
}


@dataclass(frozen=True, slots=True)
class Service:
    """What systemd says about the unit, in its own words; "" where it says nothing."""

    load: str = ""
    active: str = ""
    sub: str = ""
    enabled: str = ""
    result: str = ""
    exit_status: str = ""
    restarts: str = ""
    since: str = ""
    status: str = ""
    user: str = ""
    groups: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether systemd knows the unit."""
        return self.load == "loaded"

    @property
    def is_watching(self) -> bool:
        """Whether it says that frames come and are judged: ``pi_mask.service`` writes its status."""
        return self.is_running and self.status.startswith("Watching")

    @property
    def is_degraded(self) -> bool:
        """Whether it says that the CPU stands in for the Edge TPU, likewise."""
        return self.is_running and self.status.startswith("Watching on the CPU")

    @property
    def is_running(self) -> bool:
        """Whether the unit's process may hold the devices; between two attempts to start it does not."""
        states = {"active", "activating", "reloading", "deactivating"}
        return self.active in states and self.sub != "auto-restart"


def query_service() -> Service:
    """Ask systemd about the unit."""
    answer = ask("systemctl", "show", UNIT, *(f"--property={name}" for name in _PROPERTIES.values()))
    said = dict(line.partition("=")[::2] for line in (answer or "").splitlines())
    return Service(**{name: said.get(own, "") for name, own in _PROPERTIES.items()})


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, seen through its files.

    Attributes:
        root: Where its file system begins.
        service: The state of the unit.
    """

    root: Path = Path("/")
    service: Service = field(default_factory=Service)

    def read(self, path: str) -> str | None:
        """The text of a file below the root, without surrounding white space and NULs; None without it."""
        try:
            return (self.root / path).read_text(errors="replace").strip("\0 \t\r\n")
        except OSError:
            return None

    @property
    def model(self) -> str:
        """What the board calls itself; "" on machines without a device tree."""
        return self.read("proc/device-tree/model") or ""

    @property
    def is_raspberry_pi(self) -> bool:
        """Whether it is a Raspberry Pi."""
        return "Raspberry Pi" in self.model
