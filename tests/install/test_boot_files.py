"""Tests for install.sh --boot-files: a flashed card that installs pi-mask by itself."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.install.stand_ins import Computer

RUN = "[bash, /boot/firmware/pi-mask-firstboot.sh, --enable, --now]"
IMAGER_FIRSTRUN = """#!/bin/bash

set +e

CURRENT_HOSTNAME=$(cat /etc/hostname)
rm -f /boot/firstrun.sh
sed -i 's| systemd.run.*||g' /boot/cmdline.txt
exit 0
"""
IMAGER_USER_DATA = """#cloud-config
hostname: door
runcmd:
    - [ systemctl, enable, ssh ]
users:
- name: ada
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """The boot partition of a Bookworm card, mounted on a desktop."""
    card = tmp_path / "bootfs"
    card.mkdir()
    (card / "cmdline.txt").write_text("console=tty1 root=PARTUUID=1-02 rootwait\n")
    return card


@pytest.fixture
def desk(computer: Computer) -> Computer:
    """The computer that the card is in."""
    (computer.root / "proc/device-tree/model").unlink()
    computer.set(architecture="amd64", machine="x86_64", uid="1000")
    return computer


def files(folder: Path) -> dict[str, str]:
    """The small files of the card."""
    return {
        path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".gz" and path.is_file()
    }


def test_a_card_for_either_system(desk: Computer, card: Path) -> None:
    """The program, its first start, user-data for Trixie, firstrun.sh and its name for Bookworm; no more."""
    desk.install("--boot-files", str(card))

    written = files(card)
    assert sorted(path.name for path in card.iterdir()) == [
        "cmdline.txt",
        "firstrun.sh",
        "pi-mask-firstboot.sh",
        "pi-mask.tar.gz",
        "user-data",
    ]
    assert written["user-data"] == f"#cloud-config\n\nruncmd:\n  - {RUN}\n"
    assert written["cmdline.txt"] == (
        "console=tty1 root=PARTUUID=1-02 rootwait systemd.run=/boot/firmware/firstrun.sh"
        " systemd.run_success_action=reboot systemd.unit=kernel-command-line.target\n"
    )
    with tarfile.open(card / "pi-mask.tar.gz") as archive:
        names = set(archive.getnames())
    assert {"install.sh", "install/device.sh", "pi_mask/cli.py", "systemd/pi-mask.service"} <= names
    assert not any("__pycache__" in name for name in names)


def test_twice_writes_nothing_twice(desk: Computer, card: Path) -> None:
    """The second time changes no line."""
    desk.install("--boot-files", str(card))
    before = files(card)

    desk.install("--boot-files", str(card))

    assert files(card) == before


def test_imagers_own_settings_stay(desk: Computer, card: Path) -> None:
    """What Raspberry Pi Imager has written gets one line more, where it counts."""
    (card / "firstrun.sh").write_text(IMAGER_FIRSTRUN)
    (card / "user-data").write_text(IMAGER_USER_DATA)
    (card / "cmdline.txt").write_text("rootwait systemd.run=/boot/firstrun.sh\n")

    desk.install("--boot-files", str(card))

    start = 'bash "$(cd "$(dirname "$0")" && pwd)/pi-mask-firstboot.sh" --enable\n'
    assert files(card) | {"pi-mask-firstboot.sh": ""} == {
        "cmdline.txt": "rootwait systemd.run=/boot/firstrun.sh\n",
        "firstrun.sh": IMAGER_FIRSTRUN.replace("rm -f", start + "rm -f"),
        "user-data": IMAGER_USER_DATA.replace("    - [ systemctl", f"    - {RUN}\n    - [ systemctl"),
        "pi-mask-firstboot.sh": "",
    }


def test_a_card_with_cloud_init_keeps_its_command_line(desk: Computer, card: Path) -> None:
    """On Trixie cloud-init does it; firstrun.sh must not run as well."""
    (card / "meta-data").touch()
    before = (card / "cmdline.txt").read_text()

    desk.install("--boot-files", str(card))

    assert (card / "cmdline.txt").read_text() == before


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("user-data", "#!/bin/sh\n", "is no cloud-config"),
        ("user-data", "#cloud-config\nruncmd: [ls]\n", f"Add to it: {RUN}"),
        ("user-data", "#cloud-config\nruncmd:\n", "empty runcmd"),
        ("user-data", "#cloud-config\nruncmd:\nssh_authorized_keys:\n  - ssh-rsa A\n", "empty runcmd"),
        ("firstrun.sh", "#!/bin/bash\necho hello\n", "Add to it: bash /boot/firmware/pi-mask-firstboot.sh"),
    ],
)
def test_what_cannot_be_added_to_is_left_alone(
    desk: Computer, card: Path, name: str, content: str, advice: str
) -> None:
    """A file in another form stays as it was, and the error says which line to add."""
    (card / name).write_text(content)

    result = desk.run("--boot-files", str(card))

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert advice in result.stderr
    assert (card / name).read_text() == content


@pytest.mark.parametrize("name", ["user-data", "firstrun.sh"])
def test_the_line_that_was_advised_is_enough(desk: Computer, card: Path, name: str) -> None:
    """Whoever adds to a script of their own what the error says has a card that is taken as it is."""
    content = "#!/bin/bash\necho hello\n"
    (card / name).write_text(content)

    line = desk.run("--boot-files", str(card)).stderr.partition("dd to it: ")[2]
    (card / name).write_text(content + line)
    desk.install("--boot-files", str(card))

    assert line.startswith("bash /boot/firmware/pi-mask-firstboot.sh --enable")
    assert (card / name).read_text() == content + line


def test_the_options_travel_with_the_card(desk: Computer, card: Path, tmp_path: Path) -> None:
    """What was chosen at the desk is chosen at the door, and a bundle lies on the card."""
    bundle = tmp_path / "bundle"
    desk.install("--download", str(bundle))

    desk.install("--boot-files", str(card), "--no-coral", "--hardware-watchdog", "--offline", str(bundle))

    assert 'install.sh" --no-coral --hardware-watchdog $' in files(card)["pi-mask-firstboot.sh"]
    assert (card / "pi-mask-offline/SHA256SUMS").read_bytes() == (bundle / "SHA256SUMS").read_bytes()


def test_a_bundle_of_an_earlier_time_goes(desk: Computer, card: Path, tmp_path: Path) -> None:
    """A card that is written anew without a bundle installs this folder, not the bundle left on it."""
    bundle = tmp_path / "bundle"
    desk.install("--download", str(bundle))
    desk.install("--boot-files", str(card), "--offline", str(bundle))

    desk.install("--boot-files", str(card))

    assert not (card / "pi-mask-offline").exists()


@pytest.mark.parametrize(
    ("target", "reason", "advice"),
    [
        ("pi-mask/README.md/card", "Not a directory", "cannot be made"),
        ("card", "made to fail", "Is the card full?"),
    ],
)
def test_what_failed_on_the_card_is_shown(desk: Computer, target: str, reason: str, advice: str) -> None:
    """No log is written, so the failed command's own words come before the advice."""
    (desk.bin / "tar").unlink()
    desk.stand_in(desk.bin / "tar", "")
    desk.set(fail_at="tar -C")

    result = desk.run("--boot-files", target)

    words, error = result.stderr.splitlines()
    assert result.returncode == 1
    assert reason in words
    assert advice in error
    assert "details are in" not in error


def test_a_dry_run_leaves_the_card_alone(desk: Computer, card: Path) -> None:
    """--dry-run writes nothing."""
    before = files(card)

    desk.install("--boot-files", str(card), "--dry-run")

    assert (files(card), desk.calls()) == (before, [])


def test_the_first_boot_installs(desk: Computer, card: Path, tmp_path: Path) -> None:
    """On the Pi the card's script plants a service; that installs all, logs on the card and goes."""
    desk.install("--boot-files", str(card))
    pi = Computer(tmp_path / "pi")
    script = card / "pi-mask-firstboot.sh"

    planted = pi.run("--enable", "--now", script=script)
    unit = (pi.root / "etc/systemd/system/pi-mask-firstboot.service").read_text()
    calls = pi.calls()
    installed = pi.run(script=script)

    assert (planted.returncode, installed.returncode) == (0, 0), planted.stderr + installed.stderr
    assert f"ExecStart=/bin/bash {card}/pi-mask-firstboot.sh\n" in unit
    assert calls == [
        "systemctl daemon-reload",
        "systemctl enable pi-mask-firstboot.service",
        "systemctl start --no-block pi-mask-firstboot.service",
    ]
    assert (pi.root / "opt/pi-mask/venv/bin/pi-mask").exists()
    assert pi.calls()[-1] == "systemctl disable pi-mask-firstboot.service"
    assert "Done." in (card / "pi-mask-install.log").read_text()


def test_a_first_boot_that_fails_is_tried_again(desk: Computer, card: Path, tmp_path: Path) -> None:
    """Without a network the script fails and stays enabled, and the log on the card says why."""
    desk.install("--boot-files", str(card))
    pi = Computer(tmp_path / "pi")
    pi.set(fail_at="apt-get -o DPkg::Lock::Timeout=600 install")

    result = pi.run(script=card / "pi-mask-firstboot.sh")

    assert result.returncode != 0
    assert "systemctl disable pi-mask-firstboot.service" not in pi.calls()
    assert "Check the network" in (card / "pi-mask-install.log").read_text()


def test_a_full_card_is_no_failed_first_boot(desk: Computer, card: Path, tmp_path: Path) -> None:
    """Where the log cannot be written, what has been installed is not installed again at each start."""
    desk.install("--boot-files", str(card))
    (card / "pi-mask-install.log").symlink_to("/dev/full")
    pi = Computer(tmp_path / "pi")

    result = pi.run(script=card / "pi-mask-firstboot.sh")

    assert (result.returncode, pi.calls()[-1]) == (0, "systemctl disable pi-mask-firstboot.service")
    assert "Done." in result.stdout


def test_the_written_firstrun_ends_by_itself(desk: Computer, card: Path, tmp_path: Path) -> None:
    """Run once, it hands over, removes itself and takes its own words from the kernel's command line."""
    desk.install("--boot-files", str(card))
    (card / "pi-mask-firstboot.sh").write_text(f'echo "$@" >"{tmp_path}/handed-over"\n')

    subprocess.run(["/bin/bash", str(card / "firstrun.sh")], check=True)

    assert (tmp_path / "handed-over").read_text() == "--enable\n"
    assert not (card / "firstrun.sh").exists()
    assert (card / "cmdline.txt").read_text() == "console=tty1 root=PARTUUID=1-02 rootwait\n"
