"""Encoders of blocks and the score by distance: algebra, and what anatomy says."""

import pytest
import torch
from torch.nn import functional as F

from omnitwin.errors import BadInput
from omnitwin.model.anatomy import ANATOMIES, BLOCKS
from omnitwin.model.checkpoint import Description, load_checkpoint, save_checkpoint
from omnitwin.model.encoders import BlocksEncoder, count_parameters, has_batch_statistics
from omnitwin.model.twin import FIRST_BIAS, FIRST_SCALE, DifferenceTwin, DistanceTwin, build_twin
from omnitwin.recipes import ENCODERS, FAST, HEADS, Network, square
from omnitwin.training.trainer import build_network


@pytest.fixture(scope="module")
def fast():
    return build_network(FAST).eval()


@pytest.fixture
def images():
    return torch.rand(
        12, 1, FAST.network.image_size, FAST.network.image_size, generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture
def embeddings():
    random = torch.randn(30, 256, generator=torch.Generator().manual_seed(1))
    return F.normalize(random, dim=1)


def test_the_fast_network_has_the_parameters_that_its_anatomy_gives(fast):
    """By hand: 3 x 3 convolutions without bias, scale and shift of each norm, the linear map, two of the head."""
    convolutions = 9 * (1 * 32 + 32 * 64 + 2 * 64 * 64 + 64 * 128 + 2 * 128 * 128)
    norms = 2 * (32 + 3 * 64 + 3 * 128)
    assert count_parameters(fast) == convolutions + norms + 128 * 3 * 3 * 256 + 2 == 757_218


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("size", [16, 20, 28, 33])
def test_encoders_of_blocks_take_any_size_that_leaves_a_pixel(name, size):
    network = build_twin(Network(encoder=name, image_size=size, head="distance")).eval()
    with torch.inference_mode():
        assert network.embed(torch.rand(2, 1, size, size)).shape == (2, BLOCKS[name].features)


@pytest.mark.parametrize("name", BLOCKS)
def test_an_image_too_small_for_the_blocks_is_refused(name):
    least = 2 ** len(BLOCKS[name].widths)
    assert ENCODERS[name].least == least
    with pytest.raises(BadInput, match=f"{least} x {least} pixels or more, not {least - 1}"):
        Network(encoder=name, image_size=64, image_width=least - 1, head="distance")


def test_an_unknown_head_is_refused_with_the_known_ones():
    with pytest.raises(BadInput) as refused:
        build_twin(Network(encoder="strong", image_size=20, head="cosine"))
    assert all(head in refused.value.line() for head in HEADS)


def test_config_names_the_encoders_that_there_are():
    assert set(ENCODERS) == {*ANATOMIES, *BLOCKS}


def test_the_head_chooses_the_score():
    assert isinstance(build_twin(Network(encoder="strong", image_size=20, head="distance")), DistanceTwin)
    assert isinstance(build_twin(Network(encoder="strong", image_size=20, head="difference")), DifferenceTwin)


def test_a_block_is_convolution_pooling_norm_and_relu_written_out(images):
    encoder = BlocksEncoder("strong", square(24)).eval()
    x = 1 - images
    for block in encoder.blocks:
        x = F.conv2d(x, block.conv.weight, padding=1)
        x = F.max_pool2d(x, 2)
        mean, var = block.norm.running_mean, block.norm.running_var
        scale = block.norm.weight / (var + block.norm.eps).sqrt()
        x = ((x - mean[:, None, None]) * scale[:, None, None] + block.norm.bias[:, None, None]).clamp(min=0)
    wanted = x.flatten(1) @ encoder.out.weight.T
    torch.testing.assert_close(encoder(images), wanted, rtol=1e-4, atol=1e-5)


def test_residual_pairs_begin_as_if_they_were_not_there(images):
    encoder = BlocksEncoder("strong", square(24)).eval()
    with torch.inference_mode():
        before = encoder(images)
        pairs = [block.residual for block in encoder.blocks]
        assert [len(each) for each in pairs] == [0, 1, 1]
        for block in encoder.blocks:
            block.residual = torch.nn.ModuleList()
        assert torch.equal(encoder(images), before)


def test_paper_around_a_drawing_is_what_convolutions_pad_with(fast):
    """Inside, ink is 1 and paper 0: an empty sheet gives no feature at all before norms learn."""
    encoder = BlocksEncoder("strong", square(24)).eval()
    with torch.inference_mode():
        assert not encoder(torch.ones(1, 1, 24, 24)).any()


def test_encoders_of_blocks_look_at_the_batch_as_a_whole_in_training(fast):
    assert has_batch_statistics(fast)


def test_embeddings_have_length_one(fast, images):
    with torch.inference_mode():
        torch.testing.assert_close(fast.embed(images).norm(dim=1), torch.ones(12))


def test_an_image_alone_is_embedded_as_in_a_batch(fast, images):
    with torch.inference_mode():
        alone = torch.cat([fast.embed(image[None]) for image in images])
        torch.testing.assert_close(alone, fast.embed(images), rtol=1e-4, atol=1e-5)


def test_embeddings_are_fp32_under_bf16_autocast(fast, images):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert fast.embed(images).dtype == fast(images, images).dtype == torch.float32


def test_the_score_is_a_bias_less_a_scaled_squared_distance(fast, embeddings):
    left, right = embeddings.chunk(2)
    with torch.inference_mode():
        wanted = FIRST_BIAS - FIRST_SCALE * ((left - right) ** 2).sum(1)
        torch.testing.assert_close(fast.score(left, right), wanted)


def test_the_score_does_not_depend_on_the_order_to_the_last_bit(fast, images, embeddings):
    """Of two embeddings; those of an image may differ in the last bit by its place in a batch."""
    left, right = embeddings.chunk(2)
    with torch.inference_mode():
        assert torch.equal(fast.score(left, right), fast.score(right, left))
        torch.testing.assert_close(fast(images[:6], images[6:]), fast(images[6:], images[:6]), rtol=0, atol=2e-5)


def test_an_image_with_itself_scores_the_bias_to_the_last_bit(fast, images, embeddings):
    with torch.inference_mode():
        assert torch.equal(fast.score(embeddings, embeddings), fast.head.bias.expand(30))
        torch.testing.assert_close(fast(images, images), fast.head.bias.expand(12), rtol=0, atol=2e-5)


def test_scores_lie_between_the_bias_and_the_bias_less_four_scales(fast, embeddings):
    """The squared distance of two points on a sphere of radius 1 is from 0 to 4."""
    scale, bias = float(fast.head.log_scale.detach().exp()), float(fast.head.bias.detach())
    with torch.inference_mode():
        scores = fast.score_all(embeddings, -embeddings)
        assert float(fast.score(embeddings, -embeddings).mean()) == pytest.approx(bias - 4 * scale, rel=1e-5)
    assert bias - 4 * scale - 1e-4 <= float(scores.min())
    assert float(scores.max()) <= bias + 1e-4


def test_the_table_of_all_pairs_is_the_score_of_each_but_for_rounding(fast, embeddings):
    with torch.inference_mode():
        wanted = torch.stack([fast.score(one.expand_as(embeddings), embeddings) for one in embeddings])
        found = fast.score_all(fast.prepare(embeddings), fast.prepare(embeddings))
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)


def test_a_fast_checkpoint_loads_to_the_same_logits_bitwise(tmp_path, images):
    network = build_network(FAST)
    network(images[:6], images[6:]).sum().backward()  # norms that have seen something
    network.eval()
    with torch.no_grad():
        network.head.bias.add_(0.125)
    described = Description.of_recipe(
        FAST, iteration=3, precision="fp32", dataset="by hand", fingerprint="none", metrics={"loss": 0.5}
    )
    save_checkpoint(tmp_path / "weights.safetensors", network, described)
    loaded, description = load_checkpoint(tmp_path / "weights.safetensors")
    assert description == described
    with torch.inference_mode():
        assert torch.equal(loaded(images[:6], images[6:]), network(images[:6], images[6:]))
