"""Record what a result came from: configuration, commit, data and versions."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pi_mask.errors import InputError
from training.annotations import read_json

_PACKAGES = (
    "torch",
    "lightning",
    "litert-torch",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "numpy",
    "opencv-python-headless",
)


def data_hash(annotations: Path) -> str:
    """sha256 of an annotation file; it names every picture and box, so it changes with the data."""
    return hashlib.sha256(annotations.read_bytes()).hexdigest()


def commit() -> str:
    """The checkout's commit, with "-dirty" when files differ from it; "unknown" outside a checkout."""
    root = Path(__file__).parent.parent
    # Without the tags "describe" falls back to the plain hash.
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def run_record(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint came from: the ``run.json`` of its run, or the record beside published weights.

    Raises:
        InputError: The record is damaged.
    """
    own = checkpoint.with_suffix(".json")
    path = own if own.exists() else checkpoint.parent / "run.json"
    record = read_json(path) if path.exists() else {"file": checkpoint.name}
    if not isinstance(record, dict):
        raise InputError(f"{path} is no record of a run. Delete it, or fetch it again with its checkpoint.")
    return record


def with_parents(record: Mapping[str, Any], **parents: Path | Sequence[Path]) -> dict[str, Any]:
    """Add what a checkpoint was made from, back to the first run.

    Args:
        record: Of the new checkpoint.
        **parents: Its checkpoints by their part in it: ``start``, ``teacher``, ``averaged``.

    Returns:
        The record with the names of its parents' records. Each ancestor's stands once under ``ancestors``, by
        a name made from its content: several parents often have the same ones.
    """
    ancestors: dict[str, Any] = {}

    def adopt(checkpoint: Path) -> str:
        parent = run_record(checkpoint)
        ancestors.update(parent.pop("ancestors", {}))
        name = hashlib.sha256(json.dumps(parent, sort_keys=True).encode()).hexdigest()[:12]
        ancestors[name] = parent
        return name

    names = {
        part: adopt(given) if isinstance(given, Path) else [adopt(checkpoint) for checkpoint in given]
        for part, given in parents.items()
    }
    return {**record, **names, "ancestors": ancestors} if ancestors else dict(record)


def _hashes(data: Sequence[Path]) -> dict[str, str]:
    """By the files' names; a second file of one name gets a number, folders are the owner's affair."""
    hashes: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for path in dict.fromkeys(data):
        seen[path.name] += 1
        number = seen[path.name]
        hashes[path.name if number == 1 else f"{path.name} ({number})"] = data_hash(path)
    return hashes


def provenance(config: Mapping[str, Any], data: Sequence[Path]) -> dict[str, Any]:
    """Everything needed to repeat a run, ready for JSON."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "config": dict(config),
        "commit": commit(),
        "data": _hashes(data),
        "versions": versions,
    }
