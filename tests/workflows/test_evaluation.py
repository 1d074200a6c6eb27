"""The exam is fair: chance is a half, an oracle is perfect, and the same seed is the same exam."""

from dataclasses import replace

import pytest
import torch

from omnitwin.config import SMALL, CompareConfig, EvalConfig, ShowConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.model import checkpoint
from omnitwin.model.checkpoint import Description
from omnitwin.model.twin import TwinNetwork
from omnitwin.paths import WEIGHTS_FILE
from omnitwin.workflows.browsing import show
from omnitwin.workflows.comparison import compare
from omnitwin.workflows.evaluation import evaluate
from omnitwin.workflows.trainer import build_network

MANY = EvalConfig(batches=10, batch_size=400, device="cpu")


@pytest.fixture(autouse=True)
def few_characters(monkeypatch):
    monkeypatch.setattr(synthetic, "ALPHABETS", {"training": 2, "test": 2})
    monkeypatch.setattr(synthetic, "CHARACTERS", 5)


@pytest.fixture
def run(tmp_path):
    """A run whose network is new: it knows nothing."""
    description = Description(
        recipe=SMALL, iteration=1, precision="fp32", dataset="synthetic/training", fingerprint="f" * 64, metrics={}
    )
    checkpoint.save_checkpoint(tmp_path / WEIGHTS_FILE, build_network(SMALL), description)
    return str(tmp_path)


def answer(monkeypatch, logits):
    """Let every network answer with the given function of two image batches."""
    monkeypatch.setattr(TwinNetwork, "forward", lambda self, left, right: logits(left, right))


def in_chance(report):
    """Within five standard errors of one half."""
    return abs(report.accuracy - 0.5) < 5 * 0.5 / report.n**0.5


@pytest.mark.parametrize("constant", [-3.0, 0.0, 3.0])
def test_a_constant_network_scores_chance(monkeypatch, run, constant):
    answer(monkeypatch, lambda left, right: torch.full((len(left),), constant))
    assert in_chance(evaluate(replace(MANY, checkpoint=run)))


def test_a_random_network_scores_chance(monkeypatch, run):
    answer(monkeypatch, lambda left, right: torch.randn(len(left), generator=torch.Generator().manual_seed(1)))
    assert in_chance(evaluate(replace(MANY, checkpoint=run)))


def test_a_network_that_knows_only_equal_pictures_scores_chance(monkeypatch, run):
    """No positive pair holds one image twice, so this gives nothing away."""
    answer(monkeypatch, lambda left, right: (left == right).flatten(1).all(1).float() * 2 - 1)
    report = evaluate(replace(MANY, checkpoint=run, show=4000))
    assert in_chance(report)
    assert not any(pair.predicted for pair in report.shown)


def test_an_oracle_is_always_right(monkeypatch, run):
    test_set = synthetic.draw_set("test", characters=5).resized(28)
    class_of = {
        image.numpy().tobytes(): int(kind) for image, kind in zip(test_set.images_NHW, test_set.class_N, strict=True)
    }

    def knows(left, right):
        kinds = [
            [class_of[image.mul(255).round().to(torch.uint8).numpy().tobytes()] for image in side[:, 0]]
            for side in (left, right)
        ]
        return torch.tensor([1.0 if one == other else -1.0 for one, other in zip(*kinds, strict=True)])

    answer(monkeypatch, knows)
    report = evaluate(replace(MANY, checkpoint=run, batches=2))
    assert (report.accuracy, report.right) == (1.0, 800)
    assert report.interval[1] == pytest.approx(1.0)


def test_a_score_at_the_threshold_counts_as_similar(monkeypatch, run):
    answer(monkeypatch, lambda left, right: torch.zeros(len(left)))  # probability 0.5, the threshold
    report = evaluate(EvalConfig(checkpoint=run, show=750, device="cpu"))
    assert all(pair.predicted and pair.score == 0.5 for pair in report.shown)


def test_the_same_seed_is_the_same_exam_and_another_seed_another(run):
    first, again, other = (evaluate(EvalConfig(checkpoint=run, seed=seed, show=9, device="cpu")) for seed in (3, 3, 4))
    assert first == again
    assert [pair.left_label for pair in first.shown] != [pair.left_label for pair in other.shown]


def test_the_accuracy_is_the_share_of_right_answers_shown(run):
    report = evaluate(EvalConfig(checkpoint=run, batches=3, batch_size=20, show=60, device="cpu"))
    right = sum(pair.predicted == pair.similar for pair in report.shown)
    assert (report.right, report.n, report.accuracy) == (right, 60, right / 60)
    assert sum(report.accuracies) / 3 == pytest.approx(report.accuracy)


def test_the_exam_takes_the_test_characters_of_the_set_trained_on(run):
    assert evaluate(EvalConfig(checkpoint=run, device="cpu")).dataset == "synthetic/test"


def test_a_dataset_drawing_compared_as_a_file_scores_as_in_the_exam(run, tmp_path):
    from PIL import Image

    report = evaluate(EvalConfig(checkpoint=run, batches=1, batch_size=3, show=3, device="cpu"))
    for pair in report.shown:
        paths = []
        for name, picture in (("a.png", pair.left), ("b.png", pair.right)):
            image = Image.frombytes("L", (picture.width, picture.height), picture.pixels)
            image.save(tmp_path / name)
            paths.append(tmp_path / name)
        answered = compare(CompareConfig(first=paths[0], second=paths[1], checkpoint=run))
        assert answered.probability == pytest.approx(pair.score, abs=0.02)


def test_show_draws_different_images_and_both_kinds_of_pair():
    report = show(ShowConfig(dataset="synthetic", subset="test", images=50, pairs=40))
    assert len({image.label for image in report.images}) == 50
    assert {pair.similar for pair in report.pairs} == {True, False}
    for pair in report.pairs:
        same_class = pair.left_label.split(",")[0] == pair.right_label.split(",")[0]
        assert pair.similar == same_class
        assert pair.left_label != pair.right_label


def test_show_refuses_more_images_than_there_are():
    with pytest.raises(BadInput, match="200 images, fewer than 201"):
        show(ShowConfig(dataset="synthetic", subset="test", images=201))
