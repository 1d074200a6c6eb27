"""Objectives by name: each trains, resumes bit for bit, and leaves a network whose scores mean something."""

from contextlib import nullcontext

import pytest
import torch
from listening import Notes
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sitters import uneven_set

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.checkpoint import layout, load_checkpoint
from omnitwin.recipes import CLASSIC, FAST
from omnitwin.system.files import digest
from omnitwin.system.paths import STATE_FILE, WEIGHTS_FILE
from omnitwin.training import training
from omnitwin.training.objective import LOSSES
from omnitwin.training.trainer import Trainer, state_layout
from omnitwin.training.training import train

FEW = {"image_size": 12, "iterations": 4, "batch_size": 18, "drawings": 3, "alphabets": 1, "per_alphabet": 3}
NAMED = sorted(LOSSES)


@pytest.fixture(scope="module")
def images():
    return synthetic.draw_set("training", alphabets=2, characters=6)


def config(images, objective, output=None, **changes):
    recipe = FAST.changed(**{**FEW, "holdout": 0, "objective": objective, **changes})
    return TrainConfig(recipe=recipe, dataset=images, device="cpu", precision="fp32", output=output)


@pytest.mark.parametrize("objective", NAMED)
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, images, objective):
    whole = train(config(images, objective, tmp_path / "whole"))
    asked = iter(("go on", "SIGINT"))
    train(
        config(images, objective, tmp_path / "parts"),
        stop_button=nullcontext(lambda: {"go on": None}.get(next(asked), "SIGINT")),
    )
    parts = train(config(images, objective), resume=tmp_path / "parts")
    assert parts.iteration == whole.iteration == 4
    assert digest(parts.output / WEIGHTS_FILE, "sha256") == digest(whole.output / WEIGHTS_FILE, "sha256")


@pytest.mark.parametrize("objective", NAMED)
def test_training_brings_similar_images_nearer_than_others(images, objective):
    trainer = Trainer(config(images, objective, iterations=60, learning_rate=3e-3), images)
    before = gap(trainer)
    for iteration in range(1, 61):
        trainer.step(iteration)
    assert gap(trainer) > before + 0.1


def gap(trainer):
    """The mean cosine of similar pairs less that of dissimilar ones."""
    network = trainer.network.eval()
    with torch.inference_mode():
        embeddings = network.embed(trainer.images.gather(torch.arange(len(trainer.images))))
    network.train()
    cosine = embeddings @ embeddings.T
    similar = trainer.images.class_N[:, None] == trainer.images.class_N
    return float(cosine[similar].mean() - cosine[~similar].mean())


@pytest.mark.parametrize("objective", sorted(LOSSES.keys() - {"all-pairs"}))
def test_the_head_learns_although_the_loss_takes_distances_only(images, objective):
    trainer = Trainer(config(images, objective), images)
    first = {name: tensor.clone() for name, tensor in trainer.network.head.state_dict().items()}
    trainer.step(1)
    trainer.step(2)
    now = trainer.network.head.state_dict()
    assert all(not torch.equal(first[name], now[name]) for name in first)


@pytest.mark.parametrize("objective", NAMED)
def test_a_network_of_the_head_difference_is_refused(objective):
    with pytest.raises(BadInput, match="needs the head `distance`"):
        CLASSIC.changed(sampling="classes", objective=objective)


def test_a_margin_that_no_distance_can_keep_is_refused():
    with pytest.raises(BadInput, match="margin must be between 0 and 2"):
        FAST.changed(objective="triplet", margin=2.5)


def test_the_record_of_a_network_names_its_objective(tmp_path, images):
    report = train(config(images, "triplet", tmp_path / "run", margin=0.4))
    _, description = load_checkpoint(report.weights)
    assert description.whole_recipe().objective.name == "triplet"
    assert description.whole_recipe().objective.margin == 0.4


# ---- classes with few images ----

SCARCE = {"batch_size": 24, "drawings": 4, "iterations": 40, "learning_rate": 3e-3, "turns": False}


@pytest.mark.parametrize(
    "objective", ["all-pairs", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMED if name != "all-pairs")]
)
def test_classes_of_one_and_two_images_are_trained_on(tmp_path, objective):
    """7 classes of 1, 2, 3 and more images; each step takes some of all, and resuming changes nothing."""
    scarce = uneven_set([[1, 2, 3], [1, 1, 4, 6]], size=12)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    reporter = Notes()
    train(config(scarce, objective, whole, **SCARCE), reporter)
    assert "3 of 7 classes to train on have a single image: it makes dissimilar pairs only." in reporter.said
    train(config(scarce, objective, parts, **SCARCE), stop_button=nullcontext(lambda: "SIGINT"))
    train(config(scarce, objective, **SCARCE), resume=parts)
    assert digest(whole / WEIGHTS_FILE, "sha256") == digest(parts / WEIGHTS_FILE, "sha256")


# ---- proxies ----


def test_an_objective_of_ones_own_with_parameters_to_train_is_refused(images):
    class Proxied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.proxies = torch.nn.Parameter(torch.ones(12, 256))

        def forward(self, embeddings, labels):
            return (embeddings @ self.proxies.T).mean()

    recipe = FAST.changed(**{**FEW, "holdout": 0, "objective": "own", "function": "mine", "turns": False})
    own = Proxied()
    with pytest.raises(BadInput, match="parameters of its own, which no run trains"):
        Trainer(TrainConfig(recipe=recipe, dataset=images, device="cpu", objective=own), images)
    own.requires_grad_(False)
    Trainer(TrainConfig(recipe=recipe, dataset=images, device="cpu", precision="fp32", objective=own), images).step(1)


PROXIED = ["arcface", "proxy-anchor"]


@pytest.mark.parametrize(
    ("turns", "mirrors", "ways"), [(True, True, 8), (True, False, 4), (False, True, 2), (False, False, 1)]
)
def test_labels_are_classes_of_the_set_each_way_round_by_itself(images, turns, mirrors, ways):
    """A batch of all 12 classes has 12 labels, and over many batches each class has one for each way round."""
    trainer = Trainer(config(images, "arcface", batch_size=36, turns=turns, mirrors=mirrors), images)
    assert trainer.sampler.labels == 12 * ways
    found = [trainer.draw(step).label_B for step in range(1, 100)]
    assert all(
        sorted((label_B // ways).tolist()) == [number for number in range(12) for _ in range(3)] for label_B in found
    )
    assert set(torch.cat(found).tolist()) == set(range(12 * ways))


@pytest.mark.parametrize("objective", PROXIED)
def test_proxies_move_at_their_own_rate_and_no_checkpoint_has_them(tmp_path, images, objective):
    trainer = Trainer(config(images, objective, proxy_rate=5.0, turns=False), images)
    before = trainer.objective.learned["proxies"].detach().clone()
    assert before.shape == (12, 256)
    torch.testing.assert_close(before.norm(dim=1), torch.ones(12))
    trainer.step(1)
    groups = trainer.optimiser.torch.param_groups
    assert groups[-1]["lr"] == pytest.approx(5 * groups[0]["lr"])
    assert groups[-1]["weight_decay"] == 0
    assert not torch.equal(trainer.objective.learned["proxies"].detach(), before)
    assert layout(trainer.state()) == state_layout(trainer.recipe, labels=12)
    report = train(config(images, objective, tmp_path / "run"))
    assert load_file(report.weights).keys() == trainer.network.state_dict().keys()
    assert load_file(tmp_path / "run" / STATE_FILE)["objective.proxies"].shape == (48, 256)


def test_proxies_have_the_size_of_the_embeddings_of_an_encoder_of_ones_own(images):
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 5))
    encoder.features = 5
    recipe = FAST.changed(**{**FEW, "holdout": 0, "objective": "proxy-anchor", "encoder": "own", "turns": False})
    trainer = Trainer(TrainConfig(recipe=recipe, dataset=images, device="cpu", encoder=encoder), images)
    trainer.step(1)
    assert trainer.objective.learned["proxies"].shape == (12, 5)
    assert layout(trainer.state()) == state_layout(recipe, encoder, labels=12)


@pytest.mark.parametrize("objective", PROXIED)
def test_the_first_proxies_are_a_function_of_the_seed(images, objective):
    def first(seed):
        return Trainer(config(images, objective, seed=seed), images).objective.learned["proxies"]

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


@pytest.fixture
def stopped(tmp_path, images):
    train(config(images, "arcface", tmp_path / "run"), stop_button=nullcontext(lambda: "SIGINT"))
    return tmp_path / "run"


def rewrite(path, change):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata=metadata)


def test_a_state_without_its_proxies_is_refused_before_data_are_opened(stopped, images, monkeypatch):
    rewrite(stopped / STATE_FILE, lambda tensors: tensors.pop("objective.proxies"))
    monkeypatch.setattr(training, "training_images", None)
    with pytest.raises(BadCheckpoint, match=r"objective\.proxies"):
        train(config(images, "arcface"), resume=stopped)


@pytest.mark.parametrize("rows", [0, 47, 49])
def test_a_state_with_proxies_of_other_classes_is_refused_before_a_tensor_is_read(stopped, images, monkeypatch, rows):
    def other(tensors):
        for name in list(tensors):
            if name.endswith("objective.proxies") and "step" not in name:
                tensors[name] = torch.zeros(rows, 256)

    rewrite(stopped / STATE_FILE, other)
    monkeypatch.setattr(training, "load_state", None)
    with pytest.raises(BadCheckpoint, match=rf"objective\.proxies is \({rows}, 256\).*needs \(48, 256\)"):
        train(config(images, "arcface"), resume=stopped)
