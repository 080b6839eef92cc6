"""Check the Coral Edge TPU."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result, Status, Symptom, ok
from pi_mask.doctor.machine import Machine
from pi_mask.errors import EdgeTpuError, ModelError, PiMaskError

if TYPE_CHECKING:
    from pi_mask.settings import Settings

# The stick changes its identity when the driver loads its firmware, at the first use after power-on.
BEFORE_USE: Final = ("1a6e", "089a")
AFTER_USE: Final = ("18d1", "9302")
USB3_MBPS: Final = 5000

MISSING = Symptom(
    "coral-missing",
    Status.FAULT,
    "No Coral is plugged in.",
    "Plug it in (a USB 3 port, its own cable, no hub), or set model.accelerator to cpu.",
    EdgeTpuError,
)
USB2 = Symptom(
    "coral-usb2",
    Status.WARNING,
    "The Coral runs on USB 2 ({speed} Mb/s), which is slower.",
    "Use a blue USB 3 port and the stick's own cable, without a hub.",
)
NO_ACCESS = Symptom(
    "coral-no-access",
    Status.FAULT,
    "This user may not open the Coral ({node}).",
    "Run ./install.sh (udev rules), join plugdev (sudo usermod -aG plugdev $USER), log in again, re-plug it.",
    EdgeTpuError,
)
NO_DRIVER = Symptom(
    "coral-no-driver", Status.FAULT, "{error}", "Install the driver (install.sh does).", EdgeTpuError
)
OLD_DRIVER = Symptom(
    "coral-old-driver",
    Status.WARNING,
    "{package} {version} is Google's driver of 2021, which crashes with today's runtimes.",
    "Install feranick/libedgetpu 16.0tf2.19.1 or newer (install.sh does).",
)
HOT_DRIVER = Symptom(
    "coral-hot-driver",
    Status.WARNING,
    "libedgetpu1-max runs the stick at its highest clock, too hot for day and night.",
    "Install libedgetpu1-std instead.",
)
NO_MODEL = Symptom(
    "coral-no-model",
    Status.FAULT,
    "Model {model} has no file compiled for the Edge TPU, so the CPU does the work.",
    "Compile it (docs/edge-tpu.md), or set model.accelerator to cpu.",
    EdgeTpuError,
)
UNUSED = Symptom(
    "coral-unused",
    Status.WARNING,
    "Not tried: the service is running, and does without it, on the CPU.",
    'Read why: "journalctl -u pi-mask -n 50". To have it tried: sudo systemctl stop pi-mask, run this again, '
    "sudo systemctl start pi-mask",
)
FAILS = Symptom("coral-fails", Status.FAULT, "{error}", "Re-plug it.", EdgeTpuError)


@dataclass(frozen=True, slots=True)
class UsbCoral:
    """A Coral stick as the kernel sees it.

    Attributes:
        port: The kernel's name of the port, such as "2-1".
        has_firmware: Whether it was used since it got power.
        speed_mbps: 480 on USB 2, 5000 on USB 3; 0 where unknown.
        node: Its device node.
    """

    port: str
    has_firmware: bool
    speed_mbps: int
    node: Path


def find_usb(root: Path) -> tuple[UsbCoral, ...]:
    """The Coral sticks below ``root``/sys/bus/usb/devices."""
    found = (_usb_device(root, folder) for folder in sorted((root / "sys/bus/usb/devices").glob("*-*")))
    return tuple(coral for coral in found if coral is not None)


def _usb_device(root: Path, folder: Path) -> UsbCoral | None:
    def attribute(name: str) -> str:
        try:
            return (folder / name).read_text().strip()
        except OSError:  # interfaces have no such files, and a device may go while it is read
            return ""

    identity = (attribute("idVendor"), attribute("idProduct"))
    if identity not in {BEFORE_USE, AFTER_USE}:
        return None
    bus, number, speed = attribute("busnum"), attribute("devnum"), attribute("speed")
    return UsbCoral(
        folder.name,
        identity == AFTER_USE,
        int(speed) if speed.isdecimal() else 0,
        root / f"dev/bus/usb/{bus:0>3}/{number:0>3}",
    )


def find_pcie(root: Path) -> tuple[Path, ...]:
    """The device nodes of Corals on PCIe."""
    return tuple(sorted((root / "dev").glob("apex_*")))


def check_coral(machine: Machine, settings: Settings) -> Iterator[Result]:
    """Look for a Coral, its port and its driver, and try it in a child process.

    Under accelerator "auto" nothing here is a fault, for the CPU stands in.
    """
    wish = settings.model.accelerator
    status = Status.FAULT if wish == "edgetpu" else Status.WARNING
    sticks, cards = find_usb(machine.root), find_pcie(machine.root)
    if wish == "cpu":
        yield ok(_description(sticks, cards) + "; not used (accelerator cpu)")
        return
    if not sticks and not cards:
        yield MISSING.found(status=status)
        return
    yield ok(_description(sticks, cards))
    for stick in sticks:
        if 0 < stick.speed_mbps < USB3_MBPS:
            yield USB2.found(speed=stick.speed_mbps)
    closed = [node for node in (*(stick.node for stick in sticks), *cards) if not _may_open(node)]
    for node in closed:
        yield NO_ACCESS.found(node=node, status=status)
    yield from _driver_package()
    yield from _try(machine, settings, status)


def _description(sticks: tuple[UsbCoral, ...], cards: tuple[Path, ...]) -> str:
    described = [f"PCIe {card.name}" for card in cards]
    for stick in sticks:
        identity = ":".join(AFTER_USE if stick.has_firmware else BEFORE_USE)
        used = "used" if stick.has_firmware else "not used"
        described.append(
            f"USB {stick.port}, {stick.speed_mbps} Mb/s, {identity} ({used} since it was plugged in)"
        )
    return "; ".join(described) or "None plugged in"


def _may_open(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK)


def _driver_package() -> Iterator[Result]:
    """What Debian's package list says about the driver; its own version has no date in it."""
    for package in ("libedgetpu1-std", "libedgetpu1-max"):
        version = ask("dpkg-query", "--show", "--showformat=${Version}", package)
        if not version:
            continue
        if not re.search(r"tf\d", version):
            yield OLD_DRIVER.found(package=package, version=version)
        if package.endswith("max"):
            yield HOT_DRIVER.found()


def _try(machine: Machine, settings: Settings, status: Status) -> Iterator[Result]:
    """Load the driver, then run the compiled model once."""
    from pi_mask.inference.libedgetpu import driver_version
    from pi_mask.inference.probe import probe
    from pi_mask.manifest import find_manifest, load_manifest, read_model

    try:
        yield ok(f"Driver: {driver_version()}")
    except EdgeTpuError as error:
        yield NO_DRIVER.caused_by(error, status=status)
        return
    try:
        path = find_manifest(settings.model.name)
        manifest = load_manifest(path)
        compiled = read_model(path, manifest.edgetpu) if manifest.edgetpu else None
    except ModelError:
        return  # the model's own check says why
    if compiled is None:
        yield NO_MODEL.found(model=manifest.name, status=status)
        return
    if machine.service.is_running:
        yield UNUSED.found() if machine.service.is_degraded else ok("Not tried: the service uses it")
        return
    try:
        probe(compiled, device=settings.model.device)
    except PiMaskError as error:
        yield FAILS.caused_by(error, status=status)
    else:
        yield ok("The compiled model ran once")
