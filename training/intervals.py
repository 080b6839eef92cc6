"""State how sure a measured figure is, as 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from scipy.stats import beta

_CONFIDENCE = 0.95
_RESAMPLES = 2000


def interval(hits: int, total: int) -> tuple[float, float]:
    """Clopper-Pearson interval of a share (Clopper and Pearson 1934); it takes the trials for independent."""
    tail = (1 - _CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def share(hits: int, total: int) -> dict[str, Any]:
    """A share with its interval, ready for JSON."""
    low, high = interval(hits, total)
    value = hits / total if total else 0.0
    bounds = [round(low, 4), round(high, 4)]
    return {"hits": hits, "of": total, "share": round(value, 4), "interval95": bounds}


def mean_interval(counts: Sequence[int], groups: Sequence[Hashable], *, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap of a mean over pictures (Efron and Tibshirani 1993), drawn group by group.

    Near-duplicates share their mistakes, so drawing single pictures would make the interval too narrow.

    Args:
        counts: One per picture.
        groups: Each picture's group.
        seed: Same seed, same interval.

    Returns:
        Lower and upper bound; zeros without pictures. Where all counts are 0, of which no drawing tells
        anything, the upper one is the exact one of a Poisson mean, a group being one observation.
    """
    if not counts:
        return 0.0, 0.0
    _, members = np.unique([str(group) for group in groups], return_inverse=True)
    sums, sizes = np.bincount(members, weights=counts), np.bincount(members)
    if not any(counts):
        return 0.0, -math.log((1 - _CONFIDENCE) / 2) / len(sizes)
    drawn = np.random.default_rng(seed).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=_RESAMPLES
    )
    means = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)
