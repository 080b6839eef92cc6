"""Hold every format's reader to what its format says, on small files made by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_mask.errors import InputError
from tests.training.importers.handmade import coco, mafa_table, picture, read_all, run, text
from training.importers import csv, fddb, kitti, labelbox, mafa, voc, widerface, yolo
from training.importers.formats import FORMATS

VOC = """<annotation>
  <filename>a.jpg</filename>
  <size><width>100</width><height>80</height><depth>3</depth></size>
  <object><name>mask</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
  <object>
    <name>bare</name><difficult>{difficult}</difficult>
    <bndbox><xmin>50.5</xmin><ymin>10</ymin><xmax>80</xmax><ymax>50</ymax></bndbox>
  </object>
</annotation>"""
MAPPED = ("--map", "mask=with_mask", "--map", "bare=without_mask")
FACES = [[("with_mask", (10, 20, 40, 60)), ("without_mask", (50.5, 10, 80, 50))]]


def test_voc(tmp_path: Path) -> None:
    """Each XML file is a picture; corners are taken as they stand."""
    picture(tmp_path / "in" / "a.jpg")
    text(tmp_path / "in" / "a.xml", VOC.format(difficult=0))

    imported = run(tmp_path / "out" / "all.json", "voc", tmp_path / "in", *MAPPED)

    assert (imported.code, imported.boxes) == (0, FACES)


def test_fmld(tmp_path: Path) -> None:
    """FMLD's labels need no map; what it marks as difficult is ignored."""
    picture(tmp_path / "in" / "a.jpg")
    content = VOC.format(difficult=1).replace("mask<", "incorrectly_masked_face<")
    text(tmp_path / "in" / "a.xml", content.replace("bare<", "unmasked_face<"))

    imported = run(tmp_path / "out" / "all.json", "fmld", tmp_path / "in")

    assert imported.boxes == [[("incorrect", (10, 20, 40, 60)), ("ignore", (50.5, 10, 80, 50))]]


def test_yolo(tmp_path: Path) -> None:
    """Centres and sizes are fractions; names stand in data.yaml; polygons and an empty file are fine."""
    folder = tmp_path / "in"
    for name in ("a", "b", "c"):
        picture(folder / "images" / f"{name}.jpg")
    text(folder / "labels" / "a.txt", "0 0.25 0.5 0.3 0.5", "1 0.6 0.5 0.2 0.25")
    text(folder / "labels" / "b.txt", "1 0.1 0.25 0.5 0.25 0.3 0.75")
    (folder / "labels" / "c.txt").touch()
    text(folder / "data.yaml", "nc: 2", "names: [mask, bare]")
    text(folder / "notes.txt", "no label file, since there is a folder of them")

    imported = run(tmp_path / "out" / "all.json", "yolo", folder, *MAPPED)

    assert imported.boxes == [
        [("with_mask", (10, 20, 40, 60)), ("without_mask", (50, 30, 70, 50))],
        [("without_mask", (10, 20, 50, 60))],
        [],
    ]


def test_coco(tmp_path: Path) -> None:
    """Boxes are left, top, width and height; a crowd is a region to ignore; the rest of an entry is kept."""
    picture(tmp_path / "in" / "a.jpg")
    entry = {"id": 4, "file_name": "a.jpg", "width": 100, "height": 80}
    source = coco(
        tmp_path / "in" / "all.json",
        [],
        images=[{**entry, "source": "hall", "group": "clip7", "synthetic": True}],
        categories=[{"id": 3, "name": "mask"}],
        annotations=[
            {"id": 1, "image_id": 4, "category_id": 3, "bbox": [10, 20, 30, 40]},
            {"id": 2, "image_id": 4, "category_id": 3, "bbox": [0, 0, 50, 10], "iscrowd": 1},
        ],
    )

    imported = run(tmp_path / "out" / "all.json", "coco", source, "--map", "mask=with_mask")

    assert imported.boxes == [[("with_mask", (10, 20, 40, 60)), ("ignore", (0, 0, 50, 10))]]
    kept = [(image.source, image.group, image.is_synthetic, image.original) for image in imported.images]
    assert kept == [("hall", "clip7", True, "a.jpg")]


def test_kitti(tmp_path: Path) -> None:
    """The box is in columns five to eight; DontCare is ignored; a score may follow."""
    picture(tmp_path / "in" / "a.png")
    text(
        tmp_path / "in" / "a.txt",
        "mask 0.00 0 0.00 10 20 40 60 0 0 0 0 0 0 0",
        "bare 0.00 0 0.00 50.5 10 80 50 0 0 0 0 0 0 0 0.97",
        "DontCare -1 -1 -10 0 0 20 10 -1 -1 -1 -1000 -1000 -1000 -10",
    )

    imported = run(tmp_path / "out" / "all.json", "kitti", tmp_path / "in", *MAPPED)

    assert imported.boxes == [[*FACES[0], ("ignore", (0, 0, 20, 10))]]


def test_widerface(tmp_path: Path) -> None:
    """Labels tell how much is hidden; invalid and heavily hidden ones are ignored; zeros mean nobody."""
    picture(tmp_path / "in" / "0--Parade" / "a.jpg")
    picture(tmp_path / "in" / "1--Street" / "a.jpg")
    source = text(
        tmp_path / "in" / "wider_face_train_bbx_gt.txt",
        "0--Parade/a.jpg",
        "5",
        "10 20 30 40 0 0 0 0 0 0 ",
        "99 20 0 0 0 0 0 0 0 0 ",
        "40 20 10 10 0 0 0 0 1 0 ",
        "60 20 10 10 0 0 0 0 2 0 ",
        "80 20 10 10 2 0 0 1 0 0 ",
        "1--Street/a.jpg",
        "0",
        "0 0 0 0 0 0 0 0 0 0 ",
    )
    pairs = ("--map", "face=without_mask", "--map", "partly_occluded_face=drop")

    imported = run(tmp_path / "out" / "all.json", "widerface", source, *pairs)

    ignored = [("ignore", (60, 20, 70, 30)), ("ignore", (80, 20, 90, 30))]
    assert imported.boxes == [[("without_mask", (10, 20, 40, 60)), *ignored], []]
    assert [image.group for image in imported.images] == [image.file_name for image in imported.images]


def test_fddb(tmp_path: Path) -> None:
    """A face is the box around its ellipse."""
    picture(tmp_path / "in" / "2002" / "07" / "img_1.jpg")
    text(
        tmp_path / "in" / "FDDB-folds" / "FDDB-fold-01-ellipseList.txt",
        "2002/07/img_1",
        "2",
        "20 10 1.5707963 30 40  1",
        "10 10 0.3 70 40  1",
    )

    imported = run(
        tmp_path / "out" / "all.json",
        *("fddb", tmp_path / "in" / "FDDB-folds", "--images", tmp_path / "in"),
        *("--map", "face=without_mask"),
    )

    assert imported.boxes == [[("without_mask", (20, 20, 40, 60)), ("without_mask", (60, 30, 80, 50))]]


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2, 2.5, -0.7])
def test_the_box_around_an_ellipse_touches_it(angle: float) -> None:
    """All points of a turned ellipse lie within its box, and on each side one reaches it."""
    turns = np.linspace(0, 2 * math.pi, 20_001)
    long, short = 30 * np.cos(turns), 12 * np.sin(turns)
    x = 50 + long * math.cos(angle) - short * math.sin(angle)
    y = 60 + long * math.sin(angle) + short * math.cos(angle)

    assert fddb.ellipse_extent(30, 12, angle, 50, 60) == pytest.approx(
        (x.min(), y.min(), x.max(), y.max()), abs=1e-4
    )


def test_mafa(tmp_path: Path) -> None:
    """The train table tells what covers a face; the test table also which faces are bare or do not count."""
    train_row = [10, 20, 30, 40, *[0] * 8, 2, *[0] * 8]
    test_rows = [
        [10, 20, 30, 40, 1, *[0] * 4, 1, *[0] * 8],
        [50, 20, 30, 40, 2, *[0] * 13],
        [0, 0, 9, 9, 3, *[0] * 13],
    ]
    rows = [("a.jpg", [train_row]), ("b.jpg", [train_row, train_row])]
    train = mafa_table(tmp_path / "LabelTrainAll.mat", "label_train", "imgName", rows)
    test = mafa_table(tmp_path / "LabelTestAll.mat", "LabelTest", "name", [("c.jpg", test_rows)])

    found = read_all(mafa.read, train) + read_all(mafa.read, test)

    complex_face = ("covered_complex", (10.0, 20.0, 40.0, 60.0))
    assert [(raw.names, [(face.label, face.box) for face in raw.faces]) for raw in found] == [
        (("a.jpg",), [complex_face]),
        (("b.jpg",), [complex_face, complex_face]),
        (
            ("c.jpg",),
            [
                ("covered_simple", (10.0, 20.0, 40.0, 60.0)),
                ("unmasked", (50.0, 20.0, 80.0, 60.0)),
                (mafa.INVALID, (0.0, 0.0, 9.0, 9.0)),
            ],
        ),
    ]


def labelbox_row(name: str, objects: list[dict[str, Any]] | None) -> dict[str, Any]:
    """One data row as exports of 2023 and later have it; None: nobody labelled it."""
    labels = [] if objects is None else [{"annotations": {"objects": objects, "classifications": []}}]
    return {
        "data_row": {"id": "x", "external_id": name, "row_data": f"https://example.com/{name}?token=1"},
        "media_attributes": {"width": 100, "height": 80},
        "projects": {"p": {"labels": labels}},
    }


BOX = {"name": "mask", "bounding_box": {"top": 20.0, "left": 10.0, "height": 40.0, "width": 30.0}}
POLYGON = {"name": "bare", "polygon": [{"x": 50.5, "y": 10}, {"x": 80, "y": 30}, {"x": 60, "y": 50}]}


@pytest.mark.parametrize("is_list", [False, True], ids=["NDJSON", "JSON"])
def test_labelbox(tmp_path: Path, is_list: bool) -> None:
    """One row a line, or a list of rows; boxes and polygons; a row without a label is no picture."""
    picture(tmp_path / "in" / "a.jpg")
    rows = [labelbox_row("a.jpg", [BOX, POLYGON]), labelbox_row("b.jpg", None)]
    lines = [json.dumps(rows)] if is_list else [json.dumps(row) for row in rows]
    source = text(tmp_path / "in" / "export.ndjson", *lines)

    imported = run(tmp_path / "out" / "all.json", "labelbox", source, *MAPPED)

    assert imported.boxes == FACES


def test_labelbox_counts_each_face_once_and_skipped_rows_not_at_all(tmp_path: Path) -> None:
    """A row that two people labelled has the first one's faces; one that was skipped may show anybody."""
    shared = labelbox_row("a.jpg", [BOX])
    shared["projects"]["p"]["labels"].append({"annotations": {"objects": [BOX, POLYGON]}})
    skipped = labelbox_row("b.jpg", [])
    skipped["projects"]["p"]["labels"][0]["performance_details"] = {"skipped": True}
    old = {"External ID": "c.jpg", "Label": {}, "Skipped": True}

    found = read_all(
        labelbox.read, text(tmp_path / "e.ndjson", *(json.dumps(row) for row in (shared, skipped, old)))
    )

    assert [(raw.names[0], len(raw.faces)) for raw in found] == [("a.jpg", 1)]


def test_labelbox_takes_the_project_with_objects(tmp_path: Path) -> None:
    """One that only classifies pictures hides no faces; two with faces are one too many."""
    row = labelbox_row("a.jpg", [])
    row["projects"]["q"] = {"labels": [{"annotations": {"objects": [BOX, POLYGON]}}]}

    (found,) = read_all(labelbox.read, text(tmp_path / "one.ndjson", json.dumps(row)))
    row["projects"]["p"]["labels"][0]["annotations"]["objects"] = [BOX]

    assert [face.label for face in found.faces] == ["mask", "bare"]
    with pytest.raises(InputError, match=r"two\.ndjson, line 1: 2 projects have objects in it\. Export one"):
        read_all(labelbox.read, text(tmp_path / "two.ndjson", json.dumps(row)))


def test_labelbox_points_are_boxes_without_a_size(tmp_path: Path) -> None:
    """Marks that the project has beside its boxes can be dropped by their label; no other row suffers."""
    picture(tmp_path / "in" / "a.jpg")
    old = {"External ID": "b.jpg", "Label": {"nose": [{"geometry": {"x": 3, "y": 4}}]}}
    picture(tmp_path / "in" / "b.jpg")
    rows = [labelbox_row("a.jpg", [BOX, {"name": "nose", "point": {"x": 25, "y": 40}}, POLYGON]), old]
    source = text(tmp_path / "in" / "export.ndjson", *(json.dumps(row) for row in rows))

    unnamed = run(tmp_path / "out" / "all.json", "labelbox", source, *MAPPED)
    dropped = run(tmp_path / "out" / "all.json", "labelbox", source, *MAPPED, "--map", "nose=drop")

    assert "Labels without a meaning: 'nose' (2 boxes," in unnamed.err
    assert dropped.boxes == [*FACES, []]


def test_labelbox_of_old(tmp_path: Path) -> None:
    """The first JSON exports put geometries under their label's name and say "Skip" for a skipped picture."""
    corners = [{"x": 10, "y": 20}, {"x": 40, "y": 20}, {"x": 40, "y": 60}, {"x": 10, "y": 60}]
    objects = [{"value": "bare", "bbox": {"top": 1, "left": 2, "height": 3, "width": 4}}]
    rows = [
        {"Labeled Data": "https://x.test/my%20a.jpg", "Label": {"mask": [{"geometry": corners}]}},
        {"Labeled Data": "https://x.test/b.jpg", "Label": "Skip"},
        {"External ID": "c.jpg", "Label": {"objects": objects}},
    ]

    found = read_all(labelbox.read, text(tmp_path / "export.json", json.dumps(rows)))

    assert [(raw.names, [(face.label, face.box) for face in raw.faces]) for raw in found] == [
        (("my a.jpg",), [("mask", (10, 20, 40, 60))]),
        (("c.jpg",), [("bare", (2, 1, 6, 4))]),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(tmp_path: Path, separator: str) -> None:
    """Columns are found by name in any order; a line without a box is a picture without faces."""
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / "in" / name)
    lines = (
        "width,filename,class,xmax,ymax,xmin,ymin",
        "100,a.jpg,mask,40,60,10,20",
        "100,b.jpg,,,,,",
        "100,a.jpg,bare,80,50,50.5,10",
    )
    source = text(tmp_path / "in" / "table.csv", *(line.replace(",", separator) for line in lines))

    imported = run(tmp_path / "out" / "all.json", "csv", source, *MAPPED)

    assert imported.boxes == [FACES[0], []]


def test_csv_may_state_the_size_of_the_picture(tmp_path: Path) -> None:
    """Boxes for a picture of another size are an error, as in every format that states it."""
    picture(tmp_path / "in" / "a.jpg")
    source = text(
        tmp_path / "in" / "t.csv",
        "filename,width,height,class,xmin,ymin,xmax,ymax",
        "a.jpg,200,160,with_mask,20,40,80,78",
    )

    imported = run(tmp_path / "out" / "all.json", "csv", source)

    assert imported.code == 1
    assert "boxes are for a picture of 200×160" in imported.err


def test_all_formats_are_tested_here() -> None:
    """Each registered format has a test of its own in this file."""
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    assert set(FORMATS) <= tests


Case = tuple[Any, str, str, str]
DAMAGED: list[Case] = [
    (voc.read, "a.xml", VOC.format(difficult=0)[:150], r"a\.xml is no whole XML \(.*line \d+"),
    (voc.read, "a.xml", VOC.format(difficult=0).replace("<name>bare</name>", ""), r"a\.xml, line 5: the obj"),
    (
        voc.read,
        "a.xml",
        VOC.format(difficult=0).replace("50.5", "half"),
        r"a\.xml, line 5: 'half' is no finite",
    ),
    (
        voc.read,
        "annotations.xml",
        '<annotations><image name="a.jpg"><box xtl="1"/></image></annotations>',
        r"annotations\.xml is no Pascal VOC: it begins with <annotations>, .* Export it as",
    ),
    (yolo.read, "a.txt", "0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1\n", r"a\.txt, line 2: 4 numbers are no box"),
    (yolo.read, "a.txt", "0 0.5 nan 0.1 0.1\n", r"a\.txt, line 1: 'nan' is no finite number"),
    (yolo.read, "a.txt", "0.51 0.5 0.5 0.1 0.1\n", r"a\.txt, line 1: 0\.51 is no number of a class"),
    (
        yolo.read,
        "a.txt",
        "0 0.5 0.5 0.2 0.4 0.45 0.4 0.55 0.4 0.5 0.5 -1 -1 0.55 0.6\n",
        r"a\.txt, line 1: 15 numbers that may be a box with five landmarks",
    ),
    (kitti.read, "a.txt", "\nmask 0 0 0 1 2 3 4\n", r"a\.txt, line 2: 8 columns, not 15"),
    (kitti.read, "a.txt", "no mask 0 0 0 1 2 3 4 0 0 0 0 0 0 0\n", r"a\.txt, line 1: 'mask' is no finite"),
    (widerface.read, "l.txt", "a.jpg\n1\n1 2 3\n", r"l\.txt, line 3: a box of 3 numbers"),
    (widerface.read, "l.txt", "a.jpg\n1\n1 2 3 4 0 0 0\n", r"l\.txt, line 3: attributes .* are none"),
    (widerface.read, "l.txt", "a.jpg\n2\n1 2 3 4\n", r"l\.txt, line 1: .* The list is truncated"),
    (
        fddb.read,
        "x-ellipseList.txt",
        "a\n1\n1 2 3 4\n",
        r"ellipseList\.txt, line 3: 4 numbers are no ellipse",
    ),
    (csv.read, "t.csv", "filename,class,xmin,ymin,xmax\n", r"t\.csv has no column for ymax"),
    (csv.read, "t.csv", "file,label,x1,y1,x2,y2\na.jpg,mask,1,2,3\n", r"t\.csv, line 2: 5 columns, not 6"),
    (csv.read, "t.csv", "file,label,x1,y1,x2,y2\na.jpg,,1,2,3,4\n", r"t\.csv, line 2: the face has no label"),
    (
        csv.read,
        "t.csv",
        'file,label,x1,y1,x2,y2\na.jpg,"ma"sk,1,2,3,4\n',
        r"t\.csv, line 2: ',' expected after",
    ),
    (labelbox.read, "e.ndjson", '{"projects": {}\n', r"e\.ndjson, line 1 is no whole JSON object"),
    (labelbox.read, "e.json", "[{]", r"e\.json is no whole JSON"),
    (labelbox.read, "e.ndjson", '{"projects": {"p": {"labels": [{}]}}}', r"line 1 is no Labelbox row"),
    (labelbox.read, "e.ndjson", '{"Label": {"objects": [{"value": "x"}]}}', r"line 1: an object is neither"),
    (mafa.read, "m.mat", "no MATLAB", r"m\.mat is no whole MATLAB file"),
]


@pytest.mark.parametrize(("reader", "name", "content", "message"), DAMAGED)
def test_damage_is_named_by_file_and_line(
    tmp_path: Path, reader: Any, name: str, content: str, message: str
) -> None:
    """A damaged annotation is one line that says where it is and what to do."""
    path = text(tmp_path / name, content.removesuffix("\n"))

    with pytest.raises(InputError, match=message) as caught:
        read_all(reader, tmp_path if reader in (voc.read, yolo.read, kitti.read) else path)

    assert "\n" not in str(caught.value)
    assert str(caught.value).count(". ") >= 1
