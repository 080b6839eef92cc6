"""Start on the Edge TPU or the CPU, step down when the device goes, refuse what does not match."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pi_mask.errors import EdgeTpuError, ModelError
from pi_mask.inference.auto import AutoInterpreter
from pi_mask.inference.base import Interpreter
from pi_mask.inference.cpu import CpuInterpreter
from pi_mask.inference.edgetpu import EdgeTpuInterpreter
from pi_mask.inference.probe import open_probed
from pi_mask.testing import ScriptedInterpreter
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
)
from tests.inference.fake_driver import FakeDriver
from tests.tiny_model import BOXES, COMPILED_MODEL, expected_outputs, write_model


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

    AutoInterpreter(lambda: lost, lambda: cpu).invoke(picture(1))
    with pytest.raises(ModelError):
        AutoInterpreter(lambda: stranger, lambda: stand_in)

    assert [double.is_closed for double in (lost, stranger, stand_in)] == [True, True, True]


def test_the_cpu_rests_while_the_edge_tpu_answers() -> None:
    """A frame that the Edge TPU answered is not computed again; close() ends both by itself."""
    cpu = open_cpu()
    outputs = cpu.invoke(picture(1))
    tpu, stand_in = (ScriptedInterpreter(cpu.spec, [outputs] * 2, device=name) for name in ("edgetpu", "cpu"))
    auto = AutoInterpreter(lambda: tpu, lambda: stand_in)

    answered = [auto.device for _ in range(2) if auto.invoke(picture(1))]
    auto.close()

    assert (answered, tpu.invocations, stand_in.invocations) == (["edgetpu"] * 2, 2, 0)
    assert (tpu.is_closed, stand_in.is_closed) == (True, True)


def test_a_crashing_driver_leaves_the_door_running(driver: FakeDriver) -> None:
    """With probed factories a driver that aborts is a step down, at the start and at every attempt."""
    clock = Clock()
    driver.tell("crash", "prepare")
    auto = AutoInterpreter(
        partial(open_probed, COMPILED, library=driver.library),
        open_cpu,
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


def test_a_wrong_input_is_no_reason_to_step_down(driver: FakeDriver) -> None:
    """A caller's mistake raises ModelError and leaves the Edge TPU in charge."""
    auto = make_auto(driver, Clock())

    with pytest.raises(ModelError, match=r"^The input is uint8 \(1, 4, 4, 3\)\."):
        auto.invoke(np.zeros((1, 4, 4, 3), np.uint8))

    assert auto.device == "edgetpu"


def test_a_bad_cpu_model_is_refused_even_with_a_good_device(driver: FakeDriver) -> None:
    """The stand-in must be sound before it is needed."""

    def broken() -> Interpreter:
        return CpuInterpreter(b"")

    with pytest.raises(ModelError, match=r"^The model file is empty\."):
        AutoInterpreter(partial(open_edgetpu, driver), broken)

    assert driver.steps == []


def test_the_first_error_is_the_edge_tpus() -> None:
    """Any EdgeTpuError of the factory, whatever its text, is a step down."""

    def missing() -> Interpreter:
        raise EdgeTpuError("Gone.")

    auto = AutoInterpreter(missing, open_cpu)

    assert auto.device == "cpu"
