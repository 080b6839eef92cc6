"""See what the door does when its files are damaged or the disk is full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from select import PIPE_BUF

import pytest

from pi_mask.types import MaskLabel
from tests.colour_model import save_video
from tests.faults.door import HASTY, PATIENCE_S, Bench, Door, blinks_red

RUBBISH = b"\0\xff rubbish"


def judges_on(door: Door, bench: Bench) -> None:
    """See that somebody goes and comes, and is let in anew."""
    bench.shows()
    door.wait_for("idle")
    bench.shows("with_mask")
    door.wait_for("mask")
    door.wait_until_open()


@pytest.mark.parametrize("damaged", ["model", "configuration"])
def test_damaged_files_stop_the_next_start_only(bench: Bench, model: Path, damaged: str) -> None:
    """The running door goes on; a start without them ends dark, with a line that names the file."""
    file = {"model": model, "configuration": bench.config}[damaged]
    whole = file.read_bytes()
    bench.shows("with_mask")
    with Door(bench) as door:
        door.wait_until_open()
        file.write_bytes(whole[: len(whole) // 2] + RUBBISH)
        judges_on(door, bench)
        code = door.end()
    with Door(bench, environment=bench.service) as refused:
        refused_code = refused.code()
    file.write_bytes(whole)
    with Door(bench) as again:
        again.wait_until_open()

    expected = 2 if damaged == "configuration" else 4
    assert (code, refused_code) == (0, expected)
    assert "fault" not in door.seen.verdicts
    errors = [line for line in refused.seen.log if line.startswith("Error: ")]
    assert len(errors) == 1
    assert str(file) in errors[0]
    assert ("green", True) not in refused.seen.pins
    assert ("relay", True) not in refused.seen.pins
    assert refused.seen.lit == set()


def test_a_full_disk_changes_nothing_at_the_door(bench: Bench) -> None:
    """The door needs no file; one warning says what a crash would now leave behind.

    A limit on files is what an unprivileged process can have of a full disk.
    """
    bench.shows("with_mask")
    with Door(bench, environment=bench.service, largest_file=8) as door:
        door.wait_until_open()
        judges_on(door, bench)
        code = door.end()

    assert (code, bench.lit) == (0, set())
    warnings = [line for line in door.seen.log if line.startswith("Warning: ")]
    assert warnings == [
        f"Warning: {bench.runtime / 'wiring.json.part'} cannot be written: File too large. "
        "Outputs stay on after a crash. Free some memory."
    ]


def run_into(bench: Bench, *arguments: object, stdout: Path, stderr: Path) -> int:
    """Run the door to the end of a recording, with its output going to files; return its exit code."""
    command = [sys.executable, "-m", "pi_mask", "run", "--config", bench.config, *arguments]
    with stdout.open("wb") as out, stderr.open("wb") as err:
        return subprocess.run(
            list(map(str, command)),
            stdout=out,
            stderr=err,
            env=bench.environment({"FAULTS_GPIO_FD": "2"}),
            cwd=bench.folder / "home",
            check=False,
            timeout=PATIENCE_S,
        ).returncode


def test_results_that_nobody_reads_hold_no_door_open(bench: Bench, tmp_path: Path) -> None:
    """A reader who stops, while a thousand changes of verdict come, ends the program dark, with a line."""
    config = bench.config.read_text().replace("[policy]\nmin_face_px = 8.0\n", HASTY)
    bench.config.write_text(config)
    video = save_video(tmp_path / "film.mp4", *[(MaskLabel.WITH_MASK,), ()] * 1500, side=64)
    results, log = tmp_path / "results", tmp_path / "log"
    os.mkfifo(results)
    with results.open("r+b", buffering=0) as reader:
        code = run_into(bench, "--camera", "files", "--source", video, "--json", stdout=results, stderr=log)
        said = reader.read(4096).splitlines()

    assert (code, bench.lit) == (1, set())
    assert log.read_text().splitlines()[-1] == (
        "Error: Whoever reads standard output has stopped reading. Keep reading it, or send it to a file."
    )
    assert [json.loads(line)["verdict"] for line in said[:4]] == ["mask", "idle", "mask", "idle"]


def test_a_log_that_nobody_reads_holds_no_door_open(bench: Bench, tmp_path: Path) -> None:
    """A reader who stops, or Ctrl-S, costs lines of the log and nothing else: a silent camera is a fault."""
    bench.shows("with_mask")
    log = tmp_path / "log"
    os.mkfifo(log)
    with log.open("r+b", buffering=0) as reader, Door(bench, log=reader) as door:
        door.wait_until_open()
        os.set_blocking(reader.fileno(), False)
        while reader.write(bytes(PIPE_BUF)):
            pass
        os.set_blocking(reader.fileno(), True)
        bench.switch("silent", is_on=True)
        door.wait_for("fault")
        door.wait(blinks_red)
        code = door.end()

    assert (code, bench.lit) == (0, set())


def test_output_that_goes_to_a_full_disk(bench: Bench, tmp_path: Path) -> None:
    """Results that cannot be written end the program, dark, with a line; a log that cannot be does not."""
    video = save_video(tmp_path / "film.mp4", (), *[(MaskLabel.WITH_MASK,)] * 6)
    play = partial(run_into, bench, "--camera", "files", "--source", video, "--indicator", "console")
    kept, full = tmp_path / "kept", Path("/dev/full")

    code_of_results = play("--json", stdout=full, stderr=kept)
    line = kept.read_text().splitlines()[-1]
    code_of_log = play(stdout=kept, stderr=full)
    verdicts = [line.split()[1] for line in kept.read_text().splitlines()]

    assert code_of_results == 1
    assert line == (
        "Error: Standard output cannot be written: No space left on device. "
        "Free some space, or send it elsewhere."
    )
    assert (code_of_log, verdicts) == (0, ["IDLE", "CHECKING", "MASK"])
