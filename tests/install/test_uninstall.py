"""Tests for what install.sh takes away again."""

from __future__ import annotations

import pytest

from tests.install.stand_ins import Computer


def test_uninstalling_leaves_what_is_the_owners(computer: Computer) -> None:
    """--uninstall takes away what was put there; with --purge nothing is left at all; again is no error."""
    before = computer.files()
    computer.install()

    computer.install("--uninstall")
    assert computer.calls() == [
        "systemctl disable --now pi-mask.service",
        "systemctl daemon-reload",
        "ldconfig",
    ]
    left = {path for path in computer.files() - before if (computer.root / path).is_file()}
    assert left == {"etc/pi-mask/config.toml"}

    computer.install("--uninstall", "--purge")
    left = {path for path in computer.files() - before if not (computer.root / path).is_dir()}
    assert left == set()
    assert "pi-mask" not in (computer.state / "accounts").read_text()
    assert not (computer.root / "var/log/pi-mask-install.log").exists()
    computer.install("--uninstall", "--purge")


@pytest.mark.parametrize(
    "account",
    [
        "pi-mask:x:1001:1001:Pia Mask,,,:/home/pi-mask:/bin/bash",
        "pi-mask:x:1001:1001::/var/lib/pi-mask:/bin/sh",
        "pi-mask:x:1001:1001::/home/pi-mask:/usr/sbin/nologin",
    ],
)
def test_a_stranger_of_that_name_stays(computer: Computer, account: str) -> None:
    """--purge removes the user that install.sh has made, and none that was there before."""
    computer.set(accounts=f"group video\npasswd {account}")
    computer.install()

    said = computer.install("--uninstall", "--purge")

    assert "Warning: The user pi-mask is kept: " in said
    assert account in (computer.state / "accounts").read_text()


def test_the_first_boots_installer_goes_too(computer: Computer) -> None:
    """A card does not install itself again after --uninstall; --purge takes the owner's drop-in too."""
    units, unpacked = computer.root / "etc/systemd/system", computer.root / "usr/local/src/pi-mask"
    computer.install()
    unpacked.mkdir(parents=True)
    computer.install("--uninstall")
    assert unpacked.exists()  # somebody's own

    (units / "pi-mask-firstboot.service").touch()
    (units / "pi-mask.service.d").mkdir()
    computer.install("--uninstall")

    assert "systemctl disable --now pi-mask-firstboot.service" in computer.calls()
    assert (unpacked.exists(), [path.name for path in units.iterdir()]) == (False, ["pi-mask.service.d"])
    computer.install("--uninstall", "--purge")
    assert list(units.iterdir()) == []


def test_a_dry_uninstallation_changes_nothing(computer: Computer) -> None:
    """--dry-run with --uninstall shows what would go."""
    computer.install()
    before = computer.files()
    computer.set(uid="1000")

    said = computer.install("--uninstall", "--purge", "--dry-run")

    assert (computer.calls(), computer.files()) == ([], before)
    assert "userdel pi-mask" in said
