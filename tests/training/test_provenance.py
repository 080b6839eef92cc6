"""Hold records of origin to what repeating a run needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pi_mask.errors import InputError
from training import provenance as module
from training.provenance import commit, data_hash, provenance, run_record, with_parents


def test_data_is_named_by_its_content(tmp_path: Path) -> None:
    """The hash is that of the annotation file's bytes."""
    path = tmp_path / "train.json"
    path.write_bytes(b"{}")

    assert data_hash(path) == hashlib.sha256(b"{}").hexdigest()


def git(folder: Path, *arguments: str) -> str:
    """Run git, untouched by anybody's configuration; return what it says."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("git is not installed")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = [program, "-C", str(folder), *who, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one tagged commit, in place of the one that the module lies in."""
    (tmp_path / "training").mkdir()
    (tmp_path / "file").write_text("one")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "One")
    git(tmp_path, "tag", "--annotate", "--message", "One", "v1.0.0")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "training" / "provenance.py"))
    return tmp_path


def test_the_commit_is_the_checkouts(checkout: Path) -> None:
    """The full hash, whether or not it has a tag; files that differ from it are told."""
    expected = git(checkout, "rev-parse", "HEAD").strip()

    clean = commit()
    (checkout / "file").write_text("two")

    assert (clean, commit()) == (expected, f"{expected}-dirty")


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a folder without a repository nor a machine without git is an error."""
    monkeypatch.setattr(module, "__file__", str(tmp_path / "training" / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    without_repository = commit()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert (without_repository, commit()) == ("unknown", "unknown")


def test_a_record_holds_all_that_a_run_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration, commit, data and versions, as JSON; packages that are not installed are left out."""
    data = tmp_path / "train.json"
    data.write_bytes(b"[]")
    monkeypatch.setattr(module, "_PACKAGES", ("numpy", "no-such-package-is-installed"))
    monkeypatch.setattr(module, "commit", lambda: "abc")

    other = tmp_path / "val" / "train.json"
    other.parent.mkdir()
    other.write_bytes(b"[1]")

    record = provenance({"epochs": 3}, [data, other, data])

    assert json.loads(json.dumps(record)) == {
        "config": {"epochs": 3},
        "commit": "abc",
        "data": {
            "train.json": hashlib.sha256(b"[]").hexdigest(),
            "train.json (2)": hashlib.sha256(b"[1]").hexdigest(),
        },
        "versions": {"numpy": metadata.version("numpy")},
    }


def save(path: Path, record: dict[str, Any]) -> Path:
    """Write a checkpoint's record where it is looked for; return the checkpoint."""
    path.with_suffix(".json").write_text(json.dumps(record))
    return path


def test_every_ancestor_is_recorded_once(tmp_path: Path) -> None:
    """However many ways lead to an ancestor, its record stands there once, and every way leads to it."""
    first = save(tmp_path / "first.ckpt", {"config": {"seed": 1}})
    other = save(tmp_path / "other.ckpt", with_parents({"config": {"seed": 2}}, start=first))
    mean = save(tmp_path / "mean.ckpt", with_parents({}, averaged=[first, other]))

    record = with_parents({"config": {"seed": 3}}, start=other, teacher=mean)

    ancestors = record["ancestors"]
    assert len(ancestors) == 3
    assert ancestors[ancestors[record["start"]]["start"]] == run_record(first)
    averaged = [ancestors[name] for name in ancestors[record["teacher"]]["averaged"]]
    assert averaged == [run_record(first), ancestors[record["start"]]]
    assert not any("ancestors" in ancestor for ancestor in ancestors.values())


def test_a_first_run_has_no_ancestors() -> None:
    """A record without parents stays as it is."""
    assert with_parents({"commit": "abc"}) == {"commit": "abc"}


def test_a_record_that_is_none_is_told(tmp_path: Path) -> None:
    """Any other JSON beside a checkpoint is named as what is wrong, with what to do."""
    (tmp_path / "first.json").write_text("[1]")

    with pytest.raises(InputError, match=r"first\.json is no record of a run\. Delete it"):
        run_record(tmp_path / "first.ckpt")
