"""What tensors a network has is known without a build of it, and is what the build has."""

from dataclasses import replace

import pytest

from omnitwin.errors import BadInput
from omnitwin.model import anatomy
from omnitwin.model.anatomy import ANATOMIES, BLOCKS
from omnitwin.model.checkpoint import layout as layout_of
from omnitwin.model.twin import build_twin
from omnitwin.recipes import FAST, HEADS, Network

SIZES = {"classic": (105,), "small": (28,), "resnet18": (32, 105), **dict.fromkeys(BLOCKS, (16, 20, 28, 37, 105))}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", [*ANATOMIES, *BLOCKS])
def test_the_layout_is_that_of_the_network_which_torch_builds(encoder, head):
    for size in SIZES[encoder]:
        network = Network(encoder=encoder, image_size=size, head=head)
        assert anatomy.layout(network) == layout_of(build_twin(network).state_dict())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(16, 41), (37, 20)])
@pytest.mark.parametrize("encoder", BLOCKS)
def test_the_layout_follows_height_width_and_channels(encoder, height, width, channels):
    network = Network(encoder=encoder, image_size=height, image_width=width, channels=channels, head="distance")
    assert anatomy.layout(network) == layout_of(build_twin(network).state_dict())


def test_the_layout_of_the_largest_network_is_told_without_its_300_megabytes():
    largest = replace(FAST.network, image_size=384)
    assert anatomy.layout(largest)["encoder.out.weight"][0] == (256, 128 * (384 // 8) ** 2)
    with pytest.raises(BadInput, match="384 x 384 pixels or fewer"):
        replace(FAST.network, image_size=385)
