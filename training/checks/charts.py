"""Draw how many faces of which label and size there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pi_mask.errors import OutputError
from training.checks.counts import LABELS, SIZES_PX, Counts
from training.checks.sheets import COLOURS

_HEX = {
    label.value if label else "ignore": "#{:02x}{:02x}{:02x}".format(*rgb) for label, rgb in COLOURS.items()
}


def draw_charts(path: Path, counts: Mapping[str, Counts]) -> None:
    """Write one row a COCO file as a PNG: faces per source and label, faces per size and label.

    Raises:
        OutputError: It cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 4.0 * len(counts)), dpi=100, layout="constrained")
    grid = figure.subplots(len(counts), 2, squeeze=False)
    for (name, each), (left, right) in zip(counts.items(), grid, strict=True):
        sources = sorted(each.sources)
        bars = [f"≥ {low}" for low in SIZES_PX]
        below_left, below_right = [0] * len(sources), [0] * len(bars)
        for label in LABELS:
            heights = [each.faces[source, label] for source in sources]
            left.barh(sources, heights, left=below_left, color=_HEX[label], label=label.replace("_", " "))
            below_left = [a + b for a, b in zip(below_left, heights, strict=True)]
            heights = [each.sizes[label, low] for low in SIZES_PX]
            right.bar(bars, heights, bottom=below_right, color=_HEX[label])
            below_right = [a + b for a, b in zip(below_right, heights, strict=True)]
        left.set(title=f"{name}: faces per source", xlabel="faces")
        right.set(title=f"{name}: faces per size", xlabel="shorter side in pixels", ylabel="faces")
        right.set_ylim(top=1.05 * max(*below_right, 1))
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(LABELS))
    try:
        # Without the program's version the same figures give the same file.
        figure.savefig(path, metadata={"Software": None})
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}. Choose another --output.") from error
