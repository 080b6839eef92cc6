"""Hold what is read as a checkpoint to being one of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pi_mask.errors import ModelError
from training.networks.registry import load_checkpoint


def test_weights_of_another_project_are_no_checkpoint(tmp_path: Path) -> None:
    """One line that names the file, and what to give."""
    torch.save({"state_dict": {"network.model.0.weight": torch.zeros(3)}}, tmp_path / "other.ckpt")

    with pytest.raises(ModelError, match=r"other\.ckpt: .* not those of a .* Give a \.ckpt of training"):
        load_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize("content", [torch.zeros(3), {"state_dict": None}, {"epoch": 1}])
def test_other_pickles_are_no_checkpoint(tmp_path: Path, content: object) -> None:
    """Any other project's file is one line."""
    torch.save(content, tmp_path / "other.pt")

    with pytest.raises(ModelError, match=r"other\.pt is no checkpoint"):
        load_checkpoint(tmp_path / "other.pt")


def test_a_pickle_of_code_that_is_not_here_is_no_checkpoint(tmp_path: Path) -> None:
    """As other projects' are, whose classes lie in modules of theirs."""
    (tmp_path / "other.pt").write_bytes(b"cnot_here.models\nModel\n.")

    with pytest.raises(ModelError, match=r"other\.pt is no checkpoint"):
        load_checkpoint(tmp_path / "other.pt")
