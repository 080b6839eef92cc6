"""Describe the float network, so that it is measured by the same Detector as its int8 child."""

from __future__ import annotations

from pi_mask.manifest import Manifest, ModelFile, ModelInput
from pi_mask.types import MaskLabel
from training.torch_interpreter import ssd_head

# Low enough for the whole precision-recall curve that matters, high enough to keep the evaluation quick.
EVALUATION_MIN_SCORE = 0.02
IOU_THRESHOLD = 0.6  # chosen on training pictures, see LOG.md


def float_manifest(size: int) -> Manifest:
    """A manifest for the float network at one input size; its file does not exist and is never read."""
    return Manifest(
        schema=1,
        name="float",
        description="float parent",
        cpu=ModelFile(file="float.tflite", sha256="0" * 64),
        labels=tuple(MaskLabel),
        input=ModelInput(width=size, height=size),
        head=ssd_head(),
        thresholds=dict.fromkeys(MaskLabel, EVALUATION_MIN_SCORE),
        iou_threshold=IOU_THRESHOLD,
        training={},
        metrics={},
    )
