"""A trained twin fitted to pictures of another size."""

import pytest
import torch

from omnitwin.errors import BadInput
from omnitwin.model.transfer import fitted
from omnitwin.model.twin import build_twin
from omnitwin.recipes import Network

SMALL = Network(encoder="strong", image_size=16, frame="ink", head="distance")
SAME, LARGER, OBLONG = (
    Network(encoder="strong", image_size=height, image_width=width, frame="ink", head="distance")
    for height, width in ((16, 16), (32, 32), (16, 48))
)


@pytest.fixture
def trained():
    torch.manual_seed(0)
    return build_twin(SMALL).eval()


def test_the_same_network_gets_the_same_tensors(trained):
    result = fitted(trained.state_dict(), SMALL, SAME)
    assert all(torch.equal(tensor, result[name]) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize("network", [LARGER, OBLONG], ids=["larger", "oblong"])
def test_what_is_fitted_loads_and_even_features_are_mapped_as_before(trained, network):
    """With the same features at all places, only the sum of a linear map's weights over the places counts."""
    other = build_twin(network).eval()
    other.load_state_dict(fitted(trained.state_dict(), SMALL, network))
    feature_C = torch.rand(128)
    before, after = (
        each.encoder.out(feature_C[:, None].expand(128, each.encoder.out.in_features // 128).flatten())
        for each in (trained, other)
    )
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-5)


def test_convolutions_stay_as_they_are(trained):
    result = fitted(trained.state_dict(), SMALL, LARGER)
    kept = [name for name in result if name != "encoder.out.weight"]
    assert all(torch.equal(result[name], trained.state_dict()[name]) for name in kept)


def test_twice_the_places_are_weights_between_the_nearest(trained):
    small = trained.state_dict()["encoder.out.weight"].view(256, 128, 2, 2)
    large = fitted(trained.state_dict(), SMALL, LARGER)["encoder.out.weight"].view(256, 128, 4, 4)
    torch.testing.assert_close(large[..., 0, 0], small[..., 0, 0] / 4)  # a corner has one neighbour
    between = 0.75 * small[..., 0, 0] + 0.25 * small[..., 0, 1]
    torch.testing.assert_close(large[..., 0, 1], between / 4)


@pytest.mark.parametrize(
    "network",
    [
        Network(encoder="classic", image_size=105),
        Network(encoder="strong", image_size=16, frame="ink"),
    ],
    ids=["encoder", "head"],
)
def test_another_encoder_or_head_is_refused(trained, network):
    with pytest.raises(BadInput, match="cannot start one with"):
        fitted(trained.state_dict(), SMALL, network)
