"""Ask the driver for its devices."""

from __future__ import annotations

import sys

import pytest

from pi_mask.errors import EdgeTpuError
from pi_mask.inference.libedgetpu import (
    EdgeTpuBus,
    EdgeTpuDevice,
    default_library,
    driver_version,
    list_devices,
)
from tests.inference.fake_driver import USB_PATH, FakeDriver


def test_devices_come_in_the_drivers_order(driver: FakeDriver) -> None:
    """Every device is listed with its bus and its path."""
    driver.plug_in("pci /dev/apex_0", f"usb {USB_PATH}")

    assert list_devices(driver.library) == (
        EdgeTpuDevice(EdgeTpuBus.PCI, "/dev/apex_0"),
        EdgeTpuDevice(EdgeTpuBus.USB, USB_PATH),
    )


def test_nothing_plugged_in_is_an_empty_list(driver: FakeDriver) -> None:
    """Without a device the list is empty and no error."""
    driver.unplug()

    assert list_devices(driver.library) == ()


def test_the_driver_states_its_version(driver: FakeDriver) -> None:
    """The version is the driver's own text."""
    assert driver_version(driver.library) == "fake-edgetpu 1.0"


def test_a_missing_driver_names_the_way_to_get_it() -> None:
    """A driver that is not installed is one line: which file, what to do."""
    with pytest.raises(EdgeTpuError) as caught:
        list_devices("libno-such-driver.so.1")

    message = str(caught.value)
    assert message.startswith("The Edge TPU driver cannot be loaded (")
    assert "libno-such-driver.so.1" in message
    assert message.endswith("Install the Edge TPU driver (install.sh does), or use --accelerator cpu.")
    assert "\n" not in message


@pytest.mark.skipif(sys.platform != "linux", reason="names a library of Linux")
def test_another_library_is_no_driver() -> None:
    """A library that loads but lacks the driver's functions is refused by name."""
    with pytest.raises(
        EdgeTpuError, match=r"^libc\.so\.6 is no Edge TPU driver \(it lacks edgetpu_list_devices\)"
    ):
        list_devices("libc.so.6")


def test_the_default_driver_is_the_operating_systems() -> None:
    """The default is the file name that Google's and the maintained packages install."""
    expected = {"linux": "libedgetpu.so.1", "darwin": "libedgetpu.1.dylib"}

    assert default_library() == expected[sys.platform]
