"""Ask other programs."""

from __future__ import annotations

import os
import subprocess
from typing import Final

TIMEOUT_S: Final = 10.0
"""Longer than any of these programs takes on a busy Pi; one that hangs must not hang the doctor."""


def ask(*command: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """Run a program and return what it prints.

    Args:
        command: Found on PATH; its messages are asked for in English.
        timeout_s: Time until it is killed.

    Returns:
        Its standard output without surrounding white space; None where it is not installed, fails or hangs.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace").strip()
