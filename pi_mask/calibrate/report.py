"""Put what calibration found into words and into JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pi_mask.calibrate.replay import Shown
from pi_mask.report import json_line
from pi_mask.settings import render_value

if TYPE_CHECKING:
    from pi_mask.calibrate.proposal import Change, Proposal, StepResult
    from pi_mask.calibrate.replay import Replayed
    from pi_mask.calibrate.thresholds import Expected

_EXPECTED = (
    ("wrong_green", "green to somebody who should be stopped, or to nobody"),
    ("wrong_red", "red to somebody with a mask, or to nobody"),
)


def proposal_lines(proposal: Proposal) -> list[str]:
    """The proposal for people, line by line."""
    lines = ["Share of the time, and where the true share lies in 19 of 20 cases:"]
    for result in proposal.steps:
        lines += ["", *_step_lines(result)]
    lines += ["", "Single looks that were left out of the choice:"]
    for name, text in _EXPECTED:
        expected: Expected = getattr(proposal.choice, name)
        lines.append(
            f"  {text}: {_percent(expected.share)}; the same again {_span(expected.low, expected.high)} % "
            f"({expected.looks:.0f} independent looks)"
        )
    lines += ["", *_change_lines(proposal.changes)]
    return lines + [f"Light: {hint}" for hint in proposal.hints]


def proposal_json(proposal: Proposal, *, model: str, wrong_green_costs: float, written: Path | None) -> str:
    """The one line of ``calibrate --json``.

    Shares are fractions of 1; ``interval`` is a 95 % interval, ``again`` where the share of as many further
    looks lies in 95 % of cases. ``written`` is null where nothing was written.
    """
    choice = proposal.choice
    return json_line(
        event="calibration",
        model=model,
        wrong_green_costs=wrong_green_costs,
        steps=[_step_json(result) for result in proposal.steps],
        looks={name: _expected_json(getattr(choice, name)) for name, _ in _EXPECTED},
        changes=[
            {"key": change.key, "before": change.before, "after": change.after} for change in proposal.changes
        ],
        hints=list(proposal.hints),
        written=None if written is None else str(written),
    )


def _step_lines(result: StepResult) -> list[str]:
    collected = result.collected
    clips = f", {len(collected.clips)} clips" if len(collected.clips) > 1 else ""
    rows = (("now", result.current), ("proposed", result.proposed))
    return [
        f"{collected.step.name}: {collected.seconds:.1f} s, {collected.frames} frames{clips}",
        *(f"  {name:<9} {_shares(replayed)}" for name, replayed in rows),
    ]


def _shares(replayed: Replayed) -> str:
    shown = ((kind, replayed.shares[kind]) for kind in Shown)
    return "  ".join(
        f"{kind.value} {_percent(share.share):>5} {f'({_span(share.low, share.high)})':<8}"
        for kind, share in shown
    ).rstrip()


def _change_lines(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["Nothing to change: the settings in force are as good here as any that were tried."]
    width = max(len(change.key) for change in changes)
    return [
        "Changes:",
        *(
            f"  {change.key:<{width}}  {render_value(change.before)} → {render_value(change.after)}"
            for change in changes
        ),
    ]


def _percent(share: float) -> str:
    """Tenths below ten per cent, where they matter."""
    return f"{100 * share:.{int(0 < share < 0.0995)}f} %"


def _span(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f}"


def _step_json(result: StepResult) -> dict[str, object]:
    collected = result.collected
    return {
        "name": collected.step.name,
        "truth": collected.step.truth.value,
        "clips": len(collected.clips),
        "frames": collected.frames,
        "seconds": round(collected.seconds, 3),
        "current": _replayed_json(result.current),
        "proposed": _replayed_json(result.proposed),
    }


def _replayed_json(replayed: Replayed) -> dict[str, object]:
    shares = {
        kind.value: {"share": round(share.share, 4), "interval": [round(share.low, 4), round(share.high, 4)]}
        for kind, share in replayed.shares.items()
    }
    answers = {kind.value: round(share, 4) for kind, share in replayed.answers.items()}
    return {"shown": shares, "answers": answers, "independent": round(replayed.looks, 1)}


def _expected_json(expected: Expected) -> dict[str, object]:
    return {
        "share": round(expected.share, 4),
        "again": [round(expected.low, 4), round(expected.high, 4)],
        "independent": round(expected.looks, 1),
    }
