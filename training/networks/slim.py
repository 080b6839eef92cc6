"""Take channels out of a network, and rebuild a network that lacks some."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pi_mask.errors import ModelError
from training.networks.base import DetectionNetwork

_TRACED_SIZE = 64


def load_slim(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load weights whose channel counts may be others than the network's own, which then follow.

    The state's shapes are the record of what pruning left: nothing else needs to be stored.

    Raises:
        ModelError: The weights belong to another network.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) and f"{name}.weight" in state:
            _resize(module, state[f"{name}.weight"].shape)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()[:120]
        raise ModelError(
            f"The weights are not those of a {type(network).__name__} ({first}). "
            "Give a .ckpt of training.train, or a file of training/weights."
        ) from error


def _resize(module: nn.Conv2d | nn.BatchNorm2d, shape: torch.Size) -> None:
    if shape == module.weight.shape:
        return
    outputs = shape[0]
    module.weight = _like(module.weight, shape)
    if module.bias is not None:
        module.bias = _like(module.bias, (outputs,))
    if isinstance(module, nn.BatchNorm2d):
        module.num_features = outputs
        module.running_mean, module.running_var = torch.zeros(outputs), torch.ones(outputs)
        return
    module.out_channels = outputs
    if module.groups > 1:  # all grouped convolutions here are depthwise
        module.groups = module.in_channels = outputs
    else:
        module.in_channels = shape[1]


def _like(parameter: Tensor, shape: tuple[int, ...]) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape), requires_grad=parameter.requires_grad)


def shrink(network: DetectionNetwork, widths: Mapping[str, int]) -> None:
    """Remove the weakest channels, in place.

    Channels that belong together, as those around a residual addition, go together (DepGraph, Fang et al.
    2023); weak are those with the smallest norm over all layers that they touch (Li et al. 2017).

    Args:
        network: Any detector; its predictions keep all their channels.
        widths: Number of channels to keep, by the convolution's name; all of one not named.
    """
    import torch_pruning

    needs_gradient = {name: p.requires_grad for name, p in network.named_parameters()}
    was_training = network.training
    # Frozen layers would not be traced.
    network.requires_grad_(True).eval()
    graph = torch_pruning.DependencyGraph().build_dependency(
        network,
        torch.rand(1, 3, _TRACED_SIZE, _TRACED_SIZE),
        output_transform=lambda maps: list(maps.flat()),
        verbose=False,
    )
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    remove = torch_pruning.prune_conv_out_channels
    for name, module in network.named_modules():
        # A depthwise convolution's channels are its input's; those of a prediction are what is predicted.
        if not isinstance(module, nn.Conv2d) or module.groups > 1 or module.bias is not None:
            continue
        surplus = module.out_channels - widths.get(name, module.out_channels)
        if surplus > 0:
            whole = graph.get_pruning_group(module, remove, idxs=list(range(module.out_channels)))
            weakest = importance(whole).argsort()[:surplus].tolist()
            graph.get_pruning_group(module, remove, idxs=sorted(weakest)).prune()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(needs_gradient[name])
    network.train(was_training)


def copy_strongest(wide: DetectionNetwork, narrow: DetectionNetwork) -> None:
    """Give a narrow network the strongest channels of a wider one of the same build; the wide one is spent.

    Raises:
        ModelError: They are not built alike.
    """
    widths = {name: m.out_channels for name, m in narrow.named_modules() if isinstance(m, nn.Conv2d)}
    if widths.keys() != {name for name, m in wide.named_modules() if isinstance(m, nn.Conv2d)}:
        raise ModelError(
            f"A {type(narrow).__name__} cannot start from a {type(wide).__name__}: they have other layers. "
            "Start from a wider network of the same kind, or leave --start out."
        )
    shrink(wide, widths)
    try:
        narrow.load_state_dict(wide.state_dict())
    except RuntimeError as error:
        raise ModelError(
            f"A {type(narrow).__name__} cannot start from a {type(wide).__name__}: it is nowhere wider. "
            "Start from a wider network of the same kind, or leave --start out."
        ) from error
