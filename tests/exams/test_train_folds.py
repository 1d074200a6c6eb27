"""Training over folds of classes: what is trained, measured and kept, and what goes on after a stop."""

import json
from collections import Counter

import pytest
from drawn_places import draw_place, signature
from listening import Notes

from omnitwin.answers.runs import list_runs, remove_runs
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data.own import open_folds
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.exams import pooling
from omnitwin.exams.folds import continued_folds, train_folds
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import FAST
from omnitwin.system.paths import runs_folder
from omnitwin.training.training import train

RECIPE = FAST.changed(iterations=4, batch_size=16, drawings=2, holdout=0)
COUNTS = {f"class {index:02}": 3 for index in range(12)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """12 classes of 3 signatures; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("signatures") / "hands", COUNTS, signature)


def opened(place, count=3):
    return open_folds(place, RECIPE.network.view, count, processes=0)


def config(place, output, **fields):
    fields = {"recipe": RECIPE, "device": "cpu", "exam_every": 2, **fields}
    return TrainConfig(dataset=place, output=output, **fields)


class Button:
    """A stop button that is pressed after so many steps of all trainings together."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        return self

    def __enter__(self):
        return self.stop

    def __exit__(self, *exception):
        self.left += 1  # a call after the last step

    def stop(self):
        self.left -= 1
        return "SIGINT" if self.left < 0 else None


def trained(place, output, count=3, **words):
    return train_folds(config(place, output), count, **words)


def test_every_class_is_a_test_class_once_and_is_not_trained_on_then(place):
    divisions, _ = opened(place)
    tested = Counter(name for parts in divisions for name in parts["test"].class_names)
    assert tested == Counter(dict.fromkeys(COUNTS, 1))
    for parts in divisions:
        names = [set(parts[part].class_names) for part in ("training", "held-out", "test")]
        assert sum(map(len, names)) == len(set.union(*names)) == 12


def test_the_last_network_is_of_all_classes_and_has_what_the_folds_chose(place, tmp_path):
    report = trained(place, tmp_path / "run")
    assert (report.count, report.done, report.stopped_by) == (3, 3, None)
    assert [fold.tested for fold in report.folds] == [4, 4, 4]
    assert all(fold.iteration in (2, 4) for fold in report.folds)
    assert report.iterations == sorted(fold.iteration for fold in report.folds)[1]
    assert report.exam.n == 3 * (12 * 11 // 2)  # all pairs of the 12 test images of each fold
    assert report.exam.measure("eer").interval is not None
    description = read_description(report.weights)
    assert description.iteration == description.iterations == report.iterations
    assert description.threshold == report.threshold
    assert description.operating == report.operating
    assert description.fingerprint == opened(place)[1].fingerprint
    assert description.held_out == ()
    assert description.data["place"] == str(place)
    assert description.data["classes"] == sorted(COUNTS)
    assert description.metrics["folds"] == 3.0
    assert description.metrics["folds_eer"] == report.exam.measure("eer").value
    verifier = open_verifier(str(tmp_path / "run"))
    assert (verifier.threshold, verifier.path) == (report.threshold, report.weights)


def test_the_folder_keeps_the_figures_and_not_the_networks_of_the_folds(place, tmp_path):
    report = trained(place, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.json",
        "folds.json",
        "metrics.jsonl",
        "weights.safetensors",
    ]
    record = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert [fold["fold"] for fold in record["folds"]] == [1, 2, 3]
    figures = {figure["name"]: figure["value"] for figure in record["figures"]}
    assert figures["eer"] == report.exam.measure("eer").value


@pytest.mark.parametrize("stops", [7, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (6, 13))])
def test_a_stopped_run_goes_on_to_the_same_network_as_an_uninterrupted_one(place, tmp_path, stops):
    whole = trained(place, tmp_path / "whole")
    output = tmp_path / "stopped"
    first = trained(place, output, new_stop_button=Button(stops))
    assert first.stopped_by == "SIGINT"
    assert first.done == min(3, (stops + 1) // 4)  # pressed in the last step of a fold, which then is done
    assert first.weights is None
    going_on, count = continued_folds(TrainConfig(device="cpu"), output)
    assert (going_on.dataset, count) == (place, 3)
    again = train_folds(going_on, count, resume=output)
    assert again.weights_sha256 == whole.weights_sha256
    assert again.exam == whole.exam


def test_a_fold_that_is_done_is_not_trained_again(place, tmp_path):
    output = tmp_path / "run"
    trained(place, output, new_stop_button=Button(9))
    weights = {path: path.stat().st_mtime_ns for path in (output / "folds").glob("[12]/*.safetensors")}
    assert len(weights) >= 4
    trained(place, output, new_stop_button=Button(1), resume=output)
    assert {path: path.stat().st_mtime_ns for path in weights} == weights


def test_a_fold_that_is_out_of_patience_is_done_and_the_network_of_all_classes_has_none(place, tmp_path):
    recipe = RECIPE.changed(iterations=40, patience=1, learning_rate=1e-9)
    report = train_folds(config(place, tmp_path / "run", recipe=recipe), 3)
    assert report.stopped_by is None
    assert all(fold.iteration < 40 for fold in report.folds)
    assert read_description(report.weights).iteration == report.iterations
    assert read_description(report.weights).recipe["patience"] == 0


def test_a_fold_that_was_killed_before_it_was_noted_is_not_trained_again(place, tmp_path):
    output = tmp_path / "run"
    recipe = RECIPE.changed(iterations=40, patience=1, learning_rate=1e-9)
    fields = {"recipe": recipe}
    train_folds(config(place, output, **fields), 3, new_stop_button=Button(9))
    path = output / "folds" / "folds.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "done": []}))
    assert train_folds(config(place, output, **fields), 3, resume=output).done == 3


def test_folds_that_start_from_a_trained_twin_go_on_after_a_stop(place, tmp_path):
    first = train(config(place, tmp_path / "first"))
    recipe = RECIPE.changed(start=str(first.weights))
    train_folds(config(place, tmp_path / "run", recipe=recipe), 2, new_stop_button=Button(6))
    going_on, count = continued_folds(TrainConfig(device="cpu"), tmp_path / "run")
    assert going_on.exam_every == 2
    report = train_folds(going_on, count, resume=tmp_path / "run")
    assert report.stopped_by is None
    assert read_description(report.weights).recipe["initial"]["start"] == str(first.weights)


def test_a_run_of_other_folds_or_another_recipe_is_not_gone_on_with(place, tmp_path):
    output = tmp_path / "run"
    trained(place, output, new_stop_button=Button(2))
    with pytest.raises(BadInput, match="other folds, images or another recipe"):
        trained(place, output, count=2, resume=output)
    other = config(place, output, recipe=RECIPE.changed(seed=1))
    with pytest.raises(BadInput, match="other folds, images or another recipe"):
        train_folds(other, 3, resume=output)


def test_a_run_under_way_is_listed_and_can_be_removed(place, tmp_path, monkeypatch):
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path))
    trained(place, runs_folder() / "under-way", new_stop_button=Button(6))
    (run,) = list_runs().runs
    assert (run.name, run.recipe, run.iteration, run.problem) == ("under-way", "fast", 0, None)
    remove_runs(["under-way"])
    assert not (runs_folder() / "under-way").exists()


def test_a_run_that_is_done_is_not_gone_on_with(place, tmp_path):
    trained(place, tmp_path / "run")
    with pytest.raises(BadInput, match="has done its folds"):
        continued_folds(TrainConfig(), tmp_path / "run")
    with pytest.raises(BadInput, match="not empty"):
        trained(place, tmp_path / "run")


def test_a_target_that_the_folds_cannot_show_is_refused_before_anything_is_trained(place, tmp_path):
    with pytest.raises(BadInput, match="0001 cannot be shown: the 162 dissimilar pairs of all folds together"):
        train_folds(config(place, tmp_path / "run", target="far=0.0001"), 3)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("images", ["synthetic", "split"])
def test_folds_are_of_classes_of_the_users_own_images(place, tmp_path, images):
    words = {"source": SourceConfig(split="images")} if images == "split" else {}
    with pytest.raises(BadInput, match="--folds is for classes of your own images"):
        train_folds(config(place if images == "split" else images, tmp_path / "run", **words), 3)


@pytest.mark.parametrize(
    "change",
    [
        {"count": True},
        {"done": ["1"]},
        {"recipe": []},
        {"target": "far=2"},
        {"precision": "fp7"},
        {"format_version": 2},
    ],
    ids=str,
)
def test_a_damaged_record_is_refused_in_one_line(place, tmp_path, change):
    output = tmp_path / "run"
    trained(place, output, new_stop_button=Button(1))
    path = output / "folds" / "folds.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadCheckpoint, match=r"folds\.json"):
        continued_folds(TrainConfig(), output)


def test_of_many_test_classes_some_are_compared_and_a_note_says_how_many(place, monkeypatch):
    _, everything = opened(place)
    monkeypatch.setattr(pooling, "MOST_CLASSES", 5)
    reporter = Notes()
    scored = pooling.score_fold(BUNDLED_WEIGHTS, everything, TrainConfig(device="cpu"), reporter)
    assert scored.classes == 5
    assert len(scored.logit_N) == 15 * 14 // 2  # 5 classes of 3 images
    assert set(scored.left_N.tolist()) == set(range(5))
    assert [line for line in reporter.said if "5 of 12 test classes are compared" in line]
