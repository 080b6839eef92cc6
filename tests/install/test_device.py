"""Tests for install.sh on a Raspberry Pi, with stand-ins for every command that acts."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import pytest

from tests.install.stand_ins import PI_MASK, Computer

PIP = "python -m pip install --disable-pip-version-check --no-input --no-deps"
PINNED = f"{PIP} --only-binary :all: --require-hashes"
DRIVER = "libedgetpu1-std_16.0tf2.19.1-1.bookworm_arm64.deb"
RELEASE = "https://github.com/feranick/libedgetpu/releases/download/16.0TF2.19.1-1"
LIBRARY = "/usr/local/lib/aarch64-linux-gnu"
PACKAGES = (
    "curl ca-certificates python3 python3-venv python3-numpy"
    " python3-lgpio python3-libcamera python3-picamera2"
)
CHECK = "apt-get -o DPkg::Lock::Timeout=600 check"
APT = [
    CHECK,
    "apt-get -o DPkg::Lock::Timeout=600 update",
    "apt-get -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends",
]
BENCH = (
    "/opt/pi-mask/FINGERPRINT/bin/pi-mask bench --frames 1 --threads 1 --accelerator cpu --config /dev/null"
)
ENVIRONMENT = [
    "/usr/bin/python3 -m venv --system-site-packages /opt/pi-mask/FINGERPRINT",
    f"/opt/pi-mask/FINGERPRINT/bin/{PINNED} --requirement SOURCE/install/requirements/pi-64.txt",
    f"/opt/pi-mask/FINGERPRINT/bin/{PINNED} --target WORK/build"
    " --requirement SOURCE/install/requirements/build.txt",
    "/opt/pi-mask/FINGERPRINT/bin/python -m pip wheel --disable-pip-version-check --no-deps --no-index"
    " --no-build-isolation --wheel-dir WORK SOURCE",
    f"/opt/pi-mask/FINGERPRINT/bin/{PIP} --no-index WORK/pi_mask-1-py3-none-any.whl",
    BENCH,
    "sync",
]
CONFIGURATION = [
    "install -d -m 0755 /etc/pi-mask",
    "/opt/pi-mask/venv/bin/pi-mask config init /etc/pi-mask/config.toml.part",
    "sync /etc/pi-mask/config.toml.part",
]
RULES = (
    "install -D -m 0644 SOURCE/install/60-pi-mask-edgetpu.rules /etc/udev/rules.d/60-pi-mask-edgetpu.rules"
)
EDGETPU = [
    RULES,
    "curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 --speed-time 30"
    f" --output WORK/{DRIVER} {RELEASE}/{DRIVER}",
    f"dpkg-deb --extract WORK/{DRIVER} WORK/edgetpu",
    f"install -d -m 0755 {LIBRARY}",
    f"install -m 0644 WORK/edgetpu/usr/lib/aarch64-linux-gnu/libedgetpu.so.1.0 {LIBRARY}/libedgetpu.so.1.0",
    "ldconfig",
    "udevadm control --reload",
    "udevadm trigger --subsystem-match=usb",
    f"sync {LIBRARY}/libedgetpu.so.1.0",
]
USER = [
    "groupadd --system gpio",
    "groupadd --system plugdev",
    "groupadd --system audio",
    "useradd --system --user-group --no-create-home --home-dir /var/lib/pi-mask"
    " --shell /usr/sbin/nologin pi-mask",
]
MEMBERSHIP = [
    "usermod --append --groups video,gpio,plugdev,audio pi-mask",
    "install -d -m 0750 -o pi-mask -g pi-mask /var/lib/pi-mask",
]
SERVICE = [
    "install -d -m 0755 /etc/systemd/system",
    "install -m 0644 SOURCE/systemd/pi-mask.service /etc/systemd/system",
    "systemctl daemon-reload",
    "systemctl enable pi-mask.service",
]
RESTART = ["systemctl restart pi-mask.service"]
DOCTOR = ["/opt/pi-mask/venv/bin/pi-mask doctor --help", "/opt/pi-mask/venv/bin/pi-mask doctor"]
WHOLE = [
    *APT[:2],
    f"{APT[2]} {PACKAGES} libusb-1.0-0",
    *ENVIRONMENT,
    *CONFIGURATION,
    *EDGETPU,
    *USER,
    *MEMBERSHIP,
    *SERVICE,
    *RESTART,
    *DOCTOR,
]


def test_a_fresh_pi_gets_everything(computer: Computer) -> None:
    """On a fresh Pi 4 all steps are taken, in this order, and nothing else is."""
    said = computer.install()

    assert computer.calls() == WHOLE
    assert "doctor: all fine" in said
    assert "no compiled Edge TPU model" in said


def test_the_plan_comes_first(computer: Computer) -> None:
    """What will be done is said before the first step."""
    lines = computer.install().splitlines()

    assert lines[0].startswith(
        "Plan: pi-mask on Raspberry Pi 4 Model B Rev 1.5, Debian GNU/Linux (bookworm) (arm64)"
    )
    assert lines.index("- Packages from apt: " + f"{PACKAGES} libusb-1.0-0") > 5


def test_twice_does_nothing_twice(computer: Computer) -> None:
    """The second run checks, repairs nothing, and does not interrupt the running service."""
    computer.install()
    before = computer.files()

    computer.install()

    whole = ["/opt/pi-mask/FINGERPRINT/bin/pi-mask models", BENCH]
    check = ["/opt/pi-mask/venv/bin/pi-mask config check /etc/pi-mask/config.toml"]
    start = ["systemctl start pi-mask.service"]
    assert computer.calls() == [*whole, *check, RULES, *MEMBERSHIP, *SERVICE, *start, *DOCTOR]
    assert computer.files() == before


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A Pi on which everything went well."""
    computer = Computer(tmp_path_factory.mktemp("unbroken"))
    computer.install()
    return computer


@pytest.mark.parametrize(
    "step",
    [
        f"{CHECK}\ndpkg --configure -a",
        "apt-get -o DPkg::Lock::Timeout=600 install",
        "-m venv",
        "requirements/pi-64.txt",
        "requirements/build.txt",
        "pip wheel",
        "--no-index /",
        "bench --frames",
        "config init",
        "dpkg-deb --extract",
        "ldconfig",
        "groupadd",
        "useradd",
        "usermod",
        "systemctl enable",
    ],
)
def test_a_run_that_broke_off_is_taken_up_again(computer: Computer, unbroken: Computer, step: str) -> None:
    """Whatever step fails, there is one line with advice, exit code 1, and the next run completes it all."""
    computer.set(fail_at=step)
    broken = computer.run()
    computer.set(fail_at="")
    computer.install()
    repaired, accounts = computer.files(), (computer.state / "accounts").read_text()

    assert broken.returncode == 1
    assert re.fullmatch(r"Error: [^\n]+\.log\b[^\n]*\n", broken.stderr), broken.stderr
    assert repaired == unbroken.files()
    assert accounts == (unbroken.state / "accounts").read_text()


def test_what_dpkg_had_begun_is_finished_once_the_lock_is_free(computer: Computer) -> None:
    """While the system upgrades itself apt waits; dpkg, which does not, is for what a power cut left."""
    computer.set(fail_at=CHECK)

    computer.install()

    assert computer.calls()[:3] == [CHECK, "dpkg --configure -a", APT[1]]


def test_a_service_that_will_not_start_is_no_failed_installation(computer: Computer) -> None:
    """The installation ends well, with a warning that says where to look."""
    computer.set(fail_at="systemctl restart")

    assert "journalctl -u pi-mask" in computer.install()


def test_a_doctor_who_finds_faults_is_no_failed_installation(computer: Computer) -> None:
    """A missing camera makes pi-mask doctor fail, not the installation."""
    computer.stand_in(computer.state / "pi-mask", PI_MASK.replace('all fine"', 'no camera"; exit 3'))

    said = computer.install()

    assert "doctor: no camera" in said
    assert "Next:" in said


def test_another_version_is_replaced_by_upgrade_only(computer: Computer) -> None:
    """A plain run does not replace a working version; --upgrade does, and then removes the old one."""
    computer.install()
    old = (computer.root / "opt/pi-mask/venv").resolve()
    computer.set(python_version="3.12")  # part of an environment's name, as is every file of the program

    plain = computer.run()
    assert plain.returncode == 2
    assert "type the same with --upgrade" in plain.stderr
    assert (computer.root / "opt/pi-mask/venv").resolve() == old

    computer.install("--upgrade")

    assert computer.calls()[:3] == [*APT[:2], f"{APT[2]} {PACKAGES} libusb-1.0-0"]
    assert [call for call in computer.calls() if call in RESTART] == RESTART
    assert (computer.root / "opt/pi-mask/venv/bin/pi-mask").exists()
    assert not old.exists()


def test_an_upgrade_that_fails_leaves_the_old_version_working(computer: Computer) -> None:
    """Until the new environment is complete and has run, the old one is what the service starts."""
    computer.install()
    old = (computer.root / "opt/pi-mask/venv").resolve()
    computer.set(python_version="3.12", fail_at="bench --frames")

    assert computer.run("--upgrade").returncode == 1

    assert (computer.root / "opt/pi-mask/venv").resolve() == old
    assert (old / "bin/pi-mask").exists()


def test_an_upgrade_that_broke_off_late_still_restarts_the_service(computer: Computer) -> None:
    """Once the new environment is in place the next run restarts what runs the old one, and only that run."""
    computer.install()
    computer.set(python_version="3.12", fail_at="usermod")
    assert computer.run("--upgrade").returncode == 1
    computer.set(fail_at="")

    computer.install("--upgrade")
    after_the_break = computer.calls()
    computer.install()

    assert [call for call in after_the_break if call in RESTART] == RESTART
    assert "systemctl start pi-mask.service" in computer.calls()


def test_what_root_installs_can_be_read_by_the_service(computer: Computer) -> None:
    """The umask of whoever calls sudo does not lock the user pi-mask out."""
    before = os.umask(0o077)
    try:
        computer.install()
    finally:
        os.umask(before)

    paths = [computer.root / "opt/pi-mask", *(computer.root / "opt/pi-mask").rglob("*")]
    assert len(paths) > 5
    assert [path for path in paths if path.exists() and not path.stat().st_mode & 0o044] == []


def test_nothing_to_upgrade_is_said(computer: Computer) -> None:
    """--upgrade without an installation does nothing."""
    result = computer.run("--upgrade")

    assert (result.returncode, computer.calls()) == (1, [])
    assert "without --upgrade" in result.stderr


def test_the_owners_configuration_is_never_touched(computer: Computer) -> None:
    """Neither a second run, an upgrade nor an uninstallation changes config.toml; --purge removes it."""
    config = computer.root / "etc/pi-mask/config.toml"
    computer.install()
    config.write_text("# mine\n")

    computer.install()
    computer.install("--upgrade")
    computer.install("--uninstall")
    assert config.read_text() == "# mine\n"

    computer.install("--uninstall", "--purge")
    assert not config.parent.exists()


def test_a_configuration_that_does_not_fit_is_warned_of(computer: Computer) -> None:
    """A new version may refuse an old setting; the installation says so and goes on."""
    computer.install()
    computer.set(fail_at="config check")

    assert "does not fit this version" in computer.install()


def test_without_service(computer: Computer) -> None:
    """--no-service makes no user, unit or state."""
    computer.install("--no-service")

    assert computer.calls() == [
        call for call in WHOLE if call not in {*USER, *MEMBERSHIP, *SERVICE, *RESTART}
    ]


def test_the_hardware_watchdog_is_for_who_asks(computer: Computer) -> None:
    """--hardware-watchdog writes one file, which --uninstall takes away; without it there is none."""
    config = computer.root / "etc/systemd/system.conf.d/70-pi-mask-watchdog.conf"
    computer.install()
    assert not config.exists()

    said = computer.install("--hardware-watchdog")
    assert f"hardware watchdog    /{config.relative_to(computer.root)}" in said
    assert "RuntimeWatchdogSec=15s" in config.read_text()
    assert "systemctl daemon-reexec" in computer.calls()

    computer.install("--uninstall")
    assert not config.exists()
    assert "systemctl daemon-reexec" in computer.calls()


def test_without_coral(computer: Computer) -> None:
    """--no-coral fetches no driver and writes no rule."""
    computer.install("--no-coral")

    expected = [call.replace(" libusb-1.0-0", "") for call in WHOLE if call not in EDGETPU]
    assert computer.calls() == expected


@pytest.mark.parametrize(
    "board",
    [
        "Raspberry Pi 3 Model B Plus Rev 1.3",
        "Raspberry Pi 4 Model B Rev 1.5",
        "Raspberry Pi 5 Model B Rev 1.1",
    ],
)
def test_every_board_takes_the_same_way(computer: Computer, board: str) -> None:
    """Pi 3B+, 4 and 5 differ in the plan's first line only."""
    computer.is_board(board)

    said = computer.install()

    assert said.startswith(f"Plan: pi-mask on {board}, ")
    assert computer.calls() == WHOLE


def test_an_image_that_is_not_booted(computer: Computer) -> None:
    """Without a running systemd the service is enabled, not started."""
    (computer.root / "run/systemd/system").rmdir()

    computer.install()

    assert [call for call in computer.calls() if call.startswith("systemctl")] == [
        "systemctl enable pi-mask.service"
    ]


def test_a_dry_run_changes_nothing(computer: Computer) -> None:
    """--dry-run needs no root, shows plan and commands, and acts on nothing."""
    computer.set(uid="1000")
    before = computer.files()

    said = computer.install("--dry-run")

    assert computer.calls() == []
    assert computer.files() == before
    shown = [line.strip().split()[0] for line in said.splitlines() if line.startswith("    ")]
    assert {"apt-get", "useradd", "systemctl", "curl", "ldconfig"} <= set(shown)
    assert "env DEBIAN_FRONTEND=noninteractive apt-get" in said


def test_a_dry_run_on_an_installed_pi(computer: Computer) -> None:
    """It knows the version that is there, and leaves the folder alone that it names for its work."""
    named = Path("/tmp/pi-mask-install")  # noqa: S108 as the script has it
    existed = named.exists()
    named.mkdir(exist_ok=True)
    computer.install()

    said = computer.install("--dry-run")

    assert "- Python environment: complete already" in said
    assert named.exists()
    if not existed:
        named.rmdir()


@pytest.mark.parametrize("options", [[], ["--uninstall"]])
def test_two_at_once_are_kept_apart(computer: Computer, options: list[str]) -> None:
    """While one installation runs, a second one gives up with advice, and so does a removal."""
    lock = computer.root / "run/lock/pi-mask-install"
    lock.parent.mkdir(parents=True)

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = computer.run(*options)

    assert (result.returncode, computer.calls()) == (1, [])
    assert "Another installation is running" in result.stderr
