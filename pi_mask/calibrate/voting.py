"""Choose how many looks make a verdict and how long it stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from pi_mask.calibrate.replay import Door, answers_over_time, faces_of
from pi_mask.settings import PolicySettings

if TYPE_CHECKING:
    from pi_mask.calibrate.collected import Collected
    from pi_mask.calibrate.replay import Faces
    from pi_mask.calibrate.thresholds import Costs

CANDIDATES: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "min_votes": (3, 4, 5, 6, 8),
        "vote_window_s": (1.0, 1.5, 2.0, 2.5),
        "green_share": (0.75, 0.85, 0.95),
        "red_share": (0.6, 0.7, 0.8),
        "hold_red_s": (0.8, 1.2, 1.6),
        "hold_green_s": (0.2, 0.4, 0.6),
    }
)
"""What is tried, in this order; fewer votes than 3 and a longer green are no matter of measuring."""
SLOWEST: Final = 3.0
"""Looks a second of the slowest boards. A door that is calibrated with an Edge TPU, at ten times as many,
must still answer on the day when the CPU stands in."""
_WORTH_IT: Final = 0.01
"""Cost that a change must save, in wrong reds all the time: less is chance in a few seconds of film."""


def choose_voting(
    steps: Sequence[Collected],
    door: Door,
    costs: Costs,
    on_trial: Callable[[], None] = lambda: None,
    *,
    fewest_looks: float = SLOWEST,
) -> PolicySettings:
    """Try one setting after the other, and keep what saves enough.

    Args:
        steps: With at least one clip each.
        door: The rules and the policy to start from.
        costs: Of the answers, by the share of the time that they are shown.
        on_trial: Called before each trial, for a bar.
        fewest_looks: A second; votes and windows are tried only together with which they suffice.
    """
    faces = [faces_of(each, door.rules) for each in steps]
    policy, cost = door.policy, _cost(steps, door, faces, costs)
    for key, values in CANDIDATES.items():
        start = policy
        for value in values:
            on_trial()
            tried = _with(start, key, value, fewest_looks)
            if tried is None or tried == start:
                continue
            price = _cost(steps, replace(door, policy=tried), faces, costs)
            if price < cost - _WORTH_IT:
                policy, cost = tried, price
    return policy


def trials() -> int:
    """How often :func:`choose_voting` calls ``on_trial``."""
    return sum(map(len, CANDIDATES.values()))


def _with(policy: PolicySettings, key: str, value: float, fewest_looks: float) -> PolicySettings | None:
    """The policy with one value changed; None where others forbid it."""
    try:
        changed = PolicySettings.model_validate({**policy.model_dump(), key: value})
    except ValidationError:
        return None
    # Votes out of reach that the owner chose are no reason to leave the other settings alone.
    is_about_votes = key in {"min_votes", "vote_window_s"}
    return None if is_about_votes and changed.min_votes > changed.most_looks(fewest_looks) else changed


def _cost(steps: Sequence[Collected], door: Door, faces: Sequence[Sequence[Faces]], costs: Costs) -> float:
    """Each truth weighs the same, and within it each step."""
    by_truth: dict[object, list[float]] = {}
    for each, found in zip(steps, faces, strict=True):
        answers = answers_over_time(each, door, found)
        price = sum(costs.of(given) * share for given, share in answers.items())
        by_truth.setdefault(each.step.truth, []).append(price)
    return sum(sum(prices) / len(prices) for prices in by_truth.values()) / len(by_truth)
