"""Divide annotated pictures into those to train on and those to measure on.

    python -m training.split data/all.json

Writes ``train.json`` and ``val.json`` beside the file, where the pictures are; several files of one folder
are put together. A group and near-duplicates stay on one side, pictures with drawn masks in ``train.json``;
each source and each label is divided alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from pi_mask.commands.options import FiniteRange
from pi_mask.commands.streams import say, tell
from pi_mask.errors import InputError, OutputError, UsageError
from training.annotations import AnnotatedImage, write_annotations
from training.checks.copies import find_pairs, without_told_apart
from training.checks.counts import LABELS, Counts, count_images
from training.checks.dividing import divide, find_units
from training.checks.finding import Entry, Finding
from training.checks.near_duplicates import Pair
from training.checks.pictures import list_entries, look_at
from training.command import Command, groups_decide

_LARGEST_SHARE = 0.5


def split(
    files: Sequence[Path], share: float, seed: int, *, groups_decide: bool = False
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """The larger and the smaller part of all pictures.

    Args:
        files: COCO files of one folder.
        share: Of the smaller part.
        seed: Other seeds choose other pictures.
        groups_decide: Pictures that look alike may be divided where both were given a group.

    Raises:
        InputError: A picture cannot be read or is wrong, or too few groups are there to divide.
    """
    listed = list_entries(files)
    path, count = Counter(entry.path for entry in listed).most_common(1)[0]
    if count > 1:
        raise InputError(f"{path} is listed {count} times. Split files that have no picture in common.")
    looked = look_at(listed)
    errors = [finding for finding in looked.findings if finding.kind.is_error]
    if errors:
        raise InputError(_first_of(errors, looked.entries))
    pairs = find_pairs(looked.prints)
    if groups_decide:
        pairs = without_told_apart(looked.entries, pairs)
    images = [entry.image for entry in looked.entries]
    chosen = divide(images, pairs, share, seed)
    parts: tuple[list[AnnotatedImage], list[AnnotatedImage]] = ([], [])
    for image, is_chosen in zip(images, chosen, strict=True):
        parts[is_chosen].append(image)
    if not all(parts):
        raise InputError(_nothing_to_measure(images, pairs, share))
    return parts


def _nothing_to_measure(images: Sequence[AnnotatedImage], pairs: Sequence[Pair], share: float) -> str:
    """What keeps pictures together or in training, and what would help."""
    units = [unit for unit in find_units(images, pairs) if not unit.is_synthetic]
    synthetic = len(images) - sum(len(unit.members) for unit in units)
    apart = [pair for pair in pairs if images[pair.first].group != images[pair.second].group]
    alike = {index for pair in apart for index in (pair.first, pair.second)}
    groups = len({image.group for image in images})
    facts = [
        f"{len(images)} pictures in {groups} group{'s' * (groups > 1)}",
        *[f"{len(alike)} of them look like one of another group and stay with it"] * bool(alike),
        *[f"{synthetic} are synthetic or belong to one that is, and stay in training"] * bool(synthetic),
    ]
    helps = f"Add {'pictures of other scenes' if units else 'real pictures'}"
    if len(units) > 1 and share < _LARGEST_SHARE:
        helps += ", or choose a larger share"
    if alike:
        helps += ". If a fixed camera took these, give each person or visit a group, and add --groups-decide"
    return (
        f"Nothing is left to measure on at --share {share:g}: {', '.join(facts)}. "
        f"Units left to choose from: {len(units)}. {helps}."
    )


def _first_of(errors: Sequence[Finding], entries: Sequence[Entry]) -> str:
    first = errors[0]
    return (
        f"{len(errors)} errors in the data, first {entries[first.entries[0]].name}: {first.kind.value} "
        f"({first.detail.rstrip('.')}). See all: python -m training.check."
    )


def _output(path: Path, folder: Path, *, is_forced: bool) -> Path:
    if path.parent != folder:
        raise UsageError(f"{path.name} must be a name, not a path: the files go beside images/.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Choose another name.")
    if path.exists() and not is_forced:
        raise UsageError(f"{path} exists. Replace it with --force, or choose another name.")
    return path


def _write(parts: dict[Path, list[AnnotatedImage]]) -> None:
    """Write all files or none."""
    new = {output: output.with_name(f".{output.name}.new") for output in parts}
    try:
        for output, images in parts.items():
            write_annotations(new[output], images)
        for output, path in new.items():
            path.replace(output)
    except OSError as error:
        raise OutputError(f"{error.filename2} cannot be written: {error.strerror}. Remove it.") from error
    finally:
        for path in new.values():
            path.unlink(missing_ok=True)


def _table(parts: dict[str, Counts]) -> list[str]:
    lines = [f"{'':14}{''.join(f'{name:>16}' for name in parts)}{'share':>8}"]
    rows = [("pictures", [each.pictures for each in parts.values()])]
    rows += [(label, [each.of_label(label) for each in parts.values()]) for label in LABELS]
    for name, numbers in rows:
        share = f"{numbers[1] / sum(numbers):8.1%}" if sum(numbers) else ""
        lines.append(f"{name:14}{''.join(f'{number:16}' for number in numbers)}{share}")
    return lines


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--share",
    type=FiniteRange(0, _LARGEST_SHARE, min_open=True),
    default=0.1,
    show_default=True,
    help="Of pictures and faces that go to --val.",
)
@click.option("--train", default="train.json", show_default=True, help="Name of the larger part.")
@click.option("--val", default="val.json", show_default=True, help="Name of the smaller part.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Other seeds choose other pictures.",
)
@click.option("--force", is_flag=True, help="Replace files of these names.")
@groups_decide
def main(
    files: tuple[Path, ...], share: float, seed: int, force: bool, groups_decide: bool, **names: str
) -> None:
    """Divide COCO files of one folder by group, each source and label alike."""
    folders = {file.resolve().parent for file in files}
    if len(folders) > 1:
        raise UsageError("The files are in several folders. Import them into one: --append of the importer.")
    folder = files[0].parent
    outputs = [_output(folder / names[key], folder, is_forced=force) for key in ("train", "val")]
    if outputs[0] == outputs[1]:
        raise UsageError(f"--train and --val are both {outputs[0].name}. Give them two names.")
    parts = dict(zip(outputs, split(files, share, seed, groups_decide=groups_decide), strict=True))
    _write(parts)
    for output in outputs:
        tell(f"Wrote {output}")
    say("\n".join(_table({output.name: count_images(images) for output, images in parts.items()})))


if __name__ == "__main__":
    main()
