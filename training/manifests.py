"""Write manifests."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pi_mask.errors import OutputError
from pi_mask.manifest import Manifest


def manifest_json(manifest: Manifest) -> str:
    """A manifest as the text of its file."""
    return json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2) + "\n"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears under its name when it is whole; an older one is replaced.

    Raises:
        OutputError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Check the folder and the disk."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
