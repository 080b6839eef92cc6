"""Hold the service's unit to what install.sh makes, and to systemd's own opinion."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pi_mask.history import LONGEST_DELAY_S, MAX_CRASHES, WINDOW_S
from tests.install.stand_ins import SOURCE

UNIT = SOURCE / "systemd/pi-mask.service"
PERMITTED_EXPOSURE = 20
"""Tenths, as --threshold= takes them."""


def options() -> dict[str, list[str]]:
    """The unit's settings, each with all its values in order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def constant(name: str) -> str:
    """A constant of install.sh."""
    match = re.search(rf'^{name}="?([^"\n]*)"?$', (SOURCE / "install/device.sh").read_text(), re.M)
    assert match is not None
    return match.group(1)


@pytest.fixture(scope="module")
def analyze() -> str:
    """The path of systemd-analyze, which needs no running systemd for this."""
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    return path


def test_it_starts_what_install_makes() -> None:
    """Program, configuration and clearing up are where install.sh puts them."""
    unit, base = options(), constant("BASE")

    assert unit["ExecStart"] == [f"{base}/venv/bin/pi-mask run --config {constant('CONFIG')}"]
    assert unit["ExecStopPost"] == [f"{base}/venv/bin/python -m pi_mask.stopped"]
    assert (unit["User"], unit["Group"]) == (["pi-mask"], ["pi-mask"])
    assert unit["SupplementaryGroups"] == [constant("GROUPS_NEEDED")]


def test_it_never_gives_up() -> None:
    """Notify, watchdog, restart for ever, at boot, and no word about the network."""
    unit = options()
    expected = {
        "Type": ["notify"],
        "WatchdogSec": ["15s"],
        "Restart": ["always"],
        "StartLimitIntervalSec": ["0"],
        "WantedBy": ["multi-user.target"],
    }

    assert {key: unit[key] for key in expected} == expected
    assert not any(
        "network" in value for key in ("After", "Wants", "Requires") for value in unit.get(key, [])
    )


def test_hung_starts_fit_into_the_window_of_crashes() -> None:
    """As many starts as it takes to leave the Edge TPU alone may all hang until systemd kills them."""
    unit = options()
    keys = ("TimeoutStartSec", "TimeoutStopSec", "RestartSec")
    longest_s = sum(int(unit[key][0].removesuffix("s")) for key in keys) + LONGEST_DELAY_S

    assert MAX_CRASHES * longest_s < WINDOW_S


def test_systemd_understands_it(analyze: str, tmp_path: Path) -> None:
    """With the two programs in place systemd-analyze verify has nothing to say."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "pi-mask.service"
    unit.write_text(re.sub(r"^(ExecSt\w+)=\S+", rf"\1={program}", UNIT.read_text(), flags=re.M))

    result = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_its_exposure_is_small(analyze: str) -> None:
    """The exposure that systemd-analyze security sees is at most 2.0 of 10."""
    arguments = ["security", "--offline=true", "--no-pager", f"--threshold={PERMITTED_EXPOSURE}", str(UNIT)]
    result = subprocess.run([analyze, *arguments], capture_output=True, text=True, check=False)
    if "unrecognized option" in result.stderr:
        pytest.skip("systemd-analyze is older than version 250 and has no --offline")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Overall exposure level for pi-mask.service" in result.stdout
