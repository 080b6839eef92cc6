"""Test pi-mask doctor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pi_mask.commands import doctor as command
from tests.colour_model import save_picture
from tests.conftest import Invoke
from tests.doctor.made_up import Root
from tests.doctor.test_picture import textured
from tests.doctor.test_storage import USAGE


@pytest.fixture(autouse=True)
def a_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """An empty machine with a large disk and without a program to ask."""
    root = Root(tmp_path / "machine")
    root.folder.mkdir()
    monkeypatch.setattr(command, "ROOT", root.folder)
    monkeypatch.setenv("PATH", str(root.folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(32 * 10**9, 22 * 10**9, 10 * 10**9))
    return root


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """One sharp picture."""
    import cv2

    path = save_picture(tmp_path / "door.png")
    assert cv2.imwrite(str(path), textured())
    return path


def test_a_desktop_where_all_is_well(invoke: Invoke, model: Path, recording: Path, tmp_path: Path) -> None:
    """One line a check, what was set by whom, code 0, and a bundle that says the same."""
    bundle = tmp_path / "report.zip"

    outcome = invoke(
        "doctor",
        "--desktop",
        "--model",
        model,
        "--camera",
        "files",
        "--source",
        recording,
        "--bundle",
        bundle,
    )

    assert outcome.code == 0, outcome
    columns = [line.split()[:2] for line in outcome.lines[:13]]
    checks = "config system power temperature disk clock service rights runtime model coral camera pins"
    assert columns == [["ok", check] for check in checks.split()]
    assert outcome.lines[13:] == [
        "",
        "Settings that differ from their defaults:",
        '  camera.kind = "files"  # flag --camera',
        f'  camera.source = "{recording}"  # flag --source',
        f'  model.name = "{model}"  # flag --model',
        '  model.accelerator = "cpu"  # flag --desktop',
        '  indicator.kind = "console"  # flag --desktop',
        "All is well.",
    ]
    assert outcome.err == f"{bundle} is written. It is text; read it before you send it.\n"
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read("doctor.txt").decode().splitlines()[:13] == outcome.lines[:13]


def test_missing_hardware_is_code_3(invoke: Invoke, model: Path) -> None:
    """As JSON: one object, with message, advice and the entry's name for each finding."""
    flags = ("--accelerator", "edgetpu", "--camera", "webcam", "--source", "/dev/none", "--indicator", "gpio")

    outcome = invoke("doctor", "--json", "--model", model, *flags)

    document = json.loads(outcome.out)
    faults = {(each["check"], each["code"]) for each in document["checks"] if each["status"] == "fault"}
    assert (outcome.code, document["exit_code"], document["schema"]) == (3, 3, 1)
    assert faults == {("coral", "coral-missing"), ("camera", "camera-missing"), ("pins", "pins-missing")}
    assert all(each["advice"] for each in document["checks"] if each["status"] != "ok")
    assert {"key": "camera.source", "value": "/dev/none", "source": "flag --source"} in document["settings"]
    assert outcome.err == "This is no Raspberry Pi: --desktop looks at webcam, CPU and console instead.\n"


def test_a_wrong_configuration_is_a_finding(invoke: Invoke, tmp_path: Path, a_desktop: Root) -> None:
    """Code 2 with the mistake named; the rest of the machine is looked at all the same, here a Pi."""
    a_desktop.pi()
    file = tmp_path / "door.toml"
    file.write_text("[camera]\nwidht = 640\n")

    outcome = invoke("doctor", "--config", file)

    assert outcome.code == 2
    assert outcome.lines[0].startswith("fault    config       ")
    assert "widht" in outcome.lines[0]
    assert str(file) in outcome.lines[0]
    assert outcome.lines[1].endswith("[config-wrong]")
    assert "ok       disk" in outcome.out
    assert outcome.lines[-1].startswith("Faults: 1. Warnings: ")
    assert outcome.err == ""


def test_a_bundle_that_cannot_be_written_is_refused_at_once(invoke: Invoke, tmp_path: Path) -> None:
    """Before minutes of work go into it."""
    outcome = invoke("doctor", "--bundle", tmp_path / "report.rar")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"Error: {tmp_path / 'report.rar'} is no archive's name. Let it end in .zip or .tar.gz.\n"
    )


_HANGING = """
import sys
from types import MappingProxyType

if "pi_mask.doctor.child" in sys.orig_argv:
    import os
    import signal

    from pi_mask.doctor import examination

    def hang(machine, settings):
        note = open(os.environ["CHILD"], "w", buffering=1)
        signal.signal(signal.SIGALRM, lambda *_: note.write("left behind"))
        signal.alarm(60)
        note.write("here\\n")
        signal.pause()
        yield

    examination.DEVICE_CHECKS = MappingProxyType({"coral": hang})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_check_that_hangs_does_not_outlive_the_doctor(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep the camera or the Coral: after Ctrl-C, kill, or a terminal that is closed."""
    (tmp_path / "sitecustomize.py").write_text(_HANGING)
    note = tmp_path / "child"
    os.mkfifo(note)
    monkeypatch.setenv("CHILD", str(note))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    command = [sys.executable, "-m", "pi_mask", "doctor", "--desktop"]

    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        note.open() as child,
    ):
        assert child.readline() == "here\n"
        process.send_signal(number)
        err = process.communicate()[1]
        last_words = child.read()  # at the latest when its alarm rings

    assert process.returncode == 130
    assert err.splitlines()[-1] == "Error: Interrupted."
    assert last_words == ""
