"""A run starts from random weights, from another library's, or from a trained twin's; its recipe says from which."""

import hashlib
import io
import shutil
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

import pytest
import torch
from torchvision import models

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.checkpoint import layout as layout_of
from omnitwin.model.checkpoint import load_checkpoint, load_state
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import FAST, STRONG, NewWeights, PretrainedWeights, Recipe, TwinWeights
from omnitwin.reports.progress import SILENT
from omnitwin.system.paths import BEST_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training.runs import continued
from omnitwin.training.starting import begun, initial_tensors
from omnitwin.training.trainer import Trainer, state_layout
from omnitwin.training.training import train

IMAGES = {"training": synthetic.draw_set("training", alphabets=3, characters=4, drawers=5)}
TINY = FAST.changed(
    iterations=4, batch_size=12, drawings=2, alphabets=1, per_alphabet=3, holdout=1, learning_rate=1e-2, warm_up=0.0
)
FOREIGN = TINY.changed(encoder="shufflenet_v2_x0_5", image_size=32)
BACKBONE = "encoder.backbone."


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path):
    """torchvision's own weights file, with random weights."""
    torch.manual_seed(0)
    content = io.BytesIO()
    torch.save(models.shufflenet_v2_x0_5(weights=None).state_dict(), content)
    path = tmp_path / f"shufflenet-{hashlib.sha256(content.getvalue()).hexdigest()[:8]}.pth"
    path.write_bytes(content.getvalue())
    return path


def config(recipe, output=None):
    return TrainConfig(recipe=recipe, dataset=IMAGES, device="cpu", precision="fp32", output=output)


def weights_of(run, name=WEIGHTS_FILE):
    return load_checkpoint(run / name)[0].state_dict()


def backbone_of(tensors):
    return {name: tensor for name, tensor in tensors.items() if name.startswith(BACKBONE)}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


class Heard(type(SILENT)):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


# The recipe


def test_words_choose_how_the_weights_begin():
    assert FOREIGN.changed(weights="default").initial == PretrainedWeights()
    assert FOREIGN.changed(freeze=True).initial == PretrainedWeights(freeze=True)
    assert FOREIGN.changed(freeze=False) == FOREIGN
    assert FOREIGN.changed(freeze=False, weights="default").initial == PretrainedWeights()
    assert FOREIGN.changed(freeze=True).changed(freeze=False).initial == PretrainedWeights()
    assert FOREIGN.changed(weights="x.pth", head_first=0.5).initial == PretrainedWeights(
        weights="x.pth", head_first=0.5
    )
    assert FAST.changed(start="my-run").initial == TwinWeights(start="my-run")
    assert FOREIGN.changed(weights="default").changed(weights="none").initial == NewWeights()
    assert FOREIGN.changed(weights="default").changed(iterations=9).initial == PretrainedWeights()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"weights": "default", "start": "bundled"}, "either with weights of others"),
        ({"weights": "default", "encoder": "strong"}, "no weights of others fit the encoder strong"),
        ({"freeze": True, "encoder": "strong"}, "no weights of others fit the encoder strong"),
        ({"head_first": 0.2}, "head_first has no effect"),
    ],
)
def test_words_that_do_not_fit_are_refused(changes, named):
    with pytest.raises(BadInput) as refused:
        FOREIGN.changed(**changes)
    assert named in refused.value.line()


def test_a_recipe_from_random_weights_has_the_record_that_it_had_and_every_other_returns_whole():
    assert "initial" not in FAST.to_json()
    for recipe in (FAST, FOREIGN.changed(weights="default", freeze=True), FAST.changed(start="bundled")):
        assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("digest", ["../../etc", "F" * 64, "a" * 63, "a" * 64 + "\n", 7, None])
def test_a_record_whose_digest_could_be_a_path_is_refused(digest):
    for recipe, field in (
        (FOREIGN.changed(weights="default"), "weights_sha256"),
        (FAST.changed(start="x"), "start_sha256"),
    ):
        record = recipe.to_json()
        record["initial"][field] = digest
        with pytest.raises((BadInput, TypeError)):
            Recipe.from_json(record)


# Weights of others


def test_the_backbone_starts_from_the_file_and_the_rest_from_the_seed(file):
    known = begun(config(FOREIGN.changed(weights=str(file))))
    trainer = Trainer(known, IMAGES["training"])
    fresh = trainer.network.state_dict()
    fresh = {name: tensor.clone() for name, tensor in fresh.items()}
    trainer.start_from(initial_tensors(known))
    for network in (trainer.network, trainer.trained):
        loaded = network.state_dict()
        theirs = torch.load(file, weights_only=True)
        assert torch.equal(loaded[f"{BACKBONE}conv1.0.weight"], theirs["conv1.0.weight"])
        assert not torch.equal(loaded[f"{BACKBONE}conv1.0.weight"], fresh[f"{BACKBONE}conv1.0.weight"])
        assert torch.equal(loaded["encoder.out.weight"], fresh["encoder.out.weight"])


def test_the_head_is_trained_first_and_statistics_of_batch_norms_stay(file):
    known = begun(config(FOREIGN.changed(weights=str(file), head_first=0.5)))
    trainer = Trainer(known, IMAGES["training"])
    trainer.start_from(initial_tensors(known))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    for iteration in (1, 2):
        trainer.step(iteration)
    now = trainer.network.state_dict()
    assert same(backbone_of(now), backbone_of(before))
    assert not torch.equal(now["encoder.out.weight"], before["encoder.out.weight"])
    trainer.step(3)
    now = trainer.network.state_dict()
    assert not torch.equal(now[f"{BACKBONE}conv1.0.weight"], before[f"{BACKBONE}conv1.0.weight"])
    still = [name for name in before if name.startswith(BACKBONE) and "running" in name]
    assert still
    assert all(torch.equal(now[name], before[name]) for name in still)


def test_the_backbone_moves_at_its_own_rate(file):
    """Adam's first step is the learning rate, whatever the gradient is."""
    rates = {"warm_up": 0.0, "weight_decay": 0.0, "averaging": 0.0, "learning_rate": 1e-3}
    known = begun(config(FOREIGN.changed(weights=str(file), head_first=0.0, backbone_rate=0.1, **rates)))
    trainer = Trainer(known, IMAGES["training"])
    trainer.start_from(initial_tensors(known))
    before = {name: each.detach().clone() for name, each in trainer.network.named_parameters()}
    trainer.step(1)
    now = {name: each.detach() for name, each in trainer.network.named_parameters()}
    moved = {name: float((now[name] - before[name]).abs().max()) for name in before}
    rate = trainer.optimiser.torch.param_groups[0]["lr"]
    assert moved["encoder.out.weight"] == pytest.approx(rate, rel=0.01)
    assert moved[f"{BACKBONE}conv1.0.weight"] == pytest.approx(rate / 10, rel=0.01)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_run_is_resumed_bit_for_bit_without_the_weights_file(file, tmp_path, freeze):
    recipe = FOREIGN.changed(weights=str(file), freeze=freeze)
    straight = train(config(recipe, tmp_path / "straight"))
    asked = count(1)
    stop = nullcontext(lambda: "SIGINT" if next(asked) >= 2 else None)
    assert train(config(recipe, tmp_path / "halves"), stop_button=stop).iteration == 2
    file.unlink()
    shutil.rmtree(tmp_path / "home" / "cache")
    going_on, folder, done = continued(config(FAST), str(tmp_path / "halves"))
    assert (done, going_on.recipe.initial.weights) == (2, file.name)
    assert train(going_on, resume=folder).weights_sha256 == straight.weights_sha256


@pytest.mark.parametrize("freeze", [False, True])
def test_the_state_of_a_run_has_the_layout_that_its_recipe_implies(file, freeze):
    known = begun(config(FOREIGN.changed(weights=str(file), freeze=freeze)))
    trainer = Trainer(known, IMAGES["training"])
    trainer.start_from(initial_tensors(known))
    trainer.prepare()
    trainer.step(1)
    assert layout_of(trainer.state()) == state_layout(known.recipe, None, trainer.sampler.labels)


def test_a_stop_before_the_first_checkpoint_needs_the_converted_weights(file, tmp_path):
    known = begun(config(FOREIGN.changed(weights=str(file))))
    file.unlink()
    assert initial_tensors(known)
    shutil.rmtree(tmp_path / "home" / "cache")
    with pytest.raises(Exception, match="cannot be read"):
        initial_tensors(known)


def test_random_weights_of_a_foreign_network_are_noted():
    heard = Heard()
    begun(config(FOREIGN), heard)
    assert heard.notes == [
        "shufflenet_v2_x0_5 starts from random weights. To start from those of ImageNet: --weights default"
    ]


# A frozen backbone


def test_a_frozen_backbone_is_in_the_checkpoint_as_it_came_and_the_embedding_has_learned(file, tmp_path):
    report = train(config(FOREIGN.changed(weights=str(file), freeze=True), tmp_path / "run"))
    theirs = initial_tensors(config(read_description(report.weights).whole_recipe()))
    trained = weights_of(tmp_path / "run")
    assert same(backbone_of(trained), theirs)
    fresh = Trainer(begun(config(FOREIGN.changed(weights=str(file)))), IMAGES["training"]).network.state_dict()
    assert not torch.equal(trained["encoder.out.weight"], fresh["encoder.out.weight"])
    assert (tmp_path / "run" / BEST_FILE).exists()
    tensors, _ = load_state(tmp_path / "run" / STATE_FILE)
    assert not any(name.startswith(f"adam.step.{BACKBONE}") for name in tensors)


def test_a_step_on_features_is_a_step_on_their_images(file):
    """Without variation, features that are computed once give the loss that the images themselves give."""
    recipe = FOREIGN.changed(weights=str(file), augmentation="none", turns=False, head_first=1.0, drawings=2)
    losses = []
    for freeze in (False, True):
        known = begun(config(recipe.changed(freeze=freeze)))
        trainer = Trainer(known, IMAGES["training"])
        trainer.start_from(initial_tensors(known))
        losses.append([float(trainer.step(iteration)[0]) for iteration in (1, 2, 3)])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # features are kept in half precision


def test_versions_of_an_image_differ_and_the_first_is_the_image_itself(file):
    known = begun(config(FOREIGN.changed(weights=str(file), freeze=True, versions=3)))
    trainer = Trainer(known, IMAGES["training"])
    trainer.start_from(initial_tensors(known))
    features_VNF = trainer.sampler.look()
    assert features_VNF.shape[:2] == (3, len(IMAGES["training"]))
    with torch.no_grad():
        own = trainer.network.encoder.look(trainer.images.gather(torch.arange(5)))
    torch.testing.assert_close(features_VNF[0, :5].float(), own, rtol=1e-2, atol=1e-3)
    assert not torch.equal(features_VNF[0], features_VNF[1])
    assert not torch.equal(features_VNF[1], features_VNF[2])


# A trained twin


def test_a_run_starts_from_a_run_and_from_the_bundled_network(tmp_path):
    first = train(config(TINY, tmp_path / "first"))
    for start, recipe in ((str(tmp_path / "first"), TINY), ("bundled", replace(TINY, network=STRONG.network))):
        known = begun(config(recipe.changed(start=start)))
        trainer = Trainer(known, IMAGES["training"])
        trainer.start_from(initial_tensors(known))
        assert trainer.recipe.initial.start == start
        if start != "bundled":
            best = load_checkpoint(first.best or first.weights)[0].state_dict()
            assert same(trainer.network.state_dict(), best)
            assert same(trainer.trained.state_dict(), best)


def test_a_run_from_a_twin_is_resumed_without_it(tmp_path):
    train(config(TINY, tmp_path / "first"))
    recipe = TINY.changed(start=str(tmp_path / "first"))
    train(config(recipe, tmp_path / "second"))
    shutil.rmtree(tmp_path / "first")
    going_on, folder, _ = continued(config(FAST), str(tmp_path / "second"), {"iterations": 6})
    assert train(going_on, resume=folder).iteration == 6


def test_pictures_of_another_size_are_taken_by_a_network_of_blocks():
    known = begun(config(TINY.changed(start="bundled", image_size=16, image_width=40)))
    trainer = Trainer(known, IMAGES["training"])
    trainer.start_from(initial_tensors(known))
    trainer.step(1)
    bundled = load_checkpoint(BUNDLED_WEIGHTS)[0].state_dict()
    assert trainer.network.state_dict()["encoder.blocks.0.conv.weight"].shape == (32, 1, 3, 3)
    tensors = initial_tensors(known)
    assert torch.equal(tensors["encoder.blocks.0.conv.weight"], bundled["encoder.members.0.blocks.0.conv.weight"])
    assert tensors["encoder.out.weight"].shape == (256, 128 * 2 * 5)


def test_another_network_is_refused_with_what_differs_and_the_words_for_the_same():
    photo = TINY.changed(start="bundled", encoder="photo", frame="photo")
    with pytest.raises(BadInput) as refused:
        begun(config(photo))
    assert "bundled is another network: encoder strong, not photo; frame ink, not photo" in str(refused.value)
    assert refused.value.hint == "For the same network: --encoder strong --override frame=ink"


def test_a_twin_that_has_changed_since_is_not_taken(tmp_path):
    train(config(TINY, tmp_path / "first"))
    known = begun(config(TINY.changed(start=str(tmp_path / "first"))))
    shutil.rmtree(tmp_path / "first")
    train(config(TINY.changed(seed=1), tmp_path / "first"))
    with pytest.raises(BadCheckpoint, match="has changed since this run was begun"):
        initial_tensors(known)


def test_an_unknown_twin_is_refused():
    with pytest.raises(BadCheckpoint, match="no run or file is called nobody"):
        begun(config(TINY.changed(start="nobody")))
