"""Try an Edge TPU in a child process, because a bad driver takes its process down."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np

from pi_mask.errors import EdgeTpuError, ModelError, PiMaskError
from pi_mask.inference.libedgetpu import REPLUG_ADVICE

if TYPE_CHECKING:
    from pi_mask.inference.edgetpu import EdgeTpuInterpreter

TIMEOUT_S = 20.0
"""A Raspberry Pi 4 starts Python with LiteRT and loads the model into the TPU in a few seconds."""

_OLD_DRIVER = "Usually the driver is older than the TensorFlow Lite runtime (Google's of 2021, for one)"
_UPDATE = "Install a newer driver (install.sh does), or use --accelerator cpu."
_ERRORS = {error.exit_code: error for error in (EdgeTpuError, ModelError, PiMaskError)}


def probe(model: bytes, *, device: str = "", library: str = "", timeout_s: float = TIMEOUT_S) -> None:
    """Open an Edge TPU with a model and run it once, all in a child process.

    Args:
        model: Content of a model compiled for the Edge TPU.
        device: See ``EdgeTpuInterpreter``.
        library: See ``EdgeTpuInterpreter``.
        timeout_s: Time until the child process is killed.

    Raises:
        EdgeTpuError: It did not work; also if the child process crashed or hung.
        ModelError: The model is unusable.
        PiMaskError: No TensorFlow Lite runtime is installed.
    """
    # -P and the parent's own path: the child imports this very package, wherever the service was started.
    arguments = [f"--device={device}", f"--library={library}"]
    command = [sys.executable, "-P", "-m", "pi_mask.inference.probe", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            command, input=model, capture_output=True, timeout=timeout_s, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EdgeTpuError(f"The Edge TPU did not answer within {timeout_s:g} s. {REPLUG_ADVICE}") from error
    except OSError as error:
        raise EdgeTpuError(
            f"The Edge TPU could not be tried: {error.strerror}. Free some memory, then start again."
        ) from error
    _report(child)


def open_probed(model: bytes, *, device: str = "", library: str = "") -> EdgeTpuInterpreter:
    """Open a model on an Edge TPU in this process, once it has worked in a child process.

    Raises:
        EdgeTpuError: See ``probe`` and ``EdgeTpuInterpreter``.
        ModelError: See ``EdgeTpuInterpreter``.
        PiMaskError: See ``EdgeTpuInterpreter``.
    """
    from pi_mask.inference.edgetpu import EdgeTpuInterpreter

    probe(model, device=device, library=library)
    return EdgeTpuInterpreter(model, device=device, library=library)


def _report(child: subprocess.CompletedProcess[bytes]) -> None:
    """Raise what the child process found, if anything."""
    if child.returncode == 0:
        return
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise EdgeTpuError(f"The Edge TPU driver crashed ({name}). {_OLD_DRIVER}. {_UPDATE}")
    message = child.stdout.decode(errors="replace").strip()
    if message and child.returncode in _ERRORS:
        raise _ERRORS[child.returncode](message)
    last_words = child.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    raise EdgeTpuError(f"The Edge TPU could not be tried: {last_words or 'no reason given'}. {_UPDATE}")


def main() -> int:
    """Run the model that stands on stdin once; return the error's exit code, its message on stdout."""
    from pi_mask.inference.edgetpu import EdgeTpuInterpreter

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="")
    parser.add_argument("--library", default="")
    options = parser.parse_args()
    # A crash is expected now and then; it must not leave a core file on the SD card.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A parent that was ended meanwhile kills no child, and a driver that hangs would keep the device.
    signal.setitimer(signal.ITIMER_REAL, 2 * TIMEOUT_S)
    try:
        interpreter = EdgeTpuInterpreter(
            sys.stdin.buffer.read(), device=options.device, library=options.library
        )
        wanted = interpreter.spec.input
        interpreter.invoke(np.zeros(wanted.shape, wanted.dtype))
        interpreter.close()
    except PiMaskError as error:
        sys.stdout.write(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
