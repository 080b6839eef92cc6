"""Write models/README.md, the model card, from the manifests beside it.

    python -m training.card models

training.evaluate does so too, after it has measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pi_mask.errors import OutputError
from pi_mask.manifest import DEFAULT_MODEL, Manifest, load_manifest
from training.annotations import write_text
from training.card_texts import (
    COMPARED,
    FOR_THE_OWNER,
    INTRODUCTION,
    LIMITS,
    OUR_PICTURES,
    OURS,
    REBUILDING,
    RECORDED,
    SOURCES_HEAD,
    TITLE,
    WHY,
)
from training.command import Command

SOURCES = Path(__file__).parent / "data_sources.json"

_COLUMNS = ("mAP50", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect")


def write_card(folder: Path) -> Path:
    """Write the card of all models in a folder; return its path.

    Raises:
        ModelError: A manifest is damaged.
        OutputError: It cannot be written.
    """
    found = [path for path in sorted(folder.glob("*.json")) if path.with_suffix(".tflite").exists()]
    manifests = [load_manifest(path) for path in found]
    has_ours = any(map(_is_ours, manifests))
    text = [INTRODUCTION, *[LIMITS] * has_ours, *_comparison(manifests), *map(_model, manifests)]
    path = card_path(folder)
    write_text(path, "\n".join([*text, *[_sources()] * has_ours]))
    return path


def _is_ours(manifest: Manifest) -> bool:
    """Whether it is a model that this project ships, with the figures that it ships.

    Names alone do not tell: training.quantise gives somebody's own model such a name too, by default.
    """
    return manifest.name in OURS and manifest.metrics.get("data", {}).get("sha256") == OUR_PICTURES


def _sources() -> str:
    """Where our pictures and weights come from, and how to rebuild from them."""
    sources: list[dict[str, str]] = json.loads(SOURCES.read_text())
    rows = [f"| {entry['source']} | {entry['repository']} | {entry['licence']} |\n" for entry in sources]
    return SOURCES_HEAD + "".join(rows) + REBUILDING


def card_path(folder: Path) -> Path:
    """Where a folder's card is or will be.

    Raises:
        OutputError: Something else of that name is there.
    """
    path = folder / "README.md"
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(TITLE.encode())):
        raise OutputError(f"{path} is no model card. Keep the models in a folder of their own, or rename it.")
    return path


def _comparison(manifests: Sequence[Manifest]) -> list[str]:
    """One line a model, and why the default is the default; nothing where there is no choice."""
    measured = [m for m in manifests if {"int8", "door", "latency"} <= set(m.metrics)]
    if len(measured) < 2:
        return []
    head = ("model", "mAP50", "passed wrongly", "masked, refused", "not found", "false boxes", "ms, 1 thread")
    rows = [_compared(m) for m in measured]
    why = [WHY] if {m.name for m in measured if _is_ours(m)} == set(OURS) else []
    return ["\n".join(["## Which one", "", COMPARED, *_table(head, rows), *why])]


def _compared(manifest: Manifest) -> tuple[str, ...]:
    metrics = manifest.metrics
    door = metrics["door"]
    keys = ("unmasked_or_wrong_passed_as_masked", "masked_refused", "missed")
    default = " (default)" if manifest.name == DEFAULT_MODEL else ""
    return (
        f"{manifest.name}{default}",
        f"{metrics['int8']['mAP50']:.3f}",
        *(_percent(door[key]) for key in keys),
        f"{door['large_false_boxes']['per_picture']:.3f}",
        f"{metrics['latency']['threads_1']['inference_ms']:.1f}",
    )


def _model(manifest: Manifest) -> str:
    training, is_ours = manifest.training, _is_ours(manifest)
    lines = [
        f"## {manifest.name}",
        "",
        f"{manifest.description}. Input {manifest.input.width} × {manifest.input.height}. "
        f"Training commit `{str(training.get('commit', 'unknown'))[:12]}`.",
        "",
    ]
    metrics = manifest.metrics
    if {"int8", "door", "data"} <= set(metrics):
        lines += _precision(metrics) + _sizes(metrics) + _pictures(manifest)
        lines += _door(metrics["door"]) + _stress(metrics) + _latency(metrics, is_ours=is_ours)
    limits = ", ".join(f"{label.value} {value:g}" for label, value in manifest.thresholds.items())
    lines += [
        f"Thresholds: {limits}. Smallest face: {_smallest(manifest)}.",
        "",
        _edgetpu(manifest, is_ours=is_ours),
        "",
    ]
    return "\n".join(lines if is_ours else lines + _origin(manifest))


def _origin(manifest: Manifest) -> list[str]:
    """What is known of where somebody's own model comes from, and that its owner knows the rest."""
    training, metrics = manifest.training, manifest.metrics
    steps = {"training": training}
    steps |= {f"earlier run {name}": run for name, run in training.get("ancestors", {}).items()}
    steps |= {name: training[name] for name in ("quantisation", "thresholds") if name in training}
    if "data" in metrics:
        file, digest, pictures = (metrics["data"][key] for key in ("file", "sha256", "pictures"))
        steps["measuring"] = {"data": {file: digest}, "pictures": pictures}
    rows = [(name, _files(step), _settings(step)) for name, step in steps.items()]
    return [RECORDED, *_table(("step", "data", "settings"), rows), FOR_THE_OWNER]


def _files(step: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {digest[:12]}" for name, digest in step.get("data", {}).items()) or "–"


def _settings(step: Mapping[str, Any]) -> str:
    """What a step was told, and the runs that it goes on from; not what has parts of its own."""
    found = {**step.get("config", {}), **step, "averaged": " ".join(step.get("averaged", ()))}
    plain = {name: value for name, value in found.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name} {value}" for name, value in plain.items() if value != "" and name != "commit")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, with the empty line after it."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    # A first column without a heading starts with "| |".
    lines[0] = lines[0].replace("|  |", "| |", 1)
    return [lines[0], "|---" * len(head) + "|", *lines[1:], ""]


def _precision(metrics: Mapping[str, Any]) -> list[str]:
    names = (*_COLUMNS, "mAP")
    marked = metrics.get("marked", {})
    kinds = {
        "int8": metrics,
        "float32 parent": {"int8": metrics.get("float")},
        "int8, those left out": marked,
    }
    rows = [
        (title, *(_figure(kind["int8"].get(name)) for name in names))
        for title, kind in kinds.items()
        if kind.get("int8")
    ]
    return [
        f"Validation: {metrics['data']['pictures']} pictures, COCO average precision; faces with a shorter "
        f"side below 16 px are ignored.{_unannotated(marked)}",
        "",
        *_table(("", *names), rows),
    ]


def _unannotated(marked: Mapping[str, Any]) -> str:
    """What the last row of precisions leaves out, and what it makes of the boxes on nobody."""
    if not marked:
        return ""
    return (
        f" {marked['regions']} larger ones that nobody annotated, as another face detector finds them "
        "(training.unlabelled), count as background in the first rows and are left out in the last, where "
        f"{marked['large_false_boxes']['per_picture']:.3f} boxes a picture of at least 24 px lie on nobody."
    )


def _sizes(metrics: Mapping[str, Any]) -> list[str]:
    if "sizes" not in metrics:
        return []
    rows = [(size, *(_figure(row[name]) for name in _COLUMNS)) for size, row in metrics["sizes"].items()]
    return [
        "By the shorter side of the face, in pixels of a picture of 512 (int8):",
        "",
        *_table(("px", *_COLUMNS), rows),
    ]


def _figure(value: float | None) -> str:
    """A precision; a dash where there is no face of that label or size."""
    return "–" if value is None else f"{value:.3f}"


def _smallest(manifest: Manifest) -> str:
    """What is left out as too small, in the input's pixels and as a share of any frame."""
    longer = max(manifest.input.width, manifest.input.height)
    share = manifest.min_side_px / longer
    return f"{manifest.min_side_px:g} px of the input, {share:.1%} of the frame's longer side"


def _pictures(manifest: Manifest) -> list[str]:
    paths = manifest.metrics.get("pictures", ())
    return [*(f"![{Path(path).stem} of {manifest.name}]({path})" for path in paths), *[""] * bool(paths)]


def _door(door: Mapping[str, Any]) -> list[str]:
    names = {
        "right": "said rightly",
        "unmasked_or_wrong_passed_as_masked": "bare or wrongly masked, passed as masked",
        "masked_refused": "masked, refused",
        "missed": "not found",
    }
    rows = [(title, *_share(door[key]), str(door[key]["of"])) for key, title in names.items()]
    large, all_boxes = (
        f"{boxes['per_picture']:.3f} ({boxes['interval95'][0]:.3f} – {boxes['interval95'][1]:.3f})"
        for boxes in (door["large_false_boxes"], door["false_boxes"])
    )
    return [
        f"What single frames would say at the thresholds below, faces of at least "
        f"{door['min_side_px']:g} px, with 95 % Clopper-Pearson intervals, which take faces for independent:",
        "",
        *_table(("", "share", "interval", "faces"), rows),
        f"Boxes on no annotated face, a picture: {large} of at least {door['min_side_px']:g} px, "
        f"{all_boxes} of any size; 95 % intervals by bootstrap over groups of near-duplicates.",
        "",
    ]


def _stress(metrics: Mapping[str, Any]) -> list[str]:
    if "stress" not in metrics:
        return []
    rows = [
        (name, f"{row['mAP50']:.3f}", *_share(row["wrong_green"]), _percent(row["missed"]))
        for name, row in metrics["stress"].items()
    ]
    return [
        "The same pictures made harder (training/stress.py says how), at the same thresholds for all but "
        "mAP50; wrong green is bare or wrongly masked, passed as masked:",
        "",
        *_table(("stress", "mAP50", "wrong green", "interval", "not found"), rows),
    ]


def _share(entry: Mapping[str, Any]) -> tuple[str, str]:
    low, high = entry["interval95"]
    return _percent(entry), f"{low:.1%} – {high:.1%}" if entry["of"] else "–"


def _percent(entry: Mapping[str, Any]) -> str:
    """A share; a dash where there is no face to have one of."""
    return f"{entry['share']:.1%}" if entry["of"] else "–"


def _latency(metrics: Mapping[str, Any], *, is_ours: bool) -> list[str]:
    if "latency" not in metrics:
        return []
    latency = metrics["latency"]
    machine = "x86-64 machine" if is_ours else "machine"
    lines = [f"Median milliseconds a frame on the {machine} that measured it:", ""]
    for threads in (1, 2):
        one = latency[f"threads_{threads}"]
        lines.append(
            f"- {threads} thread{'s' * (threads > 1)}: {one['inference_ms']:.1f} inference, "
            f"{one['preprocess_ms']:.2f} before, {one['postprocess_ms']:.2f} after"
        )
    if "float32_inference_ms_threads_1" in latency:
        parent = latency["float32_inference_ms_threads_1"]
        ratio = latency["threads_1"].get("int8_over_float32")
        compared = f"; int8 takes {ratio:.2f} of that, by turns" if ratio else ""
        lines.append(f"- float32 parent, 1 thread: {parent:.1f} inference{compared}")
    return [*lines, ""]


def _edgetpu(manifest: Manifest, *, is_ours: bool) -> str:
    if manifest.edgetpu is None:
        meant = "; releases are meant to carry one" if is_ours else ""
        return f"No file for the Edge TPU comes with it{meant} (docs/edge-tpu.md)."
    compiler = manifest.training.get("edgetpu", {}).get("compiler") or "of unknown version"
    run = "; never run on a device by us" if is_ours else ""
    return f"For the Edge TPU: `{manifest.edgetpu.file}`, compiler {compiler}{run}."


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the model card of a folder of models."""
    click.echo(write_card(folder))


if __name__ == "__main__":
    main()
