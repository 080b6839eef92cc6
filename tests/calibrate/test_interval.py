"""Test pi_mask.calibrate.interval."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from pi_mask.calibrate.interval import (
    again,
    beta_cdf,
    independent,
    independent_in_groups,
    interval,
    upper_bound,
)


def at_most(hits: int, total: int, share: float) -> float:
    """Probability of so many hits or fewer."""
    return sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(hits + 1))


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (0, 40), (1, 40), (13, 40), (39, 40), (3, 500)])
def test_the_bounds_are_clopper_and_pearsons(hits: int, total: int) -> None:
    """At the upper bound so few hits, at the lower one so many, are as unlikely as was asked for."""
    low, high = interval(hits, total, 0.9)

    assert at_most(hits, total, high) == pytest.approx(0.05, abs=1e-9)
    if hits:
        assert 1 - at_most(hits - 1, total, low) == pytest.approx(0.05, abs=1e-9)
    else:
        assert low == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("total", [0.0, 0.5, 7.3, 100.0])
def test_bounds_hold_the_share_for_fractions_too(total: float) -> None:
    """A fraction of a look is allowed; none at all says nothing."""
    for share in (0.0, 0.3, 1.0):
        low, high = interval(share * total, total)
        assert 0 <= low <= share <= high <= 1
    assert interval(0, 0) == (0.0, 1.0)
    assert upper_bound(5, 5) == 1.0


def test_the_beta_function_is_a_binomial_tail() -> None:
    """I_x(a, b) is the chance of a or more hits in a + b − 1 trials (Abramowitz and Stegun 26.5.24)."""
    for hits, total, share in ((1, 10, 0.05), (4, 10, 0.5), (90, 100, 0.8)):
        expected = 1 - at_most(hits - 1, total, share)
        assert beta_cdf(share, hits, total - hits + 1) == pytest.approx(expected, abs=1e-12)
    assert (beta_cdf(0.0, 2, 3), beta_cdf(1.0, 2, 3)) == (0.0, 1.0)


@pytest.mark.parametrize("total", [5, 20, 60])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.9])
def test_the_same_again_lies_within_in_19_of_20_cases(total: int, share: float) -> None:
    """Summed over all that may happen twice, the second share lies in the first one's bounds often enough."""
    chance = [comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(total + 1)]
    inside = 0.0
    for hits, weight in enumerate(chance):
        low, high = again(hits, total)
        inside += weight * sum(
            chance[next_hits]
            for next_hits in range(total + 1)
            if low - 1e-9 <= next_hits / total <= high + 1e-9
        )
    assert inside >= 0.95


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (0, 20), (3, 20), (10, 20), (20, 20)])
def test_the_same_again_is_a_share(hits: int, total: int) -> None:
    """Its bounds lie between none and all, around the share, and mirror those of the looks that missed."""
    low, high = again(hits, total)

    assert 0 <= low <= hits / total <= high <= 1
    assert again(total - hits, total) == pytest.approx((1 - high, 1 - low))


def test_fractions_of_looks_never_narrow_the_bounds() -> None:
    """Half a hit counts as none for the lower bound, as one for the upper; under one look is nothing."""
    assert again(0.5, 20.0) == (again(0, 20)[0], again(1, 20)[1])
    assert again(0.0, 20.9) == again(0.0, 20.0)
    assert again(0.0, 0.4) == (0.0, 1.0)


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_correlated_looks_count_less(memory: float) -> None:
    """For a series whose memory is known, the number is right within a third."""
    random = np.random.default_rng(3)
    noise = random.normal(size=4000)
    series = np.empty_like(noise)
    series[0] = noise[0]
    for index in range(1, len(noise)):
        series[index] = memory * series[index - 1] + noise[index]

    expected = len(noise) * (1 - memory) / (1 + memory)  # of a first-order autoregression

    assert independent(series) == pytest.approx(expected, rel=0.33)


def test_a_constant_series_is_one_look() -> None:
    """What never changes was seen once, however long."""
    assert independent(np.full(500, 0.3)) == 1.0
    assert independent(np.zeros(0)) == 0.0
    assert independent(np.array([2.0])) == 1.0


def test_groups_count_by_how_alike_their_members_are() -> None:
    """Unlike members count each, members all alike count once a group, single members count each."""
    random = np.random.default_rng(5)
    unlike = [random.normal(size=4) for _ in range(200)]
    alike = [np.full(4, value) for value in random.normal(size=200)]

    assert independent_in_groups(unlike) == pytest.approx(800, rel=0.15)
    assert independent_in_groups(alike) == pytest.approx(200)
    assert independent_in_groups([np.ones(3), np.ones(3)]) == pytest.approx(2)
    assert independent_in_groups([np.array([1.0]), np.array([2.0])]) == 2
