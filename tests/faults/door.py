"""Run pi-mask as a process of its own whose devices do as told."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from pi_mask.indicator.gpio import fittings
from pi_mask.settings import GpioSettings

STAND_IN = Path(__file__).parent / "stand_in"
PATIENCE_S = 60.0
"""Ends a broken test; no test that passes takes nearly as long."""

OPEN = {"green", "relay"}
"""What is on while the door lets somebody in, and must be dark while nothing fresh is seen."""

_PARTS = {fitting.pin: fitting.part.value for fitting in fittings(GpioSettings(relay_pin=24))}
_CONFIG = """\
[camera]
width = 64
height = 64
[model]
name = "{model}"
accelerator = "cpu"
threads = 1
[policy]
min_face_px = 8.0
[indicator.gpio]
pin_factory = "lgpio"
relay_pin = 24
"""
HASTY = """
[tracker]
min_hits = 1
max_age_s = 0.01
[policy]
min_face_px = 8.0
min_votes = 1
vote_window_s = 0.2
hold_green_s = 0.0
hold_red_s = 0.0
"""
"""Every frame is a verdict of its own: one look is enough, and whoever is missed once is gone."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder with a configuration, a model and the state of the devices.

    Attributes:
        folder: Holds ``config.toml``, ``home/``, the service's ``runtime/``, and the devices' states in
            ``camera/``, ``gpio/`` and ``edgetpu/``.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path, model: Path) -> Bench:
        """A camera that sees nobody, free pins, the given model on the CPU."""
        for name in (*_DEVICES, "home", "runtime"):
            (folder / name).mkdir()
        bench = cls(folder)
        bench.config.write_text(_CONFIG.format(model=model))
        bench.shows()
        return bench

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    @property
    def runtime(self) -> Path:
        """The folder that systemd makes for the service."""
        return self.folder / "runtime"

    @property
    def service(self) -> dict[str, str]:
        """What else is in the environment of the service; its self-test takes two seconds, so it is off."""
        return {"RUNTIME_DIRECTORY": str(self.runtime), "PI_MASK_INDICATOR_SELF_TEST": "false"}

    @property
    def lit(self) -> set[str]:
        """The parts that are on, also when no process has them."""
        lines = {part: self.folder / "gpio" / f"line{pin}" for pin, part in _PARTS.items()}
        return {part for part, line in lines.items() if line.exists() and line.read_bytes() == b"1"}

    def shows(self, *names: str) -> None:
        """Put people, one label each, or "noise" or "black" before the camera."""
        new = self.folder / "camera" / "new"
        new.write_text(" ".join(names))
        new.replace(self.folder / "camera" / "scene")

    def switch(self, name: str, *, is_on: bool) -> None:
        """Let the camera be "silent" or "unplugged", or not."""
        path = self.folder / "camera" / name
        path.touch() if is_on else path.unlink()

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """This machine's environment without its settings, with the stand-ins before all packages."""
        own = ("PI_MASK_", "XDG_", "NOTIFY_", "WATCHDOG_", "RUNTIME_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        path = os.pathsep.join([str(STAND_IN), *filter(None, [kept.get("PYTHONPATH")])])
        state = {variable: str(self.folder / name) for name, variable in _DEVICES.items()}
        return {**kept, "PYTHONPATH": path, "HOME": str(self.folder / "home"), **state, **(extra or {})}

    def files(self) -> dict[str, bytes]:
        """Every file of the folder with its content, save what the devices keep."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.parent.name not in _DEVICES
        }


_DEVICES = {"camera": "FAULTS_CAMERA_DIR", "gpio": "FAULTS_GPIO_DIR", "edgetpu": "FAKE_EDGETPU_DIR"}
"""Folders of the devices' states, with the variables by which the stand-ins find them."""


@dataclass(slots=True)
class Seen:
    """What a door has shown so far.

    Attributes:
        verdicts: As on standard output, in order.
        log: Lines of standard error.
        pins: Each change of an output: its part's name and whether it is on now.
        wall_times: When the process believed each of these to be.
        lit: The parts that are on.
    """

    verdicts: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    pins: list[tuple[str, bool]] = field(default_factory=list)
    wall_times: list[float] = field(default_factory=list)
    lit: set[str] = field(default_factory=set)


class Door:
    """``pi-mask run`` in a child process, from its start until its end.

    Leaving the ``with`` block ends the process and checks what holds at every moment of every door: the relay
    is on only beside the green lamp, and green never beside red.

    Args:
        bench: Its devices and configuration.
        arguments: More for the command line.
        environment: More for the environment.
        largest_file: Bytes that the process may write to a file.
        log: Where standard error goes, in place of ``seen.log``.
    """

    def __init__(
        self,
        bench: Bench,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        largest_file: int = resource.RLIM_INFINITY,
        log: IO[bytes] | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self.seen = Seen()
        self.summary: dict[str, Any] | None = None
        pins, pins_of_child = os.pipe()
        command = ["run", "--json", "--config", str(bench.config), *map(str, arguments)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pi_mask", *command],
            env=bench.environment({"FAULTS_GPIO_FD": str(pins_of_child), **(environment or {})}),
            cwd=bench.folder / "home",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            text=True,
            pass_fds=[pins_of_child],
        )
        # From here rather than by preexec_fn, which is not safe beside threads: Python takes longer to start.
        resource.prlimit(self.process.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
        os.close(pins_of_child)
        sources = (
            (self.process.stdout, self._take_result),
            (self.process.stderr, self._take_log),
            (os.fdopen(pins), self._take_pin),
        )
        self._readers = [threading.Thread(target=self._read, args=source) for source in sources if source[0]]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)
        check_pins(self.seen.pins)

    def wait(self, condition: Callable[[Seen], object]) -> None:
        """Wait until a condition holds; fail if the process ends, or for good does nothing, without it."""
        with self._changed:
            self._changed.wait_for(lambda: condition(self.seen) or not self._is_alive(), PATIENCE_S)
            assert condition(self.seen), f"never seen; {self.seen}"

    def wait_until_open(self) -> None:
        """Wait until the green lamp and the relay are on."""
        self.wait(lambda seen: seen.lit >= OPEN)

    def wait_for(self, verdict: str) -> None:
        """Wait until this is the latest verdict."""
        self.wait(lambda seen: seen.verdicts[-1:] == [verdict])

    def wait_for_log(self, text: str) -> None:
        """Wait until the log has a line that holds this text."""
        self.wait(lambda seen: any(text in line for line in seen.log))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal if the process still runs; return its exit code once all it wrote is read."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.code()

    def code(self) -> int:
        """Wait for the process to end by itself; return its exit code once all it wrote is read."""
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return code

    def _is_alive(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def _read(self, stream: Any, take: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    take(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _take_result(self, line: str) -> None:
        document = json.loads(line)
        if document["event"] == "verdict":
            self.seen.verdicts.append(document["verdict"])
        else:
            self.summary = document

    def _take_log(self, line: str) -> None:
        if not line.startswith("INFO: Created Tensor"):  # LiteRT's own greeting
            self.seen.log.append(line)

    def _take_pin(self, line: str) -> None:
        wall_time, number, level = line.split()
        part, is_on = _PARTS[int(number)], level == "1"
        if is_on == (part in self.seen.lit):
            return  # claimed as an output at the level that it had
        (self.seen.lit.add if is_on else self.seen.lit.remove)(part)
        self.seen.pins.append((part, is_on))
        self.seen.wall_times.append(float(wall_time))


def check_pins(changes: Sequence[tuple[str, bool]]) -> None:
    """The relay is on only beside the green lamp; green and red are never on together."""
    lit: set[str] = set()
    for part, is_on in changes:
        (lit.add if is_on else lit.discard)(part)
        assert "green" in lit or "relay" not in lit, changes
        assert not {"green", "red"} <= lit, changes


def blinks_red(seen: Seen) -> bool:
    """Whether the red lamp goes on and off, and nothing is released."""
    return seen.pins[-4:].count(("red", True)) == 2 and not seen.lit & OPEN


def blinks_amber(seen: Seen) -> bool:
    """Whether the sign for the lost Edge TPU comes beside a door that is open."""
    return seen.pins[-4:].count(("amber", True)) == 2 and seen.lit >= OPEN


def clear_up(bench: Bench, result: str) -> subprocess.CompletedProcess[str]:
    """Do what systemd does after the service's process has ended, however that was."""
    environment = bench.environment({**bench.service, "SERVICE_RESULT": result, "FAULTS_GPIO_FD": "2"})
    return subprocess.run(
        [sys.executable, "-m", "pi_mask.stopped"],
        env=environment,
        cwd=bench.folder / "home",
        capture_output=True,
        text=True,
        check=False,
    )
