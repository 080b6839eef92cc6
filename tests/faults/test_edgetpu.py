"""See what the door does when its Edge TPU fails."""

from __future__ import annotations

import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from pi_mask.history import History
from tests.colour_model import SIDE, STRIDE, install_model
from tests.faults.door import OPEN, Bench, Door, blinks_amber, blinks_red, clear_up
from tests.inference.fake_driver import FakeDriver, compile_fake_driver
from tests.tiny_model import EDGETPU_OP, TinyModel, TinyTensor, write_model

_CELLS = SIDE // STRIDE
# Borders as those of the colour model. The stand-in's maxima over cells give its answers: pure red, green and
# blue are 15.9, all else at most −1.75; boxes are all zeros.
_COMPILED = TinyModel(
    inputs=(TinyTensor("image", (1, SIDE, SIDE, 3)),),
    outputs=tuple(
        TinyTensor(name, (1, _CELLS, _CELLS, depth), scales=(1 / 8,), zero_points=(128,))
        for name, depth in (("scores", 3), ("boxes", 4))
    ),
    custom_op=EDGETPU_OP,
)
BACK = "Info: The Edge TPU is back and takes over from the CPU."


@dataclass(frozen=True, slots=True)
class Coral:
    """An Edge TPU for the door.

    Attributes:
        driver: Plugs it in and out.
        environment: Lets the door find it.
    """

    driver: FakeDriver
    environment: dict[str, str]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in of libedgetpu under the name by which programs load it."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "libedgetpu.so.1").symlink_to(compile_fake_driver(folder))
    return folder


@pytest.fixture
def coral(bench: Bench, model: Path, library: Path) -> Coral:
    """One that works, and a model compiled for it."""
    content = write_model(_COMPILED)
    (model.parent / "compiled.tflite").write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest()
    install_model(model.parent, edgetpu={"file": "compiled.tflite", "sha256": checksum})
    driver = FakeDriver(str(library / "libedgetpu.so.1"), bench.folder / "edgetpu")
    driver.plug_in()
    bench.config.write_text(bench.config.read_text().replace('accelerator = "cpu"', 'accelerator = "auto"'))
    return Coral(driver, {"LD_LIBRARY_PATH": str(library)})


def test_a_lost_edge_tpu_costs_no_verdict(bench: Bench, coral: Coral) -> None:
    """The CPU answers the very frame, amber blinks beside an open door until the TPU is back by itself."""
    bench.shows("with_mask")
    with Door(bench, environment=coral.environment) as door:
        door.wait_until_open()
        before = "amber" in door.seen.lit
        coral.driver.unplug()
        door.wait(blinks_amber)
        coral.driver.plug_in()
        door.wait_for_log(BACK)
        door.wait(lambda seen: seen.lit == OPEN)
        code = door.end()

    assert (before, code, door.seen.lit) == (False, 0, set())
    assert door.seen.verdicts[-1] == "mask"
    assert "fault" not in door.seen.verdicts
    lost = [line for line in door.seen.log if line.startswith("Warning: ")]
    assert lost[0].startswith("Warning: The Edge TPU failed: ")
    assert lost[0].endswith(
        "Re-plug it (a USB 3 port, its own cable, no hub), or use --accelerator cpu. The CPU stands in."
    )


def test_a_driver_that_aborts_again_and_again_is_left_alone(bench: Bench, coral: Coral) -> None:
    """After three crashes the door waits with FAULT on, then works on the CPU without asking the driver."""
    history = History(bench.runtime)
    for _ in range(3):
        history.note("core-dump")
    bench.shows("with_mask")
    with Door(bench, environment={**coral.environment, **bench.service}) as door:
        door.wait(blinks_red)
        waiting = list(door.seen.verdicts)
        door.wait(blinks_amber)
        code = door.end()

    assert (waiting, code, bench.lit) == ([], 0, set())
    assert "Info: Failed 3 times lately: the next try is in 4 s." in door.seen.log
    assert any("so the Edge TPU is left alone" in line for line in door.seen.log)
    assert coral.driver.steps == []


def test_a_driver_that_aborts_costs_a_restart(bench: Bench, coral: Coral) -> None:
    """The pins stay as they were until systemd's clearing up; the next start does without the driver."""
    bench.shows("with_mask")
    service = {**coral.environment, **bench.service}
    with Door(bench, environment=service) as door:
        door.wait_until_open()
        coral.driver.tell("crash", "invoke")
        code = door.code()
    left_on = bench.lit
    cleared = clear_up(bench, "core-dump")
    after = bench.lit
    with Door(bench, environment=service) as again:
        again.wait(blinks_amber)
        again_code = again.end()

    assert (code, left_on) == (-signal.SIGABRT, OPEN)
    assert (cleared.returncode, after) == (0, set())
    assert (again_code, bench.lit) == (0, set())
    crashed = "Warning: The Edge TPU driver crashed (SIGABRT). "
    assert any(line.startswith(crashed) for line in again.seen.log)
    assert again.seen.verdicts[-1] == "mask"
