"""Say in text and JSON what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.checks.counts import LABELS, SIZES_PX, Counts
from training.checks.finding import Entry, Finding, Kind
from training.checks.near_duplicates import Pair

_SHOWN_ERRORS, _SHOWN_OTHERS = 100, 8


def as_text(
    counts: Mapping[str, Counts], entries: Sequence[Entry], findings: Sequence[Finding], pairs: Sequence[Pair]
) -> str:
    """The report for people."""
    parts = [_counts_text(name, each) for name, each in counts.items()]
    return "\n".join([*parts, _pairs_text(entries, pairs), "", *_findings_text(entries, findings)]) + "\n"


def _counts_text(name: str, counts: Counts) -> str:
    width = max(len(source) for source in (*counts.sources, "all"))
    lines = [
        f"{name}: {counts.pictures} pictures in {len(counts.groups)} groups, {counts.without_faces} without "
        f"faces, {counts.synthetic} synthetic",
        _row("", width, "pictures", *LABELS),
        *(
            _row(source, width, counts.sources[source], *(counts.faces[source, label] for label in LABELS))
            for source in sorted(counts.sources)
        ),
        _row("all", width, counts.pictures, *map(counts.of_label, LABELS)),
        "  shorter side of a face in pixels:",
        _row("", width, "", *LABELS),
        *(
            _row(f"≥ {low}", width, "", *(counts.sizes[label, low] for label in LABELS))
            for low in SIZES_PX
            if any(counts.sizes[label, low] for label in LABELS)
        ),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, width: int, *cells: object) -> str:
    return f"  {name:{width}}" + "".join(f"{cell!s:>14}" for cell in cells)


def _pairs_text(entries: Sequence[Entry], pairs: Sequence[Pair]) -> str:
    across = sum(entries[pair.first].image.source != entries[pair.second].image.source for pair in pairs)
    mirrored = sum(pair.is_mirrored for pair in pairs)
    return f"Near-duplicates: {len(pairs)} pairs, {across} across sources, {mirrored} mirrored"


def _findings_text(entries: Sequence[Entry], findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "Nothing wrong was found."
    totals = Counter(finding.kind for finding in findings)
    for kind in Kind:
        if not totals[kind]:
            continue
        yield f"{'ERROR' if kind.is_error else 'look at'}: {kind.value}: {totals[kind]}"
        shown = [finding for finding in findings if finding.kind is kind]
        limit = _SHOWN_ERRORS if kind.is_error else _SHOWN_OTHERS
        for finding in shown[:limit]:
            names = "  and  ".join(entries[index].name for index in finding.entries)
            yield f"  {names}  ({finding.detail})"
        if len(shown) > limit:
            yield f"  and {len(shown) - limit} more: --json lists them all"


def as_json(
    counts: Mapping[str, Counts], entries: Sequence[Entry], findings: Sequence[Finding], pairs: Sequence[Pair]
) -> dict[str, Any]:
    """The report for programs."""
    return {
        "schema": 1,
        "errors": sum(finding.kind.is_error for finding in findings),
        "files": {name: _counts_json(each) for name, each in counts.items()},
        "findings": [
            {
                "kind": finding.kind.value,
                "is_error": finding.kind.is_error,
                "pictures": [entries[index].name for index in finding.entries],
                "detail": finding.detail,
            }
            for finding in findings
        ],
        "near_duplicates": [
            {
                "pictures": [entries[pair.first].name, entries[pair.second].name],
                "distance": pair.distance,
                "difference": round(pair.difference, 3),
                "is_mirrored": pair.is_mirrored,
            }
            for pair in pairs
        ],
    }


def _counts_json(counts: Counts) -> dict[str, Any]:
    return {
        "pictures": counts.pictures,
        "without_faces": counts.without_faces,
        "synthetic": counts.synthetic,
        "groups": len(counts.groups),
        "sources": {
            source: {
                "pictures": counts.sources[source],
                **{label: counts.faces[source, label] for label in LABELS},
            }
            for source in sorted(counts.sources)
        },
        "faces": {label: counts.of_label(label) for label in LABELS},
        "sizes_px": {label: {str(low): counts.sizes[label, low] for low in SIZES_PX} for label in LABELS},
    }
