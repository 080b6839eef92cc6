"""Pack what a bug report needs into one file."""

from __future__ import annotations

import io
import os
import platform
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Final

from pi_mask.doctor.ask import ask
from pi_mask.doctor.base import Result
from pi_mask.doctor.machine import UNIT
from pi_mask.doctor.report import report_json, result_lines, setting_line, summary_line
from pi_mask.errors import OutputError, SettingsError, UsageError
from pi_mask.redaction import clean_home, clean_lines
from pi_mask.settings import LoadedSettings

JOURNAL_LINES: Final = 500
PYTHON_PACKAGES: Final = (
    "pi-mask",
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "opencv-python-headless",
    "gpiozero",
    "lgpio",
    "picamera2",
    "click",
    "pydantic",
)
DEBIAN_PACKAGES: Final = (
    "libedgetpu1-std",
    "libedgetpu1-max",
    "python3-picamera2",
    "python3-libcamera",
    "python3-lgpio",
    "python3-numpy",
)


def check_target(path: Path) -> None:
    """Refuse a bundle that could not be written, before minutes of work go into it.

    Raises:
        UsageError: The name is not that of a known kind of archive.
        OutputError: There is such a file already, or the folder cannot be written to.
    """
    if _writer(path) is None:
        raise UsageError(f"{path} is no archive's name. Let it end in .zip or .tar.gz.")
    if os.path.lexists(path):
        raise OutputError(f"{path} exists. Choose another name.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(
            f"{path.parent} cannot be written to: {error.strerror}. Choose another path."
        ) from error


def write_bundle(path: Path, results: Sequence[Result], loaded: LoadedSettings | SettingsError) -> None:
    """Write results, settings, versions and the service's log, as text without secrets; never a picture.

    The file appears under its name when it is whole.

    Raises:
        UsageError: See ``check_target``.
        OutputError: See ``check_target``; or the disk is full.
    """
    check_target(path)
    texts = {
        "doctor.json": report_json(results, loaded),
        "doctor.txt": "\n".join(_report(results)),
        "settings.txt": _settings(loaded),
        "versions.txt": "\n".join(_versions()),
        "journal.txt": _journal(),
    }
    texts = {name: clean_home(text) for name, text in texts.items()}
    write = _writer(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            if write is not None:
                write(file, texts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise OutputError(f"{path} cannot be written: {error.strerror}. Choose another path.") from error


def _writer(path: Path) -> Callable[[IO[bytes], Mapping[str, str]], None] | None:
    endings = {".zip": _write_zip, ".tar.gz": _write_tar}
    return next((write for ending, write in endings.items() if path.name.endswith(ending)), None)


def _write_zip(file: IO[bytes], texts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text + "\n")


def _write_tar(file: IO[bytes], texts: Mapping[str, str]) -> None:
    # Neither format gets an owner's name.
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in texts.items():
            content = (text + "\n").encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _report(results: Sequence[Result]) -> Iterator[str]:
    for result in results:
        yield from result_lines(result)
    yield summary_line(results)


def _settings(loaded: LoadedSettings | SettingsError) -> str:
    """Every setting with its source; not the file itself, whose comments may say anything."""
    if isinstance(loaded, SettingsError):
        return "The configuration is wrong: see doctor.txt."
    return "\n".join(setting_line(loaded, key) for key in loaded.sources)


def _versions() -> Iterator[str]:
    yield f"{platform.platform()}, Python {platform.python_version()}"
    for package in PYTHON_PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package}: not installed"
    for package in DEBIAN_PACKAGES:
        found = ask("dpkg-query", "--show", "--showformat=${Version}", package)
        yield f"{package} {found} (Debian)" if found else f"{package}: not installed (Debian)"


def _journal() -> str:
    length = str(JOURNAL_LINES)
    log = ask("journalctl", "-q", "-u", UNIT, "-n", length, "--no-pager", "--no-hostname", "-o", "short-iso")
    return clean_lines(log) if log else "The service's log is empty or cannot be read by this user."
