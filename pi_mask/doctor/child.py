"""Run one device's check in a process of its own."""

from __future__ import annotations

import os
import resource
import sys

from pydantic import TypeAdapter

from pi_mask.doctor.base import Result
from pi_mask.doctor.examination import DEVICE_CHECKS, Request, guarded


def main() -> None:
    """Read the request on standard input; write each result as a line of JSON on standard output."""
    # A crash is expected now and then; it must not leave a core file, which would hold a picture.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Native code likes to talk: what it writes on standard output goes to standard error.
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = TypeAdapter(Request).validate_json(sys.stdin.buffer.read())
    adapter = TypeAdapter(Result)
    for result in guarded(DEVICE_CHECKS[sys.argv[1]](request.machine, request.settings)):
        results.write(adapter.dump_json(result).decode() + "\n")
        results.flush()


if __name__ == "__main__":
    main()
