"""Divide pictures into two parts that have no scene in common and as much of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.annotations import AnnotatedImage
from training.checks.near_duplicates import Pair, connected

Strata = Counter[tuple[str, str]]
"""How much of what there is: pictures of a source, faces of a source and label; "" is all sources."""
_PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class Unit:
    """Pictures that stay together.

    Attributes:
        members: Positions of the pictures.
        is_synthetic: One of them has a made-up part: such figures would say nothing of real people.
    """

    members: tuple[int, ...]
    strata: Strata
    is_synthetic: bool


def divide(images: Sequence[AnnotatedImage], pairs: Sequence[Pair], share: float, seed: int) -> list[bool]:
    """Choose what goes to the smaller part: whole groups, of everything a share.

    Args:
        images: All pictures.
        pairs: Near-duplicates among them; they stay together, as groups do, and so do their groups.
        share: Of each source's pictures and faces that the smaller part gets, as far as groups allow; what
            stays with a synthetic picture is not counted.
        seed: Other seeds choose other pictures.

    Returns:
        For each picture whether it is in the smaller part. Groups with a synthetic picture never are.
    """
    units = [unit for unit in find_units(images, pairs) if not unit.is_synthetic]
    units = _without_rare(units, share)
    order = np.random.default_rng(seed).permutation(len(units))
    total = _sum(unit.strata for unit in units)
    seen: Strata = Counter()
    taken: Strata = Counter()
    chosen = [False] * len(images)
    # Large groups first, so that small ones can make up for what those bring too much of.
    for unit in sorted((units[index] for index in order), key=lambda unit: -unit.strata.total()):
        seen.update(unit.strata)
        if _cost_of_taking(unit.strata, seen, taken, total, share) < 0:
            taken.update(unit.strata)
            for index in unit.members:
                chosen[index] = True
    return chosen


def _cost_of_taking(unit: Strata, seen: Strata, taken: Strata, total: Strata, share: float) -> float:
    """How much farther from its share of all seen the smaller part would be; rare things weigh more."""
    cost = 0.0
    for stratum, amount in unit.items():
        surplus = taken[stratum] - share * seen[stratum]
        cost += ((surplus + amount) ** 2 - surplus**2) / total[stratum] ** 2
    return cost


def _without_rare(units: Sequence[Unit], share: float) -> list[Unit]:
    """Count what is too rare in a source for its share to be one among that of all sources.

    Else the one would never be due, and pictures of many small sources, or with a rare label, never chosen.
    """
    for is_last in (False, True):
        total = _sum(unit.strata for unit in units)
        rare = {stratum for stratum, amount in total.items() if share * amount < 1}
        units = [replace(unit, strata=_moved(unit.strata, rare, is_last)) for unit in units]
    return list(units)


def _moved(strata: Strata, rare: set[tuple[str, str]], is_last: bool) -> Strata:
    found: Strata = Counter()
    for (source, what), amount in strata.items():
        if (source, what) not in rare:
            found[source, what] += amount
        elif what == _PICTURES or not is_last:
            found["", what] += amount
    return found


def _sum(strata: Iterable[Strata]) -> Strata:
    found: Strata = Counter()
    for each in strata:
        found.update(each)
    return found


def find_units(images: Sequence[AnnotatedImage], pairs: Sequence[Pair]) -> list[Unit]:
    """What stays together: each group, with all groups that it has a near-duplicate in."""
    first_of_group: dict[str, int] = {}
    links = [(first_of_group.setdefault(image.group, index), index) for index, image in enumerate(images)]
    links += [(pair.first, pair.second) for pair in pairs]
    members: dict[int, list[int]] = defaultdict(list)
    for index, unit in enumerate(connected(len(images), links)):
        members[unit].append(index)
    return [
        Unit(
            tuple(positions),
            _sum(_strata(images[index]) for index in positions),
            any(images[index].is_synthetic for index in positions),
        )
        for positions in members.values()
    ]


def _strata(image: AnnotatedImage) -> Strata:
    found: Strata = Counter({(image.source, _PICTURES): 1})
    for face in image.faces:
        found[image.source, face.label.value if face.label else "ignore"] += 1
    return found
