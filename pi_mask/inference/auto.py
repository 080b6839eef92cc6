"""Run a model on the Edge TPU while there is one, else on the CPU."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pi_mask.errors import EdgeTpuError, ModelError, PiMaskError
from pi_mask.inference.matching import match_outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pi_mask.inference.base import Interpreter, ModelSpec
    from pi_mask.types import Image

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 2.0
LAST_RETRY_S = 128.0
"""Seconds between two tries: they double from the first, for a device that a bad cable made the bus reset, to
the last, for a board without one. A try starts Python with LiteRT, so every 30 s for ever would be dear."""
_CLOSING_S = 1.0


@dataclass(frozen=True, slots=True)
class _EdgeTpu:
    """An open Edge TPU, and for each output of the CPU's model the index of its partner."""

    interpreter: Interpreter
    order: tuple[int, ...]


class AutoInterpreter:
    """A model on the Edge TPU, with the CPU standing in while the TPU is away.

    The CPU's interpreter is opened first and kept open: it fixes ``spec``, a pair of models that do not
    belong together is refused at the start instead of at the worst moment, and losing the TPU costs the
    frame at hand nothing but the slower run. Outputs come in the CPU model's order on both devices (see
    ``matching.match_outputs``). While the CPU stands in, a background thread tries again and again to open
    the TPU; it is handed over between two calls. A try comes with the first call after its time, so a program
    that does not invoke does not try. A TPU that comes back to fail sooner than it was waited for is waited
    for longer.

    Args:
        edgetpu: Opens the Edge TPU, raising EdgeTpuError where it cannot; ``probe.open_probed`` survives a
            driver that crashes. After the first time it is called in the background and may take its time.
        cpu: Opens the CPU's interpreter.
        retry_s: Seconds until the first try; they double with every try up to ``LAST_RETRY_S``.
        clock: A monotonic clock, in seconds.

    Raises:
        ModelError: One of the models is unusable, or they do not match.
        PiMaskError: No TensorFlow Lite runtime is installed.
    """

    def __init__(
        self,
        edgetpu: Callable[[], Interpreter],
        cpu: Callable[[], Interpreter],
        retry_s: float = FIRST_RETRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_edgetpu = edgetpu
        self._first_retry_s = self._retry_s = retry_s
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._retry: threading.Thread | None = None
        self._is_trying = False  # a thread at its end still counts as alive for a moment
        self._next_retry = math.inf
        self._up_since = -math.inf
        self._edgetpu: _EdgeTpu | None = None
        self._returned: _EdgeTpu | None = None
        self._cpu = cpu()
        try:
            self._edgetpu = self._open()
        except EdgeTpuError as error:
            self._step_down(str(error))
        except BaseException:
            self._cpu.close()
            raise

    @property
    def spec(self) -> ModelSpec:
        """Borders of the CPU's model; the outputs come in this order on both devices."""
        return self._cpu.spec

    @property
    def device(self) -> str:
        """Where the next inference runs: "cpu" or "edgetpu"."""
        return "cpu" if self._edgetpu is None and self._returned is None else "edgetpu"

    def invoke(self, image: Image) -> tuple[NDArray[np.generic], ...]:
        """Run the model once; see ``base.Interpreter.invoke``.

        A failing Edge TPU raises nothing: the CPU answers this very call.

        Raises:
            ModelError: The input does not fit, the interpreter is closed, or the CPU failed.
        """
        self._hand_over()
        outputs = self._invoke_edgetpu(image)
        if outputs is not None:
            return outputs
        if self._clock() >= self._next_retry:
            self._start_retry()
        return self._cpu.invoke(image)

    def close(self) -> None:
        """Release both devices and stop trying; calling it again is fine."""
        with self._lock:
            self._closed.set()
            open_tpus = [tpu for tpu in (self._edgetpu, self._returned) if tpu is not None]
            self._edgetpu = self._returned = None
        for tpu in open_tpus:
            tpu.interpreter.close()
        self._cpu.close()
        # A try under way cannot be broken off, only waited for: it closes what it opens after this.
        if self._retry is not None:
            self._retry.join(_CLOSING_S)

    def _open(self) -> _EdgeTpu:
        interpreter = self._open_edgetpu()
        try:
            return _EdgeTpu(interpreter, match_outputs(self._cpu.spec, interpreter.spec))
        except ModelError:
            interpreter.close()
            raise

    def _invoke_edgetpu(self, image: Image) -> tuple[NDArray[np.generic], ...] | None:
        """Run on the Edge TPU; None where there is none, or none any more."""
        if self._edgetpu is None:
            return None
        try:
            outputs = self._edgetpu.interpreter.invoke(image)
        except EdgeTpuError as error:
            reason = str(error)
        else:
            return tuple(outputs[index] for index in self._edgetpu.order)
        # Only here, outside of the handler, does no traceback hold the native interpreter any more: closing
        # frees the device at once, so that it can be opened again.
        self._edgetpu.interpreter.close()
        self._edgetpu = None
        self._step_down(reason)
        return None

    def _step_down(self, reason: str) -> None:
        logger.warning("%s The CPU stands in.", reason)
        now = self._clock()
        if now - self._up_since > self._retry_s:
            self._retry_s = self._first_retry_s
        self._next_retry = now + self._retry_s

    def _hand_over(self) -> None:
        if self._returned is None:
            return
        with self._lock:
            self._edgetpu, self._returned = self._returned, None
        self._up_since = self._clock()
        logger.info("The Edge TPU is back and takes over from the CPU.")

    def _start_retry(self) -> None:
        if self._is_trying:
            return
        self._is_trying = True
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        self._next_retry = self._clock() + self._retry_s
        self._retry = threading.Thread(target=self._try_again, name="edgetpu-retry", daemon=True)
        self._retry.start()

    def _try_again(self) -> None:
        try:
            self._reopen()
        finally:
            self._is_trying = False

    def _reopen(self) -> None:
        try:
            tpu = self._open()
        except EdgeTpuError:
            return  # nothing changed since the warning
        except PiMaskError as error:
            logger.error("%s The CPU goes on; the Edge TPU is not tried again.", error)
            self._next_retry = math.inf
            return
        with self._lock:
            if not self._closed.is_set():
                self._returned = tpu
                return
        tpu.interpreter.close()
