"""Tests for install.sh's options, and for computers that it refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.install.stand_ins import GENUINE, SOURCE, Computer


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--purge"], "--purge goes with --uninstall only"),
        (["--upgrade", "--uninstall"], "--upgrade and --uninstall do not go together"),
        (["--uninstall", "--download", "x"], "--uninstall and --download do not go together"),
        (["--boot-files", "x", "--upgrade"], "--boot-files and --upgrade do not go together"),
        (["--desktop", "--boot-files", "x"], "--boot-files is for the Raspberry Pi"),
        (["--desktop", "--hardware-watchdog"], "--hardware-watchdog is for the Raspberry Pi"),
        (["--no-service", "--hardware-watchdog"], "--hardware-watchdog guards the service"),
        (["--offline"], "--offline needs a folder"),
        (["--download="], "--download needs a folder"),
        (["--download", "--dry-run"], "--download needs a folder"),
        (["--download", "pi-mask/README.md"], "pi-mask/README.md is no folder. Name another."),
        (["--boot-files", "pi-mask/README.md"], "pi-mask/README.md is no folder. Name another."),
        (["--offline", "nowhere"], "nowhere is no folder that --download has filled"),
        (["--no-corral"], "Unknown option: --no-corral"),
        (["upgrade"], "Unknown option: upgrade"),
    ],
)
def test_options_that_make_no_sense_are_refused(computer: Computer, options: list[str], reason: str) -> None:
    """One line says why, the exit code is 2, and nothing has happened."""
    before = computer.files()

    result = computer.run(*options)

    assert (result.returncode, result.stdout, computer.calls()) == (2, "", [])
    assert re.fullmatch(
        rf"Error: [^\n]*{re.escape(reason)}[^\n]* See \./install\.sh --help\.\n", result.stderr
    )
    assert computer.files() == before


@pytest.mark.parametrize("action", ["--download", "--uninstall"])
def test_a_bundle_is_for_installing(computer: Computer, action: str) -> None:
    """--offline with what needs no bundle is a mistake, not ignored."""
    bundle = computer.folder / "bundle"
    bundle.mkdir()
    (bundle / "SHA256SUMS").touch()

    result = computer.run(action, *(["x"] if action == "--download" else []), "--offline", str(bundle))

    assert (result.returncode, computer.calls()) == (2, [])
    assert "leave out --offline" in result.stderr


def test_help_names_every_option_and_changes_nothing(computer: Computer) -> None:
    """--help lists what the script understands, and the exit codes."""
    result = computer.run("--help")

    understood = re.findall(
        r"^\t\t(--[a-z-]+(?: \| --[a-z-]+)*)\)", (SOURCE / "install.sh").read_text(), re.M
    )
    options = {option for line in understood for option in line.split(" | ")}
    assert options >= {"--desktop", "--upgrade", "--offline", "--boot-files"}
    assert options - set(re.findall(r"--[a-z-]+", result.stdout)) == set()
    assert (result.returncode, result.stderr, computer.calls()) == (0, "", [])


@pytest.mark.parametrize(
    ("codename", "architecture", "machine", "advice"),
    [
        ("bullseye", "arm64", "aarch64", "Flash Raspberry Pi OS Bookworm or Trixie"),
        ("trixie", "armhf", "armv7l", "Flash Raspberry Pi OS (64-bit)"),
        ("bookworm", "armhf", "armv6l", "Use a Pi 3B+, 4, 5 or Zero 2 W"),
        ("noble", "arm64", "aarch64", "cannot run pi-mask"),
    ],
)
def test_a_system_that_cannot_run_it_is_told(
    computer: Computer, codename: str, architecture: str, machine: str, advice: str
) -> None:
    """Exit code 3, one line that says what to flash, and nothing has happened."""
    computer.has_os(codename)
    computer.set(architecture=architecture, machine=machine)

    result = computer.run()

    assert (result.returncode, result.stdout, computer.calls()) == (3, "", [])
    assert result.stderr.startswith("Error: ")
    assert advice in result.stderr


@pytest.mark.parametrize("options", [[], ["--uninstall"]])
def test_another_computer_is_sent_to_desktop(computer: Computer, options: list[str]) -> None:
    """What is no Raspberry Pi gets no service by mistake, and is told no removal that was none."""
    (computer.root / "proc/device-tree/model").unlink()

    result = computer.run(*options)

    assert (result.returncode, computer.calls()) == (3, [])
    assert "type the same with --desktop" in result.stderr


def test_an_old_python_is_told(computer: Computer) -> None:
    """A Python without wheels is refused before anything is fetched."""
    computer.set(python_version="3.9")

    result = computer.run()

    assert (result.returncode, computer.calls()) == (3, [])
    assert "is Python 3.9" in result.stderr


@pytest.mark.parametrize(
    "options", [[], ["--upgrade", "--no-coral"], ["--uninstall", "--purge"], ["--offline", "a bundle"]]
)
def test_who_is_not_root_is_told(computer: Computer, options: list[str]) -> None:
    """Without root nothing is tried, and what to type does what was asked for and nothing else."""
    (computer.folder / "a bundle").mkdir()
    (computer.folder / "a bundle/SHA256SUMS").touch()
    computer.set(uid="1000")

    result = computer.run(*options)

    assert (result.returncode, computer.calls()) == (1, [])
    typed = result.stderr.partition("Run: sudo ")[2].partition(" (")[0]
    assert shlex.split(typed) == ["./install.sh", *options]


def test_a_full_card_is_told(computer: Computer) -> None:
    """Too little space is said before anything is written."""
    computer.set(free_kb="300000")

    result = computer.run()

    assert (result.returncode, computer.calls()) == (1, [])
    assert "Only 292 MB are free" in result.stderr


def test_a_second_run_needs_no_space(computer: Computer) -> None:
    """What is missing, such as the driver, still comes when the first run has filled a small card."""
    computer.set(driver="")
    computer.install()
    computer.set(driver=GENUINE, free_kb="300000")

    said = computer.install()

    assert "- Edge TPU driver\n" in said
    assert computer.run("--upgrade").returncode == 1


def test_it_finds_its_parts_in_spite_of_cdpath(computer: Computer) -> None:
    """Whoever has set CDPATH and starts it from another folder gets no other folder, and no two."""
    result = computer.run("--help", script=Path("pi-mask/install.sh"), CDPATH=f"{computer.root}:.")

    assert (result.returncode, result.stderr) == (0, "")
