"""See what the door leaves behind when it is ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from pi_mask.history import History
from tests.faults.door import OPEN, Bench, Door, clear_up

ROOT = Path(__file__).parents[2]


def test_sigterm_locks_before_it_darkens(bench: Bench) -> None:
    """The relay lets go first, then the lamps go out; code 0, and the summary is complete."""
    bench.shows("with_mask")
    with Door(bench) as door:
        door.wait_until_open()
        door.wait_for("mask")  # the pins come first: a signal in between would leave it uncounted
        code = door.end(signal.SIGTERM)

    assert (code, door.seen.lit) == (0, set())
    assert door.seen.pins[-2:] == [("relay", False), ("green", False)]
    assert door.seen.log[-1] == "Info: Stopped by a signal."
    assert door.summary is not None
    assert door.summary["verdicts"]["mask"] >= 1


def test_sigkill_leaves_nothing_on_once_systemd_has_cleared_up(bench: Bench) -> None:
    """A kill freezes the pins, an open door included; clearing up locks first, and notes the failure."""
    bench.shows("with_mask")
    with Door(bench, environment=bench.service) as door:
        door.wait_until_open()
        before = bench.files()
        code = door.end(signal.SIGKILL)
    left_on = bench.lit
    cleared = clear_up(bench, "signal")
    changed = [line.split()[1:] for line in cleared.stderr.splitlines() if line.count(" ") == 2]

    assert (code, left_on) == (-signal.SIGKILL, OPEN)
    assert (cleared.returncode, bench.lit, changed) == (0, set(), [["24", "0"], ["17", "0"]])
    assert [failure.result for failure in History(bench.runtime).failures] == ["signal"]
    after = bench.files()
    assert {name for name in after if after[name] != before.get(name)} == {"runtime/failures"}
    assert before.keys() - after.keys() == {"runtime/wiring.json"}


def test_sigkill_while_starting(bench: Bench) -> None:
    """Whatever a start had got to, clearing up succeeds, all is dark, and the next one lets people in."""
    bench.shows("with_mask")
    for moment in ("at once", "GPIO pins are driven by lgpio.", "Watching."):
        with Door(bench, environment=bench.service) as door:
            if moment != "at once":
                door.wait_for_log(moment)
            door.end(signal.SIGKILL)
        cleared = clear_up(bench, "signal")
        assert (cleared.returncode, bench.lit) == (0, set()), (moment, cleared.stderr)
    (bench.runtime / "failures").unlink()  # else the next start waits, which has its own tests
    with Door(bench, environment=bench.service) as again:
        again.wait_until_open()


def test_a_hundred_kills_leave_everything_readable(tmp_path: Path) -> None:
    """Configuration, wiring and failures are whole at any moment at which their writer dies."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", str(tmp_path), "--kills", "100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert min(found["configuration"], found["wiring"], found["failures"]) > 10
    assert all(
        path.name in ("config.toml", "config.toml.old", "wiring.json", "failures") or ".part" in path.name
        for path in tmp_path.iterdir()
    )
