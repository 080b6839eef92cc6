"""List the shipped models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pi_mask.commands.options import json_option
from pi_mask.commands.streams import say
from pi_mask.errors import ModelError

if TYPE_CHECKING:
    from pi_mask.manifest import Manifest

_HEADINGS = ("name", "", "size", "input", "edgetpu", "mAP50", "thresholds")


@click.command(short_help="List the shipped models.")
@json_option
def models(*, as_json: bool) -> None:
    """List the shipped models with what their manifests say.

    mAP50 is the int8 file's mean average precision on validation pictures, 0 to 1. The thresholds are the
    smallest scores that count, per label. A file that does not match its manifest is an error (exit code 4).
    """
    from pi_mask.manifest import DEFAULT_MODEL, load_manifest, models_dir, read_model, shipped_models
    from pi_mask.report import json_line

    folder = models_dir()
    rows = []
    for name in shipped_models():
        path = folder / f"{name}.json"
        manifest = load_manifest(path)
        facts = _facts(manifest, len(read_model(path, manifest.cpu)))
        rows.append({"name": name, "default": name == DEFAULT_MODEL, **facts})
    if not rows:
        raise ModelError(f"No model lies in {folder}. Reinstall pi-mask.")
    for line in [json_line(**row) for row in rows] if as_json else _table([_cells(row) for row in rows]):
        say(line)


def _facts(manifest: Manifest, size: int) -> dict[str, Any]:
    """What ``models --json`` says about a model besides its name."""
    measured = manifest.metrics.get("int8")
    return {
        "size_bytes": size,
        "input": [manifest.input.width, manifest.input.height],
        "edgetpu": manifest.edgetpu is not None,
        "map50": measured.get("mAP50") if isinstance(measured, Mapping) else None,
        "thresholds": {label.value: score for label, score in manifest.thresholds.items()},
    }


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        "default" if row["default"] else "",
        f"{row['size_bytes'] / 1e6:.1f} MB",
        "{}×{}".format(*row["input"]),
        "yes" if row["edgetpu"] else "no",
        "unknown" if row["map50"] is None else f"{row['map50']:.3f}",
        ", ".join(f"{label} {score:g}" for label, score in row["thresholds"].items()),
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell."""
    table = [_HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
