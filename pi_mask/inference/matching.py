"""Match the outputs of two builds of one model."""

from __future__ import annotations

from collections.abc import Sequence

from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec

_ADVICE = "Compile the Edge TPU's model from the very file that the CPU runs."


def match_outputs(reference: ModelSpec, other: ModelSpec) -> tuple[int, ...]:
    """Find each output of the reference among the outputs of the other build.

    A compiler may rename and reorder tensors, yet keeps shape, type and quantisation exactly. So an
    output's partner is the one of the same name where that fits, else the only one left over that fits.

    Returns:
        For each output of the reference, in its order, the index of its partner.

    Raises:
        ModelError: The inputs differ, or the outputs cannot be paired without doubt.
    """
    if _kind(reference.input) != _kind(other.input):
        found = f"takes {_describe(other.input)}, the CPU's {_describe(reference.input)}"
        raise ModelError(f"The Edge TPU's model {found}. {_ADVICE}")
    if len(reference.outputs) != len(other.outputs):
        found = f"has {len(other.outputs)} outputs, the CPU's {len(reference.outputs)}"
        raise ModelError(f"The Edge TPU's model {found}. {_ADVICE}")
    pairs = _pair_by_name(reference.outputs, other.outputs)
    for index, tensor in enumerate(reference.outputs):
        if index not in pairs:
            pairs[index] = _only_fit(tensor, other.outputs, taken=set(pairs.values()))
    return tuple(pairs[index] for index in range(len(reference.outputs)))


def _pair_by_name(reference: Sequence[TensorSpec], other: Sequence[TensorSpec]) -> dict[int, int]:
    """Map indices of the reference to indices of the other, where name and kind agree."""
    keys = [(tensor.name, _kind(tensor)) for tensor in reference]
    other_keys = [(tensor.name, _kind(tensor)) for tensor in other]
    return {
        index: other_keys.index(key)
        for index, key in enumerate(keys)
        if keys.count(key) == other_keys.count(key) == 1
    }


def _only_fit(tensor: TensorSpec, others: Sequence[TensorSpec], *, taken: set[int]) -> int:
    fitting = [i for i, other in enumerate(others) if i not in taken and _kind(other) == _kind(tensor)]
    if len(fitting) == 1:
        return fitting[0]
    found = f"{len(fitting) or 'no'} outputs that could be {tensor.name!r} ({_describe(tensor)})"
    raise ModelError(f"The Edge TPU's model has {found}. {_ADVICE}")


def _kind(tensor: TensorSpec) -> tuple[tuple[int, ...], str, float, int]:
    return tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point


def _describe(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {tensor.shape}, scale {tensor.scale:g}, zero point {tensor.zero_point}"
