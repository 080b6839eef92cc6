"""Take training's steps on a device that isn't the CPU; tests/training/test_accelerator.py runs it.

There may be no graphics card. "card" is one of PyTorch's devices for back ends written in Python; it computes
on the CPU, but obeys a graphics card's first rule: an operation finds all its tensors on one side, or fails.
A process of its own, for PyTorch forgets no device. Gradients are left out: PyTorch has none on such devices.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device
from numpy.typing import NDArray
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

from training.augment import Sample
from training.data import collate
from training.loss import Targets
from training.networks.registry import NETWORKS
from training.torch_interpreter import TorchInterpreter
from training.trainee import Config, Trainee

CARD = "card"
SIDE = 64
# These take from one side to the other.
_MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class OnCard(torch.Tensor):
    """A tensor that is on the card for all that PyTorch knows."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls: type[OnCard], held: torch.Tensor) -> OnCard:
        """Show a tensor of the CPU as one of the card."""
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        shown: OnCard = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.size(), dtype=held.dtype, device=CARD, **layout
        )
        shown.held = held
        return shown

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return compute(operation, *args, **(kwargs or {}))

    def tolist(self) -> list[Any]:
        """A real card's tensors have it, subclasses have not."""
        values: list[Any] = self.held.tolist()
        return values


def compute(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Do one of PyTorch's operations on what the card holds."""
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if operation not in _MOVES and any(not isinstance(x, OnCard) and x.ndim for x in given):
        raise RuntimeError(f"{operation} was given tensors of {CARD} and of the CPU.")
    target = kwargs.get("device")
    own = kwargs | ({"device": torch.device("cpu")} if target is not None else {})
    result = operation(*tree_map_only(OnCard, _held, args), **tree_map_only(OnCard, _held, own))
    if operation._schema.name.endswith("_"):
        return args[0]  # changed in place
    is_leaving = target is not None and torch.device(target).type == "cpu"
    return result if is_leaving else tree_map_only(torch.Tensor, OnCard, result)


def _held(tensor: OnCard) -> torch.Tensor:
    return tensor.held


class _Module(_DummyBackendModule):  # type: ignore[misc]
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """What autocast asks a device."""
        return [torch.bfloat16]


def install() -> list[torch.library.Library]:
    """Make the device known, as long as what is returned lives."""
    _setup_privateuseone_for_python_backend(CARD, _Module())
    anything = torch.library.Library("_", "IMPL")
    anything.fallback(compute, "PrivateUse1")
    # By default it would make an empty tensor and fill it, which changes a shape that is shown already.
    ranges = torch.library.Library("aten", "IMPL")
    for name in ("arange", "arange.start", "arange.start_step"):
        ranges.impl(
            name, lambda *ends, dtype=None, **_: OnCard(torch.arange(*ends, dtype=dtype)), "PrivateUse1"
        )
    return [anything, ranges]


def refuses_to_mix() -> bool:
    """Whether the card is one: what is not moved there cannot be used there."""
    try:
        torch.zeros(3, device=CARD) + torch.zeros(3)
    except RuntimeError as error:
        return CARD in str(error)
    return False


def batch() -> tuple[torch.Tensor, Targets]:
    """Two pictures of noise with a face and a region to ignore each."""
    pixels = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    boxes = np.array([[5, 5, 40, 42], [44, 3, 60, 20]], np.float32)
    labels, is_two_class = np.array([1, -1]), np.array([True, False])
    return collate(
        [(torch.from_numpy(p).permute(2, 0, 1), Sample(p, boxes, labels, is_two_class)) for p in pixels]
    )


def step(name: str, teacher: str | None, device: str) -> tuple[torch.Tensor, tuple[NDArray[Any], ...]]:
    """The loss of one batch and the maps that the network is measured by, all computed on one device."""
    torch.manual_seed(1)
    config = Config(network=name, size=SIDE, small_size=SIDE)
    trainee = Trainee(config, NETWORKS[name](), [], NETWORKS[teacher]() if teacher else None)
    trainee.log_dict = lambda *_args, **_kwargs: None  # type: ignore[method-assign]  # it wants a trainer
    trainee.to(device).on_fit_start()
    images, targets = move_data_to_device(batch(), torch.device(device))
    loss = trainee.training_step((images, targets), 0).detach()
    picture = batch()[0][:1].permute(0, 2, 3, 1).contiguous().numpy()
    return loss, TorchInterpreter(trainee.network.eval(), SIDE).invoke(picture)


def main() -> None:
    """Compare every network's step with the CPU's."""
    _libraries = install()
    assert refuses_to_mix()
    for name, teacher in (*((name, None) for name in NETWORKS), ("ssd_mobilenet_v2_nano", "yolov5n")):
        (loss, maps), (its_loss, its_maps) = (step(name, teacher, device) for device in ("cpu", CARD))
        assert (loss.device.type, its_loss.device.type) == ("cpu", CARD)
        assert torch.equal(loss, its_loss.cpu()), (name, teacher, loss, its_loss.cpu())
        assert all(map(np.array_equal, maps, its_maps)), (name, teacher)
        sys.stdout.write(f"{name}, teacher {teacher}: {float(loss):.3f}\n")


if __name__ == "__main__":
    main()
