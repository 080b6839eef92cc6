"""Kill the whole program at random moments, and clear up after it as systemd does.

    python -m tests.faults.killed_doors --kills 100

A visitor with a mask stands before the door all the time. Prints what the kills left on; ends with a
traceback at the first after which an output is still on, or configuration or record are not whole.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
from collections import Counter
from pathlib import Path
from random import Random

from pi_mask.history import History
from pi_mask.settings import load_settings
from tests.colour_model import install_model
from tests.faults.door import OPEN, Bench, Door, clear_up

LONGEST_S = 2.0
"""A start takes half a second, on a busy machine several times as long."""


def kill(bench: Bench, after_s: float) -> str:
    """Let the door run for so long; return what its end left on."""
    whole = bench.config.read_bytes()
    with Door(bench, environment=bench.service) as door:
        threading.Event().wait(after_s)  # the moment is what is random here; nothing is waited for
        door.end(signal.SIGKILL)
    left = bench.lit
    cleared = clear_up(bench, "signal")
    assert (cleared.returncode, bench.lit) == (0, set()), cleared.stderr
    assert bench.config.read_bytes() == whole
    load_settings({}, config=bench.config, environ={})
    assert [failure.result for failure in History(bench.runtime).failures] == ["signal"]
    (bench.runtime / "failures").unlink()  # else the next start waits
    return "open" if left >= OPEN else "a lamp" if left else "dark"


def main() -> None:
    """Parse, kill, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = Random(options.seed)  # noqa: S311 no secret
    with tempfile.TemporaryDirectory() as name:
        folder, models = Path(name) / "bench", Path(name) / "model"
        folder.mkdir()
        models.mkdir()
        bench = Bench.make(folder, install_model(models).with_suffix(".tflite"))
        bench.shows("with_mask")
        left = Counter(kill(bench, random.uniform(0, LONGEST_S)) for _ in range(options.kills))
    print(json.dumps(left))  # noqa: T201 a program's results


if __name__ == "__main__":
    main()
