"""See the shipped model judge a real face, from the file to the lamps.

The face is the one of the astronaut photograph that comes with scikit-image (NASA, public domain).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_mask.build import open_pipeline
from pi_mask.camera.picture import decode_picture
from pi_mask.demo.photograph import find_photograph
from pi_mask.indicator.gpio import GpioIndicator, Timing
from pi_mask.manifest import find_manifest, load_manifest
from pi_mask.output import VideoWriter
from pi_mask.settings import CameraSettings, GpioSettings, IndicatorSettings, ModelSettings, Settings
from pi_mask.testing import watched_mock_factory
from pi_mask.types import BoundingBox, MaskLabel, Verdict
from tests.camera.media import encoded, with_orientation

FACE = BoundingBox(176, 66, 275, 180)
"""Forehead to chin and ear to ear, measured by eye in the photograph's 512 × 512 pixels."""
FPS = 10.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    lines: list[dict[str, Any]]
    errors: str


def pi_mask(folder: Path, *arguments: object) -> Ran:
    """Run the command in a process of its own, away from this machine's configuration."""
    command = [sys.executable, "-m", "pi_mask", *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PI_MASK_", "XDG_"))}
    environment = {**kept, "HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


@pytest.fixture(scope="module")
def photograph() -> Path:
    """The photograph; without it nothing here can be shown, so its absence is a failure."""
    return find_photograph()


def faces(line: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    """Per detection: label, whether the score reaches its threshold, whether the box is on the face."""
    limits = load_manifest(find_manifest()).thresholds
    return [
        (
            found["label"],
            limits[MaskLabel(found["label"])] <= found["score"] <= 1,
            FACE.iou(BoundingBox(*found["box"])) >= 0.5,
        )
        for found in line["detections"]
    ]


ONE_BARE_FACE = [("without_mask", True, True)]


def test_a_bare_face_is_found_and_called_bare(photograph: Path, tmp_path: Path) -> None:
    """The photograph has one face, where it is, without a mask; the line has the documented keys."""
    ran = pi_mask(tmp_path, "detect", "--json", photograph)

    assert (ran.code, len(ran.lines)) == (0, 1)
    (line,) = ran.lines
    stages = line.pop("latency_ms")
    assert {stage: value > 0 for stage, value in stages.items()} == {
        "preprocess": True,
        "inference": True,
        "postprocess": True,
    }
    assert faces(line) == ONE_BARE_FACE
    line.pop("detections")
    place = {"source": str(photograph), "frame": 0, "timestamp": 0.0, "width": 512, "height": 512}
    assert line == {"schema": 1, **place}


# EXIF orientation to the turn that the camera made: what is stored, given the upright picture.
TURNS = {1: 0, 3: 2, 6: 1, 8: 3}


def test_a_turned_photograph_is_seen_upright(photograph: Path, tmp_path: Path) -> None:
    """However the camera was held, the face is found at its place in the upright picture."""
    upright = decode_picture(photograph)
    for orientation, turns in TURNS.items():
        stored = np.ascontiguousarray(np.rot90(upright, turns))
        jpeg = with_orientation(encoded(".jpg", stored), orientation)
        (tmp_path / f"{orientation}.jpg").write_bytes(jpeg)

    ran = pi_mask(tmp_path, "detect", "--json", tmp_path)

    assert ran.code == 0
    found = {Path(line["source"]).name: faces(line) for line in ran.lines}
    assert found == {f"{orientation}.jpg": ONE_BARE_FACE for orientation in TURNS}


@pytest.fixture(scope="module")
def recording(photograph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a bare wall, two of the person, two of the wall again."""
    image = decode_picture(photograph)
    wall = np.full_like(image, image[10:60, 100:140].mean(axis=(0, 1)).astype(np.uint8))
    path = tmp_path_factory.mktemp("recording") / "door.mp4"
    with VideoWriter(path, FPS, (512, 512)) as video:
        for shown, seconds in ((wall, 1), (image, 2), (wall, 2)):
            for _ in range(round(seconds * FPS)):
                video.write(shown)
    return path


def stand_still(stopping: threading.Event, _seconds: float) -> bool:
    """In place of ``Event.wait``: rhythms stay at their first tick until the verdict changes."""
    return stopping.wait()


def settings(recording: Path) -> Settings:
    """The shipped model on the CPU, a recording as the camera, a door relay among the pins."""
    return Settings(
        camera=CameraSettings(kind="files", source=str(recording)),
        model=ModelSettings(accelerator="cpu"),
        indicator=IndicatorSettings(kind="gpio", gpio=GpioSettings(pin_factory="mock", relay_pin=24)),
    )


def test_the_lamps_follow_the_person(recording: Path) -> None:
    """Heartbeat, amber, red with the buzzer, heartbeat, all off: each pin's every change, in order."""
    changes: list[tuple[str, bool]] = []
    chosen = settings(recording)
    factory = watched_mock_factory(chosen.indicator.gpio, lambda part, is_on: changes.append((part, is_on)))
    indicator = GpioIndicator(chosen.indicator.gpio, pin_factory=factory, timing=Timing(wait=stand_still))

    with open_pipeline(chosen, indicator=indicator) as pipeline:
        verdicts = [observation.verdict for observation in pipeline]

    assert len(verdicts) == 50
    assert changed(verdicts) == [Verdict.IDLE, Verdict.CHECKING, Verdict.NO_MASK, Verdict.IDLE]
    assert changes == [
        ("amber", True),  # the heartbeat goes on with the amber of CHECKING
        ("amber", False),
        ("red", True),
        ("buzzer", True),
        ("red", False),
        ("buzzer", False),
        ("amber", True),
        ("amber", False),
    ]


def changed(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts without repeats."""
    return [v for index, v in enumerate(verdicts) if index == 0 or verdicts[index - 1] is not v]


def test_the_person_is_judged_in_time(recording: Path) -> None:
    """Red comes within a second of the first frame with the face and ends within two of the last."""
    with open_pipeline(settings(recording)) as pipeline:
        red = [o.frame.timestamp for o in pipeline if o.frame is not None and o.verdict is Verdict.NO_MASK]

    assert 1.0 <= red[0] <= 2.0
    assert 2.9 <= red[-1] <= 5.0 - 1 / FPS
    assert len(red) == round((red[-1] - red[0]) * FPS) + 1


def test_a_recording_gives_the_same_verdicts_twice(recording: Path, tmp_path: Path) -> None:
    """Two runs write the same lines, down to boxes and times; only the summary's clock differs."""
    flags = ["--camera", "files", "--source", recording, "--accelerator", "cpu", "--indicator", "console"]

    runs = [pi_mask(tmp_path, "run", "--json", *flags) for _ in range(2)]

    assert [ran.code for ran in runs] == [0, 0]
    summaries = [ran.lines.pop() for ran in runs]
    assert runs[0].lines == runs[1].lines
    assert [line["verdict"] for line in runs[0].lines] == ["idle", "checking", "no_mask", "idle"]
    for summary in summaries:
        assert summary.pop("seconds") > 0
        assert summary.pop("fps") > 0
    assert (
        summaries[0]
        == summaries[1]
        == {
            "schema": 1,
            "event": "summary",
            "frames": 50,
            "verdicts": {"idle": 2, "checking": 1, "mask": 0, "incorrect": 0, "no_mask": 1, "fault": 0},
            "unreadable": 0,
        }
    )
