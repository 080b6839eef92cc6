"""Train for a moment, on a few small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pi_mask.types import MaskLabel
from tests.training.colour_data import save_data

NANO = "ssd_mobilenet_v2_nano"
SHORT: dict[str, Any] = {"size": 64, "batch": 2, "warmup_steps": 1, "val_every_epochs": 1, "workers": 0}
QUIET = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training:UserWarning"),
]
"""These come from Lightning and are as they should be in so short a run."""


def eight_pictures(folder: Path) -> Path:
    """Pictures of one or two faces; each is a patch of its label's colour."""
    with_, without, wrong = MaskLabel
    shown = [(with_,), (without,), (wrong,), (with_, wrong)] * 2
    return save_data(folder, [(labels, labels) for labels in shown])
