"""Change single settings in the owner's TOML file and leave all else as it is."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tomllib
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pi_mask.errors import OutputError, SettingsError
from pi_mask.settings_fields import FIELDS, NONE

OLD_SUFFIX: Final = ".old"
_OWN, _ANYBODYS = 0o600, 0o666  # the umask takes its part away
_HEADER: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")
_FREE_SPACE: Final = "Free some space there, then try again."
_ADVICE: Final = "Use sudo, choose another file with --config, or only look with --dry-run."


def edited(text: str, values: Mapping[str, object], note: str) -> str:
    """Return a TOML document with these settings; comments, order and all others stay.

    Args:
        text: A valid document, possibly empty.
        values: New values per dotted key; None is written as "none".
        note: One line that is put as a comment above each changed setting, in place of an earlier note that
            begins with the same word.

    Raises:
        SettingsError: The document cannot hold them, because something else stands in their place.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        for key, value in values.items():
            *sections, name = key.split(".")
            table: MutableMapping[str, Any] = document
            for section in sections:
                table = _section(table, section)
            table[name] = _plain(value)
        written = _noted(tomlkit.dumps(document), values, note)
    except (TOMLKitError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(
            f"The file cannot take the new settings ({error}). Write them yourself."
        ) from error
    _check(text, written, values)
    return written


def replace_file(path: Path, text: str, advice: str = _ADVICE) -> Path | None:
    """Put a new text in a file's place, whole or not at all, also when the power goes.

    Args:
        path: Its folder is made where it is missing; a link is followed.
        text: The new content.
        advice: What to do where it cannot be written.

    Returns:
        Where the old content lies now; None where there was none.

    Raises:
        OutputError: The file cannot be written; the old one is untouched.
    """
    target = path.resolve()
    _check_file(target, advice)
    part, old = target.with_name(f".{target.name}.part"), target.with_name(target.name + OLD_SUFFIX)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        had_one = target.exists()
        if had_one:
            _begin(part, _OWN)
            shutil.copy2(target, part)
            _sync(part)
            part.replace(old)
        _begin(part, _OWN if had_one else _ANYBODYS)
        _write(part, text)
        if had_one:
            _take_after(target, part)
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            advice = _FREE_SPACE
        raise OutputError(f"{path} cannot be written: {error.strerror}. {advice}") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return old if had_one else None


def check_writable(path: Path) -> None:
    """Refuse early what :func:`replace_file` would refuse after the owner's time was spent.

    Raises:
        OutputError: The file, or the folder that it would be in, cannot be written to.
    """
    target = path.resolve()
    _check_file(target)
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: {folder} is not yours to write in. {_ADVICE}")


def _check_file(target: Path, advice: str = _ADVICE) -> None:
    """Refuse to put a file in the place of a folder or a device such as /dev/null."""
    if target.exists() and not target.is_file():
        raise OutputError(f"{target} is no file. {advice}")


def _section(table: MutableMapping[str, Any], name: str) -> MutableMapping[str, Any]:
    import tomlkit

    if name not in table:
        is_inline = isinstance(table, tomlkit.items.InlineTable)  # which holds only its like
        table[name] = tomlkit.inline_table() if is_inline else tomlkit.table()
    inner = table[name]
    if not isinstance(inner, MutableMapping):
        raise ValueError(f"{name} is no section")
    return inner


def _plain(value: object) -> object:
    if value is None:
        return NONE
    return list(value) if isinstance(value, tuple) else value


def _noted(text: str, values: Mapping[str, object], note: str) -> str:
    """The text with the note above each of these settings that has a line of its own."""
    word = note.split(maxsplit=1)[0]
    lines: list[str] = []
    section = ""
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if header := _HEADER.match(line):
            section = header[1].replace(" ", "")
        name = stripped.partition("=")[0].strip()
        key = f"{section}.{name}" if section else name
        if key in values and "=" in stripped:
            while lines and lines[-1].strip().startswith(f"# {word} "):
                lines.pop()
            lines.append(f"# {note}\n")
        lines.append(line)
    return "".join(lines)


def _check(before: str, after: str, values: Mapping[str, object]) -> None:
    """What is written must hold the new values and nothing else that is new."""
    old, new = _flat(tomllib.loads(before)), _flat(tomllib.loads(after))
    wanted = {**old, **{key: _plain(value) for key, value in values.items()}}
    if new != wanted:
        raise SettingsError(
            "The file cannot take the new settings without changing others. Write them yourself."
        )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, dict) and key not in FIELDS:
            found.update(_flat(value, f"{key}."))
        else:
            found[key] = value
    return found


def _begin(part: Path, mode: int) -> None:
    """Make an empty file, in place of one that a killed run may have left.

    Nobody reads in it meanwhile what they may not read in the end, such as a camera's password.
    """
    part.unlink(missing_ok=True)
    part.touch(mode, exist_ok=False)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _take_after(model: Path, path: Path) -> None:
    """Mode and owner, as far as this user may give files away."""
    shutil.copymode(model, path)
    state = model.stat()
    with suppress(OSError, AttributeError):
        os.chown(path, state.st_uid, state.st_gid)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
