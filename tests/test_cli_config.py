"""Test pi-mask config."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from pi_mask.settings import Settings, load_settings, render_toml
from tests.conftest import Invoke


def test_init_writes_the_defaults_where_they_are_read(invoke: Invoke, tmp_path: Path) -> None:
    """Without a path the user's own configuration is made; every setting in it is the default."""
    path = tmp_path / "home" / ".config" / "pi-mask" / "config.toml"

    outcome = invoke("config", "init")

    assert (outcome.code, outcome.out, outcome.err) == (0, f"{path} is written.\n", "")
    assert path.read_text() == render_toml(Settings())
    assert load_settings({}, environ={"HOME": str(tmp_path / "home")}).config == path
    assert invoke("config", "check").out == f"{path} is fine.\n"


def test_init_replaces_nothing_unless_forced(invoke: Invoke, tmp_path: Path) -> None:
    """A file that is there stays; --force puts it aside and keeps its permissions."""
    path = tmp_path / "mine.toml"
    path.write_text("# mine")
    path.chmod(0o600)

    refused = invoke("config", "init", path)
    kept = path.read_text()
    forced = invoke("config", "init", path, "--force")

    advice = "Choose another path, or replace it with --force."
    assert (refused.code, refused.err, kept) == (1, f"Error: {path} exists. {advice}\n", "# mine")
    assert (forced.code, path.read_text()) == (0, render_toml(Settings()))
    assert forced.out == f"{path} is written. The file as it was is {path}.old.\n"
    assert path.with_name("mine.toml.old").read_text() == "# mine"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".mine*")) == []


def test_init_follows_a_link(invoke: Invoke, tmp_path: Path) -> None:
    """A configuration that is a link stays one; what it points to is replaced."""
    (tmp_path / "real.toml").write_text("# mine")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")

    assert invoke("config", "init", tmp_path / "link.toml", "--force").code == 0

    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == render_toml(Settings())


def test_init_leaves_nothing_half_written(invoke: Invoke, tmp_path: Path) -> None:
    """On a full disk the old file stays whole and no other is left behind."""
    path = tmp_path / "mine.toml"
    path.write_text("# mine")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        outcome = invoke("config", "init", path, "--force")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (outcome.code, outcome.err) == (
        1,
        f"Error: {path} cannot be written: File too large. Choose another path.\n",
    )
    assert (path.read_text(), list(tmp_path.glob(".mine*"))) == ("# mine", [])


def test_init_in_a_circle_of_links_is_one_line(invoke: Invoke, tmp_path: Path) -> None:
    """So is a link that leads back to itself."""
    (tmp_path / "one.toml").symlink_to(tmp_path / "two.toml")
    (tmp_path / "two.toml").symlink_to(tmp_path / "one.toml")

    outcome = invoke("config", "init", tmp_path / "one.toml")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.endswith("Choose another path.\n")
    assert "This is a bug" not in outcome.err


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_init_replaces_nothing_but_files(invoke: Invoke, tmp_path: Path, kind: str) -> None:
    """Root could put a file in the place of /dev/null."""
    path = tmp_path / "there"
    path.mkdir() if kind == "folder" else os.mkfifo(path)

    outcome = invoke("config", "init", path, "--force")

    assert (outcome.code, outcome.err) == (1, f"Error: {path} is no file. Choose another path.\n")
    assert not path.is_file()


def test_a_device_is_no_configuration(invoke: Invoke) -> None:
    """Some have no end; /dev/null is how to say that there are no settings."""
    endless = invoke("config", "check", "/dev/zero")
    none = invoke("config", "check", "/dev/null")

    assert endless.code == 2
    assert "The configuration /dev/zero cannot be read (it is a device and no file)" in endless.err
    assert none.code == 0


def test_init_below_a_file_is_one_line(invoke: Invoke, tmp_path: Path) -> None:
    """A path that cannot be is named, with advice."""
    (tmp_path / "file").touch()

    outcome = invoke("config", "init", tmp_path / "file" / "config.toml")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.endswith("Choose another path.\n")


def test_show_names_each_value_and_its_source(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All settings are listed in TOML, each with where it comes from; the text can be read back."""
    path = tmp_path / "mine.toml"
    path.write_text('[camera]\nkind = "webcam"\nsource = "1"\n')
    monkeypatch.setenv("PI_MASK_CAMERA_SOURCE", "2")

    outcome = invoke("config", "show", "--config", path)

    assert outcome.lines[:3] == [
        f'camera.kind = "webcam"  # file {path}',
        'camera.source = "2"  # environment PI_MASK_CAMERA_SOURCE',
        "camera.width = 640  # default",
    ]
    shown = tmp_path / "shown.toml"
    shown.write_text(outcome.out)
    assert load_settings({}, config=shown, environ={}).settings.camera.source == "2"


def test_show_json_is_one_line_a_setting(invoke: Invoke) -> None:
    """--json gives key, value and source of every setting."""
    documents = [json.loads(line) for line in invoke("config", "show", "--json").lines]

    expected = load_settings({}, environ={})
    assert [document["key"] for document in documents] == list(expected.sources)
    assert documents[0] == {"schema": 1, "key": "camera.kind", "value": "picamera", "source": "default"}


def test_check_names_what_is_wrong(invoke: Invoke, tmp_path: Path) -> None:
    """A wrong file: a line for each problem, code 2; a missing one too."""
    path = tmp_path / "mine.toml"
    path.write_text("[camera]\nwidth = 1\ncolour = true\n")

    wrong, missing = invoke("config", "check", path), invoke("config", "check", tmp_path / "none.toml")

    assert (wrong.code, wrong.out, missing.code, missing.out) == (2, "", 2, "")
    assert [line.partition(" (")[0] for line in wrong.err.splitlines()] == [
        'Error: Unknown setting "camera.colour"',
        "Error: camera.width = 1",
    ]
    assert missing.err.startswith(f"Error: The configuration {tmp_path / 'none.toml'} does not exist.")


def test_check_without_a_file(invoke: Invoke) -> None:
    """No configuration at all is fine."""
    assert invoke("config", "check").out == "There is no configuration file; defaults apply.\n"


def test_results_are_one_line_whatever_a_path_holds(invoke: Invoke, tmp_path: Path) -> None:
    """A line break in a file's name breaks no line of what was written or checked."""
    path = tmp_path / "two\nlines.toml"

    written, checked = invoke("config", "init", path), invoke("config", "check", path)

    shown = str(path).replace("\n", "�")
    assert (written.out, checked.out) == (f"{shown} is written.\n", f"{shown} is fine.\n")
