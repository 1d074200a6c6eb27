"""Training over folds of classes: what is trained, measured and kept, and what goes on after a stop."""

import json
from collections import Counter
from contextlib import nullcontext

import pytest
from drawn_places import draw_place, signature
from listening import Notes

from omnitwin.answers.runs import list_runs, remove_runs
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import TrainConfig
from omnitwin.data.own import everything, folds_of, open_place
from omnitwin.errors import BadInput
from omnitwin.exams.folds import train_folds
from omnitwin.model.description import read_description
from omnitwin.recipes import FAST
from omnitwin.system.paths import runs_folder

RECIPE = FAST.changed(iterations=4, batch_size=16, drawings=2, holdout=0)
COUNTS = {f"class {index:02}": 3 for index in range(12)}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """12 classes of 3 signatures; not to be changed."""
    place = draw_place(tmp_path_factory.mktemp("signatures") / "hands", COUNTS, signature)
    return open_place(place, RECIPE.network.view, processes=0)


def config(output, **fields):
    return TrainConfig(**{"recipe": RECIPE, "device": "cpu", "output": output, "exam_every": 2, **fields})


def button(stops):
    """A stop button that is pressed after so many steps."""
    steps = iter(range(stops))
    return lambda: nullcontext(lambda: None if next(steps, None) is not None else "SIGINT")


def trained(own, output, count=3, **words):
    return train_folds(config(output), folds_of(own, count), everything(own), **words)


def test_every_class_is_a_test_class_once_and_is_not_trained_on_then(own):
    divisions = folds_of(own, 3)
    tested = Counter(name for parts in divisions for name in parts["test"].class_names)
    assert tested == Counter(dict.fromkeys(COUNTS, 1))
    for parts in divisions:
        names = [set(parts[part].class_names) for part in ("training", "held-out", "test")]
        assert sum(map(len, names)) == len(set.union(*names)) == 12


def test_the_last_network_is_of_all_classes_and_has_what_the_folds_chose(own, tmp_path):
    report = trained(own, tmp_path / "run")
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
    assert description.fingerprint == everything(own).fingerprint
    assert description.held_out == ()
    assert description.metrics["folds"] == 3.0
    assert description.metrics["folds_eer"] == report.exam.measure("eer").value
    verifier = open_verifier(str(tmp_path / "run"))
    assert (verifier.threshold, verifier.path) == (report.threshold, report.weights)


def test_the_folder_keeps_the_figures_and_not_the_networks_of_the_folds(own, tmp_path):
    report = trained(own, tmp_path / "run")
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


@pytest.mark.parametrize("stops", [6, 13])
def test_a_stopped_run_goes_on_to_the_same_network_as_an_uninterrupted_one(own, tmp_path, stops):
    whole = trained(own, tmp_path / "whole")
    output = tmp_path / "stopped"
    first = trained(own, output, new_stop_button=button(stops))
    assert first.stopped_by == "SIGINT"
    assert first.done == min(3, stops // 4)
    assert first.weights is None
    listener = Notes()
    again = train_folds(config(output), folds_of(own, 3), everything(own), listener, resume=output)
    assert again.weights_sha256 == whole.weights_sha256
    assert again.exam == whole.exam


def test_a_fold_that_is_done_is_not_trained_again(own, tmp_path):
    output = tmp_path / "run"
    trained(own, output, new_stop_button=button(9))
    weights = {path: path.stat().st_mtime_ns for path in (output / "folds").glob("[12]/*.safetensors")}
    assert len(weights) >= 4
    trained(own, output, new_stop_button=button(1), resume=output)
    assert {path: path.stat().st_mtime_ns for path in weights} == weights


def test_a_run_of_other_folds_or_another_recipe_is_not_gone_on_with(own, tmp_path):
    output = tmp_path / "run"
    trained(own, output, new_stop_button=button(2))
    with pytest.raises(BadInput, match="other folds, images or another recipe"):
        trained(own, output, count=2, resume=output)
    other = config(output, recipe=RECIPE.changed(seed=1))
    with pytest.raises(BadInput, match="other folds, images or another recipe"):
        train_folds(other, folds_of(own, 3), everything(own), resume=output)


def test_a_run_under_way_is_listed_and_can_be_removed(own, tmp_path, monkeypatch):
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path))
    trained(own, runs_folder() / "under-way", new_stop_button=button(6))
    (run,) = list_runs().runs
    assert (run.name, run.recipe, run.iteration, run.problem) == ("under-way", "fast", 0, None)
    remove_runs(["under-way"])
    assert not (runs_folder() / "under-way").exists()


def test_a_run_that_is_done_is_not_gone_on_with(own, tmp_path):
    trained(own, tmp_path / "run")
    with pytest.raises(BadInput, match="has done its folds"):
        trained(own, tmp_path / "run", resume=tmp_path / "run")
    with pytest.raises(BadInput, match="not empty"):
        trained(own, tmp_path / "run")


def test_a_target_that_the_folds_cannot_show_is_refused_before_anything_is_trained(own, tmp_path):
    with pytest.raises(BadInput, match="0001 cannot be shown: the folds have 162 dissimilar pairs"):
        train_folds(config(tmp_path / "run", target="far=0.0001"), folds_of(own, 3), everything(own))
    assert not (tmp_path / "run").exists()
