"""Tests for install.sh --download and --offline."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.install.stand_ins import Computer

PACKAGES = (
    "curl ca-certificates python3 python3-venv python3-numpy python3-lgpio python3-libcamera"
    " python3-picamera2 libusb-1.0-0"
)
OFFLINE_APT = [
    "Dir::Etc::SourceList=WORK/apt.list",
    "Dir::Etc::SourceParts=/dev/null",
    "APT::Sandbox::User=root",
]
TARGETS = [
    ("pi-64", "3.11", "aarch64"),
    ("pi-64", "3.13", "aarch64"),
    ("pi-32", "3.11", "armv7l"),
]


@pytest.fixture
def desk(tmp_path: Path) -> Computer:
    """The computer with a network: a desktop."""
    desk = Computer(tmp_path / "desk")
    (desk.root / "proc/device-tree/model").unlink()
    desk.set(architecture="amd64", machine="x86_64", uid="1000")
    return desk


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Where the bundle goes."""
    return tmp_path / "bundle"


def test_a_bundle_serves_every_pi(desk: Computer, bundle: Path) -> None:
    """Wheels for three systems, two drivers, the program; needs no root and installs nothing."""
    before = desk.files()

    said = desk.install("--download", str(bundle))

    downloads = [call for call in desk.calls() if "pip download" in call]
    for call, (name, python, machine) in zip(downloads, TARGETS, strict=True):
        assert call.endswith(f"--requirement SOURCE/install/requirements/{name}.txt")
        assert "--no-deps --only-binary :all: --require-hashes" in call
        assert f"--python-version {python} --implementation cp" in call
        assert f"--platform manylinux2014_{machine}" in call
    assert {path.name for path in (bundle / "debs").iterdir()} == {
        f"libedgetpu1-std_16.0tf2.19.1-1.{codename}_arm64.deb" for codename in ("bookworm", "trixie")
    }
    sums = [line.split()[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    assert sums == sorted(f"./{path.relative_to(bundle)}" for path in bundle.rglob("*") if path.suffix)
    assert "./wheels/pi_mask-1-py3-none-any.whl" in sums
    assert desk.files() == before
    assert "packages from apt    none: only a Raspberry Pi has its archive" in said
    assert not bundle.with_suffix(".log").exists()


def test_a_pi_adds_its_own_packages(computer: Computer, bundle: Path) -> None:
    """On a Pi the bundle is an archive for apt too, with everything below our packages."""
    computer.install("--download", str(bundle))

    fetch = next(call for call in computer.calls() if "--download-only" in call)
    assert "-o Dir::State::status=WORK/status" in fetch
    assert fetch.endswith(PACKAGES)
    packages = (bundle / "debs/Packages").read_text()
    assert packages.startswith("Package: one\nFilename: ./one_1_arm64.deb\nSize: 4\nSHA256: ")
    assert "libedgetpu" not in packages


def test_offline_uses_nothing_but_the_bundle(computer: Computer, desk: Computer, bundle: Path) -> None:
    """Every pip and apt call of the installation is tied to the folder; nothing is fetched or built."""
    computer.install("--download", str(bundle))

    computer.install("--offline", str(bundle))

    calls = [call.replace(str(bundle), "BUNDLE") for call in computer.calls()]
    calls = [call.replace("FOLDER/bundle", "BUNDLE") for call in calls]
    assert not any(call.startswith("curl") or "pip wheel" in call or "build.txt" in call for call in calls)
    installs = [call for call in calls if "pip install" in call]
    assert ["--no-index" in call for call in installs] == [True, True]
    assert "--no-index --find-links BUNDLE/wheels" in installs[0]
    assert installs[1].endswith("--no-index BUNDLE/wheels/pi_mask-1-py3-none-any.whl")
    apt = [call for call in calls if call.startswith("apt-get")]
    assert [call.split(" -o ")[2:] for call in apt] == [
        [*OFFLINE_APT, "APT::Get::List-Cleanup=0 check"],
        [*OFFLINE_APT, "APT::Get::List-Cleanup=0 update"],
        [*OFFLINE_APT, f"APT::Get::List-Cleanup=0 install --yes --no-install-recommends {PACKAGES}"],
    ]
    assert (computer.root / "usr/local/lib/aarch64-linux-gnu/libedgetpu.so.1").exists()


def test_a_bundle_may_lie_in_a_folder_with_spaces(computer: Computer, tmp_path: Path) -> None:
    """A space in the name of a USB stick is not the one that ends a word in apt's list of sources."""
    bundle = tmp_path / "USB stick"
    computer.install("--download", str(bundle))
    computer.stand_in(computer.bin / "apt-get", 'cat "${4#*=}" >"$FAKE_STATE/sources"; exit 1')

    computer.run("--offline", str(bundle))

    sources = (computer.state / "sources").read_text()
    assert sources == f"deb [trusted=yes] file:{tmp_path}/USB%20stick/debs ./\n"


def test_without_packages_for_apt_a_prepared_pi_is_needed(
    computer: Computer, desk: Computer, bundle: Path
) -> None:
    """A bundle from a desktop installs where apt's packages are there, and says so where they are not."""
    desk.install("--download", str(bundle))

    bare = computer.run("--offline", str(bundle))
    (computer.state / "installed").write_text("\n".join([*PACKAGES.split(), ""]))
    computer.install("--offline", str(bundle))

    assert (bare.returncode, bare.stderr.count("\n")) == (1, 1)
    assert "has no packages for this system" in bare.stderr
    assert not any(call.startswith("apt-get") for call in computer.calls())


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_bundle_is_refused(computer: Computer, desk: Computer, bundle: Path, damage: str) -> None:
    """A byte too many or a file too few stops it before anything is installed."""
    desk.install("--download", str(bundle))
    wheel = bundle / "wheels/package.whl"
    wheel.write_text("something else") if damage == "changed" else wheel.unlink()

    result = computer.run("--offline", str(bundle))

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "is damaged or incomplete" in result.stderr
    assert computer.calls() == []


def test_a_folder_with_other_things_is_left_alone(desk: Computer, bundle: Path) -> None:
    """--download never clears away what it has not made."""
    bundle.mkdir()
    (bundle / "letter.txt").write_text("dear")

    result = desk.run("--download", str(bundle))

    assert (result.returncode, desk.calls()) == (2, [])
    assert (bundle / "letter.txt").read_text() == "dear"


def test_a_download_that_broke_off_is_no_bundle(desk: Computer, bundle: Path) -> None:
    """Without its list of checksums --offline refuses the folder; the next download completes it."""
    desk.set(fail_at="pip wheel")
    broken = desk.run("--download", str(bundle))
    unusable = desk.run("--desktop", "--offline", str(bundle))
    desk.set(fail_at="")

    assert (broken.returncode, unusable.returncode) == (1, 2)
    assert "SHA256SUMS is missing" in unusable.stderr
    desk.install("--download", str(bundle))
    assert (bundle / "SHA256SUMS").exists()


def test_a_bundle_for_a_desktop(desk: Computer, bundle: Path) -> None:
    """--desktop --download fetches for computers like this one, and --offline installs from it."""
    desk.install("--desktop", "--download", str(bundle))
    download = next(call for call in desk.calls() if "pip download" in call)
    assert "--platform" not in download

    desk.install("--desktop", "--offline", str(bundle))

    assert (desk.root / "home/.local/bin/pi-mask").exists()
    assert ["--no-index" in call for call in desk.calls() if "pip install" in call] == [True, True]


@pytest.mark.parametrize(
    ("options", "command"),
    [([], "sudo ./install.sh --offline"), (["--desktop"], "./install.sh --desktop --offline")],
)
def test_what_to_type_on_the_other_computer(desk: Computer, options: list[str], command: str) -> None:
    """The last line can be typed there as it stands: as root on a Pi, and with a space in the name."""
    said = desk.install(*options, "--download", "USB stick")

    assert shlex.split(said.splitlines()[-1].rpartition("run there: ")[2]) == [*command.split(), "USB stick"]


def test_a_dry_download_changes_nothing(desk: Computer, bundle: Path) -> None:
    """--dry-run shows what would be fetched."""
    said = desk.install("--download", str(bundle), "--dry-run")

    assert (desk.calls(), bundle.exists()) == ([], False)
    assert "pip download" in said
