"""Say how far a share may be trusted that was counted on few, correlated looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
_TINY: Final = 1e-300
_ITERATIONS: Final = 500


def interval(hits: float, total: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper-Pearson interval of a share (Clopper and Pearson 1934).

    Args:
        hits: 0 to ``total``; a fraction where correlated looks were made fewer (see :func:`independent`).
        total: Independent looks, at least 0; none gives 0 to 1.
        confidence: Of both bounds together, above 0 and below 1.

    Returns:
        Lower and upper bound.
    """
    tail = (1 - confidence) / 2
    return 1 - upper_bound(total - hits, total, 1 - tail), upper_bound(hits, total, 1 - tail)


def upper_bound(hits: float, total: float, confidence: float = CONFIDENCE) -> float:
    """The largest share that these hits do not speak against: the one-sided Clopper-Pearson bound."""
    if hits >= total:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):  # halvings: more than a float can tell apart
        middle = (low + high) / 2
        if beta_cdf(middle, hits + 1, total - hits) < confidence:
            low = middle
        else:
            high = middle
    return high


def again(hits: float, total: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Where the share will lie when as many looks are taken once more (Thatcher 1964, both limits).

    Wider than :func:`interval`, because the next looks are few as well. Looks are counted whole, so that it
    is never narrower for a fraction.

    Args:
        hits: 0 to ``total``.
        total: Independent looks; fewer than one say nothing.
        confidence: Of both bounds together.

    Returns:
        Lower and upper bound of the share.
    """
    looks = math.floor(total)
    if looks < 1:
        return 0.0, 1.0
    scaled = hits * looks / total
    most, least = math.ceil(scaled - 1e-9), math.floor(scaled + 1e-9)
    tail = (1 - confidence) / 2
    return 1 - _most_again(looks - least, looks, tail) / looks, _most_again(most, looks, tail) / looks


def _most_again(hits: int, looks: int, tail: float) -> int:
    """The smallest number that as many further looks exceed with this probability at most.

    Beta-binomial, with the beta distribution of Clopper and Pearson's upper bound.
    """
    if hits >= looks:
        return looks
    a, b = hits + 1, looks - hits
    below = 0.0
    for count in range(looks):
        ways = _log_choose(looks, count)
        below += math.exp(ways + _log_beta(count + a, looks - count + b) - _log_beta(a, b))
        if below >= 1 - tail:
            return count
    return looks


def _log_choose(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b), by its continued fraction (Press et al. 2007, 6.4).

    Args:
        x: 0 to 1.
        a: Above 0.
        b: Above 0.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below this only
        return 1 - beta_cdf(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _ITERATIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def independent(series: NDArray[np.floating[Any]]) -> float:
    """How many independent values a series of correlated ones is worth, 1 to its length.

    Its length over the integrated autocorrelation time, summed while pairs of correlations are positive
    (Geyer 1992). A series that never changes is one value, however long.
    """
    centred = series - series.mean() if len(series) else series
    squares = float(centred @ centred)
    if squares <= 1e-12 * len(series):
        return min(1.0, len(series))
    correlations = np.correlate(centred, centred, "full")[len(series) - 1 :] / squares
    pairs = correlations[: len(correlations) // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    time = 2 * pairs[: ends[0] if len(ends) else None].sum() - 1
    return float(np.clip(len(series) / max(time, 1.0), 1.0, len(series)))


def independent_in_groups(groups: Sequence[NDArray[np.floating[Any]]]) -> float:
    """How many independent values groups of values are worth that are more alike within than between.

    Their number over Kish's design effect (Kish 1965), with the intraclass correlation of a one-way analysis
    of variance. Groups without any difference are worth one value each.

    Args:
        groups: At least two, none of them empty.
    """
    sizes = np.array([len(group) for group in groups], float)
    total, count = float(sizes.sum()), len(sizes)
    if total <= count:
        return total
    means = np.array([group.mean() for group in groups])
    middle = float(sizes @ means / total)
    between = float(sizes @ (means - middle) ** 2) / (count - 1)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / (total - count)
    typical = (total - float(sizes @ sizes) / total) / (count - 1)
    spread = between + (typical - 1) * within
    alike = float(np.clip((between - within) / spread, 0.0, 1.0)) if spread > 1e-12 else 1.0
    return total / (1 + (float(sizes @ sizes) / total - 1) * alike)
