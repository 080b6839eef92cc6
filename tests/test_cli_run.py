"""Test pi-mask run."""

from __future__ import annotations

import json
import math
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pi_mask import build, history
from pi_mask.errors import CameraError, CameraTimeout, InputError
from pi_mask.testing import RecordingIndicator, ScriptedCamera
from pi_mask.types import Frame, MaskLabel, Verdict
from tests.colour_model import picture, save_picture, save_video
from tests.conftest import Invoke

MASKED = (MaskLabel.WITH_MASK,)
COUNTS = dict.fromkeys((verdict.value for verdict in Verdict), 0)
DESKTOP = ("run", "--desktop", "--model")


def frames(count: int, *labels: MaskLabel) -> list[Frame]:
    """Frames of the same people at ten a second."""
    return [Frame(picture(*labels), index / 10, index) for index in range(count)]


def events(lines: Sequence[str]) -> list[dict[str, Any]]:
    """The JSON lines, the summary's times checked and left out."""
    documents: list[dict[str, Any]] = [json.loads(line) for line in lines]
    summary = documents[-1]
    assert summary.pop("seconds") >= 0
    assert summary.pop("fps") >= 0
    return documents


def summary(frames: int, unreadable: int = 0, **verdicts: int) -> dict[str, Any]:
    """The last line without its times."""
    return {
        "schema": 1,
        "event": "summary",
        "frames": frames,
        "verdicts": {**COUNTS, **verdicts},
        "unreadable": unreadable,
    }


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[ScriptedCamera, RecordingIndicator]]:
    """Put a scripted camera and a recording indicator in the place of webcam and console."""

    def install(
        *script: Frame | CameraError | InputError, is_live: bool = False
    ) -> tuple[ScriptedCamera, RecordingIndicator]:
        camera, indicator = ScriptedCamera(script, is_live=is_live), RecordingIndicator()
        monkeypatch.setattr(build, "CAMERAS", {"webcam": lambda _: camera})
        monkeypatch.setattr(build, "INDICATORS", {"console": lambda _: indicator})
        return camera, indicator

    return install


def test_json_is_one_line_a_change_and_a_summary(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--json prints changes of verdict with the people, then a summary, and nothing else on stdout."""
    video = save_video(tmp_path / "film.mp4", (), *[MASKED] * 6, fps=10)

    outcome = invoke(*DESKTOP, model, "--camera", "files", "--source", video, "--json")

    box = [0.0, 16.0, 48.0, 80.0]
    verdict = {"schema": 1, "event": "verdict"}
    person = {"id": 1, "box": box}
    assert outcome.code == 0
    assert events(outcome.lines) == [
        {**verdict, "timestamp": 0.0, "frame": 0, "verdict": "idle", "people": []},
        {
            **verdict,
            "timestamp": 0.2,
            "frame": 2,
            "verdict": "checking",
            "people": [{**person, "verdict": "checking", "hits": 2, "last_seen": 0.2}],
        },
        {
            **verdict,
            "timestamp": 0.3,
            "frame": 3,
            "verdict": "mask",
            "people": [{**person, "verdict": "mask", "hits": 3, "last_seen": 0.3}],
        },
        summary(7, idle=1, checking=1, mask=1),
    ]
    assert "MASK       thank you, come in\n" in outcome.err


def test_people_read_the_console_and_the_summary(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """Without --json verdicts go to stdout, and a summary in words to stderr."""
    video = save_video(tmp_path / "film.mp4", (), *[MASKED] * 6)

    outcome = invoke(*DESKTOP, model, "--camera", "files", "--source", video)

    assert [line.split()[1] for line in outcome.lines] == ["IDLE", "CHECKING", "MASK"]
    assert outcome.err.splitlines()[-1].startswith("7 frames in ")
    assert outcome.err.endswith(" Verdicts: idle 1×, checking 1×, mask 1×.\n")


def test_desktop_yields_to_flags_and_beats_the_environment(
    invoke: Invoke, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--desktop means webcam, CPU and console unless another flag says otherwise, and says who chose."""
    monkeypatch.setenv("PI_MASK_INDICATOR_KIND", "gpio")
    monkeypatch.setenv("PI_MASK_MODEL_ACCELERATOR", "edgetpu")
    still = save_picture(tmp_path / "door.png")

    outcome = invoke(*DESKTOP, model, "--camera", "files", "--source", still)

    choices = (
        "Camera files (flag --camera), accelerator cpu (flag --desktop), indicator console (flag --desktop)"
    )
    assert outcome.code == 0
    assert f"Info: Watching. {choices}.\n" in outcome.err


def test_unreadable_files_end_with_code_1(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """What cannot be read is named and counted, the rest is played, and the code is 1."""
    folder = tmp_path / "in"
    save_picture(folder / "a.png")
    (folder / "b.png").touch()

    outcome = invoke(*DESKTOP, model, "--camera", "files", "--source", folder, "--json")

    assert outcome.code == 1
    assert events(outcome.lines)[-1] == summary(1, unreadable=1, idle=1)
    assert f"Error: {folder / 'b.png'} is empty. Copy the file again.\n" in outcome.err


class Signalling(ScriptedCamera):
    """A camera during whose third read signals arrive."""

    def __init__(self, *numbers: signal.Signals) -> None:
        super().__init__(frames(9), is_live=True)
        self._numbers = numbers

    def read(self, wait_s: float = math.inf) -> Frame | None:
        if self.reads == 2:
            try:
                signal.raise_signal(self._numbers[0])
            finally:
                for number in self._numbers[1:]:
                    signal.raise_signal(number)
        return super().read(wait_s)


@pytest.mark.parametrize(
    "case",
    [
        ([signal.SIGTERM], 0),
        ([signal.SIGHUP], 0),
        ([signal.SIGINT], 130),
        ([signal.SIGTERM, signal.SIGINT, signal.SIGTERM], 0),
    ],
    ids=["terminate", "hang up", "interrupt", "impatient"],
)
def test_a_signal_switches_off_and_sums_up(
    invoke: Invoke,
    model: Path,
    door: Callable[..., tuple[ScriptedCamera, RecordingIndicator]],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[list[signal.Signals], int],
) -> None:
    """SIGTERM and SIGHUP end normally, SIGINT with 130; a second signal doesn't disturb the switching off."""
    numbers, code = case
    _, indicator = door()
    camera = Signalling(*numbers)
    monkeypatch.setitem(build.CAMERAS, "webcam", lambda _: camera)
    # Tests that run under nohup or in the background would inherit what the next test is about.
    inherited = [
        (number, signal.signal(number, handler))
        for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler))
    ]
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    outcome = invoke(*DESKTOP, model)
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    for number, handler in inherited:
        signal.signal(number, handler)

    assert outcome.code == code
    assert (camera.is_closed, indicator.is_closed) == (True, True)
    assert "2 frames in " in outcome.err
    assert "Traceback" not in outcome.err
    assert after == before


def test_a_signal_ignored_by_the_parent_stays_ignored(
    invoke: Invoke,
    model: Path,
    door: Callable[..., tuple[ScriptedCamera, RecordingIndicator]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under nohup the door goes on when the terminal closes."""
    _, indicator = door()
    camera = Signalling(signal.SIGHUP)
    monkeypatch.setitem(build.CAMERAS, "webcam", lambda _: camera)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        outcome = invoke(*DESKTOP, model)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert "9 frames in " in outcome.err
    assert indicator.is_closed


def test_a_lost_camera_is_a_fault_with_its_own_code(
    invoke: Invoke, model: Path, door: Callable[..., tuple[ScriptedCamera, RecordingIndicator]]
) -> None:
    """A camera lost for good: fault in light and JSON, then the summary, one line, and code 3."""
    lost = CameraError("The camera is gone. Plug it in.")
    _, indicator = door(*frames(2), lost, is_live=True)

    outcome = invoke(*DESKTOP, model, "--indicator", "console")

    assert (outcome.code, indicator.shown[-1]) == (3, (Verdict.FAULT, False))
    assert indicator.is_closed
    assert outcome.err.endswith("fault 1×.\nError: The camera is gone. Plug it in.\n")


def test_a_fault_without_a_frame_has_neither_time_nor_number(
    invoke: Invoke, model: Path, door: Callable[..., tuple[ScriptedCamera, RecordingIndicator]]
) -> None:
    """A stalled camera gives one fault with null for frame and timestamp, and recovery is a change again."""
    stall = CameraTimeout("No frame for 5 s. Check the cable.")
    door(stall, stall, *frames(1))

    outcome = invoke(*DESKTOP, model, "--json")

    verdict = {"schema": 1, "event": "verdict", "people": []}
    assert outcome.code == 0
    assert events(outcome.lines) == [
        {**verdict, "timestamp": None, "frame": None, "verdict": "fault"},
        {**verdict, "timestamp": 0.0, "frame": 0, "verdict": "idle"},
        summary(1, fault=1, idle=1),
    ]


def test_a_service_tells_its_manager(
    invoke: Invoke,
    model: Path,
    door: Callable[..., tuple[ScriptedCamera, RecordingIndicator]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ready, a status for each change, the watchdog petted, stopping: in this order, nothing more."""
    door(*frames(3))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "15000000000")

        invoke(*DESKTOP, model)

        heard: list[str] = []
        with suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(4096).decode())
    assert heard == ["READY=1", "STATUS=Watching: idle.", "WATCHDOG=1", "STOPPING=1"]


def test_a_service_that_keeps_failing_waits_and_says_why(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After failures the next try is put off while the lights are open, then the error is the same."""
    waits: list[float] = []
    monkeypatch.setattr(history.History.__init__, "__defaults__", (time.monotonic, waits.append))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    for _ in range(3):
        history.History(tmp_path).note("exit-code")

    outcome = invoke(*DESKTOP, tmp_path / "missing.tflite")

    assert (outcome.code, waits) == (4, [4.0])
    assert "the next try is in 4 s" in outcome.err


def test_without_hardware_nothing_is_summed_up(invoke: Invoke, tmp_path: Path) -> None:
    """What cannot be opened ends with its one line alone."""
    outcome = invoke(*DESKTOP, tmp_path / "missing.tflite")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (4, "", 1)


def test_a_terminated_process_ends_well(model: Path, tmp_path: Path, clean_environment: None) -> None:
    """SIGTERM to a real process that waits for its next frame: code 0 and the summary as the last line."""
    video = save_video(tmp_path / "film.mp4", *[()] * 3, fps=0.01)
    arguments: list[str | Path] = ["--camera", "files", "--source", video, "--realtime", "--json"]
    command: list[str | Path] = [sys.executable, "-m", "pi_mask", *DESKTOP, model, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.terminate()
        rest, err = process.communicate()

    assert (process.returncode, "Traceback" in err) == (0, False)
    assert events([first, *rest.splitlines()])[-1] == summary(1, idle=1)
