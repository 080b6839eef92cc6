"""Draw precision-recall curves and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pi_mask.errors import OutputError
from training.data import LABELS
from training.door_view import MISSED
from training.metrics import RECALLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Told apart with any colour vision (Okabe and Ito, 2008), as on annotated pictures.
_COLOURS: Final = dict(zip((label.value for label in LABELS), ("#009e73", "#d55e00", "#e69f00"), strict=True))


def draw_curves(path: Path, curves: Mapping[str, Sequence[float]], title: str) -> None:
    """Write precision over recall per label as a PNG.

    Args:
        path: Ends in ``.png``.
        curves: Precision per label at ``RECALLS``.
        title: Above the picture.

    Raises:
        OutputError: It cannot be written.
    """
    figure = _figure((6.0, 4.5))
    axes = figure.subplots()
    for label, precision in curves.items():
        reached = np.flatnonzero(np.asarray(precision) > 0)
        last = reached[-1] + 1 if len(reached) else 0
        name = f"{label.replace('_', ' ')}: AP50 {np.mean(precision):.3f}"
        axes.plot(RECALLS[:last], precision[:last], color=_COLOURS[label], label=name, linewidth=2)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision at IoU 0.5", title=title)
    axes.grid(alpha=0.3)
    if curves:  # matplotlib warns of an empty one
        axes.legend(loc="lower left")
    _save(figure, path)


def draw_confusion(path: Path, confusion: Mapping[str, int], title: str) -> None:
    """Write what was said of each face as a PNG.

    Args:
        path: Ends in ``.png``.
        confusion: Number of faces per "true label → said label", as in the door's view.
        title: Above the picture.

    Raises:
        OutputError: It cannot be written.
    """
    truths = [label.value for label in LABELS]
    columns = [*truths, MISSED]
    counts = np.array([[confusion.get(f"{row} → {column}", 0) for column in columns] for row in truths])
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    figure = _figure((6.0, 4.0))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        text = f"{count}\n{shares[row, column]:.1%}"
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns])
    axes.set_yticks(range(len(truths)), [name.replace("_", " ") for name in truths])
    axes.set(xlabel="said", ylabel="true", title=title)
    _save(figure, path)


def _figure(inches: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=inches, dpi=100, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    try:
        # Without the program's version the same figures give the same file.
        figure.savefig(path, metadata={"Software": None})
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}. Choose another folder.") from error
