"""Define what a check finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pi_mask.errors import PiMaskError

_SENTENCE_END: Final = re.compile(r"(?<=[.!?]) +(?=[A-Z])")


class Status(Enum):
    """How a check ended, in the words that people and ``--json`` get."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Result:
    """One finding.

    Attributes:
        status: How bad it is.
        message: What was found, in one line.
        advice: What to do about it, in one line; "" where nothing is wrong.
        code: The entry in docs/troubleshooting.md; "" where nothing is wrong.
        exit_code: What a fault contributes to the exit code; 0 for others.
        check: The check's name; the examination fills it in.
    """

    status: Status
    message: str
    advice: str = ""
    code: str = ""
    exit_code: int = 0
    check: str = ""


def ok(message: str) -> Result:
    """What a check says when nothing is wrong."""
    return Result(Status.OK, message)


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something that can be wrong; each has an entry in docs/troubleshooting.md.

    Attributes:
        code: Names the entry.
        status: How bad it is, unless ``found`` is told otherwise.
        message: What is wrong; a template for ``str.format``.
        advice: What to do, likewise.
        error: The error whose exit code a fault has.
    """

    code: str
    status: Status
    message: str
    advice: str
    error: type[PiMaskError] = PiMaskError

    def found(self, *, status: Status | None = None, **values: object) -> Result:
        """The result with these values in the templates."""
        status = status or self.status
        return Result(
            status,
            self.message.format(**values),
            self.advice.format(**values),
            self.code,
            self.error.exit_code if status is Status.FAULT else 0,
        )

    def caused_by(self, error: PiMaskError, *, status: Status | None = None) -> Result:
        """The result that an error stands for.

        The error's first sentence is the message's ``{error}``; further ones are the advice, for they
        know more than the symptom. Its exit code counts.
        """
        status = status or self.status
        text = " ".join(str(error).split())
        first, *others = _SENTENCE_END.split(text, maxsplit=1)
        return Result(
            status,
            self.message.format(error=first),
            others[0] if others else self.advice,
            self.code,
            error.exit_code if status is Status.FAULT else 0,
        )
