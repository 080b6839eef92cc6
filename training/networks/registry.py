"""Build detection networks by name."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pi_mask.errors import ModelError
from training.annotations import write_bytes
from training.networks.base import DetectionNetwork
from training.networks.slim import copy_strongest, load_slim
from training.networks.ssd import SsdMobileNetV2, SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n, YoloV5s

DEFAULT_NETWORK = "ssd_mobilenet_v2"
NETWORKS: Mapping[str, Callable[[], DetectionNetwork]] = {
    DEFAULT_NETWORK: SsdMobileNetV2,
    "ssd_mobilenet_v2_nano": SsdMobileNetV2Nano,
    "yolov5s": YoloV5s,
    "yolov5n": YoloV5n,
}
_PREFIX = "network."
_PUBLISHED = ".safetensors"
UNREADABLE = (
    OSError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    EOFError,
    # What pickles of other projects, or of something else, end in.
    ImportError,
    IndexError,
    AttributeError,
    pickle.UnpicklingError,
    SafetensorError,
)
"""What reading a file that is no checkpoint ends in."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is stored of a trained network.

    Attributes:
        name: Of the network, a key of NETWORKS.
        size: Side of its input in pixels.
        network: With the averaged weights, in evaluation mode.
    """

    name: str
    size: int
    network: DetectionNetwork


def checkpoint_labels(name: str, size: int) -> dict[str, Any]:
    """What :func:`load_checkpoint` needs beside the weights."""
    return {"network": name, "size": size}


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a network so that :func:`load_checkpoint` reads it, without an optimiser's state.

    As ``.safetensors``, to be published, its matrices of weights are halved to float16; vectors, batch norm's
    statistics among them, and anchors stay as they are: they are few, and some leave float16's range.

    Raises:
        OutputError: It cannot be written.
    """
    matrices = {_PREFIX + name for name, value in checkpoint.network.named_parameters() if value.ndim > 1}
    state = {_PREFIX + name: value for name, value in checkpoint.network.state_dict().items()}
    labels = checkpoint_labels(checkpoint.name, checkpoint.size)
    if path.suffix == _PUBLISHED:
        halves = {n: (v.half() if n in matrices else v).contiguous() for n, v in state.items()}
        content = save(halves, {name: str(value) for name, value in labels.items()})
    else:
        stream = io.BytesIO()
        torch.save({"state_dict": state, **labels}, stream)
        content = stream.getvalue()
    write_bytes(path, content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of training or pruning.

    Raises:
        ModelError: It is none, or its network is unknown.
    """
    try:
        content = _read_published(path) if path.suffix == _PUBLISHED else _read_own(path)
        state = dict(content["state_dict"])
    except UNREADABLE as error:
        raise ModelError(
            f"{path} is no checkpoint. Give a .ckpt of training.train, or a file of training/weights."
        ) from error
    # Checkpoints of before there was a choice don't name their network.
    name = content.get("network", DEFAULT_NETWORK)
    if name not in NETWORKS:
        raise ModelError(f"{path} holds a network '{name}'. Known: {', '.join(NETWORKS)}.")
    network = NETWORKS[name]()
    try:
        load_slim(network, {n.removeprefix(_PREFIX): v for n, v in state.items() if n.startswith(_PREFIX)})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return Checkpoint(name, content.get("size", 320), network.eval())


def _read_own(path: Path) -> dict[str, Any]:
    # Lightning's checkpoints hold more than tensors; load only your own.
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return content


def _read_published(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        labels = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no mapping
    floats = {n: v.float() if v.is_floating_point() else v for n, v in state.items()}
    return {"state_dict": floats, "network": labels["network"], "size": int(labels["size"])}


def start_from(name: str, checkpoint: Checkpoint) -> DetectionNetwork:
    """A network with a checkpoint's weights: pruned as it is, or a narrower one with its strongest channels.

    Raises:
        ModelError: The checkpoint's network is not built alike.
    """
    if checkpoint.name == name:
        return checkpoint.network.train()
    network = NETWORKS[name]()
    copy_strongest(checkpoint.network, network)
    return network.train()
