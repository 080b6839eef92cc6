"""Test pi-mask calibrate, with the shipped model on films of the demo's person."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pi_mask import build
from pi_mask.calibrate.steps import STEP_NAMES
from pi_mask.commands.signals import ending_on_signals
from pi_mask.manifest import find_manifest
from pi_mask.output import VideoWriter
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, Verdict
from tests.calibrate.films import SCENES, live, record_steps
from tests.conftest import Invoke

SECONDS = 3.0
AT_DOOR = ("calibrate", "--camera", "webcam", "--accelerator", "cpu", "--indicator", "gpio", "--pause", "0")
QUICK = (*AT_DOOR, "--seconds", SECONDS, "--without-hand")
OWNERS = '# The owner\'s file.\n[policy]\nwho = "nearest"  # one at a time\n'


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip for each required step."""
    return record_steps(tmp_path_factory.mktemp("clips"), SECONDS)


@pytest.fixture(scope="module")
def seen() -> list[Frame]:
    """The same from a live camera."""
    return live(list(SCENES), SECONDS)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RecordingIndicator]:
    """Put a scripted camera and a recording indicator in the place of webcam and pins."""

    def install(camera: ScriptedCamera) -> RecordingIndicator:
        indicator = RecordingIndicator()
        monkeypatch.setattr(build, "CAMERAS", {"webcam": lambda _: camera})
        monkeypatch.setattr(build, "INDICATORS", {"gpio": lambda _: indicator})
        return indicator

    return install


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The owner's configuration."""
    path = tmp_path / "config.toml"
    path.write_text(OWNERS)
    return path


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_recordings_give_a_proposal_in_json(invoke: Invoke, clips: Path, config: Path) -> None:
    """One line with the documented keys; a dry run writes nothing."""
    outcome = invoke("calibrate", "--from", clips, "--config", config, "--dry-run", "--json")

    assert outcome.code == 0, outcome.err
    (line,) = [json.loads(line) for line in outcome.lines]
    assert sorted(line) == [
        "changes",
        "event",
        "hints",
        "looks",
        "model",
        "schema",
        "steps",
        "written",
        "wrong_green_costs",
    ]
    assert (line["schema"], line["event"], line["written"], line["wrong_green_costs"]) == (
        1,
        "calibration",
        None,
        5.0,
    )
    assert [step["name"] for step in line["steps"]] == list(SCENES)
    assert {key for change in line["changes"] for key in change} == {"key", "before", "after"}
    assert {"policy.zone", "policy.min_face_px"} <= {change["key"] for change in line["changes"]}
    for expected in line["looks"].values():
        low, high = expected["again"]
        assert 0 <= low <= expected["share"] <= high <= 1
    _check_steps(line["steps"])
    assert config.read_text() == OWNERS
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.toml"]


def _check_steps(steps: Sequence[dict[str, Any]]) -> None:
    """Shares add up and lie in their intervals; the proposal is right most of the time in every step."""
    for step in steps:
        for replayed in (step["current"], step["proposed"]):
            shares = replayed["shown"]
            assert sum(share["share"] for share in shares.values()) == pytest.approx(1, abs=0.001)
            assert set(shares) == {"green", "red", "checking", "idle"}
            assert set(replayed["answers"]) == {"right", "wrong_green", "wrong_red", "undecided"}
            for share in shares.values():
                assert share["interval"][0] <= share["share"] <= share["interval"][1]
        assert step["proposed"]["answers"]["right"] > 0.7, step["name"]
        assert step["proposed"]["answers"]["wrong_green"] == 0


def test_what_is_written_works_at_the_door(invoke: Invoke, clips: Path, config: Path) -> None:
    """The owner's lines and the old file are kept, and a run with the new one judges the films rightly."""
    outcome = invoke("calibrate", "--from", clips, "--config", config, "--yes")

    assert outcome.code == 0, outcome.err
    text = config.read_text()
    assert text.startswith('# The owner\'s file.\n[policy]\nwho = "nearest"  # one at a time\n')
    assert "\n# calibrate, " in text
    assert config.with_name("config.toml.old").read_text() == OWNERS
    assert f"{config} is written." in outcome.err
    assert invoke("config", "check", config).code == 0
    said = {}
    for name in ("mask_far", "bare", "under_nose"):
        flags = ("--camera", "files", "--source", clips / f"{name}.mp4", "--config", config, "--json")
        lines = [json.loads(line) for line in invoke("run", "--desktop", *flags).lines[:-1]]
        said[name] = {line["verdict"] for line in lines} - {"idle", "checking"}
    assert said["mask_far"] == {"mask"}
    assert said["bare"] == {"no_mask"}
    assert "mask" not in said["under_nose"]
    again = invoke("calibrate", "--from", clips, "--config", config, "--dry-run")
    assert again.code == 0
    assert "policy.zone" not in again.out
    assert config.read_text() == text


def test_recordings_that_are_not_as_said_are_refused(invoke: Invoke, clips: Path, tmp_path: Path) -> None:
    """Every wrong step is named on a line of its own, of several clips the one, with what to do."""
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (folder / "mask_near.mp4").rename(folder / "spare.mp4")
    (folder / "mask_far.mp4").rename(folder / "mask_near.mp4")
    (folder / "spare.mp4").rename(folder / "mask_far.mp4")
    shutil.copy(folder / "bare.mp4", folder / "mask.mp4")
    shutil.copy(folder / "bare.mp4", folder / "maks.mp4")
    (folder / "under_nose").mkdir()
    shutil.copy(folder / "empty.mp4", folder / "under_nose" / "second.mp4")

    outcome = invoke("calibrate", "--from", folder, "--yes")

    assert outcome.code == 1
    assert outcome.err.splitlines()[0] == "Warning: maks.mp4 is no step, and is left out."
    errors = [line.partition(": ")[2] for line in outcome.err.splitlines() if line.startswith("Error: ")]
    second = f"under_nose ({folder / 'under_nose' / 'second.mp4'})"
    assert [error.partition(":")[0] for error in errors] == ["mask", "mask_near", "mask_far", second]
    assert "Put the mask on" in errors[0]
    assert errors[0].endswith("add --keep-doubtful.")
    assert "Come nearer" in errors[1]
    assert "Step farther back" in errors[2]
    assert outcome.out == ""


def test_a_refused_step_is_no_measure_for_others(invoke: Invoke, clips: Path, tmp_path: Path) -> None:
    """Nobody in the clip of the usual spot, or one of another size, is the one thing that is said."""
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    shutil.copy(folder / "empty.mp4", folder / "mask.mp4")
    nobody = invoke("calibrate", "--from", folder, "--dry-run")
    with VideoWriter(folder / "mask.mp4", 8.0, (320, 240)) as video:
        for frame in live(["mask"], SECONDS):
            video.write(frame.image)
    of_another_size = invoke("calibrate", "--from", folder, "--dry-run")

    assert (nobody.code, of_another_size.code) == (1, 1)
    assert [line for line in nobody.err.splitlines() if line.startswith("Error: ")] == [
        "Error: mask: A face was found in 0% of the frames only. Look towards the camera, in better light "
        "or a little nearer, and repeat the step."
    ]
    assert [line for line in of_another_size.err.splitlines() if line.startswith("Error: ")] == [
        "Error: The clips are of different sizes (320×240, 640×480). Record all with one camera."
    ]


def test_missing_recordings_are_named(invoke: Invoke, tmp_path: Path) -> None:
    """An empty folder, or none, is one line that says how to record."""
    for folder, message in ((tmp_path, "no clip of: empty, mask,"), (tmp_path / "no", "cannot be reached")):
        outcome = invoke("calibrate", "--from", folder, "--dry-run")
        assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
        assert message in outcome.err


def test_nobody_to_ask_is_said_first(invoke: Invoke, clips: Path) -> None:
    """Without a terminal it takes --yes or --dry-run, before anybody's time is spent."""
    outcome = invoke("calibrate", "--from", clips)

    assert (outcome.code, outcome.out) == (2, "")
    assert "--yes to write, or --dry-run" in outcome.err


def test_a_file_that_cannot_take_the_settings_is_said_first(
    invoke: Invoke, door: Callable[..., RecordingIndicator], config: Path
) -> None:
    """Nobody stands at the door for what could not be written in the end."""
    indicator = door(camera := ScriptedCamera([], is_live=True))
    config.write_text('[camera]\nsource = """\n[policy]\nzone = 1\n"""\n')

    outcome = invoke(*QUICK, "--config", config, "--yes")

    assert (outcome.code, outcome.err.count("\n"), "Write them yourself" in outcome.err) == (2, 1, True)
    assert (indicator.shown, camera.reads) == ([], 0)


def test_files_are_no_door(invoke: Invoke) -> None:
    """Who names files as the camera is sent to --from."""
    outcome = invoke("calibrate", "--camera", "files", "--accelerator", "cpu", "--dry-run")

    assert outcome.code == 2
    assert "calibrate --from DIR" in outcome.err


def test_a_visit_at_the_door(
    invoke: Invoke,
    door: Callable[..., RecordingIndicator],
    seen: list[Frame],
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each step shows its sign and says its line; after a no nothing is written; lamps end off.

    A line break in the file's name breaks no line of the question.
    """
    config = config.rename(config.with_name("our\ndoor.toml"))
    camera = ScriptedCamera(seen, is_live=True)
    indicator = door(camera)
    monkeypatch.setattr("sys.stdin", _Terminal("n\n"))

    outcome = invoke(*QUICK, "--config", config)

    assert outcome.code == 0, outcome.err
    assert indicator.shown == [STEP_NAMES[name].sign for name in SCENES]
    assert Verdict.MASK not in {verdict for verdict, _ in indicator.shown}
    assert (indicator.is_closed, camera.is_closed) == (True, True)
    for name in SCENES:
        assert f"{name}: {STEP_NAMES[name].instruction}" in outcome.err
    assert "\r" not in outcome.err  # live counts are for terminals
    assert "Changes:" in outcome.out
    assert f"Write these changes to {config.parent}/our�door.toml? [y/N]: " in outcome.err
    assert outcome.err.rstrip().endswith("Nothing is written.")
    assert config.read_text() == OWNERS


def test_a_wrong_step_is_asked_for_again(
    invoke: Invoke, door: Callable[..., RecordingIndicator], seen: list[Frame], config: Path
) -> None:
    """Somebody stands in the doorway that should be empty: the step is repeated, and then all is well."""
    each = len(seen) // len(SCENES)
    frames = [*seen[each : 2 * each], *seen]
    stamped = [Frame(frame.image, index / 8, index) for index, frame in enumerate(frames)]
    indicator = door(ScriptedCamera(stamped, is_live=True))

    outcome = invoke(*QUICK, "--config", config, "--yes")

    assert outcome.code == 0, outcome.err
    assert "Leave the doorway" in outcome.err
    assert "Once more." in outcome.err
    assert len(indicator.shown) == len(SCENES)
    assert "policy.zone" in outcome.out
    assert config.read_text() != OWNERS


class _Interrupted(ScriptedCamera):
    """Somebody presses Ctrl-C during the third step."""

    def read(self) -> Frame | None:
        if self.reads > 60:
            raise KeyboardInterrupt
        return super().read()


def test_ctrl_c_leaves_everything_as_it_was(
    invoke: Invoke, door: Callable[..., RecordingIndicator], seen: list[Frame], config: Path
) -> None:
    """Lamps off, camera released, configuration untouched, exit code 130."""
    camera = _Interrupted(seen, is_live=True)
    indicator = door(camera)

    outcome = invoke(*QUICK, "--config", config, "--yes")

    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.splitlines()[-1] == "Error: Interrupted."
    assert (indicator.is_closed, camera.is_closed) == (True, True)
    assert config.read_text() == OWNERS
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]


def test_thresholds_of_a_model_that_the_file_does_not_name(
    invoke: Invoke, clips: Path, config: Path, tmp_path: Path
) -> None:
    """They fit that model alone: who names it by a flag only is warned, who has it in the file is not."""
    other = tmp_path / "other"
    other.mkdir()
    default = find_manifest("")
    for path in (default, default.with_suffix(".tflite")):
        shutil.copy(path, other)
    model = other / default.with_suffix(".tflite").name

    by_flag = invoke("calibrate", "--from", clips, "--config", config, "--dry-run", "--model", model)
    config.write_text(f'{OWNERS}[model]\nname = "{model}"\n')
    in_file = invoke("calibrate", "--from", clips, "--config", config, "--dry-run")

    warning = f"Warning: these thresholds fit {default.stem} only, which the flag --model names."
    assert (by_flag.code, in_file.code) == (0, 0)
    assert ("model.thresholds" in by_flag.out, warning in by_flag.err) == (True, True)
    assert ("model.thresholds" in in_file.out, "Warning" in in_file.err) == (True, False)


def test_a_step_that_is_left_out_is_not_looked_at(invoke: Invoke, clips: Path, tmp_path: Path) -> None:
    """Without the hand a bad clip of it harms nobody."""
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    shutil.copy(folder / "empty.mp4", folder / "hand.mp4")

    with_it = invoke("calibrate", "--from", folder, "--dry-run")
    without_it = invoke("calibrate", "--from", folder, "--dry-run", "--without-hand")

    assert (with_it.code, without_it.code) == (1, 0)
    assert "Error: hand: " in with_it.err


def test_an_environment_that_beats_the_file_is_named(
    invoke: Invoke, clips: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who would wonder why the new zone has no effect is told."""
    monkeypatch.setenv("PI_MASK_POLICY_MIN_FACE_PX", "20")

    outcome = invoke("calibrate", "--from", clips, "--config", config, "--yes")

    assert "policy.min_face_px is also set by the environment PI_MASK_POLICY_MIN_FACE_PX" in outcome.err


@pytest.fixture
def handlers() -> Iterator[None]:
    """Leave the process's signals as they were, whatever a test does."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("handlers")
def test_a_signal_ends_it_as_ctrl_c_does() -> None:
    """SIGTERM unwinds, so that the lamps go off; afterwards the old handler is back."""
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), ending_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("option", ["--wrong-green-costs", "--seconds", "--pause"])
def test_nan_is_in_no_range(invoke: Invoke, option: str) -> None:
    """It compares as neither too small nor too large: a step would never end, a threshold mean nothing."""
    outcome = invoke("calibrate", option, "nan")

    assert outcome.code == 2
    assert "'nan' is no finite number" in outcome.err
