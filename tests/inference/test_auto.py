"""Step down to the CPU when the Edge TPU goes, and back up when it returns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pi_mask.errors import EdgeTpuError, ModelError
from pi_mask.inference.auto import AutoInterpreter
from pi_mask.inference.base import Interpreter
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from pi_mask.inference.libedgetpu import list_devices
from pi_mask.inference.probe import is_available, open_probed
from pi_mask.testing import ScriptedInterpreter
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import BOXES, COMPILED_MODEL, SCORES, expected_outputs, write_model

LOGGER = "pi_mask.inference.auto"
COMPILED = write_model(replace(COMPILED_MODEL, outputs=(SCORES, BOXES)))
"""Compiled with its outputs in another order than the CPU's model."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def open_cpu() -> Interpreter:
    """Open the tiny model on the processor."""
    return CpuInterpreter(write_model(), threads=1)


def open_edgetpu(driver: FakeDriver) -> Interpreter:
    """Open the compiled tiny model."""
    return EdgeTpuInterpreter(COMPILED, library=driver.library)


def make_auto(
    driver: FakeDriver, clock: Clock, edgetpu: Callable[[], Interpreter] | None = None
) -> AutoInterpreter:
    """Make an interpreter that asks the fake driver and the given clock."""
    return AutoInterpreter(
        edgetpu or partial(open_edgetpu, driver),
        open_cpu,
        is_available=lambda: bool(list_devices(driver.library)),
        retry_s=30.0,
        clock=clock,
    )


def picture(seed: int) -> np.ndarray:
    """Make an image that no other seed makes."""
    return np.random.default_rng(seed).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


def answers(interpreter: Interpreter, seed: int) -> list[list[int]]:
    """Run the picture of a seed and flatten the outputs."""
    return [output.ravel().tolist() for output in interpreter.invoke(picture(seed))]


def retry_threads() -> list[threading.Thread]:
    """Return the running attempts to get the Edge TPU back."""
    return [thread for thread in threading.enumerate() if thread.name == "edgetpu-retry"]


def finish_retry() -> None:
    """Wait for the attempt under way."""
    for thread in retry_threads():
        thread.join(timeout=60)
        assert not thread.is_alive()


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what was logged."""
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_it_starts_on_the_edge_tpu(driver: FakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    """With a device the TPU answers, in the order of the CPU's model, without a word in the log."""
    caplog.set_level(logging.INFO, LOGGER)
    auto = make_auto(driver, Clock())

    assert auto.device == "edgetpu"
    assert [output.name for output in auto.spec.outputs] == ["boxes", "scores"]
    assert answers(auto, 1) == expected_outputs(picture(1))
    assert driver.steps == ["create", "prepare", "invoke"]
    assert messages(caplog) == []


def test_without_a_device_it_starts_on_the_cpu(driver: FakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    """Without a device the CPU answers after one warning."""
    driver.unplug()

    auto = make_auto(driver, Clock())

    assert auto.device == "cpu"
    assert answers(auto, 1) == expected_outputs(picture(1))
    assert messages(caplog) == [
        (
            "WARNING",
            "No Edge TPU found. Plug it in (a USB 3 port, its own cable), or use --accelerator cpu. "
            "The CPU stands in.",
        )
    ]


def test_no_frame_is_lost_when_the_device_goes(driver: FakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    """The call in which the TPU fails is answered by the CPU, with one warning for good."""
    auto = make_auto(driver, Clock())
    driver.tell("fail_after", "2")

    results = [(answers(auto, seed), auto.device) for seed in range(5)]

    devices = ["edgetpu", "edgetpu", "cpu", "cpu", "cpu"]
    assert results == [(expected_outputs(picture(seed)), device) for seed, device in enumerate(devices)]
    assert [level for level, _ in messages(caplog)] == ["WARNING"]


def test_the_lost_device_is_freed_at_once(driver: FakeDriver) -> None:
    """The failed delegate is destroyed within the call, so that the device can be opened again."""
    auto = make_auto(driver, Clock())
    driver.unplug()

    auto.invoke(picture(1))

    assert driver.steps == ["create", "prepare", "invoke", "destroy"]


def test_every_interpreter_that_is_left_is_closed() -> None:
    """A lost Edge TPU, and both interpreters of a pair that does not match, are closed explicitly."""
    cpu = open_cpu()
    lost = ScriptedInterpreter(cpu.spec, [EdgeTpuError("Gone.")], device="edgetpu")
    stranger = ScriptedInterpreter(replace(cpu.spec, outputs=cpu.spec.outputs[:1]), [], device="edgetpu")
    stand_in = ScriptedInterpreter(cpu.spec, [])

    AutoInterpreter(lambda: lost, lambda: cpu, lambda: False).invoke(picture(1))
    with pytest.raises(ModelError):
        AutoInterpreter(lambda: stranger, lambda: stand_in, lambda: False)

    assert [double.is_closed for double in (lost, stranger, stand_in)] == [True, True, True]


def test_it_returns_to_the_edge_tpu(driver: FakeDriver, caplog: pytest.LogCaptureFixture) -> None:
    """Once the device is back and the time has come, the TPU takes over between two calls."""
    caplog.set_level(logging.INFO, LOGGER)
    clock = Clock()
    auto = make_auto(driver, clock)
    driver.unplug()
    auto.invoke(picture(1))
    driver.plug_in()

    clock.now += 29.9
    results = [answers(auto, 2)]
    too_early = retry_threads()
    clock.now += 0.1
    results.append(answers(auto, 3))
    finish_retry()
    results.append(answers(auto, 4))

    assert too_early == []
    assert results == [expected_outputs(picture(seed)) for seed in (2, 3, 4)]
    assert auto.device == "edgetpu"
    assert [level for level, _ in messages(caplog)] == ["WARNING", "INFO"]
    assert messages(caplog)[-1][1] == "The Edge TPU is back and takes over from the CPU."


def test_a_device_that_stays_away_is_asked_for_again(driver: FakeDriver) -> None:
    """The pauses between two attempts double up to the longest one, and there is no attempt in between."""
    clock, asked = Clock(), []
    driver.unplug()

    def no_device() -> bool:
        asked.append(clock.now)
        return False

    auto = AutoInterpreter(partial(open_edgetpu, driver), open_cpu, no_device, retry_s=30.0, clock=clock)
    for _ in range(50):
        clock.now += 10
        auto.invoke(picture(1))
        finish_retry()

    # Pauses of 30, 60, 120, 128 and 128 s, each to the next call after it.
    assert asked == [130.0, 190.0, 310.0, 440.0, 570.0]


@pytest.mark.parametrize(("uptime_s", "next_pause_s"), [(59.0, 60.0), (61.0, 30.0)])
def test_a_device_that_flaps_is_waited_for_longer(
    driver: FakeDriver, uptime_s: float, next_pause_s: float
) -> None:
    """A device that fails again sooner than the next pause doubles it; one that held on starts afresh."""
    clock, asked = Clock(), []

    def is_there() -> bool:
        asked.append(clock.now)
        return True

    auto = AutoInterpreter(partial(open_edgetpu, driver), open_cpu, is_there, retry_s=30.0, clock=clock)
    lose_and_find_again(driver, auto, clock, 30.0)
    clock.now += uptime_s
    lose_and_find_again(driver, auto, clock, next_pause_s - 1)
    too_early = len(asked)
    clock.now += 1
    auto.invoke(picture(1))
    finish_retry()

    assert (too_early, len(asked)) == (1, 2)


def lose_and_find_again(driver: FakeDriver, auto: AutoInterpreter, clock: Clock, pause_s: float) -> None:
    """Unplug the device during a call, plug it in again, call after a pause, and again to hand over."""
    driver.unplug()
    auto.invoke(picture(1))
    driver.plug_in()
    clock.now += pause_s
    auto.invoke(picture(1))
    finish_retry()
    auto.invoke(picture(1))


def test_a_device_that_leaves_again_is_one_more_warning(
    driver: FakeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """Losing the device a second time is handled like the first."""
    clock = Clock()
    auto = make_auto(driver, clock)
    devices = []
    for _ in range(2):
        driver.unplug()
        auto.invoke(picture(1))
        devices.append(auto.device)
        driver.plug_in()
        clock.now += 60
        auto.invoke(picture(1))
        finish_retry()
        auto.invoke(picture(1))
        devices.append(auto.device)

    assert devices == ["cpu", "edgetpu", "cpu", "edgetpu"]
    assert [level for level, _ in messages(caplog)] == ["WARNING", "WARNING"]


def test_a_slow_attempt_blocks_no_call(driver: FakeDriver) -> None:
    """While an attempt hangs, the CPU goes on answering and no second attempt starts."""
    clock, asked, answer = Clock(), threading.Event(), threading.Event()
    driver.unplug()

    def slowly() -> bool:
        asked.set()
        return answer.wait(60)

    auto = AutoInterpreter(partial(open_edgetpu, driver), open_cpu, slowly, retry_s=30.0, clock=clock)
    results = []
    for seed in range(3):
        clock.now += 30
        results.append(answers(auto, seed))
    running = len(retry_threads())
    reached = asked.wait(60)
    driver.plug_in()
    answer.set()
    finish_retry()

    assert reached
    assert running == 1
    assert results == [expected_outputs(picture(seed)) for seed in range(3)]
    assert answers(auto, 9) == expected_outputs(picture(9))
    assert auto.device == "edgetpu"


def test_a_crashing_driver_leaves_the_door_running(driver: FakeDriver) -> None:
    """With probed factories a driver that aborts is a step down, at the start and at every attempt."""
    clock = Clock()
    driver.tell("crash", "prepare")
    auto = AutoInterpreter(
        partial(open_probed, COMPILED, library=driver.library),
        open_cpu,
        partial(is_available, COMPILED, library=driver.library),
        clock=clock,
    )

    devices = [auto.device]
    clock.now += 30
    auto.invoke(picture(1))
    finish_retry()
    devices.append(auto.device)
    driver.untell("crash")
    clock.now += 30
    auto.invoke(picture(2))
    finish_retry()
    devices.append(auto.device)

    assert devices == ["cpu", "cpu", "edgetpu"]
    assert answers(auto, 3) == expected_outputs(picture(3))


def test_models_that_do_not_match_are_refused_at_the_start(driver: FakeDriver) -> None:
    """A compiled model of other borders raises at once, and both devices are free again."""
    other = write_model(replace(COMPILED_MODEL, outputs=(BOXES,)))

    with pytest.raises(ModelError, match=r"^The Edge TPU's model has 1 outputs, the CPU's 2\."):
        make_auto(driver, Clock(), lambda: EdgeTpuInterpreter(other, library=driver.library))

    assert driver.steps == ["create", "prepare", "destroy"]


def test_a_model_that_turns_bad_is_not_tried_again(
    driver: FakeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad model at an attempt is one error in the log, and the CPU goes on for good."""
    clock = Clock()
    models = [COMPILED, write_model(replace(COMPILED_MODEL, outputs=(BOXES,)))]
    auto = make_auto(driver, clock, lambda: EdgeTpuInterpreter(models.pop(0), library=driver.library))
    driver.unplug()
    auto.invoke(picture(1))
    driver.plug_in()

    for _ in range(3):
        clock.now += 30
        auto.invoke(picture(1))
        finish_retry()

    assert (auto.device, models) == ("cpu", [])
    assert [level for level, _ in messages(caplog)] == ["WARNING", "ERROR"]
    assert messages(caplog)[-1][1].endswith("The CPU goes on; the Edge TPU is not tried again.")


def test_a_wrong_input_is_no_reason_to_step_down(driver: FakeDriver) -> None:
    """A caller's mistake raises ModelError and leaves the Edge TPU in charge."""
    auto = make_auto(driver, Clock())

    with pytest.raises(ModelError, match=r"^The input is uint8 \(1, 4, 4, 3\)\."):
        auto.invoke(np.zeros((1, 4, 4, 3), np.uint8))

    assert auto.device == "edgetpu"


def test_a_device_found_while_closing_is_freed(driver: FakeDriver) -> None:
    """An attempt that succeeds only after close() began closes the device that it opened."""
    clock, asked, closing = Clock(), threading.Event(), threading.Event()

    class LastCpu(CpuInterpreter):
        def close(self) -> None:
            super().close()
            closing.set()

    def slowly() -> bool:
        asked.set()
        return closing.wait(60)

    driver.unplug()
    auto = AutoInterpreter(partial(open_edgetpu, driver), lambda: LastCpu(write_model()), slowly, clock=clock)
    clock.now += 30
    auto.invoke(picture(1))
    driver.plug_in()
    reached = asked.wait(60)

    auto.close()
    finish_retry()

    assert reached
    assert auto.device == "cpu"
    assert driver.steps == ["create", "create", "prepare", "destroy"]


def test_a_bad_cpu_model_is_refused_even_with_a_good_device(driver: FakeDriver) -> None:
    """The stand-in must be sound before it is needed."""

    def broken() -> Interpreter:
        return CpuInterpreter(b"")

    with pytest.raises(ModelError, match=r"^The model file is empty\."):
        AutoInterpreter(partial(open_edgetpu, driver), broken, lambda: True)

    assert driver.steps == []


def test_a_device_that_is_refused_on_return_changes_nothing(
    driver: FakeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """A device that is listed but cannot be opened is silently tried again later."""
    clock = Clock()
    driver.tell("refuse", "busy")
    auto = make_auto(driver, clock)
    clock.now += 30
    auto.invoke(picture(1))
    finish_retry()
    driver.untell("refuse")
    clock.now += 60
    auto.invoke(picture(1))
    finish_retry()

    assert auto.device == "edgetpu"
    assert [level for level, _ in messages(caplog)] == ["WARNING"]


def test_the_first_error_is_the_edge_tpus() -> None:
    """Any EdgeTpuError of the factory, whatever its text, is a step down."""

    def missing() -> Interpreter:
        raise EdgeTpuError("Gone.")

    auto = AutoInterpreter(missing, open_cpu, lambda: False)

    assert auto.device == "cpu"
