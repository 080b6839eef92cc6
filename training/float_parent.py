"""Describe the float network, so that it is measured by the same Detector as its int8 child."""

from __future__ import annotations

from pathlib import Path

from pi_mask.detector import Detector
from pi_mask.manifest import Head, Manifest, ModelFile, ModelInput
from pi_mask.types import MaskLabel
from training.networks.base import DetectionNetwork
from training.networks.ssd import SsdMobileNetV2
from training.torch_interpreter import TorchInterpreter

# Low enough for the precision-recall curve of scores that are products; int8 logits end at 0.0025.
EVALUATION_MIN_SCORE = 0.005
IOU_THRESHOLD = 0.6  # chosen on training pictures, see LOG.md
MIN_SIDE_SHARE = 1 / 40  # of the input's side; chosen on training pictures, see LOG.md


def float_file(checkpoint: Path, size: int) -> Path:
    """Where the float32 model file of a checkpoint for one input side lies: beside it."""
    return checkpoint.with_suffix(f".{size}.float.tflite")


def float_detector(network: DetectionNetwork, size: int) -> Detector:
    """pi_mask's Detector on a float network, with thresholds for evaluation."""
    return Detector(TorchInterpreter(network, size), float_manifest(size, network.head()))


def float_manifest(size: int, head: Head | None = None) -> Manifest:
    """A manifest for the float network at one input size; its file does not exist and is never read.

    Args:
        size: Side of the input in pixels.
        head: Of the network; SSD-MobileNetV2's by default.
    """
    return Manifest(
        schema=1,
        name="float",
        description="float parent",
        cpu=ModelFile(file="float.tflite", sha256="0" * 64),
        labels=tuple(MaskLabel),
        input=ModelInput(width=size, height=size),
        head=head or SsdMobileNetV2().head(),
        thresholds=dict.fromkeys(MaskLabel, EVALUATION_MIN_SCORE),
        iou_threshold=IOU_THRESHOLD,
        min_side_px=MIN_SIDE_SHARE * size,
        training={},
        metrics={},
    )
