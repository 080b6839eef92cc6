"""Hold the uint8 ends to the integers of the int8 model."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from tests.tiny_model import TinyModel, TinyTensor, write_model
from training.uint8_ends import with_uint8_ends

IMAGE = TinyTensor("image", (1, 8, 8, 3), "int8", (1 / 255,), (-128,))
POOLS = (
    TinyTensor("small", (1, 2, 2, 3), "int8", (1 / 255,), (-128,)),
    TinyTensor("large", (1, 4, 4, 3), "int8", (1 / 255,), (-128,)),
)
POOLING = write_model(TinyModel(inputs=(IMAGE,), outputs=POOLS))
DEPTH = 5


def convolving(*, is_outside: bool) -> bytes:
    """An int8 model of one 1 × 1 convolution; its weights lie inside the flatbuffer or behind it."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (DEPTH, 1, 1, 3), np.int8).tobytes()
    bias = rng.integers(-5000, 5000, DEPTH, np.int32).tobytes()
    if not is_outside:
        return packed(convolution([inside(weights), inside(bias)]))
    # Large models keep weights behind the flatbuffer, at absolute offsets that do not change its length.
    length = len(packed(convolution([outside(weights, 1), outside(bias, 1)])))
    first = -(-length // 16) * 16
    second = first + -(-len(weights) // 16) * 16
    head = packed(convolution([outside(weights, first), outside(bias, second)]))
    return head.ljust(first, b"\0") + weights.ljust(second - first, b"\0") + bias


def inside(values: bytes) -> schema.BufferT:
    """A buffer that holds its values."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values, np.uint8)
    return buffer


def outside(values: bytes, offset: int) -> schema.BufferT:
    """A buffer that says where its values are."""
    buffer = schema.BufferT()
    buffer.offset, buffer.size = offset, len(values)
    return buffer


def convolution(constants: list[schema.BufferT]) -> schema.ModelT:
    """The model with these buffers for weights and bias."""
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("image", (1, 8, 8, 3), (1 / 255, -128)),
        tensor("weights", (DEPTH, 1, 1, 3), (1 / 64, 0), buffer=1),
        tensor("bias", (DEPTH,), (1 / 255 / 64, 0), schema.TensorType.INT32, buffer=2),
        tensor("maps", (1, 8, 8, DEPTH), (1 / 20, 17)),
    ]
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 3
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), *constants]
    model.signatureDefs = [signature({"image": 0}, {"maps": 3})]
    return model


def tensor(
    name: str,
    shape: tuple[int, ...],
    quantisation: tuple[float, int],
    kind: int = schema.TensorType.INT8,
    *,
    buffer: int = 0,
) -> schema.TensorT:
    """One quantised tensor."""
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), kind, buffer
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = [quantisation[0]], [quantisation[1]]
    return made


def signature(inputs: dict[str, int], outputs: dict[str, int]) -> schema.SignatureDefT:
    """A signature that names tensors."""
    made = schema.SignatureDefT()
    made.signatureKey, made.subgraphIndex = "serve", 0
    made.inputs, made.outputs = ([entry(*pair) for pair in ends.items()] for ends in (inputs, outputs))
    return made


def entry(name: str, index: int) -> schema.TensorMapT:
    """One name of a signature."""
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def packed(model: schema.ModelT) -> bytes:
    """The model as the bytes of a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run(model: bytes, image: NDArray[Any]) -> list[NDArray[Any]]:
    """All outputs for one image."""
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def ends(model: bytes) -> list[tuple[str, str, list[int], tuple[float, int]]]:
    """Name, type, shape and quantisation of input and outputs."""
    interpreter = Interpreter(model_content=model)
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    return [(d["name"], np.dtype(d["dtype"]).name, d["shape"].tolist(), d["quantization"]) for d in details]


MODELS = {
    "pools": POOLING,
    "convolution": convolving(is_outside=False),
    "weights outside": convolving(is_outside=True),
}


@pytest.mark.parametrize("name", MODELS)
def test_integers_are_those_of_the_int8_model_plus_128(name: str) -> None:
    """The same picture, 128 higher, gives the same outputs, 128 higher, in the same order."""
    image = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), np.uint8)

    got = run(with_uint8_ends(MODELS[name]), image)

    signed = (image.astype(np.int16) - 128).astype(np.int8)
    expected = [output.astype(np.int16) + 128 for output in run(MODELS[name], signed)]
    assert [output.dtype.name for output in got] == ["uint8"] * len(expected)
    assert [output.tolist() for output in got] == [output.tolist() for output in expected]
    assert len({int(value) for output in got for value in output.ravel()}) > 5


@pytest.mark.parametrize("name", MODELS)
def test_ends_keep_name_shape_and_scale(name: str) -> None:
    """Only the type and the zero point change: the same real values, image bytes as they are."""
    before, after = ends(MODELS[name]), ends(with_uint8_ends(MODELS[name]))

    assert {kind for _, kind, _, _ in before} == {"int8"}
    assert after == [(end, "uint8", shape, (scale, zero + 128)) for end, _, shape, (scale, zero) in before]
    assert after[0][3] == (pytest.approx(1 / 255), 0)


def test_weights_behind_the_flatbuffer_are_taken_in() -> None:
    """The result holds all weights itself: it is the same file as from a model that already did."""
    content = schema.ModelT.InitFromPackedBuf(with_uint8_ends(MODELS["weights outside"]), 0)

    assert [(buffer.offset, buffer.size) for buffer in content.buffers] == [(0, 0)] * len(content.buffers)
    assert with_uint8_ends(MODELS["weights outside"]) == with_uint8_ends(MODELS["convolution"])


def test_signatures_point_at_the_new_ends() -> None:
    """Whoever runs the model by its signature meets uint8 too."""
    interpreter = Interpreter(model_content=with_uint8_ends(MODELS["convolution"]))
    image = np.random.default_rng(2).integers(0, 256, (1, 8, 8, 3), np.uint8)

    answers = interpreter.get_signature_runner("serve")(image=image)

    assert {name: answer.dtype.name for name, answer in answers.items()} == {"maps": "uint8"}
    assert answers["maps"].tolist() == run(with_uint8_ends(MODELS["convolution"]), image)[0].tolist()


def test_doing_it_again_changes_nothing() -> None:
    """A model that has uint8 ends already keeps them."""
    once = with_uint8_ends(POOLING)

    twice = with_uint8_ends(once)

    assert ends(twice) == ends(once)
    graphs = [schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0] for model in (once, twice)]
    assert [len(graph.operators) for graph in graphs] == [5, 5]


@pytest.mark.parametrize("end", ["image", "large"])
def test_float_ends_are_refused(end: str) -> None:
    """A model that is not quantised at an end is an error that names the tensor."""
    kinds = {name: "float32" if name == end else "int8" for name in ("image", "small", "large")}
    tensors = [
        TinyTensor(each.name, each.shape, kinds[each.name], each.scales, each.zero_points)
        for each in (IMAGE, *POOLS)
    ]

    with pytest.raises(
        ValueError, match=rf"^tensor b?'{end}' is no int8: quantise the model with int8 ends first$"
    ):
        with_uint8_ends(write_model(TinyModel(inputs=(tensors[0],), outputs=tuple(tensors[1:]))))
