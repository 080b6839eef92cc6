"""Let a run of Lightning end as every command does, and leave whole files however it ends."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pi_mask.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place first: Lightning's own copies it from /tmp, and may be cut off."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401 as Lightning has it
        """Lightning's hook: replace the file when all of it is on the disk."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        super().save_checkpoint(checkpoint, partial, storage_options)
        partial.replace(target)


def fit(trainer: lightning.Trainer, *what: Any, **options: Any) -> None:  # noqa: ANN401 they are Trainer.fit's
    """Train.

    Raises:
        KeyboardInterrupt: Ctrl-C, which Lightning makes an exit of.
        OutputError: The disk is full.
    """
    try:
        trainer.fit(*what, **options)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(
            f"The run cannot be written: {error.strerror}. Free some space and go on with --resume."
        ) from error
