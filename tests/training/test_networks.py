"""Hold the networks to ImageNet's weights, to frozen layers and to the head that the manifest describes."""

from __future__ import annotations

import pytest
import torch

from training.networks.base import Exported, cell_centres
from training.networks.mobilenet_v2 import InvertedResidual, MobileNetV2Features
from training.networks.ssd import SsdMobileNetV2
from training.torch_interpreter import TorchInterpreter, float_spec

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def network() -> SsdMobileNetV2:
    """An untrained network in evaluation mode, the same in every run."""
    torch.manual_seed(0)
    return SsdMobileNetV2().eval()


def lively_backbone() -> MobileNetV2Features:
    """A backbone with other statistics than a fresh one, so that folding and training change something."""
    torch.manual_seed(1)
    backbone = MobileNetV2Features().eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0.1, 0.1)  # type: ignore[arg-type]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return backbone


def test_folding_equals_normalising_first() -> None:
    """Plain pixels give the folded layer what normalised ones gave before, inside the border."""
    original, folded = lively_backbone(), MobileNetV2Features().eval()
    folded.load_imagenet(original.state_dict())
    image = torch.rand(1, 3, 64, 64)

    expected, got = original.features[0]((image - MEAN) / STD), folded.features[0](image)

    # The border differs: padding is black before the folding and ImageNet's grey after it.
    assert got.shape == (1, 32, 32, 32)
    torch.testing.assert_close(got[..., 1:, 1:], expected[..., 1:, 1:], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(got, original.features[0](image))


def test_all_other_weights_are_taken_over() -> None:
    """Loading ImageNet's weights changes the first convolution and its mean only, classifier left out."""
    original, folded = lively_backbone(), MobileNetV2Features()
    weights = {**original.state_dict(), "classifier.1.weight": torch.zeros(1000, 1280)}

    folded.load_imagenet(weights)

    after = folded.state_dict()
    changed = [name for name, value in original.state_dict().items() if not torch.equal(value, after[name])]
    assert changed == ["features.0.0.weight", "features.0.1.running_mean"]


def test_other_weights_are_refused() -> None:
    """A file of another network is named as such instead of loading half of it."""
    weights = {"features.0.0.weight": torch.zeros(32, 3, 3, 3)}

    with pytest.raises(ValueError, match=r"^not MobileNetV2-1\.0 weights: .* missing$"):
        MobileNetV2Features().load_imagenet(weights)


def test_a_step_leaves_the_frozen_layers_alone() -> None:
    """A step of training moves weights or statistics of every layer but the first four."""
    backbone = lively_backbone().train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    trained = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1.0)

    sum(x.square().mean() for x in backbone(torch.rand(2, 3, 64, 64))).backward()
    optimizer.step()

    after = backbone.state_dict()
    moved = {int(name.split(".")[1]) for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == set(range(backbone.n_frozen, len(backbone.features)))


@pytest.mark.parametrize(
    ("outputs", "stride", "is_added"),
    [(16, 1, True), (24, 1, False), (16, 2, False)],
    ids=["same", "wider", "halved"],
)
def test_a_block_adds_its_input_where_the_shapes_allow(outputs: int, stride: int, is_added: bool) -> None:
    """A block that has learnt nothing passes it on; one of another shape gives nothing."""
    block = InvertedResidual(16, outputs, stride, 6).eval()
    torch.nn.init.zeros_(block.conv[-1].weight)  # type: ignore[arg-type]
    x = torch.rand(1, 16, 8, 8)

    with torch.inference_mode():
        y = block(x)

    assert y.shape == (1, outputs, 8 // stride, 8 // stride)
    assert torch.equal(y, x) if is_added else not y.any()


def test_fine_maps_see_what_the_coarse_ones_do() -> None:
    """A person near the lens is larger than what a fine cell sees: each level has the coarser ones added."""
    torch.manual_seed(0)
    network = SsdMobileNetV2().eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = network.pyramid(image)
        network.backbone.features[-1].conv[-1].bias += 1.0  # type: ignore[index,operator,union-attr]
        after = network.pyramid(image)

    assert not any(map(torch.equal, before, after))


@pytest.mark.parametrize(("height", "width"), [(320, 320), (256, 256), (64, 128)])
def test_maps_have_the_sizes_of_their_strides(network: SsdMobileNetV2, height: int, width: int) -> None:
    """Scores have three channels and boxes four, at strides 8, 16 and 32, for any multiple of 32."""
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, height, width))

    expected = [(height // stride, width // stride) for stride in (8, 16, 32)]
    assert [tuple(x.shape) for x in maps.scores] == [(1, 3, *size) for size in expected]
    assert [tuple(x.shape) for x in maps.boxes] == [(1, 4, *size) for size in expected]
    assert maps.objectness == []


def test_a_fresh_network_sees_nobody(network: SsdMobileNetV2) -> None:
    """At the start every cell says about one percent, focal loss's prior."""
    with torch.inference_mode():
        maps = network(torch.rand(1, 3, 64, 64))

    means = [float(x.sigmoid().mean()) for x in maps.scores]

    assert means == pytest.approx([0.01] * 3, abs=0.005)


def test_exported_outputs_are_in_the_manifests_order(network: SsdMobileNetV2) -> None:
    """What is converted gives scores level by level, then boxes, as head and spec of the manifest say."""
    spec = float_spec(network, 64)
    with torch.inference_mode():
        image = torch.rand(1, 3, 64, 64)
        outputs, maps = Exported(network)(image), network(image)

    channels_last = [(1, *x.shape[2:], x.shape[1]) for x in outputs]
    assert channels_last == [tensor.shape for tensor in spec.outputs]
    named = {"scores": maps.scores, "boxes": maps.boxes}
    levels = enumerate(network.head().levels)
    places = [(named[kind][i], outputs[at]) for i, level in levels for kind, at in level.outputs.items()]
    assert len(places) == 6
    assert all(torch.equal(expected, got) for expected, got in places)


def test_the_interpreter_gives_channels_last_of_scaled_bytes(network: SsdMobileNetV2) -> None:
    """Behind the Interpreter protocol bytes become 0 to 1, and maps get the shapes that its spec names."""
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    interpreter = TorchInterpreter(network, 64)

    outputs = interpreter.invoke(image.numpy())

    assert [(x.shape, str(x.dtype)) for x in outputs] == [
        (t.shape, t.dtype) for t in interpreter.spec.outputs
    ]
    with torch.inference_mode():
        maps = network(image.permute(0, 3, 1, 2) / 255.0)
    torch.testing.assert_close(torch.from_numpy(outputs[0]), maps.scores[0].permute(0, 2, 3, 1))
    interpreter.close()
    interpreter.close()


def test_centres_follow_the_flattened_maps() -> None:
    """Cells are counted row by row, level by level; a cell's centre is half a stride into it."""
    centres, strides = cell_centres(32, 64, (8, 16, 32))

    assert strides.tolist() == [8.0] * 32 + [16.0] * 8 + [32.0] * 2
    assert centres[:9].tolist() == [[4 + 8 * i, 4] for i in range(8)] + [[4, 12]]
    assert centres[32:37].tolist() == [[8, 8], [24, 8], [40, 8], [56, 8], [8, 24]]
    assert centres[40:].tolist() == [[16, 16], [48, 16]]
