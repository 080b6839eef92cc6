"""Ask the Edge TPU's driver which devices it sees."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from enum import Enum

from pi_mask.errors import EdgeTpuError

INSTALL_ADVICE = "Install the Edge TPU driver (install.sh does), or use --accelerator cpu."
PLUG_IN_ADVICE = "Plug it in (a USB 3 port, its own cable), or use --accelerator cpu."
REPLUG_ADVICE = "Re-plug it (a USB 3 port, its own cable, no hub), or use --accelerator cpu."


class EdgeTpuBus(Enum):
    """How a device is attached; the value is the driver's word for it in the ``device`` option."""

    PCI = "pci"
    USB = "usb"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EdgeTpuDevice:
    """One Edge TPU that the driver sees.

    Attributes:
        bus: How it is attached.
        path: Of its device node, e.g. "/sys/bus/usb/devices/2-1".
    """

    bus: EdgeTpuBus
    path: str


class _Device(ctypes.Structure):
    # struct edgetpu_device in libedgetpu's tflite/public/edgetpu_c.h
    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


_SYMBOLS = (
    "edgetpu_list_devices",
    "edgetpu_free_devices",
    "edgetpu_version",
    "tflite_plugin_create_delegate",
    "tflite_plugin_destroy_delegate",
)
_BUSES = {0: EdgeTpuBus.PCI, 1: EdgeTpuBus.USB}  # enum edgetpu_device_type in the same file


def default_library() -> str:
    """Return the driver's file name on this operating system."""
    return "libedgetpu.1.dylib" if sys.platform == "darwin" else "libedgetpu.so.1"


def load_driver(library: str = "") -> ctypes.CDLL:
    """Load the driver into this process and see that it is one.

    Args:
        library: Path or file name; "" for the operating system's default.

    Raises:
        EdgeTpuError: It is not installed, cannot be loaded, or is some other library.
    """
    name = library or default_library()
    try:
        driver = ctypes.CDLL(name)
    except OSError as error:
        raise EdgeTpuError(f"The Edge TPU driver cannot be loaded ({error}). {INSTALL_ADVICE}") from error
    missing = next((symbol for symbol in _SYMBOLS if not hasattr(driver, symbol)), None)
    if missing is not None:
        raise EdgeTpuError(f"{name} is no Edge TPU driver (it lacks {missing}). {INSTALL_ADVICE}")
    driver.edgetpu_list_devices.argtypes = (ctypes.POINTER(ctypes.c_size_t),)
    driver.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
    driver.edgetpu_free_devices.argtypes = (ctypes.POINTER(_Device),)
    driver.edgetpu_free_devices.restype = None
    driver.edgetpu_version.argtypes = ()
    driver.edgetpu_version.restype = ctypes.c_char_p
    return driver


def list_devices(library: str = "") -> tuple[EdgeTpuDevice, ...]:
    """Return the Edge TPUs that the driver sees, in the order in which it numbers them.

    Raises:
        EdgeTpuError: The driver cannot be loaded.
    """
    driver = load_driver(library)
    count = ctypes.c_size_t(0)
    devices = driver.edgetpu_list_devices(ctypes.byref(count))
    if not devices:
        return ()
    try:
        return tuple(_device(devices[index]) for index in range(count.value))
    finally:
        driver.edgetpu_free_devices(devices)


def driver_version(library: str = "") -> str:
    """Return what the driver says about itself, e.g. "BuildLabel(COMPILER=…,DATE=…), RuntimeVersion(14)".

    Raises:
        EdgeTpuError: The driver cannot be loaded.
    """
    return (load_driver(library).edgetpu_version() or b"").decode(errors="replace")


def _device(raw: _Device) -> EdgeTpuDevice:
    return EdgeTpuDevice(_BUSES.get(raw.type, EdgeTpuBus.UNKNOWN), (raw.path or b"").decode(errors="replace"))
