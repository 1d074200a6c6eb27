"""Alphabets held out of training choose threshold, calibration and the best checkpoint, and change nothing else."""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sitters import CPU, dyadic_network, uneven_set
from sklearn.metrics import roc_curve

from omnitwin.config import EvalConfig, TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.exams.evaluation import evaluate
from omnitwin.metrics.calibration import calibrated
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import read_description
from omnitwin.model.locating import locate_checkpoint
from omnitwin.recipes import SMALL
from omnitwin.system.files import digest
from omnitwin.system.paths import BEST_FILE, CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training.heldout import HeldOutExam, HeldOutResult, can_stop_early, is_out_of_patience
from omnitwin.training.planning import plan
from omnitwin.training.runs import continued, training_images
from omnitwin.training.trainer import Trainer, build_network
from omnitwin.training.training import train

TINY = SMALL.changed(iterations=8, batch_size=8, holdout=1)
ALPHABETS, CHARACTERS, DRAWERS = 3, 4, 5


@cache
def drawings(characters=CHARACTERS):
    """3 training alphabets of 4 characters by 5 drawers, and 2 test alphabets, of 28 x 28."""
    return {
        subset: synthetic.draw_set(subset, alphabets=count, characters=characters, drawers=DRAWERS, size=28)
        for subset, count in (("training", ALPHABETS), ("test", 2))
    }


def config(output, exam_every=2, **recipe):
    """A run with an exam after each second iteration."""
    return TrainConfig(
        recipe=TINY.changed(**recipe),
        dataset=drawings(),
        device="cpu",
        precision="fp32",
        output=output,
        exam_every=exam_every,
    )


def examine(checkpoint, dataset=None, **asked):
    """The report of exams of a checkpoint, on these drawings."""
    return evaluate(EvalConfig(checkpoint=str(checkpoint), dataset=dataset or drawings(), device="cpu", **asked))


def stop_after(steps):
    """A stop button that is pressed during the given step."""
    asked = iter(range(1, 10_000))
    return nullcontext(lambda: "SIGINT" if next(asked) >= steps else None)


def exams_in(run):
    """Held-out EER by iteration, as the run's metrics tell."""
    lines = [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]
    return {line["iteration"]: line["held_out_eer"] for line in lines if "held_out_eer" in line}


def weights_of(path):
    return load_checkpoint(path)[0].state_dict()


def assert_same_weights(one, other):
    first, second = weights_of(one), weights_of(other)
    assert all(torch.equal(first[name], second[name]) for name in first)


def script(eer_of):
    """Arguments of train: the exam after an iteration gives this EER, a function of the iteration."""
    now = []

    class Counted(Trainer):
        def step(self, iteration):
            now[:] = [iteration]
            return super().step(iteration)

    class Scripted(HeldOutExam):
        def take(self, network):
            return HeldOutResult(eer=eer_of(now[0]), threshold=0.5, calibration=None)

    return {"new_trainer": Counted, "new_exam": Scripted}


# ---- what is trained on ----


def test_a_run_never_draws_an_image_of_a_held_out_alphabet(tmp_path):
    whole = drawings()["training"]
    alphabet_of = {
        image.numpy().tobytes(): whole.group_names[int(whole.group_C[kind])]
        for image, kind in zip(whole.images_NHW, whole.class_N, strict=True)
    }
    seen = Counter()

    class Watched(Trainer):
        def draw(self, iteration):
            batch = super().draw(iteration)
            seen.update(alphabet_of[image.to(torch.uint8).numpy().tobytes()] for image in batch.images[:, 0])
            return batch

    report = train(config(tmp_path / "run", iterations=20), new_trainer=Watched)
    held_out = read_description(report.weights).held_out
    assert len(held_out) == 1
    assert set(seen) == set(whole.group_names) - set(held_out)
    assert sum(seen.values()) == 20 * 8 * 2


def test_which_alphabets_are_held_out_is_a_function_of_the_seed(tmp_path):
    held = [training_images(config(None, seed=seed, holdout=2))[1].group_names for seed in range(20)]
    again = [training_images(config(None, seed=seed, holdout=2))[1].group_names for seed in range(20)]
    assert held == again
    assert len(set(held)) == 3  # of 3 alphabets, each two


def test_without_holdout_all_is_trained_on_and_no_exam_taken(tmp_path):
    report = train(config(tmp_path / "run", holdout=0))
    assert (report.best, report.best_iteration, report.held_out_eer) == (None, None, None)
    assert not (tmp_path / "run" / BEST_FILE).exists()
    assert exams_in(tmp_path / "run") == {}
    description = read_description(report.weights)
    assert (description.held_out, description.calibration, description.threshold) == ((), None, 0.5)
    assert locate_checkpoint(str(tmp_path / "run")) == report.weights


def test_a_plan_says_what_is_held_out_and_counts_what_is_left():
    report = plan(config(None))
    assert len(report.held_out) == 1
    assert (report.images, report.classes) == (2 * CHARACTERS * DRAWERS, 2 * CHARACTERS)


def test_holding_out_every_alphabet_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadInput, match="leaves none to train on"):
        train(config(tmp_path / "run", holdout=3))
    assert not (tmp_path / "run").exists()


def test_a_run_writes_down_what_it_held_out(tmp_path):
    report = train(config(tmp_path / "run"))
    held_out = training_images(config(None))[1].group_names
    for path in (WEIGHTS_FILE, STATE_FILE, BEST_FILE):
        assert read_description(tmp_path / "run" / path).held_out == held_out
    written = json.loads((tmp_path / "run" / CONFIG_FILE).read_text())
    assert written["held_out"] == list(held_out)
    assert report.best == tmp_path / "run" / BEST_FILE


# ---- the exam ----


def network_with(seed):
    network = build_network(SMALL)
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(seed))
    return network


def two_loops(network, packed, rows):
    """Score and kind of each pair of rows, one by one."""
    scores, similar = [], []
    network.eval()
    with torch.inference_mode():
        embeddings = network.embed(packed.gather(torch.arange(len(packed))))
        for place, left in enumerate(rows):
            for right in rows[place + 1 :]:
                scores.append(float(network.score(embeddings[left : left + 1], embeddings[right : right + 1])))
                similar.append(bool(packed.class_N[left] == packed.class_N[right]))
    network.train()
    return np.array(scores), np.array(similar)


def weights_of_pairs(packed, similar):
    """One half for similar pairs, a quarter for dissimilar ones of one alphabet, and a quarter for all others."""
    group_N = packed.group_C[packed.class_N].tolist()
    near = np.array(
        [group_N[left] == group_N[right] for left in range(len(packed)) for right in range(left + 1, len(packed))]
    )
    kinds = (similar, ~similar & near, ~similar & ~near)
    return sum(kind * share / kind.sum() for kind, share in zip(kinds, (0.5, 0.25, 0.25), strict=True))


def equal_error_rate(similar, scores):
    """Where FAR equals 1 - TAR on the straight lines between scikit-learn's points, to 1 in 100,000."""
    far, tar, _ = roc_curve(similar, scores, drop_intermediate=False)
    line = np.linspace(0, 1, 100_001)
    return line[np.argmin(np.abs(np.interp(line, far, tar) - (1 - line)))]


@pytest.mark.parametrize("alphabets", [((1, 2, 3, 7), (4, 5, 10)), ((8, 8), (8, 8))], ids=["uneven", "even"])
def test_the_exam_has_the_figures_of_two_loops_over_all_pairs(alphabets):
    packed = uneven_set(alphabets)
    network = dyadic_network(packed)
    result = HeldOutExam(packed, SMALL.network, CPU).take(network)
    scores, similar = two_loops(network, packed, range(len(packed)))
    assert result.eer == pytest.approx(equal_error_rate(similar, scores), abs=2e-5)


@pytest.mark.parametrize("alphabets", [((1, 2, 3, 7), (4, 5, 10)), ((8, 8), (8, 8))], ids=["uneven", "even"])
def test_the_threshold_gives_the_highest_balanced_accuracy_there_is(alphabets):
    packed = uneven_set(alphabets)
    network = dyadic_network(packed)
    result = HeldOutExam(packed, SMALL.network, CPU).take(network)
    scores, similar = two_loops(network, packed, range(len(packed)))
    probability = 1 / (1 + np.exp(-calibrated(scores, result.calibration)))

    weight = weights_of_pairs(packed, similar)

    def balanced(threshold):
        right = np.where(similar, probability >= threshold, probability < threshold)
        return round(float(weight @ right), 12)  # sums in another order

    assert result.calibration is not None
    assert balanced(result.threshold) == max(balanced(one) for one in [*np.unique(probability), 2.0])
    assert balanced(result.threshold) > balanced(0.5) - 1e-12


def test_the_calibration_leaves_no_mean_error_where_both_kinds_of_pair_weigh_the_same():
    """Of the likeliest logistic curve the mean error, and that of its product with the score, are 0."""
    packed = drawings()["test"]
    network = network_with(2)
    torch.nn.init.constant_(network.head.weight, -0.3)
    result = HeldOutExam(packed, SMALL.network, CPU).take(network)
    scores, similar = two_loops(network, packed, range(len(packed)))
    high, low = (similar.sum() + 1) / (similar.sum() + 2), 1 / ((~similar).sum() + 2)  # Platt 1999, sec. 2.2
    error = 1 / (1 + np.exp(-calibrated(scores, result.calibration))) - np.where(similar, high, low)
    weight = weights_of_pairs(packed, similar)
    assert weight @ error == pytest.approx(0, abs=1e-5)
    assert weight @ (error * scores) == pytest.approx(0, abs=1e-5)


def test_a_constant_network_has_an_eer_of_one_half_and_no_calibration():
    network = build_network(SMALL)
    torch.nn.init.zeros_(network.head.weight)
    result = HeldOutExam(drawings()["test"], SMALL.network, CPU).take(network)
    assert (result.eer, result.calibration, result.threshold) == (0.5, None, 0.5)


def test_a_network_whose_scores_are_no_numbers_has_no_result():
    network = build_network(SMALL)
    torch.nn.init.constant_(network.head.bias, float("nan"))
    assert HeldOutExam(drawings()["test"], SMALL.network, CPU).take(network) is None
    assert network.training


def test_an_exam_leaves_the_network_as_it_was_and_in_training_mode():
    network = build_network(SMALL).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exam = HeldOutExam(drawings()["test"], SMALL.network, CPU)
    assert exam.take(network) == exam.take(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(part.training for part in network.modules())


@pytest.mark.parametrize(("most", "hands"), [(1200, 5), (40, 5), (39, 4), (24, 3), (17, 2), (8, 2), (1, 2)])
def test_an_exam_takes_as_many_drawers_of_each_character_as_its_size_allows_and_two_at_least(most, hands):
    packed = drawings()["test"]  # 8 characters by 5 drawers
    rows = HeldOutExam(packed, SMALL.network, CPU, most).rows
    assert packed.source_N[rows].tolist() == list(range(1, hands + 1)) * 8
    assert packed.class_N[rows].tolist() == [number for number in range(8) for _ in range(hands)]


def test_a_class_of_one_image_makes_dissimilar_pairs_only():
    packed = uneven_set([[1, 3, 1], [2, 1]])
    exam = HeldOutExam(packed, SMALL.network, CPU)
    network = network_with(1)
    scores, similar = two_loops(network, packed, range(8))
    assert exam.similar.tolist() == similar.tolist()
    assert (len(similar), similar.sum(), exam.classes) == (28, 4, 2)
    assert exam.take(network).eer == pytest.approx(equal_error_rate(similar, scores), abs=2e-5)


def test_held_out_classes_without_a_similar_pair_are_refused():
    with pytest.raises(BadInput, match="no class of by hand has 2 images"):
        HeldOutExam(uneven_set([[1, 1, 1]]), SMALL.network, CPU)


def test_of_very_many_classes_an_exam_takes_some_of_all_parts_that_make_similar_pairs():
    packed = uneven_set([[1, 2] * 600, [2] * 500], size=4)
    exam = HeldOutExam(packed, SMALL.network, CPU)
    names = [exam.packed.class_names[each] for each in set(exam.packed.class_N[exam.rows].tolist())]
    examined = {packed.class_names.index(name) for name in names}
    assert len(examined) == exam.classes == 1000
    assert all(packed.count_C[each] > 1 for each in examined)
    assert min(examined) == 1
    assert max(examined) == 1699
    assert 0.5 < len([each for each in examined if each < 1200]) / 1000 < 0.6  # 600 of 1,100


# ---- what the exam decides ----


def test_the_exam_is_taken_when_it_is_due_and_after_the_last_iteration(tmp_path):
    train(config(tmp_path / "run", iterations=7))
    assert list(exams_in(tmp_path / "run")) == [2, 4, 6, 7]


def test_the_best_is_the_checkpoint_with_the_lowest_eer_of_those_due(tmp_path):
    report = train(config(tmp_path / "run", iterations=10))
    exams = exams_in(tmp_path / "run")
    assert list(exams) == [2, 4, 6, 8, 10]
    best = min(exams, key=exams.get)  # the first of equals
    assert (report.best_iteration, report.held_out_eer) == (best, exams[best])
    description = read_description(tmp_path / "run" / BEST_FILE)
    assert (description.iteration, description.metrics["held_out_eer"]) == (best, exams[best])
    train(config(tmp_path / "so far", iterations=best))
    assert_same_weights(tmp_path / "run" / BEST_FILE, tmp_path / "so far" / WEIGHTS_FILE)


def test_the_best_is_the_first_of_equals_and_need_not_be_the_last(tmp_path):
    scripted = script({2: 0.4, 4: 0.2, 6: 0.3, 8: 0.2}.get)
    report = train(config(tmp_path / "run"), **scripted)
    assert exams_in(tmp_path / "run") == {2: 0.4, 4: 0.2, 6: 0.3, 8: 0.2}
    assert (report.best_iteration, report.held_out_eer, report.iteration) == (4, 0.2, 8)
    train(config(tmp_path / "so far", iterations=4), **scripted)
    assert_same_weights(tmp_path / "run" / BEST_FILE, tmp_path / "so far" / WEIGHTS_FILE)
    assert read_description(tmp_path / "run" / WEIGHTS_FILE).iteration == 8


def test_of_a_run_the_best_is_what_others_use(tmp_path):
    scripted = script({2: 0.4, 4: 0.2, 6: 0.3, 8: 0.2}.get)
    train(config(tmp_path / "run"), **scripted)
    assert locate_checkpoint(str(tmp_path / "run")) == tmp_path / "run" / BEST_FILE
    report = examine(tmp_path / "run")
    assert (report.network.iteration, report.network.iterations) == (4, 8)


def test_checkpoints_keep_the_threshold_and_calibration_of_their_own_exam(tmp_path):
    """Scores twice as large after each step: their order, and so the EER, stays, and the first exam's is the best.

    A power of 2 is exact in floating point, and the temperature of 4 times the scores is 4 times as high.
    """

    class Doubling(Trainer):
        def step(self, iteration):
            with torch.no_grad():
                self.network.head.weight.fill_(-(2.0**iteration))
                self.network.head.bias.zero_()
            return torch.tensor(0.5), torch.tensor(0.5)

    train(config(tmp_path / "run", iterations=4), new_trainer=Doubling)
    best, last = (read_description(tmp_path / "run" / name) for name in (BEST_FILE, WEIGHTS_FILE))
    assert (best.iteration, last.iteration) == (2, 4)
    assert last.calibration["temperature"] == pytest.approx(4 * best.calibration["temperature"], rel=1e-4)
    exam = HeldOutExam(training_images(config(None))[1], SMALL.network, CPU)
    for name, description in ((BEST_FILE, best), (WEIGHTS_FILE, last)):
        result = exam.take(load_checkpoint(tmp_path / "run" / name)[0])
        assert description.calibration == pytest.approx(result.calibration, rel=1e-4)
        assert description.threshold == pytest.approx(result.threshold, rel=1e-4)
        assert description.metrics["held_out_eer"] == pytest.approx(result.eer, abs=1e-6)


def test_the_eer_of_the_checkpoint_is_that_of_an_exam_of_all_pairs_of_the_held_out_alphabets(tmp_path):
    """That exam counts scores in bins of 1 in 2,048: scores moved by 1 in 1,024 either way bound both figures."""
    train(config(tmp_path / "run", iterations=20, learning_rate=3e-3))
    exam = examine(tmp_path / "run", subset="held-out", exams=("all-pairs",)).exams[0]
    network, description = load_checkpoint(tmp_path / "run" / BEST_FILE)
    packed = training_images(config(None))[1]
    scores, similar = two_loops(network, packed, range(len(packed)))
    step = np.abs(scores) / 1024 * np.where(similar, 1, -1)
    best, worst = (equal_error_rate(similar, scores + sign * step) for sign in (1, -1))
    assert worst - best < 0.1
    for eer in (exam.measure("eer").value, description.metrics["held_out_eer"]):
        assert best - 2e-5 <= eer <= worst + 2e-5
    assert exam.threshold == description.threshold


# ---- what the exam does not change ----


def test_taking_the_exam_does_not_change_the_weights(tmp_path):
    for every in (1, 1000):
        train(config(tmp_path / str(every), exam_every=every))
    assert list(exams_in(tmp_path / "1")) == list(range(1, 9))
    assert list(exams_in(tmp_path / "1000")) == [8]
    for name in (WEIGHTS_FILE, STATE_FILE):
        assert digest(tmp_path / "1" / name, "sha256") == digest(tmp_path / "1000" / name, "sha256"), name

    class Nothing(HeldOutExam):
        def take(self, network):
            return None

    train(config(tmp_path / "none"), new_exam=Nothing)
    assert exams_in(tmp_path / "none") == {}
    assert_same_weights(tmp_path / "1" / WEIGHTS_FILE, tmp_path / "none" / WEIGHTS_FILE)


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_stopped_and_resumed_run_ends_with_the_weights_and_the_best_of_one_never_stopped(tmp_path, once, stop):
    whole, straight = once("straight", lambda folder: train(config(folder / "run")))
    train(config(tmp_path / "halves"), stop_button=stop_after(stop))
    resumed = train(config(tmp_path / "halves"), resume=tmp_path / "halves")
    for name in (WEIGHTS_FILE, STATE_FILE, BEST_FILE):
        assert digest(whole / "run" / name, "sha256") == digest(tmp_path / "halves" / name, "sha256"), name
    assert (resumed.best_iteration, resumed.held_out_eer) == (straight.best_iteration, straight.held_out_eer)
    assert exams_in(tmp_path / "halves").items() >= exams_in(whole / "run").items()


def test_an_exam_that_only_a_stop_brought_about_does_not_choose_the_best(tmp_path):
    """Else the best would depend on when somebody pressed Ctrl-C."""
    scripted = script({2: 0.4, 3: 0.1, 4: 0.3, 6: 0.2, 8: 0.3}.get)
    train(config(tmp_path / "halves"), **scripted, stop_button=stop_after(3))
    assert train(config(tmp_path / "halves"), **scripted, resume=tmp_path / "halves").best_iteration == 6


def test_the_best_does_not_depend_on_how_often_checkpoints_are_written(tmp_path):
    scripted = script({iteration: 0.5 - 0.01 * iteration if iteration % 2 else 0.5 for iteration in range(1, 9)}.get)
    often = replace(config(tmp_path / "often"), checkpoint_seconds=0.0)
    assert train(often, **scripted).best_iteration == train(config(tmp_path / "seldom"), **scripted).best_iteration == 2


def test_a_resumed_run_keeps_a_best_from_before_that_is_never_reached_again(tmp_path):
    scripted = script({2: 0.1, 4: 0.3, 6: 0.2, 8: 0.3}.get)
    train(config(tmp_path / "run"), **scripted, stop_button=stop_after(4))
    kept = digest(tmp_path / "run" / BEST_FILE, "sha256")
    report = train(config(tmp_path / "run"), **scripted, resume=tmp_path / "run")
    assert (report.best_iteration, report.held_out_eer) == (2, 0.1)
    assert digest(tmp_path / "run" / BEST_FILE, "sha256") == kept


# ---- exams on what was held out ----


@pytest.fixture
def run(tmp_path):
    train(config(tmp_path / "run"))
    return str(tmp_path / "run")


def test_an_exam_can_be_taken_on_the_held_out_alphabets(run):
    report = examine(run, subset="held-out", exams=("all",), way=3, episodes=50)
    assert (report.seen, report.subset, report.dataset) == ("held-out", "held-out", "synthetic/training")
    assert (report.images, report.classes, report.alphabets) == (CHARACTERS * DRAWERS, CHARACTERS, 1)
    same_alphabet = next(exam for exam in report.exams if exam.exam == "same-alphabet")
    assert tuple(group.name for group in same_alphabet.groups) == report.network.held_out
    assert report.network.held_out == training_images(config(None))[1].group_names


def test_images_of_the_test_set_were_never_seen_and_those_of_the_training_set_were(run):
    assert examine(run).seen == "never"
    report = examine(run, subset="training")
    assert (report.seen, report.images) == ("training", (ALPHABETS - 1) * CHARACTERS * DRAWERS)  # held out: one


def test_a_run_without_holdout_has_no_held_out_alphabets_to_examine(tmp_path):
    train(config(tmp_path / "run", holdout=0))
    with pytest.raises(BadInput, match="this network has no held-out alphabets") as caught:
        examine(tmp_path / "run", subset="held-out")
    assert "--holdout" in caught.value.line()


def test_a_baseline_has_no_held_out_alphabets():
    with pytest.raises(BadInput, match="a baseline has no held-out alphabets"):
        evaluate(EvalConfig(baseline="pixels", dataset=drawings(), subset="held-out", device="cpu"))


def test_held_out_alphabets_of_other_data_are_refused(run):
    with pytest.raises(BadInput, match="trained on other images than synthetic/training holds now"):
        examine(run, drawings(CHARACTERS + 1), subset="held-out")


@pytest.mark.parametrize("exam", ["pairs", "all-pairs", "same-alphabet", "one-shot"])
def test_every_exam_can_be_taken_on_each_set(run, exam):
    for subset in ("test", "held-out", "training"):
        report = examine(run, subset=subset, exams=(exam,), way=3, episodes=20, batches=1)
        assert [one.exam for one in report.exams] == [exam]


# ---- slack ----

NOISY = {2: 0.3, 4: 0.2, 6: 0.29, 8: 0.31, 10: 0.25, 12: 0.4}  # at other iterations 0.5


def noisy(iteration):
    return NOISY.get(iteration, 0.5)


@pytest.mark.parametrize(("slack", "best"), [(0.0, 4), (0.4, 4), (0.6, 10), (1.0, 10), (3.0, 12)])
def test_with_slack_the_best_is_the_latest_network_whose_error_is_not_much_higher_than_the_lowest(
    tmp_path, slack, best
):
    """Of 4 held-out classes, so a slack of 1 allows half as much again: 0.3 after 0.2, which 0.25 is within."""
    report = train(config(tmp_path / "run", iterations=12, slack=slack), **script(noisy))
    assert (report.best_iteration, report.held_out_eer) == (best, NOISY[best])
    metrics = read_description(report.best).metrics
    assert metrics.get("held_out_eer_least") == (0.2 if slack else None)


@pytest.mark.parametrize("stop", [3, 5, 6, 9, 11])
def test_a_resumed_run_knows_the_lowest_error_before_it(tmp_path, once, stop):
    """0.29 is within half of 0.2 and becomes the best; 0.31 is within half of 0.29, but not of the lowest."""
    scripted = script(lambda iteration: {**NOISY, 10: 0.31}.get(iteration, 0.5))
    whole, _ = once("slack", lambda folder: train(config(folder / "run", iterations=12, slack=1.0), **scripted))
    train(config(tmp_path / "halves", iterations=12, slack=1.0), **scripted, stop_button=stop_after(stop))
    resumed = train(config(tmp_path / "halves", iterations=12, slack=1.0), **scripted, resume=tmp_path / "halves")
    assert resumed.best_iteration == 6
    assert digest(whole / "run" / BEST_FILE, "sha256") == digest(tmp_path / "halves" / BEST_FILE, "sha256")


def test_a_slack_that_is_no_share_is_refused():
    for slack in (-0.1, 101.0, float("nan")):
        with pytest.raises(BadInput, match="slack must be between 0 and 100"):
            SMALL.changed(slack=slack)


# ---- patience ----

FALLING = {2: 0.4, 4: 0.2, 6: 0.3, 8: 0.25, 10: 0.2, 12: 0.1, 14: 0.1, 16: 0.1}  # at other iterations 0.35


def falling(iteration):
    return FALLING.get(iteration, 0.35)


@pytest.mark.parametrize(("patience", "last"), [(0, 16), (1, 6), (2, 8), (3, 10), (4, 16)])
def test_a_run_stops_after_so_many_exams_in_a_row_without_a_better_network(tmp_path, patience, last):
    report = train(config(tmp_path / "run", iterations=16, patience=patience), **script(falling))
    assert (report.iteration, report.stopped_by) == (last, None if last == 16 else "patience")
    assert report.best_iteration == (12 if last == 16 else 4)
    assert list(exams_in(tmp_path / "run")) == list(range(2, last + 1, 2))
    for name in (WEIGHTS_FILE, STATE_FILE):
        assert read_description(tmp_path / "run" / name).iteration == last


@pytest.mark.parametrize("stop", [1, 3, 4, 6, 7])
def test_an_interrupted_run_stops_where_one_never_interrupted_stops(tmp_path, once, stop):
    scripted = script(falling)
    whole, _ = once("patience", lambda folder: train(config(folder / "run", iterations=16, patience=2), **scripted))
    train(config(tmp_path / "halves", iterations=16, patience=2), **scripted, stop_button=stop_after(stop))
    resumed = train(config(tmp_path / "halves", iterations=16, patience=2), **scripted, resume=tmp_path / "halves")
    assert (resumed.iteration, resumed.stopped_by, resumed.best_iteration) == (8, "patience", 4)
    for name in (WEIGHTS_FILE, STATE_FILE, BEST_FILE):
        assert digest(whole / "run" / name, "sha256") == digest(tmp_path / "halves" / name, "sha256"), name


def test_a_run_that_has_stopped_goes_on_only_with_another_patience(tmp_path):
    scripted = script(falling)
    train(config(tmp_path / "run", iterations=16, patience=2), **scripted)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(BadInput, match="its last exams found no better network than iteration 4") as refused:
        train(config(tmp_path / "run", iterations=16, patience=2), **scripted, resume=tmp_path / "run")
    assert "another --patience; 0 never stops" in refused.value.line()
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    going_on, folder, done = continued(config(None), str(tmp_path / "run"), {"patience": 5})
    assert (going_on.recipe.patience, folder, done) == (5, tmp_path / "run", 8)
    report = train(config(tmp_path / "run", iterations=16, patience=5), **scripted, resume=tmp_path / "run")
    assert (report.iteration, report.best_iteration) == (16, 12)
    train(config(tmp_path / "straight", iterations=16), **scripted)
    assert_same_weights(tmp_path / "run" / WEIGHTS_FILE, tmp_path / "straight" / WEIGHTS_FILE)


def test_a_run_whose_exams_have_no_result_stops_too(tmp_path):
    class Nothing(HeldOutExam):
        def take(self, network):
            return None

    assert train(config(tmp_path / "run", patience=3), new_exam=Nothing).iteration == 6


@pytest.mark.parametrize("again", [train, plan])
def test_patience_without_held_out_classes_is_refused(tmp_path, again):
    with pytest.raises(BadInput, match="counts exams on classes that are kept out of training, and none are"):
        again(config(tmp_path / "run", patience=3, holdout=0))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("iterations", [5, 8, 9, 16, 17])
@pytest.mark.parametrize("patience", [0, 1, 3, 7, 8])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_whether_a_run_can_stop_early_is_known_before_it(iterations, patience, every):
    recipe = TINY.changed(iterations=iterations, patience=patience)
    exams = range(every, iterations, every)
    stops = any(is_out_of_patience(recipe, every, done, best) for best in exams for done in exams if done >= best)
    assert can_stop_early(recipe, every) == stops


def test_patience_is_a_number_of_exams():
    with pytest.raises(BadInput, match="patience must be 0 or more exams, not -1"):
        SMALL.changed(patience=-1)
