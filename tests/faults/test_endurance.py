"""See that a door takes no more of the machine the longer it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_memory_and_files_stay_flat() -> None:
    """Ten minutes in fast motion, with visitors, stalls and noise; docs/faults.md has a day's figures."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.endurance", "--frames", "6000", "--checkpoints", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    warm, _, last = (json.loads(line) for line in done.stdout.splitlines())
    assert last["frames"] == 6000
    assert last["rss_kib"] - warm["rss_kib"] < 2048
    assert (last["open_files"], last["threads"]) == (warm["open_files"], warm["threads"])
    assert min(last["verdicts"][name] for name in ("idle", "checking", "mask", "incorrect", "no_mask")) >= 3
