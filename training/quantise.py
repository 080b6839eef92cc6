"""Convert a trained detector to a full int8 .tflite file with uint8 ends and write its manifest.

    python -m training.quantise --checkpoint training/runs/ssd/last.ckpt --data ../shared/data/train.json \
        --output models --name ssd_mobilenet_v2_512

torch → litert-torch (float .tflite) → ai-edge-quantizer (int8, calibrated on training pictures) → uint8 ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from numpy.typing import NDArray

from pi_mask.camera.picture import decode_picture
from pi_mask.commands.options import FiniteRange
from pi_mask.detector import letterbox
from pi_mask.manifest import Manifest, ModelFile, ModelInput
from pi_mask.output import prepare_folder
from pi_mask.types import MaskLabel
from training.annotations import write_bytes, write_text
from training.calibration import calibrate, limit_range, set_range
from training.command import Command, InputSide
from training.data import LABELS, Picture, load_coco
from training.float_parent import IOU_THRESHOLD, MIN_SIDE_SHARE, float_file
from training.manifests import manifest_json
from training.networks.base import DetectionNetwork, Exported, count_weights
from training.networks.registry import load_checkpoint
from training.provenance import provenance, run_record
from training.torch_interpreter import INPUT_SCALE
from training.uint8_ends import with_uint8_ends

__all__ = ["Config", "load_network", "manifest_json", "quantise", "write_model"]

# Until the door's thresholds are chosen on training pictures (training/thresholds.py).
DEFAULT_THRESHOLD = 0.4
# Beyond these a value means nothing more, and steps are finer without. Logits: σ(−6) is 0.25 %, far below any
# threshold. Log distances: 0.14 to 20 strides. Beside an anchor: centres to the last thirtieth of their
# reach, sizes up to 3.9 times the anchor's.
_LIMITS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("ssd", "scores"): (-6.0, 6.0),
    ("ssd", "boxes"): (-2.0, 3.0),
    ("yolov5", "scores"): (-6.0, 6.0),
    ("yolov5", "boxes"): (-4.0, 4.0),
    ("yolov5", "objectness"): (-6.0, 6.0),
}


@dataclass(frozen=True)
class Config:
    """What the conversion depends on."""

    size: int = 320
    calibration_pictures: int = 300
    percentile: float = 100.0  # chosen on training pictures, see LOG.md
    seed: int = 1


def load_network(checkpoint: Path) -> DetectionNetwork:
    """The network with the averaged weights of a training checkpoint, in evaluation mode.

    Raises:
        ModelError: It is no checkpoint of a known network.
    """
    return load_checkpoint(checkpoint).network


def convert_float(network: DetectionNetwork, size: int) -> bytes:
    """The float32 .tflite file: picture 0 to 1, channels last; outputs as the network's head names them."""
    exported = Exported(network).eval()
    outputs = list(range(len(network.output_kinds())))
    wrapped = litert_torch.to_channel_last_io(exported, args=[0], outputs=outputs)
    model = litert_torch.convert(wrapped, (torch.zeros(1, size, size, 3),))
    return bytes(model.model_content())


def calibration_images(pictures: Sequence[Picture], config: Config) -> Iterator[NDArray[np.float32]]:
    """Letterboxed training pictures, as the detector makes them; every label is among them."""
    rng = np.random.default_rng(config.seed)
    for index in rng.permutation(len(pictures))[: config.calibration_pictures]:
        image = letterbox(
            decode_picture(pictures[index].path), ModelInput(width=config.size, height=config.size)
        )
        yield image[None].astype(np.float32) * np.float32(INPUT_SCALE)


def output_limits(network: DetectionNetwork) -> list[tuple[float, float]]:
    """What the values of each output are cut to, in order."""
    return [_LIMITS[network.head_kind, kind] for kind in network.output_kinds()]


def quantise(
    model: bytes,
    images: Iterable[NDArray[np.float32]],
    percentile: float,
    limits: Sequence[tuple[float, float]] = (),
) -> bytes:
    """Full int8 inside, uint8 at the ends.

    Args:
        model: A float .tflite file with one picture, 0 to 1, as input.
        images: 1 × H × W × 3, 0 to 1, to calibrate with.
        percentile: Of the pictures' extremes, 50 to 100.
        limits: Smallest and largest value that means something, per output; none: as calibrated.
    """
    machine = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    key, name = _signature(model)
    statistics = calibrate(machine, key, ({name: image} for image in images), percentile)
    inputs, outputs = _ends(model)
    # Exactly this becomes scale 1/255 and zero point 0: image bytes go in as they are.
    set_range(statistics, inputs[0], 0.0, 1.0)
    for output, (low, high) in zip(outputs, limits, strict=False):
        limit_range(statistics, output, low, high)
    quantised = machine.quantize(statistics, enable_progress_report=False).quantized_model
    return with_uint8_ends(bytes(quantised))


def _signature(model: bytes) -> tuple[str, str]:
    """Names of the model's only signature and of its input."""
    signatures: dict[str, Any] = Interpreter(model_content=model).get_signature_list()
    key = next(iter(signatures))
    return key, signatures[key]["inputs"][0]


def _ends(model: bytes) -> tuple[list[str], list[str]]:
    """Names of the input and output tensors, outputs in order."""
    interpreter = Interpreter(model_content=model)
    return (
        [detail["name"] for detail in interpreter.get_input_details()],
        [detail["name"] for detail in interpreter.get_output_details()],
    )


def write_model(
    model: bytes, network: DetectionNetwork, path: Path, training: Mapping[str, Any], size: int
) -> Path:
    """Write a .tflite file and its manifest beside it; metrics are added by training.evaluate.

    Args:
        model: Content of the file.
        network: What it was made from: outputs and description.
        path: Of the .tflite file; its stem is the model's name.
        training: Where it came from.
        size: Side of its input in pixels.

    Returns:
        The manifest's path.
    """
    manifest = Manifest(
        schema=1,
        name=path.stem,
        description=f"{network.description}, {count_weights(network) / 1e6:.1f} million weights",
        cpu=ModelFile(file=path.name, sha256=hashlib.sha256(model).hexdigest()),
        labels=LABELS,
        input=ModelInput(width=size, height=size),
        head=network.head(),
        thresholds=dict.fromkeys(MaskLabel, DEFAULT_THRESHOLD),
        iou_threshold=IOU_THRESHOLD,
        min_side_px=MIN_SIDE_SHARE * size,
        training=training,
        metrics={},
    )
    write_bytes(path, model)
    write_text(path.with_suffix(".json"), manifest_json(manifest))
    return path.with_suffix(".json")


@click.command(cls=Command)
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--name", help="Of the model; the network's name with its input size by default.")
@click.option("--size", type=InputSide(), help="Side of the input; that of training by default.")
@click.option(
    "--percentile",
    type=FiniteRange(50, 100),
    default=Config.percentile,
    show_default=True,
    help="Of the value ranges.",
)
def main(  # noqa: PLR0913, PLR0917 one argument per option
    checkpoint: Path, data: Path, output: Path, name: str | None, size: int | None, percentile: float
) -> None:
    """Convert a checkpoint to int8 and write model and manifest."""
    trained = load_checkpoint(checkpoint)
    prepare_folder(output)
    config = Config(size=size or trained.size, percentile=percentile)
    record = run_record(checkpoint) | {"quantisation": provenance(asdict(config), [data])}
    model = convert_float(trained.network, config.size)
    write_bytes(float_file(checkpoint, config.size), model)
    images = calibration_images(load_coco(data), config)
    quantised = quantise(model, images, config.percentile, output_limits(trained.network))
    file = output / f"{name or f'{trained.name}_{config.size}'}.tflite"
    path = write_model(quantised, trained.network, file, record, config.size)
    click.echo(f"{path}: {len(quantised) / 1e6:.2f} MB int8, {len(model) / 1e6:.2f} MB float32")


if __name__ == "__main__":
    main()
