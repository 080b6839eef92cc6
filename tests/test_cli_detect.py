"""Test pi-mask detect."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from pi_mask.camera.files import FilesCamera
from pi_mask.types import Frame, MaskLabel
from tests.colour_model import install_model, save_picture, save_video
from tests.conftest import Invoke

MASKED, BARE, INCORRECT = MaskLabel.WITH_MASK, MaskLabel.WITHOUT_MASK, MaskLabel.INCORRECT
FIRST_BOX, SECOND_BOX = [0.0, 16.0, 48.0, 80.0], [48.0, 16.0, 112.0, 80.0]


def without_latency(line: str) -> dict[str, Any]:
    """A JSON line, its latencies replaced by their names; each must be a time."""
    document: dict[str, Any] = json.loads(line)
    assert all(0 <= value < 60_000 for value in document["latency_ms"].values())
    return {**document, "latency_ms": list(document["latency_ms"])}


def frames_of(video: Path) -> list[tuple[int, int]]:
    """Size of every frame that can be read from a video."""
    capture = cv2.VideoCapture(str(video))
    sizes = []
    while (frame := capture.read()[1]) is not None:
        sizes.append((frame.shape[1], frame.shape[0]))
    return sizes


def own(err: str) -> list[str]:
    """Standard error's lines without LiteRT's greeting."""
    return [line for line in err.splitlines() if not line.startswith("INFO: Created")]


def test_one_line_a_frame(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """Each frame gives one line with label, score and box of every face, best first."""
    picture = save_picture(tmp_path / "door.png", MASKED, BARE)
    empty = save_picture(tmp_path / "empty.png")
    video = save_video(tmp_path / "film.mp4", (INCORRECT,), ())

    outcome = invoke("detect", picture, empty, video, "--model", model)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.lines == [
        f"{picture}: with_mask 1.00 (0, 16, 48, 80), without_mask 1.00 (48, 16, 112, 80)",
        f"{empty}: no face",
        f"{video} frame 0: incorrect 1.00 (0, 16, 48, 80)",
        f"{video} frame 1: no face",
    ]


def test_json_has_exactly_the_documented_keys(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--json prints one object a frame with the keys that others build on."""
    picture = save_picture(tmp_path / "door.png", MASKED, BARE)
    video = save_video(tmp_path / "film.mp4", (), (), fps=10)

    outcome = invoke("detect", picture, video, "--model", model, "--json")

    latency = ["preprocess", "inference", "postprocess"]
    size = {"width": 128, "height": 128}
    faces = [
        {"label": "with_mask", "score": 0.9997, "box": FIRST_BOX},
        {"label": "without_mask", "score": 0.9997, "box": SECOND_BOX},
    ]
    empty = {"schema": 1, "source": str(video), **size, "detections": [], "latency_ms": latency}
    assert [without_latency(line) for line in outcome.lines] == [
        {
            "schema": 1,
            "source": str(picture),
            "frame": 0,
            "timestamp": 0.0,
            **size,
            "detections": faces,
            "latency_ms": latency,
        },
        {**empty, "frame": 0, "timestamp": 1.0},
        {**empty, "frame": 1, "timestamp": 1.1},
    ]


def test_min_score_decides_what_counts(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--min-score leaves out what the model is less sure of."""
    picture = save_picture(tmp_path / "door.png", MASKED)

    assert invoke("detect", picture, "--model", model, "--min-score", "0.99999").lines == [
        f"{picture}: no face"
    ]


def test_unreadable_pictures_do_not_stop_the_others(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """A folder with a damaged picture: the others are done, it is named, and the code is 1."""
    folder = tmp_path / "pictures"
    first, last = save_picture(folder / "a.png"), save_picture(folder / "c.png", BARE)
    (folder / "b.png").write_bytes(first.read_bytes()[:60])

    outcome = invoke("detect", folder, "--model", model)

    assert outcome.code == 1
    assert outcome.lines == [f"{first}: no face", f"{last}: without_mask 1.00 (0, 16, 48, 80)"]
    assert outcome.err.startswith(f"Error: {folder / 'b.png'} is truncated or damaged")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("folder", ["nowhere", "file.txt/inside"])
def test_a_missing_path_is_a_usage_error(invoke: Invoke, tmp_path: Path, folder: str) -> None:
    """A path that leads nowhere is refused before a model is opened, with code 2."""
    (tmp_path / "file.txt").touch()

    outcome = invoke("detect", tmp_path / folder)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"Error: {tmp_path / folder}: No")


def test_an_empty_folder_is_an_input_error(invoke: Invoke, tmp_path: Path) -> None:
    """A folder without pictures is named, with advice and code 1."""
    outcome = invoke("detect", tmp_path)

    advice = "Name a folder with JPEG, PNG or MP4 files in it."
    assert (outcome.code, outcome.err) == (1, f"Error: {tmp_path} holds no picture or video. {advice}\n")


def test_an_unusable_model_has_its_own_code(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """Missing, empty, exchanged and mislabelled models all end with code 4 and one line."""
    picture = save_picture(tmp_path / "door.png")
    empty = install_model(tmp_path, "empty").with_suffix(".tflite")
    empty.write_bytes(b"")
    other = install_model(tmp_path, "other").with_suffix(".tflite")
    other.write_bytes(other.read_bytes() + b"!")
    labels = install_model(tmp_path, "labels", labels=["cat", "dog", "cow"])

    for name in ("nothing", tmp_path / "missing.tflite", empty, other, labels):
        outcome = invoke("detect", picture, "--model", name)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (4, "", 1)


def test_output_writes_annotated_copies(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--output copies pictures under their names and videos as MP4, with something drawn on them."""
    picture = save_picture(tmp_path / "in" / "door.png", MASKED)
    other = save_picture(tmp_path / "in" / "scan.bmp", BARE)
    video = save_video(tmp_path / "in" / "film.avi", *[(BARE,)] * 5)
    out = tmp_path / "new" / "out"

    outcome = invoke("detect", tmp_path / "in", "--model", model, "--output", out)

    assert (outcome.code, outcome.err) == (0, f"3 annotated files are in {out}.\n")
    assert sorted(path.name for path in out.iterdir()) == ["door.png", "film.mp4", "scan.png"]
    assert frames_of(out / "film.mp4") == [(128, 128)] * 5
    for source, copy in ((picture, "door.png"), (other, "scan.png"), (video, "film.mp4")):
        before, after = (
            cv2.VideoCapture(str(path)).read()[1]
            if path.suffix in {".avi", ".mp4"}
            else cv2.imread(str(path))
            for path in (source, out / copy)
        )
        assert before is not None
        assert after is not None
        assert before.shape == after.shape
        assert (cv2.absdiff(before, after) > 60).any()


def test_nothing_is_written_without_output(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """Without --output no file appears anywhere near the input."""
    folder = tmp_path / "in"
    save_picture(folder / "door.png", MASKED)
    save_video(folder / "film.mp4", (BARE,))
    before = sorted(tmp_path.rglob("*"))

    assert invoke("detect", folder, "--model", model).code == 0

    assert sorted(tmp_path.rglob("*")) == before


def test_output_into_the_input_folder_is_refused(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """No input is ever overwritten, also when a link hides that the folders are one."""
    picture = save_picture(tmp_path / "in" / "door.png", MASKED)
    (tmp_path / "link").symlink_to(picture.parent)
    before = picture.read_bytes()

    for path, output in ((picture, picture.parent), (picture.parent, tmp_path / "link")):
        outcome = invoke("detect", path, "--model", model, "--output", output)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
        assert "would be overwritten. Choose another folder." in outcome.err

    assert (picture.read_bytes(), sorted(picture.parent.iterdir())) == (before, [picture])


def test_output_that_is_a_file_is_refused(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """--output needs a folder; a file of that name is named and kept."""
    picture = save_picture(tmp_path / "door.png")
    (tmp_path / "out").write_text("mine")

    outcome = invoke("detect", picture, "--model", model, "--output", tmp_path / "out")

    reason = "cannot be written to: File exists. Choose another folder."
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"Error: {tmp_path / 'out'} {reason}\n"
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_a_video_that_plays(
    invoke: Invoke, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Ctrl-C or a shutdown in the middle of a video: what was done until then plays, no half file is left."""
    video = save_video(tmp_path / "film.mp4", *[(BARE,)] * 9)
    read = FilesCamera.read

    def interrupted(camera: FilesCamera) -> Frame | None:
        frame = read(camera)
        if frame is not None and frame.index == 4:
            signal.raise_signal(number)
        return frame

    monkeypatch.setattr(FilesCamera, "read", interrupted)
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("Nobody handles the signal"))
    try:
        outcome = invoke("detect", video, "--model", model, "--output", tmp_path / "out")
    finally:
        signal.signal(signal.SIGTERM, before)

    assert (outcome.code, len(outcome.lines), outcome.err.strip()) == (130, 4, "Error: Interrupted.")
    assert frames_of(tmp_path / "out" / "film.mp4") == [(128, 128)] * 4
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_the_accelerator_is_the_cpu_unless_somebody_chose(
    invoke: Invoke, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a choice the CPU is used silently; the environment's or the flag's choice is honoured."""
    picture = save_picture(tmp_path / "door.png")

    assert invoke("detect", picture, "--model", model).err == ""
    assert invoke("detect", picture, "--model", model, "--accelerator", "edgetpu").code == 3
    monkeypatch.setenv("PI_MASK_MODEL_ACCELERATOR", "auto")
    warning = invoke("detect", picture, "--model", model).err
    assert warning.startswith("Warning: Model colours has no file compiled for the Edge TPU.")


def test_a_strange_name_stays_on_its_line(invoke: Invoke, model: Path, tmp_path: Path) -> None:
    """A name with a line break and bytes that are no text gives one line, in JSON too."""
    picture = save_picture(tmp_path / "plain.png")
    strange = picture.rename(tmp_path / os.fsdecode(b"do\nor\xff.png"))

    assert invoke("detect", strange, "--model", model).lines == [f"{tmp_path}/do�or�.png: no face"]
    assert json.loads(invoke("detect", strange, "--model", model, "--json").out)["source"] == str(strange)


def test_names_that_opencv_cannot_be_given_are_errors(model: Path, tmp_path: Path) -> None:
    """A film or a damaged picture whose name is not UTF-8 is an error; the files after it go on."""
    for name in (b"a\xff.mp4", b"b\xff.jpg"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"neither film nor picture")
    picture = save_picture(tmp_path / "c.png")
    command = [sys.executable, "-m", "pi_mask", "detect", str(tmp_path), "--model", str(model)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, f"{picture}: no face\n")
    assert [line.split(". ")[0] for line in done.stderr.splitlines() if line.startswith("Error")] == [
        rf"Error: {tmp_path}/a\udcff.mp4 cannot be opened: its name is not UTF-8",
        rf"Error: {tmp_path}/b\udcff.jpg is no picture that can be read",
    ]


def on_a_terminal(command: list[object]) -> tuple[int, str]:
    """Run a command with standard error on a terminal; give its code and what the terminal got."""
    terminal, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=side, env=environment
    ) as process:
        os.close(side)
        seen = bytearray()
        while True:
            try:
                seen += os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
    os.close(terminal)
    return process.returncode, seen.decode()


def test_a_video_shows_its_progress_on_a_terminal_only(
    clean_environment: None, model: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """A bar with count and rate appears where somebody watches, on one line, and nowhere else."""
    video = save_video(tmp_path / "our\nfilm.mp4", *[(BARE,)] * 6)
    arguments = ["detect", video, "--model", model, "--output", tmp_path / "out"]

    code, seen = on_a_terminal([sys.executable, "-m", "pi_mask", *arguments])

    assert code == 0
    assert "our�film.mp4" in seen
    assert "6/6" in seen
    assert "a second" in seen
    assert own(invoke(*arguments).err) == [f"1 annotated files are in {tmp_path / 'out'}."]


def test_a_bar_shares_its_line_with_nothing(clean_environment: None, model: Path, tmp_path: Path) -> None:
    """On a terminal, what is said beside a video's bar has a line of its own, and none is left empty."""
    video = save_video(tmp_path / "film.mp4", (BARE,), (BARE,))
    broken, picture = tmp_path / "broken.png", save_picture(tmp_path / "door.png")
    broken.touch()
    arguments = ["detect", video, broken, video, picture, "--model", model, "--output", tmp_path / "out"]

    _, seen = on_a_terminal([sys.executable, "-m", "pi_mask", *arguments])

    lines = (
        re.split(r"\r|\x1b\[2K|\x1b\[\?25.", line.removesuffix("\x1b[?25h")) for line in seen.split("\r\n")
    )
    assert [re.split(":|  ", line)[0] for line in own("\n".join(parts[-1] for parts in lines))] == [
        "film.mp4",
        "Error",
        "film.mp4",
        f"3 annotated files are in {tmp_path / 'out'}.",
    ]
