"""Test the check of the disk."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from pi_mask.doctor.storage import check_disk
from tests.doctor.made_up import Programs, Root, found

USAGE = namedtuple("USAGE", "total used free")
KERNEL_LOG = """\
usb 1-1: new high-speed USB device
mmc0: error -110 whilst initialising SD card
I/O error, dev sda, sector 5
{line}
brcmfmac: mmc timeouts are not spoken of here
brcmfmac mmc1:0001:1: Direct firmware load for brcm/brcmfmac43455-sdio.bin failed with error -2
mmc1: error -110 whilst initialising SDIO card
"""


@pytest.fixture(autouse=True)
def a_large_disk(monkeypatch: pytest.MonkeyPatch, programs: Programs) -> None:
    """Ten gigabytes free, whatever this machine has; no program answers."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(32 * 10**9, 22 * 10**9, 10 * 10**9))


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (200 * 10**6, []),
        (199 * 10**6, [("warning", "disk-full", "Only 199 MB are free at {}.")]),
        (20 * 10**6, [("warning", "disk-full", "Only 20 MB are free at {}.")]),
        (19 * 10**6, [("fault", "disk-full", "Only 19 MB are free at {}.")]),
        (0, [("fault", "disk-full", "Only 0 MB are free at {}.")]),
    ],
)
def test_little_space_is_a_warning_and_none_a_fault(
    root: Root, monkeypatch: pytest.MonkeyPatch, free: int, expected: list[tuple[str, str, str]]
) -> None:
    """Below 200 MB and below 20 MB, where pi-mask keeps its state."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(10**9, 10**9 - free, free))
    (root.folder / "var/lib/pi-mask").mkdir(parents=True)
    place = root.folder / "var/lib/pi-mask"

    first, *others = found(check_disk(root.machine()))

    assert first == ("ok", "", f"{free / 1e9:.1f} GB free at {place}; wear unknown")
    assert others == [(status, code, message.format(place)) for status, code, message in expected]


@pytest.mark.parametrize(
    ("mounts", "is_read_only"),
    [
        ("/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n", True),
        ("/dev/mmcblk0p2 / ext4 rw,errors=remount-ro 0 0\n", False),
        ("/dev/mmcblk0p2 / ext4 ro 0 0\noverlay / overlay rw,lowerdir=/ro 0 0\n", False),
        ("/dev/sda1 /media ext4 ro 0 0\nbroken\n", False),
    ],
)
def test_a_read_only_root_is_a_warning(root: Root, mounts: str, is_read_only: bool) -> None:
    """The last mount at / counts: an overlay can be written."""
    root.put("proc/mounts", mounts)

    assert ("disk-read-only" in [code for _, code, _ in found(check_disk(root.machine()))]) is is_read_only


@pytest.mark.parametrize(
    ("life_time", "about", "symptom"),
    [
        ("0x01 0x01", "eMMC: up to 10 % of its life used", []),
        ("0x01 0x07", "eMMC: up to 70 % of its life used", []),
        ("0x08 0x02", "eMMC: up to 80 % of its life used", ["warning"]),
        ("0x0a 0x02", "eMMC: up to 100 % of its life used", ["warning"]),
        ("0x0B 0x0b", "eMMC: up to 110 % of its life used", ["fault"]),
        ("0x00 0x00", "an SD card does not tell its wear", []),
        ("", "an SD card does not tell its wear", []),
    ],
)
def test_an_emmc_tells_its_wear(root: Root, life_time: str, about: str, symptom: list[str]) -> None:
    """The worse of two figures counts, in tenths of its life."""
    root.put("sys/block/mmcblk0/device/life_time", f"{life_time}\n")

    first, *others = found(check_disk(root.machine()))

    assert first[2].endswith(f"; {about}")
    assert [(status, code) for status, code, _ in others] == [(status, "disk-worn") for status in symptom]


@pytest.mark.parametrize(
    "line",
    [
        "I/O error, dev mmcblk0, sector 1234 op 0x0:(READ)",
        "blk_update_request: I/O error, dev mmcblk0, sector 0",
        "EXT4-fs error (device mmcblk0p2): ext4_lookup:1855: inode #2",
        "mmcblk0: mmc_blk_rw_wait timed out",
    ],
)
def test_what_the_kernel_says_of_the_card_is_a_fault(root: Root, programs: Programs, line: str) -> None:
    """The last of its complaints is quoted; the Wi-Fi's chip is on such a bus, too, and no card."""
    programs.answer("journalctl", KERNEL_LOG.format(line=line))

    assert found(check_disk(root.machine()))[1:] == [
        ("fault", "disk-errors", f"The kernel reports errors of the card: {line}")
    ]
