"""Hold YOLOv5 to its published size and to the head that the manifest describes."""

from __future__ import annotations

import pytest
import torch

from training.networks.registry import NETWORKS
from training.networks.yolov5 import DEFAULT_ANCHORS, YoloV5, YoloV5n, _Bottleneck


def built(name: str) -> YoloV5:
    """A network of the registry."""
    network = NETWORKS[name]()
    assert isinstance(network, YoloV5)
    return network


@pytest.mark.parametrize(("name", "count"), [("yolov5s", 7_027_720), ("yolov5n", 1_767_976)])
def test_it_has_as_many_weights_as_published(name: str, count: int) -> None:
    """Version 6.0's 7,235,389 and 1,872,157 weights for 80 labels, less those of 77 labels' predictions."""
    assert sum(parameter.numel() for parameter in built(name).parameters()) == count


def test_widths_and_depths_are_the_published_ones() -> None:
    """Channels after each stage are 64 to 1024 times the width; blocks are 3, 6, 9 times the depth."""
    for name, widths in (("yolov5s", (64, 128, 256, 512)), ("yolov5n", (32, 64, 128, 256))):
        network = built(name)
        x, shapes = torch.zeros(1, 3, 64, 64), []
        with torch.inference_mode():
            for stage in (network.stage2, network.stage3, network.stage4, network.stage5):
                x = stage(x)
                shapes.append(tuple(x.shape[1:]))
        assert shapes == [(width, 16 >> i, 16 >> i) for i, width in enumerate(widths)]
        bottlenecks = [
            sum(type(module).__name__ == "_Bottleneck" for module in stage.modules())
            for stage in (network.stage2, network.stage3, network.stage4, network.stage5)
        ]
        assert bottlenecks == [1, 2, 3, 1]


def test_bottlenecks_add_their_input_on_the_way_down_alone() -> None:
    """As published: the backbone's are residual, the neck's are not."""
    for name, module in built("yolov5n").named_modules():
        if isinstance(module, _Bottleneck):
            torch.nn.init.zeros_(module.conv[-1][1].weight)  # type: ignore[index,arg-type]
            width = module.conv[0][0].in_channels  # type: ignore[index]
            x = torch.rand(1, int(width), 4, 4)  # type: ignore[arg-type]
            y = module.eval()(x)
            assert torch.equal(y, x) if name.startswith("stage") else not y.any()


def test_the_large_network_has_the_published_size_too() -> None:
    """Both multiples at 1 give YOLOv5l and its 46,563,709 weights for 80 labels."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in YoloV5(1.0, 1.0, n_labels=80).parameters())

    assert count == 46_563_709


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_maps_have_the_sizes_that_the_manifest_names(height: int, width: int) -> None:
    """Scores, boxes and objectness of three anchors a cell, at strides 8, 16 and 32."""
    network = YoloV5n().eval()
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, height, width))

    sizes = [(height // stride, width // stride) for stride in (8, 16, 32)]
    expected = [(1, 3 * depth, *size) for depth in (3, 4, 1) for size in sizes]
    assert [tuple(x.shape) for x in maps.flat()] == expected
    levels = network.head().levels
    assert [level.outputs for level in levels] == [
        {"scores": i, "boxes": i + 3, "objectness": i + 6} for i in range(3)
    ]
    assert tuple(level.anchors for level in levels) == DEFAULT_ANCHORS


def test_a_fresh_network_sees_nobody_and_prefers_no_label() -> None:
    """At the start objectness is about a percent, labels about a third, boxes about their anchors."""
    with torch.inference_mode():
        maps = YoloV5n().eval()(torch.rand(1, 3, 64, 64))

    assert [float(x.sigmoid().mean()) for x in maps.objectness] == pytest.approx([0.01] * 3, abs=0.01)
    assert [float(x.sigmoid().mean()) for x in maps.scores] == pytest.approx([1 / 3] * 3, abs=0.1)
    assert [float(x.sigmoid().mean()) for x in maps.boxes] == pytest.approx([0.5] * 3, abs=0.1)


def test_anchors_travel_with_the_weights() -> None:
    """Other anchors are in the state, in the head and after loading; another number of them is refused."""
    network, other = YoloV5n(), YoloV5n()
    anchors = tuple(tuple((w + 1.5, h + 2.25) for w, h in level) for level in DEFAULT_ANCHORS)

    network.set_anchors(anchors)
    other.load_state_dict(network.state_dict())

    assert other.level_anchors() == anchors
    with pytest.raises(ValueError, match=r"^anchors of shape \(3, 1, 2\), not \(3, 3, 2\)$"):
        network.set_anchors(tuple(level[:1] for level in anchors))
    with pytest.raises(ValueError, match="anchors of shape"):
        network.set_anchors((((0.0, 1.0),) * 3,) * 3)
