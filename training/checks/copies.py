"""Compare pictures that show the same scene: do they leak, and do their annotations agree?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pi_mask.types import BoundingBox
from training.annotations import AnnotatedImage, Face
from training.checks.finding import Entry, Finding, Kind
from training.checks.near_duplicates import Fingerprint, Pair, near_duplicates

_COPY_DIFFERENCE = 0.08
"""Of thumbnails, as in Pair: the same picture, compressed or scaled again."""
_SAME_SHAPE = 0.03
"""Largest relative difference of two copies' aspect ratios; more is a copy that was cropped."""
_SAME_FACE_IOU = 0.4
_COUNTED_PX = 16.0
"""Smaller faces are left out by many annotators, and measured by nobody."""


def find_pairs(prints: Sequence[Fingerprint | None]) -> list[Pair]:
    """Near-duplicates among the pictures that could be read, by their positions."""
    readable = [index for index, each in enumerate(prints) if each is not None]
    pairs = near_duplicates([each for each in prints if each is not None])
    return [
        Pair(readable[pair.first], readable[pair.second], pair.distance, pair.difference, pair.is_mirrored)
        for pair in pairs
    ]


def without_told_apart(entries: Sequence[Entry], pairs: Sequence[Pair]) -> list[Pair]:
    """Leave out pairs that their groups tell apart: two groups that were given, and no very same picture."""
    return [pair for pair in pairs if not _are_told_apart(entries[pair.first], entries[pair.second], pair)]


def _are_told_apart(one: Entry, other: Entry, pair: Pair) -> bool:
    return one.has_group and other.has_group and one.group != other.group and not pair.is_identical


def compare(entries: Sequence[Entry], pairs: Sequence[Pair]) -> list[Finding]:
    """Leaks between files, groups that miss a near-duplicate, copies that are annotated differently."""
    findings = list(_shared_groups(entries))
    for pair in pairs:
        one, other = entries[pair.first], entries[pair.second]
        detail = f"{pair.distance} of 256 bits, {pair.difference:.2f}{', mirrored' * pair.is_mirrored}"
        both = (pair.first, pair.second)
        if one.file != other.file:
            findings.append(Finding(Kind.LEAK, both, detail))
        elif one.group != other.group:
            findings.append(Finding(Kind.NEAR_DUPLICATE, both, detail))
        elif one.path != other.path and pair.is_identical:
            findings.append(Finding(Kind.COPY, both, detail))
        if pair.difference <= _COPY_DIFFERENCE and _is_same_picture(one.image, other.image):
            kinds = _disagreements(one.image, other.image, pair.is_mirrored)
            findings.extend(Finding(kind, both, detail) for kind, detail in kinds)
    return findings


def _shared_groups(entries: Sequence[Entry]) -> Iterator[Finding]:
    """One finding a group: its first picture in each of two files."""
    members: dict[str, dict[str, int]] = defaultdict(dict)
    for index, entry in enumerate(entries):
        members[entry.group].setdefault(entry.file, index)
    for group, firsts in members.items():
        if len(firsts) > 1:
            yield Finding(Kind.SHARED_GROUP, tuple(firsts.values())[:2], f"group {group!r}")


def _is_same_picture(one: AnnotatedImage, other: AnnotatedImage) -> bool:
    """Whether nobody cropped one, or pasted a mask into it."""
    if one.is_synthetic != other.is_synthetic:
        return False
    ratio = (one.width * other.height) / (other.width * one.height)
    return abs(ratio - 1) <= _SAME_SHAPE


def _disagreements(
    one: AnnotatedImage, other: AnnotatedImage, is_mirrored: bool
) -> Iterator[tuple[Kind, str]]:
    """What two copies of one picture say differently, in the first one's pixels."""
    scale = one.width / other.width
    left = [face for face in one.faces if face.label is not None]
    right = [
        Face(_carried(face.box, scale, other.width if is_mirrored else None), face.label)
        for face in other.faces
        if face.label is not None
    ]
    lonely = sum(_is_lonely(face, right) for face in left) + sum(_is_lonely(face, left) for face in right)
    if lonely:
        yield Kind.OTHER_FACES, f"{lonely} of {len(left)} and {len(right)} faces are in one copy only"
    for face in left:
        same = [each for each in right if each.box.iou(face.box) >= _SAME_FACE_IOU]
        labels = {each.label for each in same}
        if same and face.label not in labels:
            names = " and ".join(each.label.value for each in (face, same[0]) if each.label)
            yield Kind.OTHER_LABEL, f"{names} at {face.box.xmin:.0f} {face.box.ymin:.0f}"


def _carried(box: BoundingBox, scale: float, mirrored_width: int | None) -> BoundingBox:
    xmin, xmax = box.xmin, box.xmax
    if mirrored_width is not None:
        xmin, xmax = mirrored_width - xmax, mirrored_width - xmin
    return BoundingBox(xmin * scale, box.ymin * scale, xmax * scale, box.ymax * scale)


def _is_lonely(face: Face, others: Sequence[Face]) -> bool:
    if face.box.shorter_side < _COUNTED_PX:
        return False
    return all(face.box.iou(other.box) < _SAME_FACE_IOU for other in others)
