"""The memory that a recipe asks for is known before it is taken: a run's record may ask for little, words for all."""

import re

import pytest
import torch

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput, CannotRun
from omnitwin.model.encoders import build_encoder
from omnitwin.recipes import CLASSIC, FAST, PHOTO, RECIPES, SMALL, Network
from omnitwin.reports.progress import SILENT
from omnitwin.system.device import free_main_memory
from omnitwin.training import planning, training
from omnitwin.training.needs import KEPT, check_needs, memory_needed
from omnitwin.training.planning import plan
from omnitwin.training.runs import continued
from omnitwin.training.training import train

IMAGES = {"training": synthetic.draw_set("training", alphabets=2, characters=4)}
TINY = FAST.changed(image_size=12, iterations=4, batch_size=12, drawings=2, holdout=0, alphabets=1, per_alphabet=3)
CPU = torch.device("cpu")
RESNET = CLASSIC.changed(encoder="resnet18", image_size=1024)


def config(recipe, output=None, **others):
    return TrainConfig(recipe=recipe, dataset=IMAGES, device="cpu", precision="fp32", output=output, **others)


class Heard(type(SILENT)):
    """Keeps the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def forbidden(*words):
    raise AssertionError("data were asked for")


@pytest.mark.parametrize(
    "network",
    [
        CLASSIC.network,
        SMALL.network,
        FAST.network,
        Network(encoder="strong", image_size=64),
        Network(encoder="photo", image_size=32, image_width=80, channels=3),
    ],
)
def test_an_encoder_keeps_for_its_gradients_what_the_estimate_says(network):
    """Counted from what autograd holds on to, an image more against an image less."""

    def kept(count):
        held = {}

        def hold(tensor):
            held[tensor.untyped_storage()._cdata] = tensor
            return tensor

        view = network.view
        images = torch.rand(count, view.channels, view.height, view.width)
        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            build_encoder(network)(images)
        return sum(tensor.untyped_storage().nbytes() for tensor in held.values())

    each = (kept(4) - kept(2)) / 2 / (network.view.height * network.view.width)
    assert 0.2 * KEPT < each < KEPT


def test_the_published_recipes_may_be_resumed_and_what_is_far_above_them_may_not():
    for recipe in RECIPES.values():
        check_needs(config(recipe), CPU)
    with pytest.raises(CannotRun, match=r"takes about .* more than a run's record may ask for by itself"):
        check_needs(config(RESNET), CPU)
    check_needs(config(RESNET), CPU, most=memory_needed(RESNET))
    check_needs(config(RESNET), torch.device("cuda"))


def test_a_run_of_a_usual_foreign_network_may_be_resumed_and_one_of_a_huge_one_may_not():
    usual = PHOTO.changed(encoder="mobilenet_v2", image_size=96, batch_size=96)
    check_needs(config(usual), CPU)
    check_needs(config(usual.changed(freeze=True)), CPU)
    with pytest.raises(CannotRun, match="vit_h_14"):
        check_needs(config(PHOTO.changed(encoder="vit_h_14", image_size=518)), CPU)


def test_a_frozen_network_needs_less_than_half():
    trained = PHOTO.changed(encoder="mobilenet_v2", image_size=224, batch_size=96)
    assert memory_needed(trained.changed(freeze=True)) < memory_needed(trained) / 2


@pytest.mark.parametrize(
    "claims",
    [
        {"image_size": 384},
        {"image_size": 128},
        {"batch_size": 10**6},
        {"batch_size": 20_000},
        {"encoder": "resnet18", "image_size": 1024, "batch_size": 8},
        {"encoder": "resnet18", "image_size": 256, "batch_size": 8},
    ],
)
def test_a_config_alone_that_asks_for_much_is_refused_before_data_are_opened(tmp_path, claims):
    from omnitwin.training.runs import write_config
    from omnitwin.training.trainer import Trainer

    trainer = Trainer(config(TINY), IMAGES["training"])
    (tmp_path / "run").mkdir()
    write_config(config(FAST.changed(**claims)), trainer, (), tmp_path / "run")
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(CannotRun, match=r"takes about [\d,.]+ GB of memory") as refused:
        continued(config(TINY), str(tmp_path / "run"))
    recipe = FAST.changed(**claims)
    assert f"--image-size {recipe.network.image_size} --batch-size {recipe.sampling.batch_size}" in refused.value.hint
    assert (tmp_path / "run" / "config.json").read_bytes() == before
    words = {"image_size": recipe.network.image_size, "batch_size": recipe.sampling.batch_size}
    assert continued(config(TINY), str(tmp_path / "run"), words)[0].recipe == recipe


@pytest.mark.skipif(free_main_memory() is None, reason="this system does not tell what is free")
@pytest.mark.parametrize("begin", [train, plan])
def test_words_that_ask_for_more_than_is_free_are_noted_and_the_machine_decides(tmp_path, monkeypatch, begin):
    for module in (training, planning):
        monkeypatch.setattr(module, "training_images", forbidden)
    heard = Heard()
    with pytest.raises(AssertionError, match="data were asked for"):
        begin(config(RESNET.changed(batch_size=100_000), tmp_path / "run"), heard)
    (line,) = heard.notes
    assert re.search(r"takes about [\d,.]+ GB of memory, and [\d,.]+ GB are free", line)


def test_a_batch_far_larger_than_its_set_is_trained_on_whatever_the_estimate_says(tmp_path):
    recipe = TINY.changed(batch_size=20_000, iterations=1)
    assert memory_needed(recipe) > 8e9
    assert train(config(recipe, tmp_path / "run")).iteration == 1


def test_more_weights_more_pixels_and_larger_batches_need_more():
    small = memory_needed(FAST)
    for changes in ({"image_size": 48}, {"batch_size": 512}, {"encoder": "resnet18"}):
        assert memory_needed(FAST.changed(**changes)) > small


def test_a_network_of_more_weights_than_anybody_trained_is_refused_by_its_size():
    with pytest.raises(BadInput, match="takes 384 x 384 pixels or fewer, not 385"):
        Network(encoder="strong", image_size=385)
