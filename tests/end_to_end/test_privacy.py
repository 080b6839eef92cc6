"""Prove what docs/privacy.md promises: ``pi-mask run`` writes no file and opens no connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pi_mask.camera.picture import decode_picture
from pi_mask.demo.photograph import find_photograph
from pi_mask.output import VideoWriter
from tests.calibrate.films import record_steps

# Python tells its audit hooks of every file that is opened, made or removed and of every connection. Native
# code does not; what it would leave is seen in the folders.
_WATCHER = """
import atexit, json, os, sys

_SEEN = []
_MARKS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.truncate", "socket.connect",
            "socket.sendto", "socket.bind", "socket.getaddrinfo"}

def _watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _MARKS:
        _SEEN.append([event, str(arguments[0])])
    elif event in _CHANGES:
        _SEEN.append([event, str(arguments[0])])

def _tell():
    seen = list(_SEEN)
    print(json.dumps(seen), file=sys.stderr)

atexit.register(_tell)
sys.addaudithook(_watch)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a real face."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    image = decode_picture(find_photograph())
    with VideoWriter(path, 10.0, (image.shape[1], image.shape[0])) as video:
        for _ in range(10):
            video.write(image)
    return path


def _run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the watcher loaded, all places where a program may leave things being empty folders."""
    (folder / "watcher").mkdir()
    (folder / "watcher" / "sitecustomize.py").write_text(_WATCHER)
    places = {name: folder / name.lower() for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    for place in places.values():
        place.mkdir()
    (folder / "here").mkdir()
    root = Path(__file__).parents[2]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder / 'watcher'}{os.pathsep}{root}",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: str(place) for name, place in places.items()},
    }
    command = [sys.executable, *([] if not code else ["-c", code]), *arguments]
    done = subprocess.run(
        command, env=environment, cwd=folder / "here", capture_output=True, text=True, check=False
    )
    left = [p for place in (*places.values(), folder / "here") for p in place.rglob("*") if p.is_file()]
    assert not left
    return done


def _seen(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    found: list[list[str]] = json.loads(done.stderr.splitlines()[-1])
    return found


def test_the_watcher_sees_what_is_written(tmp_path: Path) -> None:
    """Without this the next test could pass for want of eyes."""
    target = tmp_path / "kept.jpg"

    done = _run(tmp_path, f"open({str(target)!r}, 'w').close()")

    assert ["open", str(target)] in _seen(done)


def test_running_writes_no_file_and_opens_no_connection(clip: Path, tmp_path: Path) -> None:
    """A face is judged, and nothing of it is left anywhere."""
    door = ["run", "--desktop", "--json", "--camera", "files", "--source", str(clip)]

    done = _run(tmp_path, "", "-m", "pi_mask", *door)

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, events[-1]["event"]) == (0, "summary"), done.stderr
    assert "no_mask" in {event.get("verdict") for event in events}
    assert [place for _, place in _seen(done) if place != os.devnull] == []


def test_the_doctor_keeps_nothing_of_what_it_looks_at(clip: Path, tmp_path: Path) -> None:
    """It measures a real face's picture, in a process of its own, and leaves no file anywhere."""
    look = ["doctor", "--desktop", "--json", "--camera", "files", "--source", str(clip)]

    done = _run(tmp_path, "", "-m", "pi_mask", *look)

    document = json.loads(done.stdout)
    (camera,) = [check for check in document["checks"] if check["check"] == "camera" and not check["code"]]
    written = [place for _, place in _seen(done) if place != os.devnull]
    assert "brightness" in camera["message"]
    assert [place for place in written if not place.isdecimal()] == []  # numbers are pipes to its children


def test_calibrating_stores_no_picture(tmp_path: Path) -> None:
    """People are watched, and nothing of them is left: a dry run writes no file at all."""
    clips = record_steps(tmp_path / "clips", 2.5)

    done = _run(tmp_path, "", "-m", "pi_mask", "calibrate", "--from", str(clips), "--dry-run", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["event"] == "calibration"
    assert [place for _, place in _seen(done) if place != os.devnull] == []
