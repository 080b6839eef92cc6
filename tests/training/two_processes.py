"""Train in two processes that each write down what they end with; tests/training/test_train.py runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from training.run_folder import Run
from training.train import train
from training.trainee import Config


def main(folder: Path) -> None:
    """Train on the folder's annotations, which are measured on too."""
    torch.set_num_threads(1)
    config = Config(
        network="ssd_mobilenet_v2_nano",
        size=64,
        batch=2,
        epochs=1,
        warmup_steps=1,
        val_every_epochs=1,
        workers=0,
        devices=2,
        precision="float32",
    )
    annotations = folder / "annotations.json"
    network = train(config, Run(annotations, annotations, folder / "run"))
    torch.save(network.state_dict(), folder / f"process{os.environ.get('LOCAL_RANK', '0')}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
