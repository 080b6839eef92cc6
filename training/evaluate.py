"""Measure a shipped model on the validation pictures, and write the figures into its manifest and card.

    python -m training.evaluate --model models/ssd_mobilenet_v2_512.tflite --data ../shared/data/val.json \
        --checkpoint training/runs/ssd/last.ckpt

The int8 file runs through pi_mask's own Detector; the float parent runs through the same one. Nothing is
tuned here. ``--marked`` also measures what faces that nobody annotated cost. Curves and pictures go to
``docs/evaluation/NAME``, those of a model that is not in ``models`` to ``evaluation/NAME`` beside it. What is
not measured this time, for want of a checkpoint or because an option says so, stays in the manifest if it was
measured on the same pictures; a latency stays as a whole or not at all, for a ratio to float32 is that of one
machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pi_mask.camera.picture import decode_picture
from pi_mask.errors import InputError
from pi_mask.manifest import find_manifest, load_manifest
from pi_mask.output import prepare_folder
from training.annotations import read_annotations, write_text
from training.card import card_path, write_card
from training.command import Command
from training.data import Picture, load_coco
from training.door_view import door_view
from training.float_parent import float_file
from training.latency import against_float, stages
from training.manifests import manifest_json
from training.metrics import (
    MIN_SIDE_PX,
    average_precision,
    by_size,
    curves,
    detect_all,
    precisions,
    summarise,
)
from training.plots import draw_confusion, draw_curves
from training.provenance import provenance
from training.stress import stress_table
from training.views import open_views

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.detector import Detector
    from pi_mask.types import Detection, Image

_SHIPPED = Path("models"), Path("docs/evaluation")


@dataclass(frozen=True)
class Config:
    """What is measured beside the two views of every picture.

    Attributes:
        checkpoint: Of the float parent; None leaves its figures alone.
        marked: The same pictures with more regions to ignore, from training.unlabelled; None leaves them out.
        threads: Of the int8 model; they change the speed only.
    """

    checkpoint: Path | None = None
    marked: Path | None = None
    with_latency: bool = True
    with_stress: bool = True
    threads: int = 2


def measure(model: Path, checkpoint: Path | None, pictures: Sequence[Picture]) -> dict[str, Any]:
    """The basic figures: precision of int8 and float, the door's view, latency."""
    config = Config(checkpoint, with_stress=False)
    return evaluate(model, pictures, config)[0]


def evaluate(
    model: Path, pictures: Sequence[Picture], config: Config, groups: Sequence[Hashable] | None = None
) -> tuple[dict[str, Any], NDArray[Any]]:
    """The figures for the manifest, and COCO's precision array of the int8 model.

    Args:
        model: The int8 file, its manifest beside it.
        pictures: Annotated.
        config: What to measure.
        groups: Near-duplicates share one; by default each picture is its own.

    Raises:
        InputError: A picture is damaged, or the checkpoint is another network's.
    """
    parent = _parent(model, config.checkpoint) if config.checkpoint else None
    marked = _marked(config.marked, pictures) if config.marked else None
    images = [decode_picture(picture.path) for picture in pictures]
    with open_views(model, config.threads) as views:
        low, door = views.detect_all(images)
        stress = {"stress": stress_table(views, pictures, images)} if config.with_stress else {}
    precision = precisions(pictures, low)
    result: dict[str, Any] = {"int8": _rounded(summarise(precision))}
    if parent is not None:
        result["float"] = _rounded(average_precision(pictures, detect_all(parent, images)))
        result["loss_points"] = round(100 * (result["float"]["mAP50"] - result["int8"]["mAP50"]), 2)
    result["door"] = door_view(pictures, door, groups)
    if marked is not None:
        result["marked"] = _beside_regions(marked, low, door_view(marked, door, groups))
    if config.with_latency:
        result["latency"] = _latency(model, config.checkpoint, images)
    return result | stress, precision


def _parent(model: Path, checkpoint: Path) -> Detector:
    """The float network in pi-mask's own Detector."""
    # The converters take seconds to import, and without a checkpoint nobody needs them.
    from training.float_parent import float_detector
    from training.quantise import load_network

    manifest, network = load_manifest(find_manifest(str(model))), load_network(checkpoint)
    if network.head() != manifest.head:
        raise InputError(f"{checkpoint} is not what {model} was made from: its head differs. Name that one.")
    return float_detector(network, manifest.input.width)


def _marked(file: Path, pictures: Sequence[Picture]) -> list[Picture]:
    """The same pictures with unannotated faces as regions to ignore.

    Raises:
        InputError: They are others, or their faces are.
    """
    marked = load_coco(file)
    if list(map(_faces, marked)) != list(map(_faces, pictures)):
        raise InputError(f"{file} is not what training.unlabelled makes of the data. Mark the data anew.")
    return marked


def _faces(picture: Picture) -> tuple[str, list[float], list[int]]:
    """What marking leaves as it is."""
    kept = picture.labels >= 0
    return picture.path.name, picture.boxes[kept].ravel().tolist(), picture.labels[kept].tolist()


def _beside_regions(
    marked: Sequence[Picture], found: Sequence[Sequence[Detection]], door: Mapping[str, Any]
) -> dict[str, Any]:
    """What changes where boxes on faces that nobody annotated count as neither right nor wrong."""
    sides = [min(box[2:] - box[:2]) for p in marked for box in p.boxes[p.labels < 0]]
    return {
        "regions": sum(bool(side >= MIN_SIDE_PX) for side in sides),
        "int8": _rounded(average_precision(marked, found)),
        **{name: door[name] for name in ("false_boxes", "large_false_boxes")},
    }


def _latency(model: Path, checkpoint: Path | None, images: Sequence[Image]) -> dict[str, Any]:
    latency: dict[str, Any] = {f"threads_{n}": stages(model, images[:16], n) for n in (1, 2)}
    size = load_manifest(find_manifest(str(model))).input.width
    parent = float_file(checkpoint, size) if checkpoint else None
    if parent and parent.exists():
        pair = against_float(model.read_bytes(), parent.read_bytes())
        latency["float32_inference_ms_threads_1"] = pair["float32_ms"]
        latency["threads_1"]["int8_over_float32"] = pair["ratio"]
    return latency


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four decimals: more is noise on 553 pictures."""
    return {name: round(value, 4) for name, value in figures.items()}


def write_pictures(folder: Path, name: str, metrics: dict[str, Any], precision: NDArray[Any]) -> list[Path]:
    """Draw the precision-recall curves and the confusion matrix; return the files.

    Raises:
        OutputError: One cannot be written.
    """
    paths = [folder / "precision-recall.png", folder / "confusion.png"]
    draw_curves(paths[0], curves(precision), f"{name}, int8")
    smallest = f"{metrics['door']['min_side_px']:g}"
    draw_confusion(paths[1], metrics["door"]["confusion"], f"{name}, faces of at least {smallest} px")
    return paths


def _default_output(models: Path) -> Path:
    shipped, output = _SHIPPED
    return output if models.resolve() == shipped.resolve() else models / "evaluation"


def _kept(before: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Earlier figures that are still true: of other pictures only the latency is."""
    if before.get("data", {}).get("sha256") == data["sha256"]:
        return dict(before)
    return {name: value for name, value in before.items() if name == "latency"}


@click.command(cls=Command)
@click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--marked",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The data as training.unlabelled marks it: precision without faces that nobody annotated, too.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="For curves and pictures.")
@click.option("--latency/--no-latency", "with_latency", default=True, show_default=True)
@click.option("--stress/--no-stress", "with_stress", default=True, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=Config.threads, show_default=True)
def main(model: Path, data: Path, output: Path | None, **options: Any) -> None:  # noqa: ANN401 they are Config's
    """Evaluate a model and update its manifest and card."""
    config = Config(**options)
    path = find_manifest(str(model))
    manifest = load_manifest(path)
    card_path(path.parent)
    folder = (output or _default_output(path.parent)) / manifest.name
    prepare_folder(folder)
    prepare_folder(path.parent)
    pictures = load_coco(data)
    groups = [image.group or image.file_name for image in read_annotations(data)]
    measured, precision = evaluate(model, pictures, config, groups)
    origin = provenance({}, [data, *filter(None, [config.marked])])
    about = {"file": data.name, "sha256": origin["data"][data.name], "pictures": len(pictures)}
    metrics = {**_kept(manifest.metrics, about), **measured, "sizes": by_size(precision), "data": about}
    drawn = write_pictures(folder, manifest.name, metrics, precision)
    metrics["pictures"] = [Path(os.path.relpath(each, path.parent)).as_posix() for each in drawn]
    record = metrics | {"curves": curves(precision), "origin": origin}
    write_text(folder / "evaluation.json", json.dumps(record, indent=1) + "\n")
    write_text(path, manifest_json(manifest.model_copy(update={"metrics": metrics})))
    card = write_card(path.parent)
    click.echo(f"mAP50 {measured['int8']['mAP50']:.3f}; see {card} and {folder}")


if __name__ == "__main__":
    main()
