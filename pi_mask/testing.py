"""Provide doubles that obey the rules of the real parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pi_mask.errors import CameraError, CameraTimeout, EdgeTpuError, InputError, ModelError, OutputError
from pi_mask.types import Frame, Verdict

if TYPE_CHECKING:
    from gpiozero.pins.mock import MockFactory
    from numpy.typing import NDArray

    from pi_mask.inference.base import ModelSpec, TensorSpec
    from pi_mask.settings import GpioSettings
    from pi_mask.types import Image

    Tensors: TypeAlias = tuple[NDArray[np.generic], ...]


class ScriptedCamera:
    """A camera that delivers what it was told to.

    It obeys the rules of ``camera.base.Camera``: None after the last frame, again and again; a
    ``CameraTimeout`` or ``InputError`` lets the next read go on; any other ``CameraError`` is for good;
    no frame after ``close()``, which may be called twice.

    Args:
        script: Frames to return and errors to raise, in order.
        is_live: True to stand for a device.

    Attributes:
        reads: How often ``read()`` was called.
        waits_s: How long each of them would have waited.
        is_closed: True after ``close()``.
    """

    def __init__(self, script: Sequence[Frame | CameraError | InputError], *, is_live: bool = False) -> None:
        self._script = iter(script)
        self._is_live = is_live
        self._loss: CameraError | None = None
        self.reads = 0
        self.waits_s: list[float] = []
        self.is_closed = False

    @property
    def is_live(self) -> bool:
        """As given."""
        return self._is_live

    def read(self, wait_s: float = math.inf) -> Frame | None:
        """Return or raise what comes next in the script at once; None at its end.

        Raises:
            CameraError: As scripted, or because the camera is closed or lost.
            InputError: As scripted.
        """
        self.reads += 1
        self.waits_s.append(wait_s)
        if self.is_closed:
            raise CameraError("The camera is closed. Open it again before reading.")
        if self._loss is not None:
            raise self._loss
        step = next(self._script, None)
        if isinstance(step, CameraError) and not isinstance(step, CameraTimeout):
            self._loss = step
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        """Refuse every later read."""
        self.is_closed = True


class ScriptedInterpreter:
    """An interpreter that gives the output tensors it was told to.

    It obeys the rules of ``inference.base.Interpreter``: the input must have the shape and type that the
    model names; the outputs have theirs; they are valid until the next call or ``close()`` only, and are
    then overwritten; the input is not kept; nothing runs after ``close()``, which may be called twice.

    Args:
        spec: The model's borders.
        script: Output tensors to return and errors to raise, one per call.
        device: "cpu" or "edgetpu".

    Attributes:
        invocations: How often ``invoke()`` was called with a proper input.
        is_closed: True after ``close()``.

    Raises:
        ValueError: Tensors in the script do not match ``spec.outputs``.
    """

    def __init__(
        self, spec: ModelSpec, script: Sequence[Tensors | EdgeTpuError | ModelError], *, device: str = "cpu"
    ) -> None:
        for step in script:
            if not isinstance(step, Exception):
                _check_outputs(step, spec.outputs)
        self._spec = spec
        self._script = iter(script)
        self._device = device
        self._returned: Tensors = ()
        self.invocations = 0
        self.is_closed = False

    @property
    def spec(self) -> ModelSpec:
        """As given."""
        return self._spec

    @property
    def device(self) -> str:
        """As given."""
        return self._device

    def invoke(self, image: Image) -> Tensors:
        """Return or raise what comes next in the script.

        Raises:
            EdgeTpuError: As scripted.
            ModelError: As scripted, or because the input does not fit or the interpreter is closed.
            AssertionError: The script is over.
        """
        if self.is_closed:
            raise ModelError("The interpreter is closed. Open the model again before running it.")
        expected = self._spec.input
        if not _matches(image, expected):
            wanted = f"{expected.dtype} {expected.shape}"
            raise ModelError(f"The input is {image.dtype} {image.shape}. This model takes {wanted}.")
        self._overwrite_returned()
        self.invocations += 1
        step = next(self._script, None)
        if step is None:
            raise AssertionError(f"The script holds {self.invocations - 1} results, this call wants another.")
        if isinstance(step, Exception):
            raise step
        self._returned = tuple(tensor.copy() for tensor in step)
        return self._returned

    def close(self) -> None:
        """Refuse every later call and overwrite the last outputs."""
        self._overwrite_returned()
        self.is_closed = True

    def _overwrite_returned(self) -> None:
        for tensor in self._returned:
            tensor.fill(0)
        self._returned = ()


def _matches(tensor: NDArray[np.generic], spec: TensorSpec) -> bool:
    return tensor.shape == spec.shape and tensor.dtype == np.dtype(spec.dtype)


def _check_outputs(tensors: Tensors, specs: Sequence[TensorSpec]) -> None:
    if len(tensors) != len(specs) or not all(map(_matches, tensors, specs)):
        got = [(str(tensor.dtype), tensor.shape) for tensor in tensors]
        wanted = [(spec.dtype, spec.shape) for spec in specs]
        raise ValueError(f"The script's outputs are {got}. The model gives {wanted}.")


class RecordingIndicator:
    """An indicator that remembers what it was told.

    It obeys the rules of ``indicator.base.Indicator`` and holds its caller to them: it is told about
    changes only, never after ``close()``, which may be called twice.

    Attributes:
        shown: (verdict, is_degraded) of each call, oldest first.
        is_closed: True after ``close()``.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[Verdict, bool]] = []
        self.is_closed = False

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> None:
        """Remember a change.

        Raises:
            AssertionError: Nothing changed since the last call.
            OutputError: The indicator is closed.
        """
        if self.is_closed:
            raise OutputError("The indicator is closed. Open it again before showing a verdict.")
        change = (verdict, is_degraded)
        if self.shown[-1:] == [change]:
            raise AssertionError(f"An indicator is told about changes only; {change} is shown already.")
        self.shown.append(change)

    def close(self) -> None:
        """Refuse every later call."""
        self.is_closed = True


def watched_mock_factory(settings: GpioSettings, on_change: Callable[[str, bool], None]) -> MockFactory:
    """Make mock pins that report what a person at the door would see and hear.

    ``GpioIndicator(settings, pin_factory=watched_mock_factory(settings, on_change))`` drives them.

    Args:
        settings: The wiring; an active-low part is on while its pin is low.
        on_change: Called with a part's name ("green", "amber", "red", "buzzer", "relay") and whether it
            is on now, once per real change and in order; also from the thread that plays a rhythm.
    """
    from gpiozero.pins.mock import MockFactory, MockPin

    from pi_mask.indicator.gpio import Fitting, fittings

    class WatchedPin(MockPin):  # type: ignore[misc]  # gpiozero has no type annotations
        def __init__(self, factory: MockFactory, info: object, fitting: Fitting) -> None:
            super().__init__(factory, info)
            self._fitting = fitting
            self._is_on = False

        def _set_state(self, value: bool) -> None:
            super()._set_state(value)
            is_on = bool(value) == self._fitting.is_active_high
            if is_on != self._is_on:
                self._is_on = is_on
                on_change(self._fitting.part.value, is_on)

    factory = MockFactory(pin_class=MockPin)
    for fitting in fittings(settings):
        factory.pin(fitting.pin, pin_class=WatchedPin, fitting=fitting)
    return factory
