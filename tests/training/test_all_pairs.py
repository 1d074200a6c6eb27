"""Training on all pairs of a batch: schedule, average, learning, and resuming bit for bit."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import pytest
import torch
from safetensors import safe_open

from omnitwin.config import EvalConfig, TrainConfig
from omnitwin.data import synthetic
from omnitwin.data.sampling import ClassSampler, PairSampler
from omnitwin.errors import BadInput
from omnitwin.exams import evaluation
from omnitwin.model.checkpoint import layout, load_checkpoint, load_state
from omnitwin.model.losses import all_pairs_loss, centroid_loss
from omnitwin.recipes import FAST, SMALL, Recipe
from omnitwin.system.files import digest
from omnitwin.system.paths import BEST_FILE, CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training.objective import OfEmbeddings, OfPairs
from omnitwin.training.optimiser import learning_rate
from omnitwin.training.planning import plan
from omnitwin.training.runs import recorded
from omnitwin.training.trainer import Trainer, build_network, state_layout
from omnitwin.training.training import train

SPOILT = {"elastic": 0.02, "thickness": 0.5, "coarse": 0.3, "erase": 0.3}
FEW = {"image_size": 12, "iterations": 6, "batch_size": 18, "drawings": 3, "alphabets": 1, "per_alphabet": 3}
TINY = FAST.changed(**FEW, **SPOILT, holdout=0)


@cache
def alphabets(training=2, test=1):
    """A training and a test set of this many synthetic alphabets of 6 characters."""
    return {
        subset: synthetic.draw_set(subset, alphabets=count, characters=6)
        for subset, count in (("training", training), ("test", test))
    }


def config(output=None, precision="fp32", **recipe):
    changed = TINY.changed(**recipe)
    return TrainConfig(recipe=changed, dataset=alphabets(), device="cpu", precision=precision, output=output)


def stop_after(steps):
    """A stop button that is pressed during the given step."""
    asked = iter(range(1, 10_000))
    return nullcontext(lambda: "SIGINT" if next(asked) >= steps else None)


def test_sampler_objective_and_optimiser_are_those_that_the_recipe_names(tiny_set):
    for recipe in (TINY, SMALL.changed(image_size=28)):
        trainer = Trainer(TrainConfig(recipe=recipe, device="cpu"), tiny_set)
        found = (type(trainer.sampler), type(trainer.objective), type(trainer.optimiser.torch))
        of_pairs = (PairSampler, OfPairs, torch.optim.Adam)
        assert found == (of_pairs if recipe.name == "small" else (ClassSampler, OfEmbeddings, torch.optim.AdamW))


def test_the_learning_rate_rises_in_a_line_and_falls_as_half_a_cosine_to_nothing():
    recipe = FAST.changed(iterations=100, learning_rate=0.8, warm_up=0.2)
    rates = [learning_rate(recipe, iteration) for iteration in range(1, 101)]
    assert rates[:20] == pytest.approx([0.8 * one / 20 for one in range(1, 21)])
    assert rates[59] == pytest.approx(0.4)  # half way down
    assert rates[79] == pytest.approx(0.4 * (1 + math.cos(0.75 * math.pi)))
    assert rates[99] == pytest.approx(0, abs=1e-12)
    assert max(rates) == rates[19] == pytest.approx(0.8)


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_a_schedule_without_one_of_its_halves_stays_within_bounds(warm_up):
    recipe = FAST.changed(iterations=10, learning_rate=0.5, warm_up=warm_up)
    rates = [learning_rate(recipe, iteration) for iteration in range(1, 11)]
    assert all(0 <= rate <= 0.5 for rate in rates)
    assert rates == sorted(rates, reverse=warm_up == 0)


def test_the_optimiser_gets_the_rate_of_the_iteration_and_the_head_its_multiple(tiny_set):
    trainer = Trainer(config(head_rate=3.0, weight_decay=0.1), tiny_set)
    trainer.step(2)
    rate = learning_rate(trainer.recipe, 2)
    assert [group["lr"] for group in trainer.optimiser.torch.param_groups] == pytest.approx([rate, rate, 3 * rate])
    assert [group["weight_decay"] for group in trainer.optimiser.torch.param_groups] == [0.1, 0, 0]
    grouped = [parameter for group in trainer.optimiser.torch.param_groups for parameter in group["params"]]
    assert {id(one) for one in grouped} == {id(one) for one in trainer.network.parameters()}
    assert all(one.dim() > 1 for one in trainer.optimiser.torch.param_groups[0]["params"])


def test_one_step_moves_the_weights_as_adamw_written_out_by_hand(tiny_set):
    """Loshchilov and Hutter 2019, algorithm 2: w (1 - rate decay) - rate g / (|g| + epsilon) after the first step."""
    trainer = Trainer(config(weight_decay=0.5), tiny_set)
    before = {name: parameter.detach().clone() for name, parameter in trainer.network.named_parameters()}
    trainer.step(1)
    rate = learning_rate(trainer.recipe, 1)
    for name, parameter in trainer.network.named_parameters():
        own = rate * (3.0 if name.startswith("head") else 1.0)
        kept = 1 - own * 0.5 if before[name].dim() > 1 else 1.0
        wanted = before[name] * kept - own * parameter.grad / (parameter.grad.abs() + TINY.optimiser.adam_epsilon)
        torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_the_loss_of_a_step_is_that_of_its_images(tiny_set):
    trainer = Trainer(config(), tiny_set)
    batch = trainer.draw(1)
    twin = build_network(TINY).train()
    embeddings = twin.embed(batch.images)
    pairs = all_pairs_loss(twin.score_all(embeddings, embeddings), batch.label_B, 1.0)
    centroids = centroid_loss(embeddings.view(6, 3, -1), 20.0)
    assert float(trainer.step(1)[0]) == pytest.approx(float((pairs + centroids).detach()), rel=1e-4)
    alone = Trainer(config(centroid_weight=0.0), tiny_set)
    assert float(alone.step(1)[0]) == pytest.approx(float(pairs.detach()), rel=1e-4)


def test_the_images_of_a_step_depend_on_seed_and_iteration_alone(tiny_set):
    def draw(iteration, seed=0):
        batch = Trainer(config(seed=seed), tiny_set).draw(iteration)
        return batch.images, batch.label_B

    first, again, later, other = draw(3), draw(3), draw(4), draw(3, seed=1)
    assert torch.equal(first[0], again[0])
    assert first[0].shape == (18, 1, 12, 12)
    assert [first[1].tolist().count(label) for label in set(first[1].tolist())] == [3] * 6
    assert not torch.equal(first[0], later[0])
    assert not torch.equal(first[0], other[0])


def test_a_set_of_few_classes_gives_small_batches(tiny_set):
    trainer = Trainer(config(batch_size=900), tiny_set)
    assert trainer.sampler.pairs == 24 * 23 // 2  # 8 classes of 3
    trainer.step(1)


def test_the_moving_average_is_the_formula_iteration_by_iteration(tiny_set):
    """By weight 1 / (remembered + 1), and by 9 / (iteration + 9) while that is more."""
    trainer = Trainer(config(iterations=40, averaging=0.2), tiny_set)
    name = "encoder.blocks.1.norm.running_mean"
    average = build_network(TINY).state_dict()[name].double()
    for iteration in range(1, 16):
        trainer.step(iteration)
        weight = max(1 / 9, 9 / (iteration + 9))
        average = average + weight * (trainer.network.state_dict()[name].double() - average)
    torch.testing.assert_close(trainer.optimiser.average.state_dict()[name].double(), average, rtol=1e-4, atol=1e-6)
    counted = "encoder.blocks.0.norm.num_batches_tracked"
    assert int(trainer.optimiser.average.state_dict()[counted]) == 15
    assert trainer.trained is trainer.optimiser.average


def test_without_averaging_the_run_ends_with_the_network_itself(tiny_set):
    trainer = Trainer(config(averaging=0.0), tiny_set)
    trainer.step(1)
    assert trainer.trained is trainer.network


def test_the_state_holds_the_average_beside_network_and_optimiser(tiny_set):
    trainer = Trainer(config(), tiny_set)
    trainer.step(1)
    state = trainer.state()
    names = trainer.network.state_dict().keys()
    assert {f"{part}.{name}" for part in ("network", "average") for name in names} <= state.keys()
    assert layout(state) == state_layout(trainer.recipe)


def test_a_run_ends_with_the_average_and_its_state_with_both(tmp_path):
    train(config(tmp_path / "run"))
    network, _ = load_checkpoint(tmp_path / "run" / WEIGHTS_FILE)
    state, _ = load_state(tmp_path / "run" / STATE_FILE)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[f"average.{name}"]), name
    assert not torch.equal(state["average.encoder.out.weight"], state["network.encoder.out.weight"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_stopped_at_any_step_ends_with_the_bytes_of_one_never_interrupted(tmp_path, once, precision, stop):
    whole, straight = once(precision, lambda folder: train(config(folder / "run", precision, holdout=1)))
    stopped = train(config(tmp_path / "parts", precision, holdout=1), stop_button=stop_after(stop))
    assert (stopped.stopped_by, stopped.iteration) == ("SIGINT", stop)
    resumed = train(config(tmp_path / "parts", precision, holdout=1), resume=tmp_path / "parts")
    for name in (WEIGHTS_FILE, STATE_FILE, BEST_FILE):
        assert digest(whole / "run" / name, "sha256") == digest(tmp_path / "parts" / name, "sha256"), name
    assert resumed.weights_sha256 == straight.weights_sha256


def test_checkpoints_on_the_way_and_two_stops_change_nothing(tmp_path):
    straight = train(config(tmp_path / "straight", holdout=1))
    often = replace(config(tmp_path / "often", holdout=1), checkpoint_seconds=0.0)
    train(often, stop_button=stop_after(2))
    train(often, resume=tmp_path / "often", stop_button=stop_after(2))
    assert train(often, resume=tmp_path / "often").weights_sha256 == straight.weights_sha256


def test_the_held_out_exam_changes_nothing_of_the_training(tmp_path):
    weights = []
    for every in (1, 1000):
        examining = replace(config(tmp_path / str(every), holdout=1), exam_every=every)
        weights.append(train(examining).weights_sha256)
    assert weights[0] == weights[1]


def test_another_seed_gives_other_weights(tmp_path):
    seeds = [train(config(tmp_path / str(seed), seed=seed)).weights_sha256 for seed in (0, 1)]
    assert seeds[0] != seeds[1]


def test_bf16_and_fp32_steps_start_from_the_same_loss_but_for_rounding(tiny_set):
    losses, formats = [], []
    for precision in ("fp32", "bf16"):
        trainer = Trainer(config(precision=precision), tiny_set)
        convolution = trainer.network.encoder.blocks[0].conv
        convolution.register_forward_hook(lambda module, inputs, output: formats.append(output.dtype))
        losses.append(float(trainer.step(1)[0]))
    assert formats == [torch.float32, torch.bfloat16]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_the_loss_falls_and_characters_never_seen_are_told_apart(tmp_path):
    images = alphabets(training=4, test=2)
    recipe = {"image_size": 16, "iterations": 60, "batch_size": 72, "alphabets": 2, "per_alphabet": 4, "drawings": 4}
    train(replace(config(tmp_path / "run", **recipe, **dict.fromkeys(SPOILT, 0.0)), dataset=images))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / METRICS_FILE).read_text().splitlines()]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    exam = EvalConfig(checkpoint=str(tmp_path / "run"), dataset=images, device="cpu")
    assert evaluation.evaluate(exam).exams[0].measure("accuracy").interval[0] > 0.65


def test_config_and_checkpoint_record_how_batches_were_made(tmp_path):
    train(config(tmp_path / "run", iterations=1))
    written = json.loads((tmp_path / "run" / CONFIG_FILE).read_text())["recipe"]
    assert Recipe.from_json(written) == TINY.changed(iterations=1)
    assert written["augmentation"] == {"name": "ink", **vars(TINY.augmentation)}
    assert recorded(str(tmp_path / "run"))[1].whole_recipe() == TINY.changed(iterations=1)
    with safe_open(tmp_path / "run" / WEIGHTS_FILE, framework="pt") as file:
        assert json.loads(file.metadata()["omnitwin"])["recipe"]["augmentation"]["erase"] == 0.3


def test_a_run_is_not_resumed_with_other_batches(tmp_path):
    train(config(tmp_path / "run"), stop_button=stop_after(2))
    with pytest.raises(BadInput, match="another recipe"):
        train(config(tmp_path / "run", shear=0.5), resume=tmp_path / "run")


def test_a_plan_counts_images_and_pairs_and_the_memory_of_the_average(home):
    report = plan(config())
    assert (report.unit, report.batch_size, report.pairs_per_iteration) == ("images", 18, 18 * 17 // 2)
    assert report.data_bytes == 2 * 6 * 20 * 12 * 12
    assert report.training_bytes > 5 * 4 * report.parameters  # network, average, gradient, two moments
    assert not home.exists()


def test_a_set_with_too_few_drawings_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadInput) as refused:
        train(config(tmp_path / "run", batch_size=64, drawings=21, augmentation="none"))
    assert "a batch takes 21 of each class. Use --override drawings=20" in refused.value.line()
    assert not (tmp_path / "run").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_trains_as_a_cpu_does_but_for_its_random_numbers(tiny_set, precision):
    trainer = Trainer(replace(config(precision=precision), device="cuda"), tiny_set)
    assert all(math.isfinite(float(trainer.step(iteration)[0])) for iteration in range(1, 4))
