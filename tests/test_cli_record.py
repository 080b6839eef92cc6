"""Test pi-mask record, and that calibrate can work on what it recorded."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from pi_mask import build
from pi_mask.output import frame_count
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame
from tests.calibrate.films import SCENES, live
from tests.conftest import Invoke
from tests.test_output import full_disk

SECONDS = 3.0
FLAGS = (
    "--camera",
    "webcam",
    "--accelerator",
    "cpu",
    "--indicator",
    "gpio",
    "--pause",
    "0",
    "--seconds",
    "3",
)
REQUIRED = [flag for name in SCENES for flag in ("--step", name)]
EMPTY = ("--step", "empty")


class _Noting(ScriptedCamera):
    """Says on standard error when its first frame is asked for."""

    def read(self) -> Frame | None:
        if not self.reads:
            sys.stderr.write("FIRST FRAME\n")
        return super().read()


class _Interrupted(ScriptedCamera):
    """Somebody presses Ctrl-C during the second step."""

    def read(self) -> Frame | None:
        if self.reads > 40:
            raise KeyboardInterrupt
        return super().read()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def seen() -> list[Frame]:
    """What a live camera sees in all required steps."""
    return live(list(SCENES), SECONDS)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedCamera], RecordingIndicator]:
    """Put a scripted camera and a recording indicator in the place of webcam and pins."""

    def install(camera: ScriptedCamera) -> RecordingIndicator:
        indicator = RecordingIndicator()
        monkeypatch.setattr(build, "CAMERAS", {"webcam": lambda _: camera})
        monkeypatch.setattr(build, "INDICATORS", {"gpio": lambda _: indicator})
        return indicator

    return install


Door = Callable[[ScriptedCamera], RecordingIndicator]


def test_recordings_are_told_of_made_and_calibrated_on(
    invoke: Invoke, door: Door, seen: list[Frame], tmp_path: Path
) -> None:
    """A notice before the first frame, a private clip for each step, and calibrate --from works on them."""
    folder = tmp_path / "clips"
    indicator = door(_Noting(seen, is_live=True))

    outcome = invoke("record", folder, *FLAGS, *REQUIRED, "--yes")

    assert outcome.code == 0, outcome.err
    notice, _, rest = outcome.err.partition("FIRST FRAME")
    assert "NOTICE: this stores pictures of people." in notice
    assert str(folder) in notice
    assert f"rm -r {folder}" in notice
    assert "NOTICE" not in rest
    assert outcome.lines == [f"{folder} holds the clips. Next: pi-mask calibrate --from {folder}"]
    assert indicator.is_closed
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert made == {f"{name}.mp4": 0o600 for name in SCENES}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {frame_count(path) for path in folder.iterdir()} == {24}
    found = invoke("calibrate", "--from", folder, "--dry-run", "--json")
    assert found.code == 0, found.err
    steps = json.loads(found.out)["steps"]
    assert [round(step["seconds"]) for step in steps] == [3] * len(SCENES)


def test_the_result_is_one_line_whatever_the_folder_is_called(
    invoke: Invoke, door: Door, seen: list[Frame], tmp_path: Path
) -> None:
    """A line break in the folder's name breaks no line of the result."""
    door(ScriptedCamera(seen, is_live=True))

    outcome = invoke("record", tmp_path / "our\ndoor", *FLAGS, *EMPTY, "--yes")

    shown = f"{tmp_path}/our�door"
    assert outcome.out == f"{shown} holds the clips. Next: pi-mask calibrate --from '{shown}'\n"


def test_an_optional_step_that_is_refused_leaves_no_clip(invoke: Invoke, door: Door, tmp_path: Path) -> None:
    """Where nobody held a hand before the mouth, the result does not speak of clips."""
    door(ScriptedCamera(live(["empty"] * 3, SECONDS), is_live=True))

    outcome = invoke("record", tmp_path / "clips", *FLAGS, "--step", "hand", "--yes")

    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines()[-2:] == ["hand is left out.", "No clip is kept."]


def test_without_a_yes_nothing_happens(
    invoke: Invoke, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal it is refused, after a no it ends; no folder is made and no frame is read."""
    camera = _Noting([], is_live=True)
    door(camera)
    folder = tmp_path / "clips"

    alone = invoke("record", folder, *FLAGS)
    monkeypatch.setattr("sys.stdin", _Terminal("n\n"))
    declined = invoke("record", folder, *FLAGS)

    assert (alone.code, declined.code) == (2, 0)
    assert "Add --yes to store pictures without asking." in alone.err
    assert declined.err.rstrip().endswith("Nothing is recorded.")
    assert "NOTICE" in alone.err
    assert "NOTICE" in declined.err
    assert (camera.reads, folder.exists()) == (0, False)


def test_a_folder_with_a_space_can_be_copied_from_the_notice(
    invoke: Invoke, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said to delete the pictures deletes them and nothing else; a closed input is nobody to ask."""
    door(_Noting([], is_live=True))
    monkeypatch.setattr("sys.stdin", None)

    outcome = invoke("record", tmp_path / "our door", *FLAGS)

    assert f"! To delete them: rm -r '{tmp_path}/our door' " in outcome.err
    assert (outcome.code, "Add --yes" in outcome.err) == (2, True)


def test_what_else_lies_in_the_folder_is_not_to_be_deleted(
    invoke: Invoke, door: Door, tmp_path: Path
) -> None:
    """In a folder with other things the notice names the clips alone."""
    door(_Noting([], is_live=True))
    (tmp_path / "holiday.jpg").touch()

    outcome = invoke("record", tmp_path, *FLAGS, "--step", "mask", "--step", "bare", "--yes")

    assert f"! To delete them: cd {tmp_path} && rm mask.mp4 bare.mp4 " in outcome.err


def test_a_folder_that_takes_no_files_is_named_first(invoke: Invoke, door: Door) -> None:
    """Before the camera is opened, in one line with advice."""
    camera = _Noting([], is_live=True)
    door(camera)

    outcome = invoke("record", "/proc", *FLAGS, "--yes")

    assert outcome.err.splitlines()[-1].startswith("Error: /proc cannot be written to: No such file")
    assert (outcome.code, camera.reads) == (1, 0)


@pytest.mark.parametrize("taken", ["empty.mp4", "empty.mkv", "empty/one.mp4"])
def test_nothing_is_overwritten(invoke: Invoke, door: Door, tmp_path: Path, taken: str) -> None:
    """A clip of that step, or a folder of them, ends it before the camera is opened."""
    camera = _Noting([], is_live=True)
    door(camera)
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_bytes(b"mine")

    outcome = invoke("record", tmp_path, *FLAGS, *EMPTY, "--yes")

    assert outcome.code == 1
    assert "is there already. Delete it, or choose another folder." in outcome.err
    assert camera.reads == 0
    assert (tmp_path / taken).read_bytes() == b"mine"


def test_ctrl_c_leaves_no_half_clip(invoke: Invoke, door: Door, seen: list[Frame], tmp_path: Path) -> None:
    """The step that was done is kept, of the one that was not nothing is left; exit code 130, lamps off."""
    indicator = door(_Interrupted(seen, is_live=True))

    outcome = invoke("record", tmp_path / "clips", *FLAGS, *REQUIRED, "--yes")

    assert outcome.code == 130
    assert indicator.is_closed
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["empty.mp4"]


def test_a_step_not_as_said_is_not_kept(
    invoke: Invoke, door: Door, seen: list[Frame], tmp_path: Path
) -> None:
    """An empty doorway with somebody in it is filmed again, and after three times refused."""
    each = len(seen) // len(SCENES)
    somebody = seen[each : 2 * each]
    frames = [Frame(somebody[index % each].image, index / 8, index) for index in range(4 * each)]
    door(ScriptedCamera(frames, is_live=True))

    outcome = invoke("record", tmp_path / "clips", *FLAGS, *EMPTY, "--yes")

    assert outcome.code == 1
    assert "Step empty was refused 3 times." in outcome.err
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_full_disk_is_named(
    invoke: Invoke, door: Door, seen: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is nearly full is refused at once; one that fills up meanwhile leaves no clip."""
    camera = ScriptedCamera(seen, is_live=True)
    door(camera)
    with full_disk(3_000):
        filling = invoke("record", tmp_path / "one", *FLAGS, *EMPTY, "--yes")
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 2**20, 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    full = invoke("record", tmp_path / "two", *FLAGS, *EMPTY, "--yes")

    assert (filling.code, full.code) == (1, 1)
    assert "empty.mp4 cannot be written" in filling.err
    assert "Only 1 MiB are free" in full.err
    assert list((tmp_path / "one").iterdir()) == list((tmp_path / "two").iterdir()) == []
