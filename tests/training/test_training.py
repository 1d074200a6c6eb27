"""Training: the example's step, learning, resuming bit for bit, and runs that go wrong."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import pytest
import torch
from old_records import as_version_1
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sitters import uneven_set

from omnitwin.config import EvalConfig, TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadCheckpoint, BadInput, CannotRun, TrainingDiverged
from omnitwin.exams import evaluation
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import read_description
from omnitwin.recipes import CLASSIC, SMALL
from omnitwin.system.files import digest
from omnitwin.system.paths import BEST_FILE, CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training import training
from omnitwin.training.heldout import HeldOutExam, HeldOutResult
from omnitwin.training.objective import OfPairs
from omnitwin.training.planning import plan
from omnitwin.training.runs import recorded, training_images
from omnitwin.training.trainer import Trainer
from omnitwin.training.training import train

TINY = SMALL.changed(iterations=6, batch_size=8, holdout=0)


@cache
def alphabets(training=2, test=1, characters=6):
    """A training and a test set of this many synthetic alphabets."""
    return {
        subset: synthetic.draw_set(subset, alphabets=count, characters=characters)
        for subset, count in (("training", training), ("test", test))
    }


def config(output, **recipe):
    changed = TINY.changed(**recipe)
    return TrainConfig(recipe=changed, dataset=alphabets(), device="cpu", precision="fp32", output=output)


def stop_after(steps):
    """A stop button that is pressed during the given step."""
    asked = iter(range(1, 10_000))
    return nullcontext(lambda: "SIGINT" if next(asked) >= steps else None)


def steps_in(run):
    return [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]


def iterations_in(run):
    return [step["iteration"] for step in steps_in(run)]


def test_the_classic_recipe_is_the_one_of_the_example():
    assert (CLASSIC.iterations, CLASSIC.sampling.batch_size, CLASSIC.optimiser.learning_rate) == (10_000, 180, 6e-5)
    assert (CLASSIC.optimiser.adam_betas, CLASSIC.optimiser.adam_epsilon) == ((0.9, 0.99), 1e-8)
    assert CLASSIC.network.image_size == 105
    assert CLASSIC.holdout == 0  # the example trains on all that it has


def test_one_step_moves_the_weights_as_adam_written_out_by_hand(tiny_set):
    """Kingma and Ba 2015, algorithm 1: after one step each weight has moved by lr * g / (|g| + epsilon)."""
    trainer = Trainer(TrainConfig(recipe=TINY, device="cpu", precision="fp32"), tiny_set)
    before = {name: parameter.detach().clone() for name, parameter in trainer.network.named_parameters()}
    trainer.step(1)
    for name, parameter in trainer.network.named_parameters():
        g = parameter.grad
        expected = before[name] - TINY.optimiser.learning_rate * g / (g.abs() + TINY.optimiser.adam_epsilon)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-4, atol=1e-6)


def test_a_step_draws_pairs_that_depend_on_seed_and_iteration_alone(tiny_set):
    def draw(iteration, seed=0):
        return Trainer(TrainConfig(recipe=TINY.changed(seed=seed), device="cpu"), tiny_set).draw(iteration)

    first, again, later, other = draw(3), draw(3), draw(4), draw(3, seed=1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.similar_P, again.similar_P)
    assert not torch.equal(first.images, later.images)
    assert not torch.equal(first.images, other.images)


@pytest.mark.parametrize(
    ("recipe", "losses"),
    [
        (CLASSIC, [0.6934465766, 0.6926582456, 0.6927126050]),
        (SMALL, [0.6915648580, 0.6844976544, 0.6861156822]),
    ],
    ids=["classic", "small"],
)
def test_the_first_steps_give_the_losses_that_they_always_gave(recipe, losses):
    """Of noise, written down before there were other recipes."""
    packed = uneven_set([[2, 3], [4]], size=recipe.network.image_size)
    few = recipe.changed(batch_size=6)
    one = Trainer(TrainConfig(recipe=few, device="cpu", precision="fp32"), packed)
    assert [float(one.step(iteration)[0]) for iteration in (1, 2, 3)] == pytest.approx(losses, rel=1e-4)


def test_bf16_and_fp32_steps_start_from_the_same_loss_but_for_rounding(tiny_set):
    losses = [
        float(Trainer(TrainConfig(recipe=TINY, device="cpu", precision=precision), tiny_set).step(1)[0])
        for precision in ("fp32", "bf16")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_weights_stay_fp32_when_products_are_bf16(tiny_set):
    trainer = Trainer(TrainConfig(recipe=TINY, device="cpu", precision="bf16"), tiny_set)
    trainer.step(1)
    assert {parameter.dtype for parameter in trainer.network.parameters()} == {torch.float32}


def test_a_small_network_learns_and_tells_apart_characters_it_never_saw(tmp_path):
    images = alphabets(training=4, test=2, characters=10)
    report = train(replace(config(tmp_path / "run", iterations=120, batch_size=32), dataset=images))
    losses = [json.loads(line)["loss"] for line in (report.output / METRICS_FILE).read_text().splitlines()]
    assert sum(losses[-10:]) / 10 < 0.55 < math.log(2) < sum(losses[:5]) / 5 + 0.1
    measured = evaluation.evaluate(EvalConfig(checkpoint=str(report.output), dataset=images, device="cpu"))
    assert measured.exams[0].measure("accuracy").interval[0] > 0.5


@pytest.mark.parametrize(("precision", "holdout"), [("fp32", 0), ("bf16", 0), ("fp32", 1)])
def test_a_resumed_run_ends_with_the_bytes_of_one_never_interrupted(tmp_path, precision, holdout):
    straight = train(replace(config(tmp_path / "straight", holdout=holdout), precision=precision))
    halves = replace(config(tmp_path / "halves", holdout=holdout), precision=precision)
    stopped = train(halves, stop_button=stop_after(3))
    assert (stopped.stopped_by, stopped.iteration) == ("SIGINT", 3)
    resumed = train(halves, resume=tmp_path / "halves")
    assert (resumed.stopped_by, resumed.iteration) == (None, 6)
    for name in (WEIGHTS_FILE, STATE_FILE):
        assert digest(tmp_path / "straight" / name, "sha256") == digest(tmp_path / "halves" / name, "sha256"), name
    assert resumed.weights_sha256 == straight.weights_sha256


def test_metrics_hold_each_iteration_once_after_a_kill_and_a_resume(tmp_path):
    run = tmp_path / "run"
    train(config(run), stop_button=stop_after(2))
    with (run / METRICS_FILE).open("a") as file:  # what a killed process logged after its last checkpoint
        file.write('{"iteration": 3, "loss": 9.0}\n{"iteration": 4, "lo')
    train(config(run), resume=run)
    assert iterations_in(run) == [1, 2, 3, 4, 5, 6]
    assert all(json.loads(line)["loss"] < 9 for line in (run / METRICS_FILE).read_text().splitlines())


def test_a_finished_run_goes_on_when_it_gets_more_iterations(tmp_path):
    run = tmp_path / "run"
    train(config(run))
    with pytest.raises(BadInput, match="has done its 6 iterations"):
        train(config(run), resume=run)
    longer = train(config(run, iterations=9), resume=run)
    straight = train(config(tmp_path / "straight", iterations=9))
    assert longer.weights_sha256 == straight.weights_sha256


def test_a_run_begun_by_a_version_without_held_out_alphabets_goes_on_to_the_same_weights(tmp_path):
    """Format version 1: no `held_out`, and a recipe that knew no `holdout`."""
    run = tmp_path / "run"
    train(config(run), stop_button=stop_after(3))
    with safe_open(run / STATE_FILE, framework="pt") as file:
        record = json.loads(file.metadata()["omnitwin"])
    as_version_1(record, TINY)
    old = {"omnitwin": json.dumps(record)}
    save_file(load_file(run / STATE_FILE), run / STATE_FILE, metadata=old)
    folder, description = recorded(str(run))
    assert description.whole_recipe() == TINY
    resumed = train(replace(config(run), recipe=description.whole_recipe()), resume=folder)
    assert resumed.weights_sha256 == train(config(tmp_path / "straight")).weights_sha256


def test_the_time_limit_stops_and_saves(tmp_path):
    report = train(replace(config(tmp_path / "run", iterations=10_000), max_seconds=0.2))
    assert report.stopped_by == "time"
    assert load_checkpoint(report.weights)[1].iteration == report.iteration < 10_000


def test_a_run_is_never_written_over(tmp_path):
    train(config(tmp_path / "run"))
    with pytest.raises(BadInput, match="already holds a run"):
        train(config(tmp_path / "run"))


def test_a_run_is_not_resumed_on_other_images(tmp_path):
    train(config(tmp_path / "run"), stop_button=stop_after(2))
    with pytest.raises(BadInput, match="other images"):
        train(replace(config(tmp_path / "run"), dataset=alphabets(characters=7)), resume=tmp_path / "run")


def test_a_damaged_state_is_refused_and_the_weights_stay(tmp_path):
    run = tmp_path / "run"
    train(config(run), stop_button=stop_after(2))
    (run / STATE_FILE).write_bytes((run / STATE_FILE).read_bytes()[:1000])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        recorded(str(run))
    assert load_checkpoint(run / WEIGHTS_FILE)[1].iteration == 2


def stepping(loss, spread):
    """A trainer whose steps train nothing, and give this loss and spread."""

    class Idle(Trainer):
        def step(self, iteration):
            return torch.tensor(loss), torch.tensor(spread)

    return Idle


def test_a_loss_that_is_no_number_ends_the_run_in_words_and_keeps_the_last_checkpoint(tmp_path):
    run = tmp_path / "run"
    train(config(run), stop_button=stop_after(2))
    kept = digest(run / WEIGHTS_FILE, "sha256")
    with pytest.raises(TrainingDiverged) as caught:
        train(config(run), resume=run, new_trainer=stepping(math.nan, 1.0))
    assert "nan at iteration 3" in caught.value.line()
    assert "--learning-rate" in caught.value.line()
    assert digest(run / WEIGHTS_FILE, "sha256") == kept


def results(*errors):
    """Held-out exams whose equal error rates are these, one after the other; None for one without a result."""
    return [None if eer is None else HeldOutResult(eer=eer, threshold=eer + 0.25, calibration=None) for eer in errors]


def giving(*errors):
    """A held-out exam that finds these errors, one after the other; the last for ever."""
    found = results(*errors)

    class Given(HeldOutExam):
        def take(self, network):
            return found.pop(0) if len(found) > 1 else found[0]

    return Given


def examined(output, *errors, every=2, **recipe):
    """A run that holds out an alphabet, as arguments of train: the exams find these errors."""
    return {"config": replace(config(output, holdout=1, **recipe), exam_every=every), "new_exam": giving(*errors)}


def same_weights(one, other):
    networks = [load_checkpoint(path)[0].state_dict() for path in (one, other)]
    return all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_held_out_alphabets_are_not_trained_on_and_are_named_in_every_file(tmp_path):
    report = train(config(tmp_path / "run", holdout=1))
    packed, held_out = training_images(config(None, holdout=1))
    assert set(packed.group_names) | set(held_out.group_names) == {"Synthetic 01", "Synthetic 02"}
    assert not set(packed.class_names) & set(held_out.class_names)
    assert (len(packed), len(held_out)) == (120, 120)
    for name in (WEIGHTS_FILE, STATE_FILE, BEST_FILE):
        assert read_description(report.output / name).held_out == held_out.group_names, name
    written = json.loads((report.output / CONFIG_FILE).read_text())
    assert (written["held_out"], written["recipe"]["holdout"]) == (list(held_out.group_names), 1)


def test_which_alphabets_are_held_out_depends_on_the_seed_alone():
    def held_out(seed):
        return training_images(config(None, holdout=1, seed=seed))[1].group_names

    assert [held_out(seed) for seed in range(8)] == [held_out(seed) for seed in range(8)]
    assert len({held_out(seed) for seed in range(8)}) == 2


def test_the_held_out_exam_changes_nothing_of_the_training(tmp_path):
    weights = []
    for every in (1, 1000):
        examining = replace(config(tmp_path / str(every), holdout=1), exam_every=every)
        weights.append(train(examining).weights_sha256)
    assert weights[0] == weights[1]


def test_the_error_that_a_run_reports_is_the_lowest_of_its_log(tmp_path):
    report = train(replace(config(tmp_path / "run", iterations=8, holdout=1), exam_every=2))
    logged = [step["held_out_eer"] for step in steps_in(report.output) if "held_out_eer" in step]
    assert len(logged) == 4
    assert report.held_out_eer == read_description(report.best).metrics["held_out_eer"] == min(logged)


def test_the_exam_is_logged_every_so_many_iterations_and_at_the_end(tmp_path):
    train(**examined(tmp_path / "run", 0.4, 0.3, 0.2, 0.1, iterations=7))
    logged = [
        (step["iteration"], step["held_out_eer"]) for step in steps_in(tmp_path / "run") if "held_out_eer" in step
    ]
    assert logged == [(2, 0.4), (4, 0.3), (6, 0.2), (7, 0.1)]
    assert iterations_in(tmp_path / "run") == [1, 2, 3, 4, 5, 6, 7]


def test_the_best_is_the_network_with_the_lowest_error_and_the_last_stays_beside_it(tmp_path):
    report = train(**examined(tmp_path / "run", 0.3, 0.1, 0.2))
    assert (report.best, report.best_iteration, report.held_out_eer) == (tmp_path / "run" / BEST_FILE, 4, 0.1)
    assert read_description(report.best).iteration == 4
    assert (read_description(report.weights).iteration, read_description(report.weights).threshold) == (6, 0.45)
    until_then = train(config(tmp_path / "until", iterations=4, holdout=1))
    assert same_weights(report.best, until_then.weights)
    assert not same_weights(report.best, report.weights)


def test_of_two_as_good_the_earlier_is_the_best(tmp_path):
    assert train(**examined(tmp_path / "run", 0.3, 0.1, 0.1)).best_iteration == 4


def test_without_a_result_of_the_exam_there_is_no_best_and_no_calibration(tmp_path):
    report = train(**examined(tmp_path / "run", None))
    assert (report.best, report.best_iteration, report.held_out_eer) == (None, None, None)
    assert not (tmp_path / "run" / BEST_FILE).exists()
    description = read_description(report.weights)
    assert (description.threshold, description.calibration, "held_out_eer" in description.metrics) == (0.5, None, False)


def test_without_held_out_alphabets_there_is_no_best_and_a_half_is_the_threshold(tmp_path):
    report = train(config(tmp_path / "run"))
    assert (report.best, report.best_iteration, report.held_out_eer) == (None, None, None)
    assert not (tmp_path / "run" / BEST_FILE).exists()
    description = read_description(report.weights)
    assert (description.threshold, description.calibration, description.held_out) == (0.5, None, ())
    assert not any("held_out_eer" in step for step in steps_in(tmp_path / "run"))


@pytest.mark.parametrize(("later", "best"), [(0.2, 4), (0.05, 6)])
def test_the_best_of_before_an_interruption_counts_after_it(tmp_path, later, best):
    run = tmp_path / "run"
    train(**examined(run, 0.3, 0.1), stop_button=stop_after(4))
    kept = digest(run / BEST_FILE, "sha256")
    report = train(**examined(run, later), resume=run)
    assert (report.best_iteration, report.held_out_eer) == (best, min(0.1, later))
    assert (digest(run / BEST_FILE, "sha256") == kept) == (best == 4)


def test_a_damaged_best_is_replaced_when_the_run_goes_on(tmp_path):
    run = tmp_path / "run"
    train(**examined(run, 0.1), stop_button=stop_after(4))
    (run / BEST_FILE).write_bytes(b"damaged")
    assert train(**examined(run, 0.2), resume=run).best_iteration == 6
    assert load_checkpoint(run / BEST_FILE)[1].iteration == 6


def test_a_network_whose_loss_is_no_number_is_never_the_best(tmp_path):
    class Spoilt(Trainer):
        def step(self, iteration):
            return super().step(iteration) if iteration < 3 else (torch.tensor(math.nan), torch.tensor(1.0))

    with pytest.raises(TrainingDiverged):
        train(**examined(tmp_path / "run", 0.3, 0.2, 0.1, 0.05, every=1), new_trainer=Spoilt)
    assert read_description(tmp_path / "run" / BEST_FILE).iteration == 2


@pytest.mark.parametrize("holdout", [2, 3, 1000])
def test_holding_out_every_alphabet_is_refused_before_anything_is_written(tmp_path, holdout):
    with pytest.raises(BadInput, match="leaves none to train on") as refused:
        train(config(tmp_path / "run", holdout=holdout))
    assert "--holdout 1" in refused.value.line()
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_with_other_alphabets_held_out(tmp_path):
    train(config(tmp_path / "run", holdout=1), stop_button=stop_after(2))
    with pytest.raises(BadInput, match="another recipe"):
        train(config(tmp_path / "run", holdout=0), resume=tmp_path / "run")


class Listener:
    """A reporter that remembers."""

    def __init__(self):
        self.notes, self.warnings = [], []
        self.note, self.warn = self.notes.append, self.warnings.append
        self.task, self.training = training.SILENT.task, training.SILENT.training


def test_a_collapsed_network_is_reported_once_and_in_words(tmp_path):
    listener = Listener()
    report = train(config(tmp_path / "run", iterations=1500), listener, new_trainer=stepping(math.log(2), 1e-5))
    assert len(listener.warnings) == len(report.warnings) == 1
    assert "same answer" in report.warnings[0]
    assert "--seed" in report.warnings[0]


def test_a_network_that_still_tells_pairs_apart_is_not_called_collapsed(tmp_path):
    report = train(config(tmp_path / "run", iterations=1500), new_trainer=stepping(math.log(2), 0.1))
    assert report.warnings == ()


def test_a_long_run_on_a_cpu_says_how_long_and_how_to_shorten_it(tmp_path):
    listener = Listener()
    train(config(tmp_path / "run", iterations=10**7), listener, stop_button=stop_after(8))
    assert len(listener.notes) == 1
    assert "the remaining 9,999,996 take about" in listener.notes[0]
    assert "--max-time" in listener.notes[0]


def test_a_plan_counts_and_measures_and_writes_nothing(home):
    report = plan(TrainConfig(recipe=TINY, dataset=alphabets(), device="cpu"))
    network = Trainer(config(None), alphabets()["training"]).network
    assert report.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert report.seconds_per_iteration > 0
    assert report.seconds_in_all == pytest.approx(6 * report.seconds_per_iteration)
    assert report.data_bytes == 2 * 6 * 20 * 28 * 28
    assert report.held_out == ()
    assert not home.exists()


def test_a_plan_counts_what_is_left_to_train_on_and_names_what_is_held_out():
    report = plan(TrainConfig(recipe=TINY.changed(holdout=1), dataset=alphabets(), device="cpu"))
    assert (report.classes, report.images, report.data_bytes) == (6, 120, 120 * 28 * 28)
    assert report.held_out == training_images(config(None, holdout=1))[1].group_names


def test_pairs_need_two_classes_of_two_images(tiny_set):
    one_class = replace(tiny_set, class_names=tiny_set.class_names[:1])
    with pytest.raises(BadInput, match="at least 2"):
        Trainer(config(None), one_class)


def test_a_batch_taken_in_parts_gives_the_gradient_of_the_whole(tiny_set):
    """The mean over a batch is the mean of its parts, weighted by their sizes, but for the rounding of fp32's sums."""
    gradients = []
    for pairs_at_once in (8, 3):
        one = Trainer(TrainConfig(recipe=TINY, device="cpu", precision="fp32"), tiny_set)
        one.objective = OfPairs(one.machinery, pairs_at_once)
        one.network.eval()  # and so no statistics of a batch are taken
        loss, spread = one.step(1)
        gradients.append([loss, spread, *(parameter.grad for parameter in one.network.parameters())])
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-3 * float(whole.detach().abs().max()))


def test_a_network_with_batch_statistics_takes_its_batch_whole(tiny_set):
    trainer = Trainer(TrainConfig(recipe=TINY.changed(batch_size=500), device="cpu"), tiny_set)
    assert trainer.objective.pairs_at_once == 500


def test_weights_that_are_no_numbers_are_never_saved_over_good_ones(tmp_path):
    run = tmp_path / "run"
    train(config(run), stop_button=stop_after(2))
    kept = digest(run / STATE_FILE, "sha256")

    class Spoilt(Trainer):
        def step(self, iteration):
            result = super().step(iteration)
            next(self.network.parameters()).data.fill_(math.inf)
            return result if iteration < 4 else (torch.tensor(0.5), torch.tensor(0.5))

    with pytest.raises(TrainingDiverged):
        train(config(run), resume=run, new_trainer=Spoilt)
    assert digest(run / STATE_FILE, "sha256") == kept


def test_a_run_that_diverges_before_its_first_checkpoint_does_not_speak_of_one(tmp_path):
    with pytest.raises(TrainingDiverged, match="nothing had been saved yet"):
        train(config(tmp_path / "run"), new_trainer=stepping(math.nan, 1.0))


def test_a_new_run_never_mixes_with_files_that_are_there(tmp_path):
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        train(config(tmp_path))
    assert (tmp_path / "config.json").read_text() == "mine"


def test_a_run_is_not_resumed_with_another_recipe(tmp_path):
    train(config(tmp_path / "run"), stop_button=stop_after(2))
    with pytest.raises(BadInput, match="another recipe"):
        train(config(tmp_path / "run", seed=5), resume=tmp_path / "run")


def test_too_little_memory_is_said_with_what_to_do(monkeypatch, tiny_set):
    one = Trainer(TrainConfig(recipe=TINY, device="cpu"), tiny_set)

    def forward(left, right):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    one.objective.forward = forward
    with pytest.raises(CannotRun) as caught:
        one.step(1)
    assert f"Try --batch-size {TINY.sampling.batch_size // 2}." in caught.value.line()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_classic_network_resumes_bit_for_bit_too(tmp_path, precision):
    def run(name):
        recipe = CLASSIC.changed(iterations=4, batch_size=8)
        return TrainConfig(
            recipe=recipe, dataset="synthetic", device="cpu", precision=precision, output=tmp_path / name
        )

    straight = train(run("straight"))
    train(run("halves"), stop_button=stop_after(2))
    assert train(run("halves"), resume=tmp_path / "halves").weights_sha256 == straight.weights_sha256


@pytest.mark.slow
def test_a_compiled_step_gives_the_loss_of_a_plain_one(tiny_set):
    losses = [
        float(Trainer(TrainConfig(recipe=TINY, device="cpu", precision="fp32", compile=flag), tiny_set).step(1)[0])
        for flag in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.gpu
def test_a_step_on_a_gpu_gives_a_finite_loss_near_ln_2(tiny_set):
    trainer = Trainer(TrainConfig(recipe=TINY, device="cuda"), tiny_set)
    assert float(trainer.step(1)[0]) == pytest.approx(math.log(2), abs=0.2)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_classic_network_leaves_chance_within_40_iterations_on_omniglot(tmp_path, real_data):
    source = replace(TrainConfig().source, source=str(real_data))
    report = train(
        TrainConfig(recipe=CLASSIC.changed(iterations=40), source=source, device="cpu", output=tmp_path / "run")
    )
    losses = [json.loads(line)["loss"] for line in (report.output / METRICS_FILE).read_text().splitlines()]
    assert sum(losses[-10:]) / 10 < math.log(2) - 0.02
