"""End a training run at a moment that it has not chosen."""

from __future__ import annotations

import pytest

from training.run_folder import Run
from training.train import EpochPlan, train
from training.trainee import Config


class PowerCutError(Exception):
    """The power is gone."""


def train_first_epoch(config: Config, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, and lose the power when the second epoch begins."""
    begin = EpochPlan.on_train_epoch_start

    def cut(plan: EpochPlan, trainer: object, module: object) -> None:
        begin(plan, trainer, module)  # type: ignore[arg-type]
        if trainer.current_epoch == 1:  # type: ignore[attr-defined]
            raise PowerCutError

    with monkeypatch.context() as context:
        context.setattr(EpochPlan, "on_train_epoch_start", cut)
        with pytest.raises(PowerCutError):
            train(config, run)
