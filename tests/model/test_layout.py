"""What tensors a network has is known without a build of it, and is what the build has."""

import pytest

from omnitwin.model import anatomy
from omnitwin.model.anatomy import BLOCKS, HEADS, IMAGE_SIZES
from omnitwin.model.checkpoint import layout as layout_of
from omnitwin.model.twin import build_twin

SIZES = {"classic": (105,), "small": (28,), "resnet18": (32, 105), **dict.fromkeys(BLOCKS, (8, 20, 28, 37, 105))}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", IMAGE_SIZES)
def test_the_layout_is_that_of_the_network_which_torch_builds(encoder, head):
    for size in SIZES[encoder]:
        assert anatomy.layout(encoder, size, head) == layout_of(build_twin(encoder, size, head).state_dict())


def test_the_layout_of_a_network_that_no_machine_has_room_for_costs_nothing():
    assert anatomy.layout("strong", 10**9, "distance")["encoder.out.weight"][0] == (256, 128 * (10**9 // 8) ** 2)
