"""See what the door does when its camera fails."""

from __future__ import annotations

from contextlib import closing

from tests.camera.media import NetworkCamera
from tests.faults.door import Bench, Door, blinks_red

IMPATIENT = {"PI_MASK_CAMERA_TIMEOUT_S": "0.5"}


def test_a_late_camera_is_a_fault_but_not_given_up(bench: Bench) -> None:
    """Green and relay go out long before the time-out; the camera is waited for and not opened anew."""
    bench.shows("with_mask")
    with Door(bench, environment={"PI_MASK_CAMERA_TIMEOUT_S": "10"}) as door:
        door.wait_until_open()
        bench.switch("silent", is_on=True)
        door.wait_for("fault")
        door.wait(blinks_red)
        bench.switch("silent", is_on=False)
        door.wait_for("mask")
        door.wait_until_open()
        code = door.end()

    assert (code, door.seen.lit) == (0, set())
    assert "Warning: Pi camera 0 delivered no frame for 1 s. Check its ribbon cable." in door.seen.log
    assert not any("is lost" in line for line in door.seen.log)


def test_a_frozen_camera_is_a_fault_until_it_delivers_again(bench: Bench) -> None:
    """Green and relay go out, red blinks, one warning says where to look; afterwards all looks are fresh."""
    bench.shows("with_mask")
    with Door(bench, environment=IMPATIENT) as door:
        door.wait_until_open()

        bench.switch("silent", is_on=True)
        door.wait_for("fault")
        door.wait(blinks_red)
        bench.switch("silent", is_on=False)
        door.wait_for("mask")
        door.wait_until_open()
        code = door.end()

    assert (code, door.seen.lit) == (0, set())
    lost = "Warning: Pi camera 0 is lost. Check its ribbon cable; it is being opened anew."
    silent = "Warning: Pi camera 0 delivered no frame for 0.5 s. Check its ribbon cable."
    assert {lost, silent, "Info: Pi camera 0 is back."} <= set(door.seen.log)
    after_it = door.seen.verdicts[door.seen.verdicts.index("fault") :]
    assert after_it[:3] == ["fault", "idle", "checking"]


def test_a_camera_that_stays_silent_ends_the_service_before_the_watchdog(bench: Bench) -> None:
    """The process locks, darkens and says why itself, as an orderly failure; the next start judges."""
    bench.shows("with_mask")
    with Door(bench, environment={**IMPATIENT, "WATCHDOG_USEC": "3000000"}) as door:
        door.wait_until_open()
        bench.switch("silent", is_on=True)
        code = door.code()
    bench.switch("silent", is_on=False)
    with Door(bench) as again:
        again.wait_until_open()

    assert (code, door.seen.lit, door.seen.verdicts[-1]) == (3, set(), "fault")
    assert door.seen.log[-1].endswith("Check its ribbon cable. Starting anew, before the watchdog does it.")


def test_an_unplugged_pi_camera_ends_the_process_and_a_restart_goes_on(bench: Bench) -> None:
    """All goes out, code 3 with advice; starts fail alike until it is back, the next one judges."""
    bench.shows("with_mask")
    with Door(bench, environment=IMPATIENT) as door:
        door.wait_until_open()
        bench.switch("unplugged", is_on=True)
        code = door.code()
    with Door(bench) as still_without:
        code_without = still_without.code()
    bench.switch("unplugged", is_on=False)
    with Door(bench) as again:
        again.wait_until_open()

    missing = "Error: Pi camera 0 was not found. Check its ribbon cable (rpicam-hello --list-cameras)."
    assert [(code, door.seen.lit), (code_without, still_without.seen.lit)] == [(3, set()), (3, set())]
    assert door.seen.verdicts[-1] == "fault"
    assert [door.seen.log.count(missing), still_without.seen.log[-1]] == [1, missing]
    assert still_without.seen.pins == []


def test_a_network_camera_comes_back_by_itself(bench: Bench) -> None:
    """FAULT while it is away; when it is back the door judges anew without a restart."""
    with (
        closing(NetworkCamera()) as camera,
        Door(bench, "--camera", "webcam", "--source", camera.url, environment=IMPATIENT) as door,
    ):
        door.wait_until_open()
        camera.go_away()
        door.wait_for("fault")
        door.wait(blinks_red)
        camera.come_back()
        door.wait_for("mask")
        door.wait_until_open()
        code = door.end()

    assert (code, door.seen.lit) == (0, set())
    away = [line for line in door.seen.log if "is lost" in line]
    assert away[0] == f"Warning: Webcam {camera.url} is lost. Check its cable or network; reconnecting."
    assert f"Info: Webcam {camera.url} is back." in door.seen.log
