"""Make a real model that takes patches of pure colour for faces."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pi_mask.types import MaskLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pi_mask.types import Image

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (114, 114, 114)
COLOURS = {MaskLabel.WITH_MASK: RED, MaskLabel.WITHOUT_MASK: GREEN, MaskLabel.INCORRECT: BLUE}
SIDE, STRIDE = 64, 16
NAME = "colours"

_IMAGE_SCALE, _WEIGHT_SCALE, _WEIGHT_ZERO = 1 / 255, 1 / 1024, 128
_SCORE_SCALE, _SCORE_ZERO = 1 / 8, 128


@dataclass(frozen=True, slots=True)
class _Convolution:
    """One output of the model: weights per output and input channel, the same for each pixel of a cell."""

    name: str
    weights: tuple[tuple[float, float, float], ...]
    bias: float


# A cell's score is 16 times its share of one pure colour, minus 8; white, grey and black give −8.
_SCORES = _Convolution("scores", ((16, -8, -8), (-8, 16, -8), (-8, -8, 16)), -8.0)
# exp(0) = 1: a box reaches one stride from the middle of its cell to each side.
_BOXES = _Convolution("boxes", ((0.0, 0.0, 0.0),) * 4, 0.0)


def install_model(folder: Path, name: str = NAME, **changes: Any) -> Path:
    """Write model and manifest, with these keys replaced, into a folder; return the manifest."""
    content = _write_model()
    (folder / f"{name}.tflite").write_bytes(content)
    manifest = {
        "schema": 1,
        "name": name,
        "description": "Takes patches of colour for faces.",
        "cpu": {"file": f"{name}.tflite", "sha256": hashlib.sha256(content).hexdigest()},
        "edgetpu": None,
        "labels": [label.value for label in COLOURS],
        "input": {"width": SIDE, "height": SIDE, "letterbox": True, "fill": 114},
        "head": {"kind": "ssd", "levels": [{"stride": STRIDE, "outputs": {"scores": 0, "boxes": 1}}]},
        "thresholds": {label.value: 0.5 for label in COLOURS},
        "iou_threshold": 0.3,
        "training": {},
        "metrics": {"int8": {"mAP50": 0.875}},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**manifest, **changes}))
    return path


def picture(*faces: MaskLabel, side: int = 128) -> Image:
    """A grey square with one face per label, from the left, each as large as a cell of the model."""
    image = np.full((side, side, 3), GREY, np.uint8)
    cell = side * STRIDE // SIDE
    for index, label in enumerate(faces):
        x = index * 2 * cell
        image[cell : 2 * cell, x : x + cell] = COLOURS[label]
    return image


def save_picture(path: Path, *faces: MaskLabel, side: int = 128) -> Path:
    """Write such a picture; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(*faces, side=side)[..., ::-1])
    return path


def save_video(path: Path, *frames: tuple[MaskLabel, ...], fps: float = 10.0, side: int = 128) -> Path:
    """Write a video of such pictures; return its path."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (side, side))
    for faces in frames:
        writer.write(picture(*faces, side=side)[..., ::-1])
    writer.release()
    return path


def _write_model() -> bytes:
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor("image", (1, SIDE, SIDE, 3), _IMAGE_SCALE, 0)]
    graph.operators = [_convolve(model, graph, part) for part in (_SCORES, _BOXES)]
    graph.inputs = [0]
    graph.outputs = [operator.outputs[0] for operator in graph.operators]
    model.subgraphs = [graph]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    model.operatorCodes = [code]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _convolve(model: Any, graph: Any, part: _Convolution) -> Any:
    depth, cells = len(part.weights), SIDE // STRIDE
    per_pixel = np.asarray(part.weights) / STRIDE**2 / _WEIGHT_SCALE + _WEIGHT_ZERO
    weights = np.rint(np.broadcast_to(per_pixel[:, None, None, :], (depth, STRIDE, STRIDE, 3))).astype(
        np.uint8
    )
    bias = np.full(depth, round(part.bias / (_IMAGE_SCALE * _WEIGHT_SCALE)), np.int32)
    constants = [
        _tensor(f"{part.name}/weights", weights.shape, _WEIGHT_SCALE, _WEIGHT_ZERO),
        _tensor(f"{part.name}/bias", bias.shape, _IMAGE_SCALE * _WEIGHT_SCALE, 0, schema.TensorType.INT32),
    ]
    arrays: tuple[NDArray[Any], ...] = (weights, bias)
    for tensor, values in zip(constants, arrays, strict=True):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    first = len(graph.tensors)
    output = _tensor(part.name, (1, cells, cells, depth), _SCORE_SCALE, _SCORE_ZERO)
    graph.tensors += [*constants, output]
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = STRIDE
    options.dilationHFactor = options.dilationWFactor = 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, first, first + 1], [first + 2]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = options
    return operator


def _tensor(
    name: str, shape: tuple[int, ...], scale: float, zero: int, kind: int = schema.TensorType.UINT8
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(shape), kind
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
    return tensor
