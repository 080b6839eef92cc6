"""Choose what training computes in: bf16 where the processor has instructions for it, else float32."""

from __future__ import annotations

from typing import Literal

import torch

PRECISIONS: dict[str, Literal["bf16-mixed", "32-true"]] = {"bf16": "bf16-mixed", "float32": "32-true"}
"""What Lightning calls each."""

# Of x86-64. Arm has not been tried: float32, which needs nothing special, is the safe choice there.
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def native_precision() -> str:
    """What this processor is fastest in: "bf16" or "float32".

    Without instructions for it bf16 is emulated: at a fifth of float32's speed on a processor with AVX2
    and no more (LOG.md, 26 November 2026).
    """
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in _BF16_INSTRUCTIONS) else "float32"
