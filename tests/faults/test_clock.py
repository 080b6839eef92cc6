"""See what the door does when the clock on the wall jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.door import Bench, Door
from tests.inference.fake_driver import compile_library

SOURCE = Path(__file__).parent / "stand_in" / "wall_clock.c"
YEAR_S = 365 * 86400


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clock that can be set for one process."""
    return compile_library(SOURCE, tmp_path_factory.mktemp("clock") / "libwallclock.so", "-ldl")


def test_a_year_forwards_and_two_backwards(bench: Bench, library: Path) -> None:
    """An open door stays open through each jump, and whoever comes next is judged: time is monotonic."""
    clock = bench.folder / "camera" / "clock"
    preloaded = {"LD_PRELOAD": str(library), "FAULTS_CLOCK_FILE": str(clock), **bench.service}
    bench.shows("with_mask")
    with Door(bench, environment=preloaded) as door:
        for jump_s in (YEAR_S, -YEAR_S):
            door.wait_until_open()
            start = door.seen.wall_times[-1]
            clock.write_text(str(jump_s))
            bench.shows("without_mask")
            door.wait_for("no_mask")
            bench.shows("with_mask")
            door.wait_for("mask")
            door.wait_until_open()
            moved_s = door.seen.wall_times[-1] - start
            assert abs(moved_s) > YEAR_S * 0.99, "the clock was not moved"
            assert (moved_s > 0) == (jump_s > 0)
        code = door.end()

    assert (code, door.seen.lit) == (0, set())
    assert "fault" not in door.seen.verdicts
    assert [line for line in door.seen.log if not line.startswith("Info: ")] == []
