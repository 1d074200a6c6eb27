"""Several encoders side by side are one network: a distance is the mean of theirs, each learns as if it were alone."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.model import anatomy
from omnitwin.model.checkpoint import layout as layout_of
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.numpy_twin import load_numpy
from omnitwin.model.transfer import fitted
from omnitwin.model.twin import build_twin
from omnitwin.recipes import FAST, PHOTO, RECIPES, Network, network_of
from omnitwin.system.files import digest
from omnitwin.system.paths import WEIGHTS_FILE
from omnitwin.training.trainer import Trainer, state_layout
from omnitwin.training.training import train

THREE = FAST.changed(
    image_size=16, iterations=4, batch_size=18, drawings=3, alphabets=1, per_alphabet=3, holdout=0, members=3
)


@pytest.fixture(scope="module")
def images():
    return synthetic.draw_set("training", alphabets=2, characters=6)


def config(images, output=None, **changes):
    recipe = THREE.changed(**changes)
    return TrainConfig(recipe=recipe, dataset=images, device="cpu", precision="fp32", output=output)


def pictures(network, count=6):
    view = network.view
    return torch.rand((count, view.channels, view.height, view.width), generator=torch.Generator().manual_seed(1))


def member(network, tensors, m):
    """The network of one member alone."""
    alone = build_twin(replace(network, members=1))
    prefix = f"encoder.members.{m}."
    kept = {f"encoder.{name.removeprefix(prefix)}": tensor for name, tensor in tensors.items() if prefix in name}
    alone.load_state_dict({**kept, "head.log_scale": tensors["head.log_scale"], "head.bias": tensors["head.bias"]})
    return alone


@pytest.mark.parametrize("encoder", ["strong", "photo", "resnet18"])
def test_a_squared_distance_is_the_mean_of_those_of_the_members(encoder):
    torch.manual_seed(2)
    network = Network(encoder=encoder, image_size=32, head="distance", members=3)
    twin = build_twin(network).eval()
    images = pictures(network)
    with torch.inference_mode():
        together = twin.embed(images)
        alone = [member(network, twin.state_dict(), m).eval().embed(images) for m in range(3)]
    assert together.shape[1] == sum(each.shape[1] for each in alone)
    distances = [(each - each.roll(1, 0)).square().sum(1) for each in (together, *alone)]
    torch.testing.assert_close(distances[0], torch.stack(distances[1:]).mean(0))


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize(("encoder", "size"), [("strong", 20), ("photo", 33), ("resnet18", 32), ("small", 28)])
def test_the_layout_is_that_of_the_network_which_torch_builds(encoder, size, members):
    network = Network(encoder=encoder, image_size=size, head="distance", members=members)
    twin = build_twin(network)
    assert anatomy.layout(network) == layout_of(twin.state_dict())
    assert anatomy.features_of(network) == twin.encoder.features


@pytest.mark.parametrize("recipe", ["fast", "photo"])
def test_numpy_answers_as_torch_does(tmp_path, recipe):
    changed = RECIPES[recipe].changed(image_size=24, image_width=31, members=3)
    torch.manual_seed(3)
    facts = {"iteration": 1, "precision": "fp32", "dataset": "synthetic/training", "fingerprint": "f" * 64}
    path = tmp_path / "three.safetensors"
    save_checkpoint(path, build_twin(changed.network), Description.of_recipe(changed, metrics={}, **facts))
    (twin, description), (ours, _) = load_checkpoint(path), load_numpy(path)
    assert description.network.members == 3
    images = pictures(changed.network, 20)
    with torch.inference_mode():
        theirs = twin.eval().embed(images)
        logits = twin.score(theirs, theirs.roll(1, 0))
    mine = ours.embed(images.numpy())
    np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.score(mine, np.roll(mine, 1, axis=0)), logits.numpy(), atol=1e-4)
    alone = np.concatenate([ours.embed(image[None]) for image in images.numpy()])
    assert np.array_equal(alone, mine)


@pytest.mark.parametrize("objective", ["all-pairs", "triplet"])
def test_the_gradient_of_a_member_is_that_of_its_network_alone(images, objective):
    trainer = Trainer(config(images, objective=objective), images)
    network = trainer.recipe.network
    for m in range(3):
        single = Trainer(config(images, objective=objective, members=1), images)
        single.network.load_state_dict(member(network, trainer.network.state_dict(), m).state_dict())
        expected = single.objective.backward(single.draw(1, m))
        found = trainer.objective.backward(trainer.draw(1, m), m)
        torch.testing.assert_close(found, expected)
        for name, parameter in single.network.encoder.named_parameters():
            shared = trainer.network.get_parameter(f"encoder.members.{m}.{name}").grad
            torch.testing.assert_close(shared, parameter.grad)


def test_members_begin_with_other_weights_and_stay_apart(images):
    trainer = Trainer(config(images), images)
    for iteration in range(1, 4):
        trainer.step(iteration)
    weights = [each.out.weight for each in trainer.network.encoder.members]
    assert not torch.allclose(weights[0], weights[1], atol=1e-2)


@pytest.mark.parametrize("objective", ["all-pairs", "contrastive", "proxy-anchor"])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, images, objective):
    whole = train(config(images, tmp_path / "whole", objective=objective))
    asked = iter(("go on", "SIGINT"))
    button = nullcontext(lambda: {"go on": None}.get(next(asked), "SIGINT"))
    train(config(images, tmp_path / "parts", objective=objective), stop_button=button)
    parts = train(config(images, objective=objective), resume=tmp_path / "parts")
    assert parts.iteration == whole.iteration == 4
    assert digest(parts.output / WEIGHTS_FILE, "sha256") == digest(whole.output / WEIGHTS_FILE, "sha256")


def test_each_member_learns_proxies_of_its_own(images):
    trainer = Trainer(config(images, objective="arcface"), images)
    trainer.step(1)
    state = trainer.state()
    labels = trainer.sampler.labels
    assert state_layout(trainer.recipe, labels=labels).keys() == state.keys()
    proxies = [state[f"objective.{m}.proxies"] for m in range(3)]
    assert [tuple(each.shape) for each in proxies] == 3 * [(labels, 256)]
    assert not torch.equal(proxies[0], proxies[1])


def test_a_trained_twin_of_members_starts_one_for_pictures_of_another_size():
    torch.manual_seed(4)
    small, large = (Network(encoder="strong", image_size=size, head="distance", members=2) for size in (16, 32))
    trained, other = build_twin(small), build_twin(large)
    other.load_state_dict(fitted(trained.state_dict(), small, large))
    for m in range(2):
        alone = member(small, trained.state_dict(), m).state_dict()
        expected = fitted(alone, replace(small, members=1), replace(large, members=1))
        found = member(large, other.state_dict(), m).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(("count", "taken"), [(1, [0]), (2, [0, 1]), (5, [0, 1, 0, 1, 0])])
def test_members_begin_as_the_trained_ones_in_turn(count, taken):
    two = replace(THREE.network, members=2)
    trained, wanted = build_twin(two).state_dict(), replace(two, members=count)
    started = build_twin(wanted)
    started.load_state_dict(fitted(trained, two, wanted))
    for m, source in enumerate(taken):
        found = started.state_dict() if count == 1 else member(wanted, started.state_dict(), m).state_dict()
        expected = member(two, trained, source).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_one_trained_encoder_starts_all_members_which_other_batches_part(images):
    alone = build_twin(replace(THREE.network, members=1))
    tensors = fitted(alone.state_dict(), replace(THREE.network, members=1), THREE.network)
    trainer = Trainer(config(images), images)
    trainer.start_from(tensors)
    for m in range(3):
        found = member(THREE.network, trainer.network.state_dict(), m).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in alone.state_dict().items())
    trainer.step(1)
    weights = [each.out.weight for each in trainer.network.encoder.members]
    assert not torch.equal(weights[0], weights[1])


def test_a_record_from_before_there_were_members_has_one():
    assert network_of({"encoder": "strong", "image_size": 28, "head": "distance"}).members == 1


def test_another_encoder_than_the_recipes_stands_alone():
    several = PHOTO.changed(members=4)
    assert several.changed(encoder="mobilenet_v2").network.members == 1
    assert several.changed(encoder="strong").network.members == 1
    assert several.changed(encoder="strong", members=2).network.members == 2
    assert several.changed(encoder="photo", image_size=48).network.members == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": 0}, "members must be between 1 and 16, not 0"),
        ({"members": 17}, "members must be between 1 and 16, not 17"),
        ({"members": 2, "encoder": "resnet50"}, "resnet50 is a network by itself"),
        ({"members": 2, "sampling": "pairs", "objective": "pairs"}, "the objective pairs trains a single member"),
        ({"members": 2, "head": "difference"}, "several members need the head `distance`, not difference"),
    ],
)
def test_members_that_no_run_could_train_are_refused_with_what_to_do(changes, words):
    with pytest.raises(BadInput, match=words) as refused:
        FAST.changed(**changes)
    assert "--override members=1" in refused.value.line()
