"""Check data sets as a user does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from training.check import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check said; ``report`` is its JSON."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    @property
    def findings(self) -> list[tuple[str, list[str]]]:
        """Kind and pictures of each finding."""
        return [(finding["kind"], finding["pictures"]) for finding in self.report["findings"]]


def run(*arguments: object) -> Outcome:
    """Check with these arguments."""
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = result.stdout.splitlines()
    return Outcome(result.exit_code, result.stdout, result.stderr, json.loads(lines[0]) if lines else {})
