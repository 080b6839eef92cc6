"""Pair the outputs of two builds of one model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_mask.errors import ModelError
from pi_mask.inference.base import ModelSpec, TensorSpec
from pi_mask.inference.matching import match_outputs

IMAGE = TensorSpec("image", (1, 320, 320, 3), "uint8", 1 / 255, 0)
BOXES = TensorSpec("boxes", (1, 40, 40, 8), "uint8", 0.05, 120)
SCORES = TensorSpec("scores", (1, 40, 40, 6), "uint8", 1 / 256, 0)
FAR_SCORES = TensorSpec("far_scores", (1, 40, 40, 6), "uint8", 1 / 256, 0)
SPEC = ModelSpec(IMAGE, (BOXES, SCORES, FAR_SCORES))


@given(st.permutations(range(3)))
def test_any_order_is_undone(order: list[int]) -> None:
    """However the compiler orders equally named outputs, each finds its partner."""
    shuffled = [SPEC.outputs[index] for index in order]

    matched = match_outputs(SPEC, ModelSpec(replace(IMAGE, name="x"), tuple(shuffled)))

    assert [shuffled[index] for index in matched] == list(SPEC.outputs)


def test_renamed_outputs_are_matched_by_kind() -> None:
    """An output under another name is found by shape, type and quantisation, the named ones put aside."""
    compiled = (FAR_SCORES, replace(SCORES, name="scores:0"), replace(BOXES, name="boxes:0"))

    assert match_outputs(SPEC, ModelSpec(IMAGE, compiled)) == (2, 1, 0)


BAD_PAIRS = {
    "another input": (
        ModelSpec(replace(IMAGE, shape=(1, 224, 224, 3)), SPEC.outputs),
        "takes uint8 (1, 224,",
    ),
    "another input scale": (ModelSpec(replace(IMAGE, scale=1.0), SPEC.outputs), "takes uint8 (1, 320,"),
    "an output too few": (ModelSpec(IMAGE, SPEC.outputs[:2]), "has 2 outputs, the CPU's 3"),
    "another scale": (
        ModelSpec(IMAGE, (replace(BOXES, scale=0.06), SCORES, FAR_SCORES)),
        "has no outputs that could be 'boxes'",
    ),
    "another type": (
        ModelSpec(IMAGE, (replace(BOXES, dtype="int8"), SCORES, FAR_SCORES)),
        "has no outputs that could be 'boxes'",
    ),
    "twins without names": (
        ModelSpec(IMAGE, (BOXES, replace(SCORES, name="a"), replace(SCORES, name="b"))),
        "has 2 outputs that could be 'scores'",
    ),
    "twins of one name": (ModelSpec(IMAGE, (BOXES, SCORES, SCORES)), "has 2 outputs that could be 'scores'"),
}


@pytest.mark.parametrize(("other", "complaint"), BAD_PAIRS.values(), ids=list(BAD_PAIRS))
def test_models_that_do_not_belong_together_are_refused(other: ModelSpec, complaint: str) -> None:
    """Where a pair is missing or in doubt, nothing is guessed."""
    with pytest.raises(ModelError) as caught:
        match_outputs(SPEC, other)

    message = str(caught.value)
    assert message.startswith(f"The Edge TPU's model {complaint}")
    assert message.endswith("Compile the Edge TPU's model from the very file that the CPU runs.")
