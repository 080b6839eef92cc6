"""Read MAFA's own MATLAB files (Ge et al. 2017).

They say what covers a face, not whether it is a mask worn well; FMLD's annotations of the same pictures do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pi_mask.errors import InputError
from training.annotations import Json
from training.importers.base import RawFace, RawImage, ReadOptions, each, from_size, numbers

INVALID = "invalid"
_OCCLUDERS = {1: "covered_simple", 2: "covered_complex", 3: "covered_by_body"}
_TABLES = {"label_train": (21, 12), "LabelTest": (18, 9)}
"""Columns a face and the occluder type's column, by the table's name; see the readme files of MAFA."""
_FACE_TYPE = {1: "", 2: "unmasked", 3: INVALID}
_FACE_TYPE_AT = 4


def read(source: Path, options: ReadOptions) -> Iterator[RawImage | InputError]:
    """Read ``LabelTrainAll.mat`` or ``LabelTestAll.mat``.

    Raises:
        InputError: It is no MATLAB file, or has none of MAFA's tables.
    """
    from scipy.io import loadmat

    if source.is_dir():
        raise InputError(f"{source} is a folder. Name MAFA's LabelTrainAll.mat or LabelTestAll.mat.")
    try:
        content = loadmat(source, simplify_cells=True)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}. Check the path.") from error
    except Exception as error:  # SciPy raises what its parser stumbles over
        raise InputError(f"{source} is no whole MATLAB file ({error}). Download it again.") from error
    name = next((table for table in _TABLES if table in content), None)
    if name is None:
        raise InputError(
            f"{source} holds none of {list(_TABLES)}. Name MAFA's LabelTrainAll.mat or LabelTestAll.mat."
        )
    rows = content[name]
    return each(lambda row: parse(source, row, name), [rows] if isinstance(rows, dict) else rows)


def parse(path: Path, row: Json, table: str) -> RawImage:
    """One picture's faces.

    Raises:
        InputError: The row is not as MAFA's readme files describe it.
    """
    import numpy as np

    picture = next((row[key] for key in ("imgName", "imageName", "name") if key in row), None)
    if not isinstance(picture, str) or "label" not in row:
        raise InputError(f"{path}: an entry has no picture or no label. Download it again.")
    where = f"{path}, {picture}"
    columns, occluder_at = _TABLES[table]
    faces = []
    # SciPy makes an empty row of MATLAB's empty matrix.
    for values in np.atleast_2d(row["label"]) if np.size(row["label"]) else ():
        if len(values) != columns:
            raise InputError(f"{where}: {len(values)} numbers a face, not {columns}. Download it again.")
        kind, occluder = numbers((values[_FACE_TYPE_AT], values[occluder_at]), where)
        label = _FACE_TYPE.get(int(kind), INVALID) if table == "LabelTest" else ""
        label = label or _OCCLUDERS.get(int(occluder), INVALID)
        faces.append(RawFace(label, from_size(values[:4], where), where))
    return RawImage((picture,), tuple(faces), path)
