"""Take secrets out of text."""

from __future__ import annotations

import os
import re
from typing import Final

HIDDEN: Final = "***"

_SECRET_NAME: Final = re.compile(
    r"\bpass\b|passw|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key|credential|authorization",
    re.IGNORECASE,
)
# Greedy, for a password may hold "/" and "@" itself; ":/" alone, because pathlib folds slashes.
_USERINFO: Final = re.compile(r"(:/+).*@", re.DOTALL)
_USERINFO_ALONE: Final = re.compile(r"""[^\s:/@"'=(]*:(?!/)\S*@""")
"""Where somebody forgot or mistyped what a URL begins with."""
_QUERY: Final = re.compile(r"(:/+[^\s?]+)\?\S*")
_HOMES: Final = re.compile(r"(/(?:home|Users)/)[^/\s\"']+")
_ASSIGNMENT: Final = re.compile(
    rf"([\w.-]*(?:{_SECRET_NAME.pattern})[\w.-]*[\"']?\s*[:=]\s*).*", re.IGNORECASE
)


def clean(text: str) -> str:
    """Hide credentials and queries of URLs, and what is assigned to names that speak of secrets.

    Rather too much than too little: of a text with a URL, all up to the last "@" goes.
    """
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _USERINFO_ALONE.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1?{HIDDEN}", text)
    return _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)


def clean_home(text: str) -> str:
    """Hide whose folders these are: home folders are called by their user's name."""
    home = os.environ.get("HOME", "").rstrip("/")
    if home:
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    return _HOMES.sub(rf"\1{HIDDEN}", text)


def clean_lines(text: str) -> str:
    """Clean each line by itself."""
    return "\n".join(clean(line) for line in text.splitlines())


def clean_value(key: str, value: object) -> object:
    """Clean the value of a setting.

    Args:
        key: Dotted; its last part may speak of a secret.
        value: A number, a text, a sequence or None.
    """
    if value and _SECRET_NAME.search(key.rpartition(".")[2]):
        return HIDDEN
    return clean(value) if isinstance(value, str) else value
