"""Test pi_mask.settings_edit."""

from __future__ import annotations

import os
import shutil
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pi_mask.errors import OutputError, SettingsError
from pi_mask.settings import Settings, Zone, load_settings, render_toml
from pi_mask.settings_edit import check_writable, edited, replace_file

NOTE = "calibrate, 2026-11-24, a-model"
VALUES = {
    "policy.zone": Zone(0.1, 0.2, 0.9, 1.0),
    "policy.min_face_px": 33.0,
    "model.thresholds.with_mask": 0.6,
    "model.min_score": None,
}
OWNERS = """\
# The owner's file.
[camera]
width = 800   # the USB one

[policy]  # the rules
# Nobody else's business:
zone = [0.0, 0.0, 0.5, 1.0]  # left half
who = "everybody"
"""


def loaded(text: str, folder: Path) -> Settings:
    """The settings that a text stands for."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings({}, config=path, environ={}).settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        OWNERS,
        render_toml(Settings()),
        "policy.zone = [0, 0, 0.5, 1]\n",
        'policy = { who = "everybody", min_face_px = 10.0 }\n',
        "model = { threads = 1 }\n",
        '[model.thresholds]\nwith_mask = 0.3\n\n[model]\nname = ""\n',
        "[policy]\nzone = [\n  0.0, # left\n  0.0,\n  0.5, 1.0,\n]\nmin_votes = 4",
        "[camera]\r\nwidth = 800\r\n",
    ],
    ids=["empty", "owner's", "all", "dotted", "inline", "inline in inline", "nested", "many lines", "CRLF"],
)
def test_new_values_are_in_force_and_all_others_stay(text: str, tmp_path: Path) -> None:
    """However the file is written, it loads with the new values and is otherwise what it was."""
    before = loaded(text, tmp_path)

    after = loaded(edited(text, VALUES, NOTE), tmp_path)

    expected: dict[str, Any] = before.model_dump()
    expected["policy"].update(zone=Zone(0.1, 0.2, 0.9, 1.0), min_face_px=33.0)
    expected["model"]["min_score"] = None
    expected["model"]["thresholds"]["with_mask"] = 0.6
    assert after.model_dump() == expected


def test_comments_and_order_stay() -> None:
    """The owner's lines are there, in their order; a note above each new value says where it comes from."""
    assert edited(OWNERS, {"policy.zone": (0.1, 0.2, 0.9, 1.0), "policy.min_votes": 4}, NOTE) == (
        """\
# The owner's file.
[camera]
width = 800   # the USB one

[policy]  # the rules
# Nobody else's business:
# calibrate, 2026-11-24, a-model
zone = [0.1, 0.2, 0.9, 1.0]  # left half
who = "everybody"
# calibrate, 2026-11-24, a-model
min_votes = 4
"""
    )


def test_a_second_calibration_leaves_one_note() -> None:
    """The note of the time before goes with its value."""
    once = edited(OWNERS, {"policy.min_votes": 4}, NOTE)

    twice = edited(once, {"policy.min_votes": 5}, "calibrate, 2027-01-01, another")

    assert twice == once.replace(NOTE, "calibrate, 2027-01-01, another").replace("= 4", "= 5")


@pytest.mark.parametrize(
    "text", ['policy = "mine"\n', '[camera]\nsource = """\n[policy]\nzone = 1\n"""\n', "[policy\n"]
)
def test_a_file_that_cannot_take_them_is_left_alone(text: str) -> None:
    """Rather than change what was not asked for, the owner is told to write the values."""
    with pytest.raises(SettingsError, match="Write them yourself"):
        edited(text, VALUES, NOTE)


def test_the_old_file_lies_beside_the_new_one(tmp_path: Path) -> None:
    """Content, mode and name of the old file are kept; no part is left over."""
    path = tmp_path / "config.toml"
    path.write_text("old")
    path.chmod(0o640)

    old = replace_file(path, "new")

    assert old == tmp_path / "config.toml.old"
    assert (old.read_text(), path.read_text()) == ("old", "new")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, old)] == [0o640, 0o640]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.toml", "config.toml.old"]


def test_nobody_else_reads_a_file_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new content have no more readers on the way than in the end, whatever a killed run has left."""
    path = tmp_path / "config.toml"
    path.write_text("old")
    path.chmod(0o600)
    (tmp_path / ".config.toml.part").touch(0o644)
    on_the_way = []

    def noting(set_mode: Callable[..., None]) -> Callable[..., None]:
        def note(model: Path, part: Path, **options: bool) -> None:
            on_the_way.append((part.read_text(), stat.S_IMODE(part.stat().st_mode)))
            set_mode(model, part, **options)

        return note

    for name in ("copystat", "copymode"):
        monkeypatch.setattr(shutil, name, noting(getattr(shutil, name)))
    replace_file(path, "new")

    assert on_the_way == [("old", 0o600), ("new", 0o600)]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_first_file_has_the_umasks_mode(tmp_path: Path, umask: int) -> None:
    """Where there was none, a file is read by whom its owner's habits say."""
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "config.toml", "new")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o666 & ~umask


def test_a_first_file_is_made_with_its_folder(tmp_path: Path) -> None:
    """Who had no configuration has one afterwards, and nothing to keep."""
    path = tmp_path / "home" / "pi-mask" / "config.toml"

    assert replace_file(path, "new") is None
    assert path.read_text() == "new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A configuration that is a link into the owner's own folder is changed there."""
    target, link = tmp_path / "mine.toml", tmp_path / "config.toml"
    target.write_text("old")
    link.symlink_to(target)

    replace_file(link, "new")

    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_file(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails on the way, the old content is in its place and no part is left."""
    path = tmp_path / "config.toml"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if failing == "fsync" else Path, failing, fail)
    with pytest.raises(OutputError, match=r"left on device\. Free some space there, "):
        replace_file(path, "new")

    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


def test_what_cannot_be_written_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is somebody else's is named before any work; a missing folder counts as its parent."""
    monkeypatch.setattr(os, "access", lambda folder, _mode: Path(folder) != tmp_path)

    with pytest.raises(OutputError, match="Use sudo"):
        check_writable(tmp_path / "missing" / "config.toml")
    (tmp_path / "mine").mkdir()
    check_writable(tmp_path / "mine" / "config.toml")


def test_only_files_are_replaced(tmp_path: Path) -> None:
    """A device such as /dev/null is refused early, and stays what it is."""
    os.mkfifo(path := tmp_path / "pipe")

    with pytest.raises(OutputError, match="pipe is no file"):
        check_writable(path)
    with pytest.raises(OutputError, match="pipe is no file"):
        replace_file(path, "")

    assert path.is_fifo()


def test_what_is_written_is_toml() -> None:
    """The full file of config init takes new values and stays a document with every key once."""
    text = edited(render_toml(Settings()), VALUES, NOTE)

    assert tomllib.loads(text)["policy"]["zone"] == [0.1, 0.2, 0.9, 1.0]
    assert text.count("\nzone = ") == 1
