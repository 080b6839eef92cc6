"""List the formats that can be imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.importers import coco, csv, fddb, kitti, labelbox, mafa, voc, widerface, yolo
from training.importers.base import IGNORED, Reader


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its reader, what SOURCE is, and labels whose meaning is plain.

    Attributes:
        is_list: SOURCE is about many pictures, and names those without faces too. The folder may hold others:
            of another part of a split, or not labelled yet.
    """

    read: Reader
    source: str
    labels: Mapping[str, str] = field(default_factory=dict)
    is_list: bool = False


_FMLD = {
    "masked_face": "with_mask",
    "unmasked_face": "without_mask",
    "incorrectly_masked_face": "incorrect",
    "invalid_face": IGNORED,
}
# Nobody said whether what hides half of a face is a mask.
_WIDERFACE = {widerface.INVALID: IGNORED, "heavily_occluded_face": IGNORED}

FORMATS: Mapping[str, Format] = {
    "coco": Format(coco.read, "a JSON file", is_list=True),
    "csv": Format(csv.read, "a table with the columns filename, class, xmin, ymin, xmax, ymax", is_list=True),
    "fddb": Format(fddb.read, "an ellipseList.txt, or the folder of them", is_list=True),
    "fmld": Format(voc.read_fmld, "the folder of FMLD's XML files", _FMLD),
    "kitti": Format(kitti.read, "the folder of text files", {kitti.DONT_CARE: IGNORED}),
    "labelbox": Format(labelbox.read, "an export, NDJSON or JSON", is_list=True),
    "mafa": Format(mafa.read, "LabelTrainAll.mat or LabelTestAll.mat", {mafa.INVALID: IGNORED}, is_list=True),
    "voc": Format(voc.read, "the folder of XML files"),
    "widerface": Format(widerface.read, "wider_face_train_bbx_gt.txt or its like", _WIDERFACE, is_list=True),
    "yolo": Format(yolo.read, "the folder of text files"),
}
