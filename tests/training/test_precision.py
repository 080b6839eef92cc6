"""Hold training to the arithmetic that its processor is fast in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from training.classify.train import Config as ClassifierConfig
from training.precision import PRECISIONS, native_precision
from training.trainee import Config


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"architecture": "x86_64", "avx2": True, "avx512_f": False, "avx512_bf16": False}, "float32"),
        ({"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False}, "float32"),
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, "bf16"),
        ({"architecture": "arm64", "neon": True, "bf16": True, "sve_bf16": True}, "float32"),
        ({}, "float32"),
    ],
    ids=["AVX2", "AVX-512", "AVX-512 BF16", "AMX", "Arm", "unknown"],
)
def test_runs_compute_in_what_the_processor_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any], expected: str
) -> None:
    """bf16 needs instructions of its own; where they lack, it is emulated and slower than float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert native_precision() == expected
    assert Config().precision == ClassifierConfig().precision == expected


def test_this_processor_tells_what_it_has() -> None:
    """Torch answers in the words that are asked for, so that a new release's other names are noticed."""
    capabilities = torch.cpu.get_capabilities()
    if capabilities["architecture"] == "x86_64":
        assert {"avx512_bf16", "amx_bf16"} <= set(capabilities)
    assert native_precision() in PRECISIONS


@pytest.mark.parametrize("precision", PRECISIONS)
def test_lightning_knows_each(precision: str) -> None:
    """What we call a precision is one of Lightning's."""
    trainer = Trainer(accelerator="cpu", precision=PRECISIONS[precision], logger=False)
    assert trainer.precision == PRECISIONS[precision]
