"""Step back up to the Edge TPU when it returns, without holding up the door."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest

from pi_mask.inference.auto import AutoInterpreter
from pi_mask.inference.base import Interpreter
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from tests.inference.auto_rig import (
    COMPILED,
    LOGGER,
    Clock,
    answers,
    finish_retry,
    make_auto,
    messages,
    open_cpu,
    open_edgetpu,
    picture,
    retry_threads,
)
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import BOXES, COMPILED_MODEL, expected_outputs, write_model


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

    def ask() -> Interpreter:
        asked.append(clock.now)
        return open_edgetpu(driver)

    auto = make_auto(driver, clock, ask)
    for _ in range(50):
        clock.now += 10
        auto.invoke(picture(1))
        finish_retry()

    # At the start, then after pauses of 30, 60, 120, 128 and 128 s, each to the next call after it.
    assert asked == [100.0, 130.0, 190.0, 310.0, 440.0, 570.0]


def test_a_lost_device_is_looked_for_after_two_seconds_first(driver: FakeDriver) -> None:
    """The pauses are 2, 4, 8 … 128 s and stay there, for a door that looks every second."""
    clock, asked = Clock(), []
    driver.unplug()

    def ask() -> Interpreter:
        asked.append(clock.now - 100)
        return open_edgetpu(driver)

    auto = AutoInterpreter(ask, open_cpu, clock=clock)
    for _ in range(400):
        clock.now += 1
        auto.invoke(picture(1))
        finish_retry()

    assert asked == [0, 2, 6, 14, 30, 62, 126, 254, 382]


@pytest.mark.parametrize(("uptime_s", "next_pause_s"), [(59.0, 60.0), (61.0, 30.0)])
def test_a_device_that_flaps_is_waited_for_longer(
    driver: FakeDriver, uptime_s: float, next_pause_s: float
) -> None:
    """A device that fails again sooner than the next pause doubles it; one that held on starts afresh."""
    clock, asked = Clock(), []

    def ask() -> Interpreter:
        asked.append(clock.now)
        return open_edgetpu(driver)

    auto = make_auto(driver, clock, ask)
    lose_and_find_again(driver, auto, clock, 30.0)
    clock.now += uptime_s
    lose_and_find_again(driver, auto, clock, next_pause_s - 1)
    too_early = len(asked)
    clock.now += 1
    auto.invoke(picture(1))
    finish_retry()

    assert (too_early, len(asked)) == (2, 3)


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
    """While an attempt hangs, the CPU goes on answering, no second one starts, and the program can end."""
    clock, asked, answer = Clock(), threading.Event(), threading.Event()
    started = clock.now
    driver.unplug()

    def slowly() -> Interpreter:
        if clock.now > started:
            asked.set()
            answer.wait(60)
        return open_edgetpu(driver)

    auto = make_auto(driver, clock, slowly)
    results = []
    for seed in range(3):
        clock.now += 30
        results.append(answers(auto, seed))
    end_with_the_program = [thread.daemon for thread in retry_threads()]
    reached = asked.wait(60)
    driver.plug_in()
    answer.set()
    finish_retry()

    assert reached
    assert end_with_the_program == [True]
    assert results == [expected_outputs(picture(seed)) for seed in range(3)]
    assert answers(auto, 9) == expected_outputs(picture(9))
    assert auto.device == "edgetpu"


class Lingering(threading.Thread):
    """A thread that counts as alive after its end, as every one does for a moment."""

    def is_alive(self) -> bool:
        return True


def test_an_attempt_that_is_over_holds_up_no_other(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt comes at its time, however slowly the thread of the one before ends."""
    clock = Clock()
    monkeypatch.setattr(threading, "Thread", Lingering)
    driver.unplug()
    auto = make_auto(driver, clock)
    for pause_s in (30, 60):
        clock.now += pause_s
        auto.invoke(picture(1))
        for thread in retry_threads():
            thread.join(timeout=60)
        driver.plug_in()

    auto.invoke(picture(1))

    assert auto.device == "edgetpu"


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


def test_a_device_found_while_closing_is_freed(driver: FakeDriver) -> None:
    """An attempt that succeeds only after close() began closes the device that it opened."""
    clock, asked, closing = Clock(), threading.Event(), threading.Event()
    started = clock.now

    class LastCpu(CpuInterpreter):
        def close(self) -> None:
            super().close()
            closing.set()

    def slowly() -> Interpreter:
        if clock.now > started:
            asked.set()
            closing.wait(60)
        opened.append(open_edgetpu(driver))
        return opened[0]

    opened: list[Interpreter] = []  # held here, so that nothing but close() frees it
    driver.unplug()
    auto = AutoInterpreter(slowly, lambda: LastCpu(write_model()), clock=clock)
    clock.now += 30
    auto.invoke(picture(1))
    driver.plug_in()
    reached = asked.wait(60)

    auto.close()
    finish_retry()

    assert reached
    assert auto.device == "cpu"
    assert (len(opened), driver.steps) == (1, ["create", "create", "prepare", "destroy"])


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
