"""The twin in NumPy is torch's twin: same tensors, same embeddings, same scores but for rounding."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from omnitwin import recipes
from omnitwin.config import SourceConfig
from omnitwin.data import synthetic
from omnitwin.data.catalogue import open_images
from omnitwin.errors import BadCheckpoint
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.model import anatomy
from omnitwin.model.anatomy import BLOCKS, Blocks
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import Description, opened
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.model.numpy_twin import Convolution, load_numpy, max_pool, runs_in_numpy
from omnitwin.model.twin import build_twin
from omnitwin.recipes import FAST, SMALL
from omnitwin.system.tensorfile import read_record, save_tensors

TOLERANCE = 1e-4  # of a logit and of a probability
SIZES = (16, 20, 21, 28, 31)  # pixels a side: powers of two, and what leaves odd rows at one pool or another
BUNDLED_BYTES = 4_000_000


def description(encoder, size, **changes):
    recipe = FAST.changed(encoder=encoder, image_size=size, **changes)
    facts = {"iteration": 1, "precision": "fp32", "dataset": "synthetic/training", "fingerprint": "f" * 64}
    return Description.of_recipe(recipe, metrics={}, **facts)


def unlike_new(network, seed=0):
    """Batch norms as no new network has them, scales below 0 and residual pairs that do something among them."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            with torch.no_grad():
                part.weight.copy_(torch.randn(len(part.weight), generator=generator))
                part.bias.copy_(torch.randn(len(part.bias), generator=generator) / 2)
                part.running_mean.copy_(torch.randn(len(part.bias), generator=generator) / 2)
                part.running_var.copy_(torch.rand(len(part.bias), generator=generator) + 0.1)
    return network.eval()


@pytest.fixture
def saved(tmp_path):
    """saved(encoder, size) is the file of a network that is not new. changes: of the other fields of the network"""

    def save(encoder, size, **changes):
        torch.manual_seed(size)
        path = tmp_path / f"{encoder}-{size}.safetensors"
        described = description(encoder, size, **changes)
        save_checkpoint(path, unlike_new(build_twin(described.network)), described)
        return path

    return save


def both(path, images_BSS):
    """Torch's and NumPy's embeddings, and logits of each image with the next."""
    (twin, _), (ours, _) = load_checkpoint(path), load_numpy(path)
    with torch.inference_mode():
        theirs = twin.embed(torch.from_numpy(images_BSS if images_BSS.ndim == 4 else images_BSS[:, None]))
        logits = twin.score(theirs, theirs.roll(1, 0))
    mine = ours.embed(images_BSS)
    return (theirs.numpy(), logits.numpy()), (mine, ours.score(mine, np.roll(mine, 1, axis=0)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoder", BLOCKS)
def test_embeddings_and_logits_are_torchs(saved, encoder, size):
    images = np.random.default_rng(size).random((20, size, size), dtype=np.float32)
    (embeddings, logits), (ours, our_logits) = both(saved(encoder, size), images)
    assert ours.dtype == our_logits.dtype == np.float32
    np.testing.assert_allclose(ours, embeddings, atol=1e-5)
    np.testing.assert_allclose(our_logits, logits, atol=TOLERANCE)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("frame", ["whole", "ink", "photo"])
@pytest.mark.parametrize(("height", "width", "channels"), [(33, 50, 3), (47, 17, 3), (16, 39, 1)])
@pytest.mark.parametrize("encoder", BLOCKS)
def test_colours_and_oblongs_are_torchs_in_every_frame(
    saved, monkeypatch, encoder, height, width, channels, frame, pooled
):
    monkeypatch.setitem(anatomy.BLOCKS, encoder, replace(BLOCKS[encoder], pooled=pooled))
    images = np.random.default_rng(height).random((18, channels, height, width), dtype=np.float32)
    path = saved(encoder, height, image_width=width, channels=channels, frame=frame)
    (embeddings, logits), (ours, our_logits) = both(path, images)
    np.testing.assert_allclose(ours, embeddings, atol=1e-5)
    np.testing.assert_allclose(our_logits, logits, atol=TOLERANCE)


def test_a_drawing_goes_on_as_paper_outside_and_a_photo_as_the_middle_of_its_range():
    levels = np.array([0.0, 0.5, 1.0], np.float32)
    assert anatomy.for_blocks(levels, "whole").tolist() == anatomy.for_blocks(levels, "ink").tolist() == [1.0, 0.5, 0.0]
    assert anatomy.for_blocks(levels, "photo").tolist() == [-1.0, 0.0, 1.0]


def test_several_residual_pairs_in_any_block_are_torchs(saved, monkeypatch):
    deep = Blocks(widths=(4, 6, 8, 10), residual=(1, 0, 2, 1), features=12)
    monkeypatch.setitem(anatomy.BLOCKS, "deep", deep)
    monkeypatch.setitem(recipes.ENCODERS, "deep", recipes.Sides(least=16))
    images = np.random.default_rng(0).random((5, 37, 37), dtype=np.float32)
    (_, logits), (_, our_logits) = both(saved("deep", 37), images)
    np.testing.assert_allclose(our_logits, logits, atol=TOLERANCE)


def largest_differences(images_NSS):
    """Of logits and of calibrated probabilities of the bundled weights, for each image with the next."""
    (_, logits), (_, ours) = both(BUNDLED_WEIGHTS, images_NSS)
    calibration = load_numpy(BUNDLED_WEIGHTS)[1].calibration
    probabilities = (sigmoid(calibrated(scores, calibration)) for scores in (logits, ours))
    return np.abs(logits - ours).max(), np.abs(np.subtract(*probabilities)).max()


def framed(packed):
    recipe = load_numpy(BUNDLED_WEIGHTS)[1].network
    return (packed.framed(recipe.view).images_NHW.numpy() / 255).astype(np.float32)


def test_the_bundled_weights_answer_as_torch_does_for_thousands_of_drawn_up_images():
    images = framed(synthetic.draw_set("test", alphabets=5, characters=30, drawers=20))
    assert len(images) == 3000
    assert max(largest_differences(images)) < TOLERANCE


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("subset", ["training", "test"])
def test_the_bundled_weights_answer_as_torch_does_for_omniglot(real_data, subset):
    packed = open_images("omniglot", subset, SourceConfig(source=str(real_data)))
    images = framed(packed)
    assert max(largest_differences(images)) < TOLERANCE


@pytest.mark.parametrize("encoder", BLOCKS)
def test_score_is_symmetric_bit_for_bit(saved, encoder):
    network, _ = load_numpy(saved(encoder, 20))
    left, right = np.split(network.embed(np.random.default_rng(1).random((200, 20, 20), dtype=np.float32)), 2)
    assert np.array_equal(network.score(left, right), network.score(right, left))


@pytest.mark.parametrize("encoder", BLOCKS)
def test_an_image_alone_is_what_it_is_among_many_bit_for_bit(saved, encoder):
    network, _ = load_numpy(saved(encoder, 28))
    images = np.random.default_rng(2).random((37, 28, 28), dtype=np.float32)
    together = network.embed(images)
    alone = np.concatenate([network.embed(image[None]) for image in images])
    assert np.array_equal(together, alone)
    pairs = [network.score(together[:1], one[None])[0] for one in together]
    assert np.array_equal(network.score(together[:1], together), pairs)


def test_embeddings_have_length_1_and_a_picture_of_nothing_has_none_that_is_no_number(saved):
    network, _ = load_numpy(saved("strong", 20))
    embeddings = network.embed(np.ones((3, 20, 20), np.float32))
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert np.isfinite(network.score(embeddings, embeddings)).all()


@pytest.mark.parametrize(("height", "width", "channels"), [(1, 1, 1), (2, 5, 3), (7, 4, 2)])
def test_convolution_is_the_sum_over_nine_places(height, width, channels):
    rng = np.random.default_rng(3)
    x = rng.random((2, height, width, channels), dtype=np.float32)
    weight_OCHW = rng.random((4, channels, 3, 3), dtype=np.float32)
    ours = Convolution(weight_OCHW.transpose(2, 3, 1, 0).reshape(-1, 4))(x)
    for b, i, j, o in np.ndindex(*ours.shape):
        near = [(i + di, j + dj, di + 1, dj + 1) for di in (-1, 0, 1) for dj in (-1, 0, 1)]
        seen = [(r, c, k, m) for r, c, k, m in near if 0 <= r < height and 0 <= c < width]
        expected = sum(float(x[b, r, c] @ weight_OCHW[o, :, k, m]) for r, c, k, m in seen)
        assert ours[b, i, j, o] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (5, 4), (7, 9)])
def test_max_pool_leaves_a_last_odd_row_or_column_out_as_torch_does(height, width):
    x = np.random.default_rng(4).standard_normal((3, height, width, 5)).astype(np.float32)
    theirs = F.max_pool2d(torch.from_numpy(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(max_pool(x), theirs)


def test_networks_of_blocks_with_a_distance_run_in_numpy_and_no_others():
    assert runs_in_numpy(FAST.network)
    assert not runs_in_numpy(SMALL.network)
    assert not runs_in_numpy(replace(FAST.network, head="difference"))


def changed(path, change):
    tensors = load_checkpoint(path)[0].state_dict()
    with opened(path, "numpy") as file:
        record = read_record(file)
    change(tensors)
    save_tensors(path, tensors, record)


def drop(tensors):
    del tensors["head.bias"]


def add(tensors):
    tensors["extra"] = torch.zeros(1)


def reshape(tensors):
    tensors["encoder.out.weight"] = torch.zeros(1, 64)


def double(tensors):
    tensors["head.bias"] = tensors["head.bias"].double()


def bfloat(tensors):
    tensors["head.bias"] = tensors["head.bias"].bfloat16()


def halve_a_count(tensors):
    tensors["encoder.blocks.0.norm.num_batches_tracked"] = torch.zeros((), dtype=torch.float16)


def poison(tensors):
    tensors["encoder.out.weight"][0, 0] = float("inf")


@pytest.mark.parametrize("change", [drop, add, reshape, double, bfloat, halve_a_count, poison])
def test_what_torch_refuses_is_refused_in_the_same_words(saved, change):
    path = saved("strong", 20)
    changed(path, change)
    with pytest.raises(BadCheckpoint) as theirs:
        load_checkpoint(path)
    with pytest.raises(BadCheckpoint) as ours:
        load_numpy(path)
    assert ours.value.line().lower() == theirs.value.line().lower()


def test_half_precision_is_widened_as_torch_widens_it(saved):
    path = saved("strong", 20)
    changed(path, lambda tensors: tensors.update({n: t.half() for n, t in tensors.items() if t.is_floating_point()}))
    images = np.random.default_rng(5).random((4, 20, 20), dtype=np.float32)
    (_, logits), (_, our_logits) = both(path, images)
    np.testing.assert_allclose(our_logits, logits, atol=TOLERANCE)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "words").write_text("hello")
    with pytest.raises(BadCheckpoint, match="is not an omnitwin network"):
        load_numpy(tmp_path / "words")


def test_the_bundled_weights_are_there_and_small_and_run_in_numpy():
    assert BUNDLED_WEIGHTS.stat().st_size <= BUNDLED_BYTES
    assert BUNDLED_WEIGHTS.is_relative_to(Path(anatomy.__file__).parent)
    assert runs_in_numpy(load_numpy(BUNDLED_WEIGHTS)[1].network)
