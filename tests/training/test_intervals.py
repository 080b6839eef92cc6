"""Hold intervals to published and closed values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.intervals import interval, mean_interval, share


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (682, 925, 0.7076683, 0.7654066),  # R's documentation of binom.test, Mendel's peas (Conover 1971)
        (0, 10, 0.0, 0.3084971),  # 1 − 0.025^(1/10)
        (10, 10, 0.6915029, 1.0),
        (1, 1, 0.025, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_intervals_are_clopper_and_pearsons(hits: int, total: int, low: float, high: float) -> None:
    """Published and closed values come out; no faces say nothing."""
    assert interval(hits, total) == pytest.approx((low, high), abs=1e-6)


def test_a_share_is_ready_for_json() -> None:
    """Count, total, share and interval, in four decimals; a share of nothing is 0."""
    assert share(682, 925) == {"hits": 682, "of": 925, "share": 0.7373, "interval95": [0.7077, 0.7654]}
    assert share(0, 0) == {"hits": 0, "of": 0, "share": 0.0, "interval95": [0.0, 1.0]}


def test_a_bootstrap_of_many_is_the_normal_interval() -> None:
    """For 900 pictures of which every tenth has a box it is 0.1 ± 1.96 × 0.3 ÷ 30."""
    low, high = mean_interval([int(i % 10 == 0) for i in range(900)], range(900))

    assert (low, high) == pytest.approx((0.0804, 0.1196), abs=0.002)


def test_groups_widen_the_interval() -> None:
    """Ten copies of each picture tell no more than one: the interval is √10 times as wide."""
    counts = [int(i // 10 % 10 == 0) for i in range(900)]

    low, high = mean_interval(counts, [i // 10 for i in range(900)])

    assert high - low == pytest.approx(10**0.5 * 0.0392, rel=0.1)


def test_nothing_seen_is_not_nothing() -> None:
    """No box in 100 groups of pictures leaves up to 3.7 in a hundred, as for a Poisson mean."""
    assert mean_interval([0] * 200, [i // 2 for i in range(200)]) == (0.0, pytest.approx(0.03689, abs=1e-5))
    assert mean_interval([], []) == (0.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=20))
def test_the_interval_lies_within_the_counts(pictures: list[tuple[int, int]]) -> None:
    """Bounds are ordered, between the least and the greatest count, and the same each time."""
    counts, groups = [count for count, _ in pictures], [group for _, group in pictures]

    low, high = mean_interval(counts, groups)

    assert min(counts, default=0) - 1e-9 <= low <= high
    assert high <= max(counts, default=0) + 1e-9 or not any(counts)
    assert mean_interval(counts, groups) == (low, high)
