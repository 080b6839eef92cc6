"""Check annotated pictures before they are trained on.

    python -m training.check data/train.json data/val.json --output data/report

Several files are compared with each other: a picture of one that shows the same scene as a picture of another
is an error, as is a box outside its picture or a picture that cannot be read. The output folder gets
``report.txt``, ``report.json``, ``charts.png``, and contact sheets: of pictures (``sheet.png``), of faces
by label (``faces-with_mask.png`` …), and of what was found (``findings.png``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from pi_mask.commands.streams import say, tell
from pi_mask.errors import InputError
from pi_mask.output import prepare_folder
from pi_mask.types import MaskLabel
from training.annotations import write_text
from training.checks.charts import draw_charts
from training.checks.copies import compare, find_pairs, without_told_apart
from training.checks.counts import Counts, count
from training.checks.finding import Entry, Finding
from training.checks.near_duplicates import Pair
from training.checks.pictures import list_entries, look_at
from training.checks.report import as_json, as_text
from training.checks.sheets import draw_faces, draw_findings, draw_sample
from training.command import Command, groups_decide


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known about some COCO files.

    Attributes:
        pairs: Near-duplicates, by their positions in ``entries``.
    """

    entries: list[Entry]
    counts: dict[str, Counts]
    findings: list[Finding]
    pairs: list[Pair]

    @property
    def errors(self) -> int:
        """How many findings spoil training or its figures."""
        return sum(finding.kind.is_error for finding in self.findings)


def check(files: list[Path], *, groups_decide: bool = False) -> Checked:
    """Look at all pictures of some COCO files.

    Args:
        files: To look at, and to compare with each other.
        groups_decide: Nothing is found in pictures that look alike where both were given a group.

    Raises:
        InputError: A COCO file is damaged; a damaged picture is a finding.
    """
    looked = look_at(list_entries(files))
    pairs = find_pairs(looked.prints)
    believed = without_told_apart(looked.entries, pairs) if groups_decide else pairs
    findings = looked.findings + compare(looked.entries, believed)
    return Checked(looked.entries, count(looked.entries), findings, pairs)


def write_report(checked: Checked, output: Path, sheet: int, seed: int) -> None:
    """Write text, JSON and pictures into a folder.

    Raises:
        OutputError: One cannot be written.
    """
    parts = (checked.counts, checked.entries, checked.findings, checked.pairs)
    write_text(output / "report.txt", as_text(*parts))
    write_text(output / "report.json", json.dumps(as_json(*parts), indent=1, ensure_ascii=False) + "\n")
    draw_charts(output / "charts.png", checked.counts)
    draw_sample(output / "sheet.png", checked.entries, sheet, seed)
    for label in MaskLabel:
        draw_faces(output / f"faces-{label.value}.png", checked.entries, label, sheet, seed)
    draw_findings(output / "findings.png", checked.entries, checked.findings, sheet)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the report.")
@click.option("--json", "is_json", is_flag=True, help="Print the report as one JSON object.")
@click.option(
    "--sheet", type=click.IntRange(1, 400), default=100, show_default=True, help="Pictures a sheet."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Other seeds show other pictures.",
)
@groups_decide
def main(  # noqa: PLR0913, PLR0917 one argument per option
    files: tuple[Path, ...], output: Path | None, is_json: bool, sheet: int, seed: int, groups_decide: bool
) -> None:
    """Check COCO files; exit code 1 where something is wrong."""
    if output is not None:
        prepare_folder(output)
    checked = check(list(files), groups_decide=groups_decide)
    parts = (checked.counts, checked.entries, checked.findings, checked.pairs)
    say(json.dumps(as_json(*parts), ensure_ascii=False) if is_json else as_text(*parts).rstrip("\n"))
    if output is not None:
        write_report(checked, output, sheet, seed)
        tell(f"Report: {output}")
    if checked.errors:
        raise InputError(
            f"{checked.errors} errors in the data. Correct them before training; where pictures are in both "
            "files, split them again: python -m training.split --help. If a fixed camera took them, with a "
            "group per person or visit, add --groups-decide."
        )


if __name__ == "__main__":
    main()
