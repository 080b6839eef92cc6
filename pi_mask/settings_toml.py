"""Write settings as a commented TOML file."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from pi_mask.settings_fields import FIELDS, NONE, SECTIONS, allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pi_mask.settings_model import Settings

_WIDTH: Final = 96
_HEADER: Final = """\
Settings of pi-mask. Each can also be given as PI_MASK_<SECTION>_<KEY> in the environment, which \
beats this file; a flag of the command line beats both."""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def render_toml(settings: Settings, sources: Mapping[str, str] | None = None) -> str:
    """Write all settings with what they are, what they may be and why their default is what it is.

    Args:
        settings: What to write; reading the text back gives equal settings.
        sources: Where each value comes from, per dotted key, written behind it; None leaves that out.

    Returns:
        A TOML 1.0 document that ends with a line break.
    """
    lines = [*_comment(_HEADER)]
    for section in SECTIONS:
        lines += ["", "", f"[{section}]"]
        for key in FIELDS:
            if key.rpartition(".")[0] == section:
                lines += _setting(key, settings, sources)
    return "\n".join(lines) + "\n"


def render_value(value: object) -> str:
    """Write one value in TOML; null is written as the text "none"."""
    match value:
        case None:
            return f'"{NONE}"'
        case bool():
            return str(value).lower()
        case str():
            return f'"{"".join(_ESCAPES.get(character) or _escape(character) for character in value)}"'
        case tuple() | list():
            return f"[{', '.join(render_value(item) for item in value)}]"
        case _:
            return repr(value)


def value_of(settings: Settings, key: str) -> object:
    """Return the setting with that dotted key."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _setting(key: str, settings: Settings, sources: Mapping[str, str] | None) -> Iterator[str]:
    field, name = FIELDS[key], key.rpartition(".")[2]
    yield ""
    yield from _comment(field.description or "")
    yield from _comment(f"Allowed: {allowed(key)}. Default: {render_value(field.default)}.")
    origin = "" if sources is None else f"  # {_printable(sources[key])}"
    yield f"{name} = {render_value(value_of(settings, key))}{origin}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _escape(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def _printable(text: str) -> str:
    """A path may hold a line break, which would end the comment."""
    return "".join(character if character.isprintable() else "�" for character in text)
