"""Test the check of groups."""

from __future__ import annotations

import os

import pytest

from pi_mask.doctor.machine import Service
from pi_mask.doctor.rights import check_rights
from pi_mask.settings import CameraSettings, GpioSettings, IndicatorSettings, ModelSettings, Settings
from tests.doctor.made_up import Programs, Root, advised, found
from tests.doctor.test_coral import plug_in

GROUPS = "root:x:0:\nvideo:x:44:\ngpio:x:997:\nplugdev:x:46:\n"
CONSOLE = IndicatorSettings(kind="console")
NO_DEVICE = Settings(camera=CameraSettings(kind="files"), indicator=CONSOLE)


@pytest.fixture(autouse=True)
def an_ordinary_user(monkeypatch: pytest.MonkeyPatch, root: Root) -> None:
    """Not root, who may do everything, on a machine that has the groups."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    root.put("etc/group", GROUPS)


def test_only_groups_of_devices_in_use_are_needed(root: Root, programs: Programs) -> None:
    """Files and the console need none; a network camera needs none; all of a door needs three."""
    programs.answer("id", "pi video gpio plugdev")
    url = CameraSettings(kind="webcam", source="rtsp://camera/1")
    plug_in(root)

    assert found(check_rights(root.machine(), NO_DEVICE.model_copy(update={"model": ModelSettings()}))) == [
        ("ok", "", "May use the devices of plugdev")
    ]
    on_cpu = ModelSettings(accelerator="cpu")
    assert found(check_rights(root.machine(), Settings(camera=url, indicator=CONSOLE, model=on_cpu))) == [
        ("ok", "", "No group is needed")
    ]
    assert found(check_rights(root.machine(), Settings())) == [
        ("ok", "", "May use the devices of video, gpio, plugdev")
    ]


def test_mock_pins_need_no_group(root: Root, programs: Programs) -> None:
    """They exist in memory only."""
    programs.answer("id", "pi video")
    mock = IndicatorSettings(gpio=GpioSettings(pin_factory="mock"))

    assert found(check_rights(root.machine(), Settings(indicator=mock))) == [
        ("ok", "", "May use the devices of video")
    ]


def test_groups_that_the_machine_lacks_are_not_asked_for(root: Root, programs: Programs) -> None:
    """Nobody can join a group that does not exist."""
    root.put("etc/group", "root:x:0:\nvideo:x:44:\n")
    programs.answer("id", "pi video")

    assert found(check_rights(root.machine(), Settings())) == [("ok", "", "May use the devices of video")]


def test_you_are_told_what_you_lack(root: Root, programs: Programs) -> None:
    """A warning: the door is not affected. Nobody's name stands in it."""
    programs.answer("id", "pi audio")

    results = list(check_rights(root.machine(), Settings()))

    assert found(results) == [
        ("warning", "rights-user", "You are not in video,gpio, so checks below may fail for you alone.")
    ]
    assert advised(results) == ["Run: sudo usermod -aG video,gpio $USER, then log in again."]


def test_root_lacks_nothing(root: Root, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is root may use every device."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert found(check_rights(root.machine(), Settings())) == [
        ("ok", "", "May use the devices of video, gpio")
    ]


@pytest.mark.parametrize(
    ("own", "extra", "expected"),
    [
        ("pi-mask", "video gpio", []),
        ("pi-mask gpio", "video", []),
        ("pi-mask", "video", [("fault", "rights-service", "The service's user pi-mask is not in gpio.")]),
        ("pi-mask", "", [("fault", "rights-service", "The service's user pi-mask is not in video,gpio.")]),
    ],
)
def test_the_services_user_needs_the_groups(
    root: Root, programs: Programs, own: str, extra: str, expected: list[tuple[str, str, str]]
) -> None:
    """By /etc/group or by the unit's SupplementaryGroups."""
    programs.script("id", f'case "$2" in pi-mask) echo {own};; *) echo pi video gpio;; esac')
    service = Service(load="loaded", user="pi-mask", groups=extra)

    results = [each for each in found(check_rights(root.machine(service), Settings())) if each[0] != "ok"]

    assert results == expected


@pytest.mark.parametrize("user", ["", "root"])
def test_a_service_that_runs_as_root_lacks_nothing(root: Root, programs: Programs, user: str) -> None:
    """A unit of the owner's own may do without a user."""
    programs.answer("id", "pi video gpio")

    assert found(check_rights(root.machine(Service(load="loaded", user=user)), Settings())) == [
        ("ok", "", "May use the devices of video, gpio")
    ]
