"""The network is the example's, and the twins are twins."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.errors import BadInput, CannotRun
from omnitwin.model import twin
from omnitwin.model.encoders import ClassicEncoder, count_parameters
from omnitwin.model.losses import pair_loss
from omnitwin.model.twin import TwinNetwork, build_twin
from omnitwin.recipes import CLASSIC, ENCODERS, SMALL, Network
from omnitwin.training.trainer import build_network


@pytest.fixture(scope="module")
def classic() -> TwinNetwork:
    return build_network(CLASSIC).eval()


@pytest.fixture(scope="module")
def small() -> TwinNetwork:
    return build_network(SMALL).eval()


def test_the_classic_network_has_27712321_parameters(classic):
    assert count_parameters(classic) == 27_712_321


def test_each_classic_layer_has_the_shape_of_the_example(classic):
    shapes = [tuple(parameter.shape) for name, parameter in classic.named_parameters() if name.endswith("weight")]
    assert shapes == [
        (64, 1, 10, 10),
        (128, 64, 7, 7),
        (128, 128, 4, 4),
        (256, 128, 5, 5),
        (4096, 6400),
        (1, 4096),
    ]


def test_every_classic_weight_and_bias_starts_from_a_normal_distribution_of_deviation_one_hundredth(classic):
    for name, parameter in classic.named_parameters():
        n = parameter.numel()
        if n == 1:
            assert abs(float(parameter.detach())) < 0.05, name
            continue
        assert abs(float(parameter.detach().mean())) < 5 * 0.01 / math.sqrt(n), name  # five standard errors of a mean
        assert abs(float(parameter.detach().std()) / 0.01 - 1) < 5 / math.sqrt(2 * n), name  # and of a deviation


def test_relu_behind_the_pool_gives_the_values_and_gradients_of_relu_before_it():
    encoder = ClassicEncoder()
    example = nn.Sequential()  # the order in which the example lists its layers
    for layer in encoder:
        if isinstance(layer, nn.MaxPool2d):
            example.append(nn.ReLU())
        if not (isinstance(layer, nn.ReLU) and isinstance(example[-1], nn.MaxPool2d)):
            example.append(nn.ReLU() if isinstance(layer, nn.ReLU) else layer)
    kinds = [type(layer).__name__ for layer in example]
    assert kinds[:9] == ["Conv2d", "ReLU", "MaxPool2d"] * 3
    images = torch.rand(2, 1, 105, 105, generator=torch.Generator().manual_seed(1))
    gradients = []
    for network in (encoder, example):
        encoder.zero_grad()
        features = network(images)
        features.square().sum().backward()
        gradients.append([features.detach()] + [parameter.grad.clone() for parameter in encoder.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_the_initial_weights_are_a_function_of_the_seed_alone():
    torch.manual_seed(1)
    first = build_network(SMALL).state_dict()
    torch.manual_seed(2)
    again = build_network(SMALL).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_building_a_network_leaves_the_global_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build_network(SMALL)
    assert torch.equal(torch.rand(1), expected)


def test_the_score_of_a_pair_does_not_depend_on_its_order_to_the_last_bit(small):
    """Of two embeddings; those of an image may differ in the last bit by its place in a batch."""
    left, right = torch.rand(2, 6, 1, 28, 28).unbind()
    with torch.inference_mode():
        first, second = small.embed(left), small.embed(right)
        assert torch.equal(small.score(first, second), small.score(second, first))
        torch.testing.assert_close(small(left, right), small(right, left), rtol=1e-5, atol=1e-6)


def test_a_batch_of_one_scores_as_its_row_in_a_batch_of_many(small):
    left, right = torch.rand(2, 6, 1, 28, 28).unbind()
    with torch.inference_mode():
        alone = torch.cat([small(left[row : row + 1], right[row : row + 1]) for row in range(6)])
        torch.testing.assert_close(alone, small(left, right), rtol=1e-5, atol=1e-6)


def test_the_score_is_a_weighted_absolute_difference_of_sigmoid_features(small):
    left, right = torch.rand(2, 3, 1, 28, 28).unbind()
    with torch.inference_mode():
        f1, f2 = torch.sigmoid(small.encoder(left)), torch.sigmoid(small.encoder(right))
        by_hand = F.linear((f1 - f2).abs(), small.head.weight, small.head.bias).squeeze(1)
        torch.testing.assert_close(small(left, right), by_hand, rtol=1e-5, atol=1e-6)


def test_two_equal_images_get_the_score_of_the_bias_alone(small):
    image = torch.rand(1, 1, 28, 28)
    with torch.inference_mode():
        embedding = small.embed(image)
        assert torch.equal(small.score(embedding, embedding), small.head.bias)
        torch.testing.assert_close(small(image, image), small.head.bias, rtol=0, atol=1e-6)


def test_the_score_stays_fp32_under_bf16_autocast(small):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert small(torch.rand(2, 1, 28, 28), torch.rand(2, 1, 28, 28)).dtype == torch.float32


def head_of(seed, features=128):
    """A small network with a head of weights of both signs, some of them zero, and embeddings from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    network = build_network(SMALL).eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.randn(1, features, generator=generator))
        network.head.weight[0, ::7] = 0
        network.head.bias.copy_(torch.randn(1, generator=generator))
    return network, torch.rand(37, features, generator=generator)


def table_of(network, embeddings):
    with torch.inference_mode():
        prepared = network.prepare(embeddings)
        return network.score_all(prepared, prepared)


def score_of_each_pair(network, embeddings):
    with torch.inference_mode():
        return torch.stack([network.score(one.expand_as(embeddings), embeddings) for one in embeddings])


@pytest.mark.parametrize("seed", range(5))
def test_the_table_of_all_pairs_holds_the_score_of_each(seed):
    network, embeddings = head_of(seed)
    wanted = score_of_each_pair(network, embeddings)
    size = float(wanted.abs().max())
    torch.testing.assert_close(table_of(network, embeddings), wanted, rtol=1e-5, atol=1e-5 * size)


def test_the_table_of_images_is_that_of_the_network_for_them(small):
    images = torch.rand(9, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = torch.stack([small(image.expand_as(images), images) for image in images])
        torch.testing.assert_close(table_of(small, small.embed(images)), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_weights_of_one_sign_or_none_give_the_table_too(sign):
    network, embeddings = head_of(8)
    with torch.no_grad():
        network.head.weight.copy_(sign * network.head.weight.abs())
    wanted = score_of_each_pair(network, embeddings)
    torch.testing.assert_close(table_of(network, embeddings), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("tile", [1, 5, 36, 37, 38])
def test_tiles_of_any_size_give_the_same_table_to_the_last_bit(monkeypatch, tile):
    network, embeddings = head_of(6)
    whole = table_of(network, embeddings)
    monkeypatch.setattr(twin, "TILE", tile)
    assert torch.equal(table_of(network, embeddings), whole)


def test_the_table_of_some_with_others_is_a_part_of_the_whole(monkeypatch):
    monkeypatch.setattr(twin, "TILE", 4)
    network, embeddings = head_of(7)
    whole = table_of(network, embeddings)
    with torch.inference_mode():
        prepared = network.prepare(embeddings)
        part = network.score_all(prepared[3:16], prepared[10:])
    torch.testing.assert_close(part, whole[3:16, 10:], rtol=1e-6, atol=1e-6 * float(whole.abs().max()))


def test_the_table_of_all_pairs_is_symmetric_to_the_last_bit():
    network, embeddings = head_of(9)
    table = table_of(network, embeddings)
    assert torch.equal(table, table.T)


def test_embeddings_that_hardly_differ_keep_their_differences_in_the_table():
    """Scores of a few thousandths among sums of hundreds, against double precision."""
    generator = torch.Generator().manual_seed(11)
    network = build_network(SMALL).eval()
    network.head = nn.Linear(4096, 1)
    with torch.no_grad():
        network.head.weight.copy_(torch.randn(1, 4096, generator=generator))
        network.head.bias.zero_()
    embeddings = 0.9 + 1e-3 * torch.rand(10, 4096, generator=generator)
    exact = embeddings.double()
    wanted = (exact[:, None] - exact).abs() @ network.head.weight[0].detach().double()
    error = (table_of(network, embeddings).double() - wanted).abs().max()
    assert error < 1e-4 * wanted.abs().max()


def test_an_image_with_itself_scores_the_bias_alone_in_the_table():
    network, embeddings = head_of(10)
    own = table_of(network, embeddings).diag()
    size = float(network.head.weight.detach().abs().sum())  # of the sums that cancel
    torch.testing.assert_close(own, network.head.bias.detach().expand(37), rtol=0, atol=1e-6 * size)


def test_the_loss_is_the_mean_binary_cross_entropy_written_out_by_hand():
    logits, similar = [0.3, -2.0, 4.0], [True, False, False]
    p = [1 / (1 + math.exp(-logit)) for logit in logits]
    by_hand = -(math.log(p[0]) + math.log(1 - p[1]) + math.log(1 - p[2])) / 3
    assert float(pair_loss(torch.tensor(logits), torch.tensor(similar))) == pytest.approx(by_hand, rel=1e-6)


def test_a_constant_network_has_a_loss_of_ln_2():
    assert float(pair_loss(torch.zeros(10), torch.arange(10) % 2 == 0)) == pytest.approx(math.log(2))


def test_the_loss_of_a_sure_and_wrong_answer_is_finite():
    assert float(pair_loss(torch.tensor([1000.0]), torch.tensor([False]))) == 1000.0


def test_an_unknown_encoder_is_refused_with_the_known_ones():
    with pytest.raises(BadInput) as caught:
        build_twin(Network(encoder="vgg", image_size=105, head="difference"))
    assert all(name in caught.value.line() for name in ENCODERS)


def test_the_classic_encoder_refuses_another_image_size():
    with pytest.raises(BadInput, match="105 x 105"):
        build_twin(Network(encoder="classic", image_size=64, head="difference"))


def test_resnet18_takes_one_channel_and_gives_512_features():
    network = build_twin(Network(encoder="resnet18", image_size=32, head="difference")).eval()
    with torch.inference_mode():
        assert network.embed(torch.rand(2, 1, 32, 32)).shape == (2, 512)


@pytest.mark.parametrize("name", ["classic", "small"])
def test_an_encoder_of_a_single_channel_refuses_colours(name):
    with pytest.raises(BadInput, match="takes images of 1 channel, not 3"):
        Network(encoder=name, image_size=ENCODERS[name].only, channels=3)


def test_a_broken_torchvision_says_how_to_mend_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torchvision.models", None)
    with pytest.raises(CannotRun) as caught:
        build_twin(Network(encoder="resnet18", image_size=32, head="difference"))
    assert "pip install" in caught.value.line()


def test_your_own_encoder_is_tried_with_the_height_and_width_of_the_network():
    class Oblong(torch.nn.Module):
        features = 4

        def __init__(self):
            super().__init__()
            self.out = torch.nn.Linear(3 * 8 * 12, 4)

        def forward(self, images):
            return self.out(images.flatten(1))

    network = Network(encoder="own", image_size=8, image_width=12, channels=3, head="distance")
    assert build_twin(network, Oblong()).embed(torch.rand(2, 3, 8, 12)).shape == (2, 4)
    with pytest.raises(BadInput, match=r"does not take images \(2, 3, 8, 8\)"):
        build_twin(Network(encoder="own", image_size=8, channels=3, head="distance"), Oblong())
