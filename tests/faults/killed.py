"""Kill whoever writes configuration and state, at random moments, and see what is left.

    python -m tests.faults.killed FOLDER --kills 100

Processes are forked from this one, which has imported everything already: a start takes a millisecond. Prints
how often which state was found; ends with a traceback at the first that cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random

from pi_mask.history import History
from pi_mask.indicator.off import WIRING, leave_wiring
from pi_mask.settings import GpioSettings, load_settings
from pi_mask.settings_edit import edited, replace_file

CONFIG = "config.toml"
RESULTS = ("signal", "core-dump", "exit-code")
MOST_ROUNDS, LONGEST_S = 2, 0.01


def write_for_ever(folder: Path, rounds: int) -> None:
    """Do what calibrate and the service do, over and over, with a byte to ``rounds`` after each time."""
    config, history = folder / CONFIG, History(folder)
    for number in count(1):
        text = config.read_text() if config.exists() else "# The owner's words.\n"
        replace_file(config, edited(text, {"camera.width": 64 + number % 1000}, "calibrated today"))
        leave_wiring(folder, GpioSettings(relay_pin=(None, 24)[number % 2]))
        history.note(RESULTS[number % len(RESULTS)] if number % 7 else "success")
        os.write(rounds, b".")


def check(folder: Path) -> list[str]:
    """Read everything as the next start does; return what there is."""
    there = []
    if (folder / CONFIG).exists():
        settings = load_settings({}, config=folder / CONFIG, environ={}).settings
        assert 64 <= settings.camera.width < 1064
        assert "The owner's words." in (folder / CONFIG).read_text()
        there.append("configuration")
    if (folder / WIRING).exists():
        assert {*json.loads((folder / WIRING).read_bytes())} == {"pin_factory", "fittings"}
        there.append("wiring")
    failures = History(folder).failures
    assert {failure.result for failure in failures} <= {*RESULTS}, failures
    return [*there, *(["failures"] if failures else [])]


def kill(folder: Path, rounds: int, after_s: float) -> None:
    """Let a process write so often and then for so long, and kill it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write_for_ever(folder, writer)
        finally:  # never: it is killed, or has failed
            os._exit(1)
    os.close(writer)
    for _ in range(rounds):
        os.read(reader, 1)
    threading.Event().wait(after_s)  # the moment is what is random here; nothing is waited for
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    assert os.WIFSIGNALED(status), "the writer failed"


def main() -> None:
    """Parse, kill, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, found = Random(options.seed), Counter[str]()  # noqa: S311 no secret
    check(options.folder)
    for _ in range(options.kills):
        kill(options.folder, random.randrange(MOST_ROUNDS + 1), random.uniform(0, LONGEST_S))
        found.update(check(options.folder))
    print(json.dumps(dict(found)))  # noqa: T201 a program's results


if __name__ == "__main__":
    main()
