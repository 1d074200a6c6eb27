"""Objectives by name: each trains, resumes bit for bit, and leaves a network whose scores mean something."""

from contextlib import nullcontext

import pytest
import torch

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.recipes import CLASSIC, FAST
from omnitwin.system.files import digest
from omnitwin.system.paths import WEIGHTS_FILE
from omnitwin.training.objective import LOSSES
from omnitwin.training.trainer import Trainer
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


@pytest.mark.parametrize("objective", ["contrastive", "triplet", "supervised-contrastive"])
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
