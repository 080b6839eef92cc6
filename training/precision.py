"""Choose what training computes in: bf16 where there are instructions for it, else float32."""

from __future__ import annotations

from typing import Literal

import torch

PRECISIONS: dict[str, Literal["bf16-mixed", "32-true"]] = {"bf16": "bf16-mixed", "float32": "32-true"}
"""What Lightning calls each."""

# Of x86-64. Arm has not been tried: float32, which needs nothing special, is the safe choice there.
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def native_precision(accelerator: str = "cpu") -> str:
    """What this machine's processor or graphics card is fastest in: "bf16" or "float32".

    Without instructions for it bf16 is emulated: at a fifth of float32's speed on a processor with AVX2
    and no more (LOG.md, 26 November 2026).
    """
    if accelerator == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in _BF16_INSTRUCTIONS) else "float32"
