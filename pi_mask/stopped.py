"""Clear up after the service's process, however it ended (ExecStopPost= of the unit)."""

from __future__ import annotations

import os
import sys

from pi_mask.commands.streams import configure_logging, tell
from pi_mask.errors import PiMaskError, messages
from pi_mask.history import History, runtime_folder


def main() -> int:
    """Switch the outputs off first, then note the end; return the exit code."""
    configure_logging("WARNING")
    folder = runtime_folder(os.environ)
    if folder is None:
        tell("Error: RUNTIME_DIRECTORY is not set. This is for the service only: use systemctl stop pi-mask.")
        return 2
    code = 0
    try:
        from pi_mask.indicator.off import clear_up

        clear_up(folder)
    except PiMaskError as error:
        for line in messages(error):
            tell(f"Error: {line}")
        code = error.exit_code
    History(folder).note(os.environ.get("SERVICE_RESULT", "success"))
    return code


if __name__ == "__main__":
    sys.exit(main())
