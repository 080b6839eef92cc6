"""Tests for install.sh --desktop, with stand-ins for every command that acts."""

from __future__ import annotations

import re

import pytest

from tests.install.stand_ins import PYTHON, Computer
from tests.install.test_device import PINNED, PIP

BASE = "/home/.local/share/pi-mask"
ENVIRONMENT = [
    f"python3 -m venv {BASE}/FINGERPRINT",
    f"{BASE}/FINGERPRINT/bin/{PINNED} --requirement SOURCE/install/requirements/desktop.txt",
    f"{BASE}/FINGERPRINT/bin/{PINNED} --target WORK/build"
    " --requirement SOURCE/install/requirements/build.txt",
    f"{BASE}/FINGERPRINT/bin/python -m pip wheel --disable-pip-version-check --no-deps --no-index"
    " --no-build-isolation --wheel-dir WORK SOURCE",
    f"{BASE}/FINGERPRINT/bin/{PIP} --no-index WORK/pi_mask-1-py3-none-any.whl",
    f"{BASE}/FINGERPRINT/bin/pi-mask bench --frames 1 --threads 1 --accelerator cpu --config /dev/null",
    "sync",
]


@pytest.fixture
def desktop(computer: Computer) -> Computer:
    """A Debian desktop of somebody who is not root."""
    (computer.root / "proc/device-tree/model").unlink()
    computer.set(architecture="amd64", machine="x86_64", uid="1000")
    return computer


@pytest.fixture
def mac(desktop: Computer) -> Computer:
    """A Mac: no apt, no dpkg, no sha256sum, no flock, no /proc, no /etc/os-release."""
    desktop.set(kernel="Darwin", machine="arm64")
    desktop.stand_in(desktop.bin / "shasum", 'exec "$REAL_SHA256SUM" "${@:3}"')
    desktop.without("dpkg", "apt-get", "dpkg-query", "dpkg-deb", "sha256sum", "flock", "systemctl", "udevadm")
    (desktop.root / "etc/os-release").unlink()
    (desktop.root / "proc/meminfo").unlink()
    return desktop


def test_a_desktop_needs_neither_root_nor_service(desktop: Computer) -> None:
    """All goes below the user's home; apt, users, units and pins are left alone."""
    before = desktop.files()

    said = desktop.install("--desktop")

    assert desktop.calls() == ENVIRONMENT
    assert said.splitlines()[0].startswith("Plan: pi-mask for somebody on Debian GNU/Linux")
    assert (desktop.root / "home/.local/bin/pi-mask").exists()
    assert {path.split("/")[0] for path in desktop.files() - before} == {"home"}


def test_a_mac_takes_its_own_tools(mac: Computer) -> None:
    """The same steps, in a system that has none of Linux' tools."""
    said = mac.install("--desktop")

    assert [call for call in mac.calls() if not call.startswith("shasum")] == ENVIRONMENT
    assert said.splitlines()[0] == "Plan: pi-mask for somebody on Kernel 1 (arm64)"


def test_a_mac_with_a_dpkg_is_no_intel_mac(mac: Computer) -> None:
    """Homebrew has one, which calls the architecture darwin-arm64."""
    mac.stand_in(mac.bin / "dpkg", "echo darwin-arm64")

    assert "Plan: pi-mask for somebody on Kernel 1 (arm64)" in mac.install("--desktop")


@pytest.mark.parametrize(
    ("kernel", "machine", "reason"),
    [("Darwin", "x86_64", "Macs with Intel processors"), ("FreeBSD", "amd64", "LiteRT for FreeBSD on amd64")],
)
def test_a_desktop_without_litert_is_told(mac: Computer, kernel: str, machine: str, reason: str) -> None:
    """Exit code 3 before anything is fetched, where no runtime exists."""
    mac.set(kernel=kernel, machine=machine)

    result = mac.run("--desktop")

    assert (result.returncode, mac.calls()) == (3, [])
    assert reason in result.stderr


def test_twice_does_nothing_twice(desktop: Computer) -> None:
    """The second run finds everything there."""
    desktop.install("--desktop")
    before = desktop.files()

    said = desktop.install("--desktop")

    assert [call.split()[1] for call in desktop.calls()] == ["models", "bench"]
    assert desktop.files() == before
    assert "complete already" in said


def test_settings_of_whoever_installs_play_no_part(desktop: Computer) -> None:
    """A model that the environment names may be anybody's; what was installed is sound without it."""
    result = desktop.run("--desktop", PI_MASK_MODEL_NAME="mine.tflite")

    assert (result.returncode, result.stderr) == (0, "")


def test_another_version_is_replaced_by_what_is_said(desktop: Computer) -> None:
    """On a desktop ./install.sh --upgrade alone is refused, so it is not what is advised."""
    desktop.install("--desktop")
    desktop.set(python_version="3.12")

    plain = desktop.run("--desktop")
    desktop.install("--desktop", "--upgrade")

    assert plain.returncode == 2
    assert "type the same with --upgrade" in plain.stderr
    assert "install.sh --upgrade" not in plain.stderr


@pytest.mark.parametrize("step", ["-m venv", "requirements/desktop.txt", "pip wheel", "bench --frames"])
def test_a_run_that_broke_off_is_taken_up_again(desktop: Computer, step: str) -> None:
    """One line with advice, no command left behind that does not work, and the next run completes it."""
    desktop.set(fail_at=step)
    broken = desktop.run("--desktop")
    left = (desktop.root / "home/.local/bin/pi-mask").exists()
    desktop.set(fail_at="")
    desktop.install("--desktop")

    assert (broken.returncode, broken.stderr.count("\n"), left) == (1, 1, False)
    assert (desktop.root / "home/.local/bin/pi-mask").exists()


@pytest.mark.parametrize("in_the_way", [".local", ".local/share/pi-mask/install.log/x"])
def test_a_home_that_cannot_be_written_is_told(desktop: Computer, in_the_way: str) -> None:
    """Where not even the log can be written, one line says so."""
    path = desktop.root / "home" / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    result = desktop.run("--desktop")

    assert (result.returncode, desktop.calls()) == (1, [])
    assert re.fullmatch(r"Error: [^\n]+/install\.log cannot be written\. [^\n]+\n", result.stderr)


@pytest.mark.parametrize("options", [[], ["--uninstall"]])
@pytest.mark.parametrize("action", ["unset HOME", "HOME="])
def test_without_a_home_one_line_says_so(desktop: Computer, action: str, options: list[str]) -> None:
    """A scheduled job may have no HOME; nothing is done below the root folder in its place."""
    script = desktop.folder / "job.sh"
    script.write_text(f'{action}\n. "{desktop.source}/install.sh"\n')

    result = desktop.run("--desktop", *options, script=script)

    assert (result.returncode, result.stdout, desktop.calls()) == (1, "", [])
    assert re.fullmatch(r"Error: HOME is not set, [^\n]+\n", result.stderr)


def test_without_a_python_root_gets_one_from_apt(desktop: Computer) -> None:
    """In a bare Debian root, Python and venv come first."""
    desktop.set(uid="0")
    (desktop.bin / "python3").rename(desktop.state / "python_from_apt")

    desktop.install("--desktop")

    assert desktop.calls()[:3] == [
        "apt-get -o DPkg::Lock::Timeout=600 check",
        "apt-get -o DPkg::Lock::Timeout=600 update",
        "apt-get -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends"
        " python3 python3-venv ca-certificates",
    ]
    assert desktop.calls()[3:] == ENVIRONMENT


def test_without_a_python_others_are_told(desktop: Computer) -> None:
    """Who is not root learns what to type."""
    desktop.without("python3")

    result = desktop.run("--desktop")

    assert (result.returncode, desktop.calls()) == (3, [])
    assert "sudo apt install python3-venv" in result.stderr


def test_a_python_with_another_name_is_found(desktop: Computer) -> None:
    """Where python3 is too old, python3.12 beside it is taken."""
    desktop.stand_in(
        desktop.bin / "python3.12", PYTHON.replace('cat "$FAKE_STATE/python_version"', "echo 3.12")
    )
    desktop.set(python_version="3.9")

    desktop.install("--desktop")

    assert desktop.calls()[0] == f"python3.12 -m venv {BASE}/FINGERPRINT"


def test_uninstalling_leaves_the_configuration(desktop: Computer) -> None:
    """--uninstall keeps ~/.config/pi-mask, --purge does not; nothing else is left."""
    config = desktop.root / "home/.config/pi-mask/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("# mine\n")
    before = desktop.files()
    desktop.install("--desktop")

    desktop.install("--desktop", "--uninstall")
    left = {path for path in desktop.files() - before if not (desktop.root / path).is_dir()}
    assert (left, config.read_text()) == (set(), "# mine\n")

    desktop.install("--desktop", "--uninstall", "--purge")
    assert not config.parent.exists()


def test_a_dry_run_changes_nothing(desktop: Computer) -> None:
    """--dry-run shows the plan and each command."""
    before = desktop.files()

    said = desktop.install("--desktop", "--dry-run")

    assert (desktop.calls(), desktop.files()) == ([], before)
    assert "-m venv" in said
    assert "requirements/desktop.txt" in said
