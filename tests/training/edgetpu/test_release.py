"""Hold the workflows to what can be known of them without running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pi_mask.manifest import load_manifest, read_model
from tests.colour_model import install_model
from tests.edgetpu_compiler import ROOT, install

BASH = shutil.which("bash") or "/bin/bash"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(path: Path) -> list[dict[str, Any]]:
    """All steps of a workflow's jobs."""
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def script(name: str) -> str:
    """What a step of the release runs."""
    found: str = next(step["run"] for step in steps(WORKFLOWS[0]) if step.get("name") == name)
    return found


def test_there_are_two_workflows() -> None:
    """The lists above are not empty by mistake."""
    assert [path.name for path in WORKFLOWS] == ["release.yml", "test.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_whole(path: Path) -> None:
    """They have a trigger, least permissions, a fixed runner, a time limit, and say that they never ran."""
    content = yaml.safe_load(path.read_text())

    # YAML 1.1 reads the key "on" as true.
    assert set(content) - {"defaults"} == {"name", True, "permissions", "jobs"}
    assert content["permissions"] == {"contents": "write" if path.name == "release.yml" else "read"}
    assert path.read_text().startswith("# NEVER RUN YET")
    for job in content["jobs"].values():
        assert job["runs-on"] == "ubuntu-24.04"
        assert job["timeout-minutes"] <= 90


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_githubs_own_at_a_version(path: Path) -> None:
    """No third party's code runs with the right to publish."""
    used = [step["uses"] for step in steps(path) if "uses" in step]

    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_scripts_are_bash(path: Path) -> None:
    """Every step's script parses."""
    scripts = [step["run"] for step in steps(path) if "run" in step]

    assert scripts
    for each in scripts:
        subprocess.run([BASH, "-n"], input=each, text=True, check=True)


def bash(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as GitHub does, in a folder."""
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", script(name)],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout's models and the stand-in compiler."""
    install(tmp_path / "bin")
    (tmp_path / "models").mkdir()
    install_model(tmp_path / "models")
    return tmp_path


def test_the_compile_step_compiles_every_model(checkout: Path) -> None:
    """The step's own script leaves a manifest that vouches for the compiled file."""
    result = bash("Compile", checkout)

    assert result.returncode == 0, result.stderr
    path = checkout / "models" / "colours.json"
    compiled = load_manifest(path).edgetpu
    assert compiled is not None
    assert read_model(path, compiled)
    card = (checkout / "models" / "README.md").read_text()
    assert f"For the Edge TPU: `{compiled.file}`" in card
    assert bash("Compile", checkout).returncode == 0


def test_a_refused_model_stops_the_release(checkout: Path) -> None:
    """The step fails when an operation stays on the CPU."""
    result = bash("Compile", checkout, STAND_IN="quantize on cpu")

    assert result.returncode == 4
    assert "would stay on the CPU" in result.stderr


def test_a_tag_of_another_version_stops_the_release(tmp_path: Path) -> None:
    """Tag and version must agree, so that the wheel is named after the release."""
    (tmp_path / "pi_mask").mkdir()
    (tmp_path / "pi_mask" / "__init__.py").write_text((ROOT / "pi_mask" / "__init__.py").read_text())
    version = (ROOT / "pi_mask" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]

    name = "Compare the tag with the version"
    good, bad = (bash(name, tmp_path, GITHUB_REF_NAME=tag) for tag in (f"v{version}", "v9.9.9"))

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "v9.9.9" in bad.stderr
