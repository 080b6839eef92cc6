"""Test what a bug report holds."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pi_mask.doctor.base import Result, Status, ok
from pi_mask.doctor.bundle import JOURNAL_LINES, check_target, write_bundle
from pi_mask.errors import OutputError, PiMaskError, SettingsError, UsageError
from pi_mask.settings import LoadedSettings, load_settings
from tests.doctor.made_up import Programs

NAMES = ["doctor.json", "doctor.txt", "settings.txt", "versions.txt", "journal.txt"]
SECRETS = ("hunter2", "ada", "s3cret")
FAULT = Result(Status.FAULT, "No camera.", "Plug it in.", "camera-missing", 3, "camera")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs) -> Path:
    """The home of somebody whose name is nobody's business."""
    folder = tmp_path / "home" / "ada"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def loaded(home: Path) -> LoadedSettings:
    """Settings of that home, for a camera with a password."""
    file = home / "door.toml"
    file.write_text(
        '# the password is s3cret\n[camera]\nkind = "webcam"\nsource = "rtsp://u:hunter2@cam/1"\n'
    )
    return load_settings({"model.name": str(home / "own.tflite")}, config=file, environ={})


def unpack(path: Path) -> dict[str, str]:
    """Texts by name, in order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}
    texts = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            assert (member.uname, member.gname, member.uid) == ("", "", 0)
            file = archive.extractfile(member)
            assert file is not None
            texts[member.name] = file.read().decode()
    return texts


@pytest.mark.parametrize("name", ["report.zip", "report.tar.gz"])
def test_a_bundle_is_five_texts(loaded: LoadedSettings, tmp_path: Path, name: str) -> None:
    """Results twice, settings, versions and the log: text only, so no picture."""
    write_bundle(tmp_path / name, [replace(ok("Fine"), check="system"), FAULT], loaded)

    texts = unpack(tmp_path / name)
    assert list(texts) == NAMES
    assert json.loads(texts["doctor.json"])["exit_code"] == 3
    assert texts["doctor.txt"].splitlines() == [
        "ok       system       Fine",
        "fault    camera       No camera.",
        "                      Plug it in. [camera-missing]",
        "Faults: 1. Warnings: 0. docs/troubleshooting.md explains the words in brackets.",
    ]
    assert 'camera.kind = "webcam"  # file ~/door.toml' in texts["settings.txt"].splitlines()
    assert "lgpio: not installed" in texts["versions.txt"] or "lgpio " in texts["versions.txt"]
    assert texts["journal.txt"] == "The service's log is empty or cannot be read by this user.\n"
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == [name]


def test_no_secret_gets_into_it(loaded: LoadedSettings, home: Path, programs: Programs) -> None:
    """Neither a camera's password nor the owner's name, whether in a setting, a finding or the log."""
    programs.answer(
        "journalctl",
        f"2026-11-24 pi-mask[1]: Warning: Webcam rtsp://u:hunter2@cam/1 is lost.\npassword=s3cret\n{home}/x",
    )
    finding = replace(ok(f"{home / 'door.toml'}; settings that differ: 3"), check="config")
    write_bundle(home / "report.zip", [finding], loaded)

    texts = unpack(home / "report.zip")
    assert [(name, word) for name, text in texts.items() for word in SECRETS if word in text] == []
    assert texts["journal.txt"].splitlines() == [
        "2026-11-24 pi-mask[1]: Warning: Webcam rtsp://***@cam/1 is lost.",
        "password=***",
        "~/x",
    ]
    assert 'camera.source = "rtsp://***@cam/1"  # file ~/door.toml' in texts["settings.txt"]
    assert "~/door.toml" in texts["doctor.json"]


def test_wrong_settings_are_not_quoted(home: Path, tmp_path: Path) -> None:
    """The finding tells what is wrong; the file itself stays where it is."""
    write_bundle(tmp_path / "r.zip", [FAULT], SettingsError("camera.kind = 'x' is wrong."))

    texts = unpack(tmp_path / "r.zip")
    assert texts["settings.txt"] == "The configuration is wrong: see doctor.txt.\n"
    assert json.loads(texts["doctor.json"])["settings"] == []


def test_the_log_is_asked_for_by_unit_and_length(
    loaded: LoadedSettings, tmp_path: Path, programs: Programs
) -> None:
    """Only the service's own lines, not more than needed, without the machine's name."""
    programs.script("journalctl", "echo $*")
    write_bundle(tmp_path / "r.zip", [], loaded)

    asked = unpack(tmp_path / "r.zip")["journal.txt"]
    assert asked == f"-q -u pi-mask -n {JOURNAL_LINES} --no-pager --no-hostname -o short-iso\n"


def test_a_log_without_lines_is_said_to_be_empty_or_closed(
    loaded: LoadedSettings, tmp_path: Path, programs: Programs
) -> None:
    """What journalctl says in place of lines, to whoever may not read them as well, is no log."""
    programs.script("journalctl", 'case "$*" in *-q*) ;; *) echo "-- No entries --";; esac')
    write_bundle(tmp_path / "r.zip", [], loaded)

    said = unpack(tmp_path / "r.zip")["journal.txt"]
    assert said == "The service's log is empty or cannot be read by this user.\n"


_NO_FOLDER = "{.parent} cannot be written to: No such file or directory. Choose another path."


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("report", UsageError, "{} is no archive's name. Let it end in .zip or .tar.gz."),
        ("there.zip", OutputError, "{} exists. Choose another name."),
        ("dangling.zip", OutputError, "{} exists. Choose another name."),
        (
            "nowhere/report.zip",
            OutputError,
            _NO_FOLDER,
        ),
        (
            "/proc/report.zip",
            OutputError,
            _NO_FOLDER,
        ),
    ],
)
def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str, error: type[PiMaskError], message: str
) -> None:
    """Nothing is ever replaced."""
    (tmp_path / "there.zip").touch()
    (tmp_path / "dangling.zip").symlink_to(tmp_path / "gone")

    with pytest.raises(error) as caught:
        check_target(tmp_path / name)

    assert str(caught.value) == message.format(tmp_path / name)


_FULL = """
import resource, sys
from pathlib import Path
from pi_mask.doctor.bundle import write_bundle
from pi_mask.errors import OutputError, SettingsError
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_bundle(Path(sys.argv[1]), [], SettingsError("x"))
except OutputError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing(tmp_path: Path, programs: Programs) -> None:
    """A limit on files stands for the full disk: one line, and no half of an archive."""
    target = tmp_path / "r.zip"

    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(target)], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{target} cannot be written: File too large. Choose another path.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
