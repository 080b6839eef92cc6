"""Convert a trained detector to a full int8 .tflite file with uint8 ends and write its manifest.

    python -m training.quantise --checkpoint training/runs/ssd/last.ckpt --data ../shared/data/train.json \
        --output models --name ssd_mobilenet_v2_320

torch → litert-torch (float .tflite) → ai-edge-quantizer (int8, calibrated on training pictures) → uint8 ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
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

from pi_mask.detector import letterbox
from pi_mask.manifest import Manifest, ModelFile, ModelInput
from pi_mask.types import MaskLabel
from training.calibration import calibrate, limit_range, set_range
from training.data import LABELS, Picture, load_coco, read_rgb
from training.float_parent import IOU_THRESHOLD
from training.networks.ssd import ExportedSsd, SsdMobileNetV2, load_weights
from training.provenance import provenance
from training.torch_interpreter import INPUT_SCALE, ssd_head
from training.uint8_ends import with_uint8_ends

# Until the door's thresholds are chosen on training pictures (training/thresholds.py).
DEFAULT_THRESHOLD = 0.4
# Logits: σ(−6) is 0.25 %, far below any threshold. Log distances: 0.14 to 20 strides.
_SCORE_RANGE = (-6.0, 6.0)
_BOX_RANGE = (-2.0, 3.0)


@dataclass(frozen=True)
class Config:
    """What the conversion depends on."""

    size: int = 320
    calibration_pictures: int = 300
    percentile: float = 100.0  # chosen on training pictures, see LOG.md
    seed: int = 1


def load_network(checkpoint: Path) -> SsdMobileNetV2:
    """The network with the averaged weights of a training checkpoint, in evaluation mode."""
    network = SsdMobileNetV2()
    load_weights(network, checkpoint)
    return network.eval()


def convert_float(network: SsdMobileNetV2, size: int) -> bytes:
    """The float32 .tflite file: picture 0 to 1, channels last; scores then boxes, level by level."""
    exported = ExportedSsd(network).eval()
    count = 2 * len(network.strides)
    wrapped = litert_torch.to_channel_last_io(exported, args=[0], outputs=list(range(count)))
    model = litert_torch.convert(wrapped, (torch.zeros(1, size, size, 3),))
    return bytes(model.model_content())


def calibration_images(pictures: Sequence[Picture], config: Config) -> Iterator[NDArray[np.float32]]:
    """Letterboxed training pictures, as the detector makes them; every label is among them."""
    rng = np.random.default_rng(config.seed)
    for index in rng.permutation(len(pictures))[: config.calibration_pictures]:
        image = letterbox(read_rgb(pictures[index].path), ModelInput(width=config.size, height=config.size))
        yield image[None].astype(np.float32) * np.float32(INPUT_SCALE)


def quantise(model: bytes, images: Iterable[NDArray[np.float32]], percentile: float) -> bytes:
    """Full int8 inside, uint8 at the ends."""
    machine = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    signature, name = _signature(model)
    statistics = calibrate(machine, signature, ({name: image} for image in images), percentile)
    inputs, outputs = _ends(model)
    set_range(statistics, inputs[0], 0.0, 1.0)  # scale 1/255, zero point 0: image bytes as they are
    half = len(outputs) // 2
    for output in outputs[:half]:
        limit_range(statistics, output, *_SCORE_RANGE)
    for output in outputs[half:]:
        limit_range(statistics, output, *_BOX_RANGE)
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


def write_model(model: bytes, name: str, folder: Path, training: dict[str, Any], size: int) -> Path:
    """Write the .tflite file and its manifest; metrics are added by training.evaluate."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.tflite"
    file.write_bytes(model)
    manifest = Manifest(
        schema=1,
        name=name,
        description="SSD-MobileNetV2-FPN-lite, anchor-free, int8",
        cpu=ModelFile(file=file.name, sha256=hashlib.sha256(model).hexdigest()),
        labels=LABELS,
        input=ModelInput(width=size, height=size),
        head=ssd_head(),
        thresholds=dict.fromkeys(MaskLabel, DEFAULT_THRESHOLD),
        iou_threshold=IOU_THRESHOLD,
        training=training,
        metrics={},
    )
    path = file.with_suffix(".json")
    path.write_text(manifest_json(manifest))
    return path


def manifest_json(manifest: Manifest) -> str:
    """A manifest as the text of its file."""
    return json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2) + "\n"


@click.command()
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--name", default="ssd_mobilenet_v2_320", show_default=True)
@click.option("--size", type=int, default=Config.size, show_default=True)
@click.option(
    "--percentile", type=float, default=Config.percentile, show_default=True, help="Of the value ranges."
)
def main(  # noqa: PLR0913, PLR0917 one argument per option
    checkpoint: Path, data: Path, output: Path, name: str, size: int, percentile: float
) -> None:
    """Convert a checkpoint to int8 and write model and manifest."""
    config = Config(size=size, percentile=percentile)
    model = convert_float(load_network(checkpoint), size)
    (checkpoint.parent / "float.tflite").write_bytes(model)
    quantised = quantise(model, calibration_images(load_coco(data), config), config.percentile)
    run = checkpoint.parent / "run.json"
    record = json.loads(run.read_text()) if run.exists() else {}
    record |= {"quantisation": provenance(asdict(config), [data])}
    path = write_model(quantised, name, output, record, size)
    click.echo(f"{path}: {len(quantised) / 1e6:.2f} MB int8, {len(model) / 1e6:.2f} MB float32")


if __name__ == "__main__":
    main()
