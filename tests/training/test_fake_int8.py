"""Hold rounding in float to what LiteRT computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from pi_mask.decoder import dequantise
from pi_mask.inference.cpu import CpuInterpreter
from training.data import load_coco
from training.drawn import write_voc
from training.fake_int8 import FakeInt8, round_to_int8
from training.networks.base import DetectionNetwork
from training.networks.registry import load_checkpoint
from training.networks.ssd import SsdMobileNetV2Nano
from training.networks.yolov5 import YoloV5n
from training.quantise import Config, calibration_images, convert_float, output_limits, quantise
from training.smoke import import_drawn

# They come from the converters and are as they should be.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]
WEIGHTS = Path(__file__).parents[2] / "training" / "weights" / "nano_320.safetensors"
SIDE = 128
NO_LIMITS = [(-1e6, 1e6)] * 9


def as_tensors(images: list[NDArray[np.float32]]) -> Iterator[Tensor]:
    """Channels first, as PyTorch has them."""
    return (torch.from_numpy(image).permute(0, 3, 1, 2) for image in images)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.float32]]:
    """Drawn faces, as they are calibrated with."""
    folder = tmp_path_factory.mktemp("drawn")
    import_drawn(write_voc(folder / "voc", 8, seed=5), folder / "train.json")
    return list(calibration_images(load_coco(folder / "train.json"), Config(size=SIDE)))


@pytest.fixture(scope="module")
def network() -> DetectionNetwork:
    """The shipped nano network: real weights, whose rounding matters."""
    return load_checkpoint(WEIGHTS).network


@pytest.fixture(scope="module")
def model(network: DetectionNetwork, images: list[NDArray[np.float32]]) -> bytes:
    """Its int8 file."""
    return quantise(convert_float(network, SIDE), images, 100.0, output_limits(network))


@pytest.fixture(scope="module")
def rounded(network: DetectionNetwork, images: list[NDArray[np.float32]]) -> FakeInt8:
    """It, rounded in float by the same pictures."""
    return FakeInt8(network, as_tensors(images), output_limits(network))


@torch.no_grad()
def test_it_errs_where_the_int8_file_errs(
    network: DetectionNetwork, images: list[NDArray[np.float32]], model: bytes, rounded: FakeInt8
) -> None:
    """What it gives is far nearer to LiteRT's than the float network's is."""
    int8 = CpuInterpreter(model, threads=1)
    from_float, from_rounded = 0.0, 0.0
    for image, tensor in zip(images, as_tensors(images), strict=True):
        raw = int8.invoke(np.rint(image * 255).astype(np.uint8))
        real = [dequantise(x, spec) for x, spec in zip(raw, int8.spec.outputs, strict=True)]
        maps = zip(real, rounded.run(tensor), network(tensor).flat(), output_limits(network), strict=True)
        for wanted, near, far, limits in maps:
            from_rounded += distance(wanted, near)
            from_float += distance(wanted, far.clamp(*limits))

    assert from_rounded < 0.5 * from_float


def distance(wanted: NDArray[np.float32], found: Tensor) -> float:
    """Mean over a map, channels last and channels first."""
    return float(np.abs(wanted - found.permute(0, 2, 3, 1).numpy()).mean())


def test_every_tensor_of_the_file_is_rounded(model: bytes, rounded: FakeInt8) -> None:
    """As many as its operations give, but for padding and the uint8 ends, which change no value."""
    details: list[dict[str, Any]] = Interpreter(model_content=model)._get_ops_details()
    names = [each["op_name"] for each in details]

    assert len(rounded.held) == 1 + sum(name not in ("PAD", "QUANTIZE", "DELEGATE") for name in names)


@torch.no_grad()
def test_an_output_has_few_values_within_its_limits(
    images: list[NDArray[np.float32]], rounded: FakeInt8, network: DetectionNetwork
) -> None:
    """256 at most, and none beyond what means something but by half a step."""
    for maps, (low, high) in zip(rounded.run(next(as_tensors(images))), output_limits(network), strict=True):
        step = (high - low) / 255
        assert len(maps.unique()) <= 256
        assert low - step / 2 <= float(maps.min()) <= float(maps.max()) <= high + step / 2


@pytest.mark.parametrize("kind", [SsdMobileNetV2Nano, YoloV5n])
def test_gradients_pass(kind: type[SsdMobileNetV2Nano] | type[YoloV5n]) -> None:
    """Every weight of either kind of network learns, and it is the network's own."""
    torch.manual_seed(0)
    network = kind().eval()
    pictures = torch.rand(2, 3, 64, 64)
    rounded = FakeInt8(network, [pictures], NO_LIMITS[: len(network.output_kinds())])

    torch.stack([x.square().mean() for x in rounded.run(pictures)]).sum().backward()  # type: ignore[no-untyped-call]

    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


@given(
    st.floats(-1000, 0),
    st.floats(0.001, 1000),
    st.lists(st.floats(-2000, 2000, width=32), min_size=1, max_size=50),
)
def test_rounding_is_to_the_nearest_step(low: float, high: float, values: list[float]) -> None:
    """By half a step at most within the extremes, to the nearer end beyond; again, it changes nothing."""
    given_ = torch.tensor(values)
    step = (high - low) / 255

    once = round_to_int8(given_, (low, high))

    within = given_.clamp(low, high)
    assert float((once - within).abs().max()) <= 1.01 * step
    inner = (given_ > low + step) & (given_ < high - step)
    assert not bool(((once - given_).abs() > 0.51 * step)[inner].any())
    torch.testing.assert_close(round_to_int8(once, (low, high)), once)


@given(st.floats(-1000, 0), st.floats(0, 1000))
def test_zero_stays_zero(low: float, high: float) -> None:
    """Padding and ReLU6 make it, so it must have a step of its own; a tensor of zeros has no range at all."""
    assert not round_to_int8(torch.zeros(3), (low, high)).any()
