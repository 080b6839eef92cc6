"""Let a driver crash where it harms nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pi_mask.errors import EdgeTpuError, ModelError
from pi_mask.inference.probe import open_probed, probe
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import COMPILED_MODEL, expected_outputs, write_model

COMPILED = write_model(COMPILED_MODEL)


def test_a_good_device_passes(driver: FakeDriver) -> None:
    """A working device is opened, run once and freed again, in another process."""
    probe(COMPILED, device="usb", library=driver.library)

    assert driver.steps == ["create", "option device=usb", "prepare", "invoke", "destroy"]


@pytest.mark.parametrize("step", ["create", "prepare", "invoke"])
def test_a_crash_of_the_driver_is_an_error_here(driver: FakeDriver, step: str) -> None:
    """A driver that aborts its process is one line naming the signal and the usual cause."""
    driver.tell("crash", step)

    with pytest.raises(EdgeTpuError) as caught:
        probe(COMPILED, library=driver.library)

    assert str(caught.value) == (
        "The Edge TPU driver crashed (SIGABRT). Usually the driver is older than the TensorFlow Lite runtime "
        "(Google's of 2021, for one). Install a newer driver (install.sh does), or use --accelerator cpu."
    )


def test_a_driver_that_hangs_is_killed(driver: FakeDriver) -> None:
    """A driver that never answers is given up after the time-out."""
    driver.tell("hang", "create")

    with pytest.raises(EdgeTpuError, match=r"^The Edge TPU did not answer within 0\.5 s\. Re-plug it"):
        probe(COMPILED, library=driver.library, timeout_s=0.5)


def test_a_hanging_child_ends_without_its_parent(driver: FakeDriver) -> None:
    """A program that was stopped during the probe leaves no process that keeps the device."""
    driver.tell("hang", "create")
    hasty = "from pi_mask.inference import probe; probe.TIMEOUT_S = 0.5; probe.main()"
    command = [sys.executable, "-c", hasty, f"--library={driver.library}"]

    ended = subprocess.run(command, input=COMPILED, timeout=60, check=False)

    assert ended.returncode == -signal.SIGALRM


def test_a_child_that_cannot_be_started_is_the_devices_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory for another process the door goes on with what it has."""
    monkeypatch.setattr(sys, "executable", "/dev/null")

    with pytest.raises(EdgeTpuError, match=r"^The Edge TPU could not be tried: Permission denied\."):
        probe(COMPILED)


def test_the_childs_error_arrives_whole(driver: FakeDriver) -> None:
    """What the child process found is raised here with the same words and class."""
    driver.unplug()

    with pytest.raises(EdgeTpuError) as caught:
        probe(COMPILED, library=driver.library)

    assert str(caught.value) == (
        "No Edge TPU found. Plug it in (a USB 3 port, its own cable), or use --accelerator cpu."
    )


def test_a_bad_model_is_not_blamed_on_the_device(driver: FakeDriver) -> None:
    """A model that is not compiled stays a ModelError across the process border."""
    with pytest.raises(ModelError, match=r"^The model is not compiled for the Edge TPU\."):
        probe(write_model(), library=driver.library)


def test_a_childs_python_error_shows_its_last_line(
    driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child process that cannot even start tells the reason in one line."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "argparse.py").write_text("raise RuntimeError('the disk is gone')")
    monkeypatch.syspath_prepend(str(broken))

    with pytest.raises(
        EdgeTpuError, match=r"^The Edge TPU could not be tried: RuntimeError: the disk is gone\. "
    ):
        probe(COMPILED, library=driver.library)


def test_opening_comes_after_the_probe(driver: FakeDriver) -> None:
    """A device is opened in this process once it worked in another one."""
    image = np.full((1, 8, 8, 3), 7, np.uint8)

    interpreter = open_probed(COMPILED, library=driver.library)
    outputs = interpreter.invoke(image)

    assert [output.ravel().tolist() for output in outputs] == expected_outputs(image)
    assert driver.steps == ["create", "prepare", "invoke", "destroy", "create", "prepare", "invoke"]


def test_a_crashing_driver_is_never_loaded_into_this_process(driver: FakeDriver) -> None:
    """Where the probe crashes, this process lives on without having created a delegate."""
    driver.tell("crash", "create")

    with pytest.raises(EdgeTpuError, match="SIGABRT"):
        open_probed(COMPILED, library=driver.library)

    assert driver.steps == ["create"]
