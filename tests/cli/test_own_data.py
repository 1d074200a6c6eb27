"""A folder of the user's own images, from train over eval to report, by the command line."""

import json
import shutil

import pytest
from drawn_places import draw_place, signature, write

from omnitwin.model.description import read_description
from omnitwin.training import origin

FEW = ("--recipe", "fast", "--iterations", 2, "--batch-size", 16, "--precision", "fp32", "--device", "cpu", "--quiet")
CLASSES = {f"writer {index:02}": 5 for index in range(12)}


@pytest.fixture
def place(tmp_path):
    """Twelve people with five signatures each."""
    return draw_place(tmp_path / "signatures", CLASSES, signature)


@pytest.fixture
def trained(run, home, place):
    """A network of two steps on these signatures, by the name `mine`."""
    outcome = run("train", "--data", place, "--name", "mine", *FEW)
    assert outcome.code == 0, outcome.err
    return place


def evaluated(run, *words):
    outcome = run("eval", "--checkpoint", "mine", "--exam", "all-pairs", "--json", "--quiet", *words)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_folder_is_trained_on_and_its_test_classes_are_examined(run, trained):
    report = evaluated(run)
    assert (report["dataset"], report["subset"], report["seen"]) == ("signatures/test", "test", "never")
    assert (report["images"], report["classes"]) == (10, 2)  # a fifth of 12 classes
    assert report["exams"][0]["n"] == 10 * 9 // 2


def test_the_checkpoint_says_where_and_on_which_classes_it_was_trained(run, home, trained):
    (weights,) = home.rglob("weights.safetensors")
    found = read_description(weights)
    assert found.data is not None
    assert {**found.data, "classes": None} == {
        "place": str(trained),
        "pattern": None,
        "split": "classes",
        "seed": 0,
        "classes": None,
    }
    assert len(found.data["classes"]) == 12 - 2 - len(found.held_out)
    assert not set(found.data["classes"]) & set(found.held_out)


@pytest.mark.parametrize(
    ("subset", "seen", "classes"), [("held-out", "held-out", 2), ("training", "training", 8), ("all", "training", 12)]
)
def test_every_part_can_be_examined_and_is_told_for_what_it_is(run, trained, subset, seen, classes):
    report = evaluated(run, "--set", subset)
    assert (report["seen"], report["classes"]) == (seen, classes)


def test_a_class_that_chose_the_threshold_never_comes_into_the_test(run, home, trained):
    (weights,) = home.rglob("weights.safetensors")
    held_out = read_description(weights).held_out
    for name in CLASSES:
        if name not in held_out:
            shutil.rmtree(trained / name)
    for number in range(4):
        for index in range(3):
            write(trained / f"newcomer {number}" / f"{index}.png", signature((number, index)))
    report = evaluated(run, "--seed", 0)
    assert not set(report["left_out"]) - set(held_out)
    assert (report["seen"], report["chose_threshold"]) == ("never", False)
    worst = [each["name"] for each in report["exams"][0]["worst"]]
    assert worst
    assert not set(worst) & set(held_out)


def test_classes_that_were_trained_on_never_come_into_the_test(run, home, trained):
    (weights,) = home.rglob("weights.safetensors")
    known = set(read_description(weights).data["classes"])
    for name in CLASSES:
        if name not in known:
            shutil.rmtree(trained / name)  # now the split has to take classes that were trained on
    for name in ("newcomer a", "newcomer b", "newcomer c", "newcomer d"):
        for index in range(3):
            write(trained / name / f"{index}.png", signature((name, index)))
    report = evaluated(run)
    table = {name for name in report["left_out"]}
    assert table <= known
    assert report["classes"] + len(table) == 2
    assert report["seen"] == "never" or report["classes"] == 2


def test_a_copy_and_a_link_of_the_images_are_divided_as_in_training(run, home, place, tmp_path):
    words = ("train", "--data", place, "--name", "mine", "--split", "images", "--override", "drawings=2", "--seed", 3)
    assert run(*words, *FEW).code == 0
    (tmp_path / "linked").symlink_to(place)
    copied = shutil.copytree(place, tmp_path / "copied")
    here = evaluated(run)
    for other in (tmp_path / "linked", copied):
        report = evaluated(run, "--data", other)
        assert (report["seen"], report["place"]["split"], report["place"]["seed"]) == ("closed", "images", 3)
        assert report["images"] == here["images"]
    name = next(iter(CLASSES))
    write(copied / name / "0.png", signature("another"))
    assert evaluated(run, "--data", copied)["seen"] == "never"  # other images, as far as one can tell


def test_images_that_were_trained_on_are_not_read_or_divided_in_another_way(run, trained, tmp_path):
    copied = shutil.copytree(trained, tmp_path / "copied")
    for words in (("--split", "images"), ("--label-from", "(writer)")):
        for place in ((), ("--data", trained), ("--data", copied)):
            outcome = run("eval", "--checkpoint", "mine", "--exam", "all-pairs", *place, *words, "--quiet")
            assert (outcome.code, outcome.out) == (2, "")
            assert f"{words[0]} '{words[1]}' cannot change" in outcome.complaint()
        outcome = run("train", "--resume", "mine", "--iterations", 3, *words, "--quiet")
        assert outcome.code == 2
        assert f"{words[0]} '{words[1]}' cannot change" in outcome.complaint()


def test_a_network_of_all_classes_after_folds_has_nothing_new_to_be_examined_on(run, home, place, tmp_path):
    assert run("train", "--data", place, "--name", "mine", "--folds", 2, "--override", "drawings=2", *FEW).code == 0
    copied = shutil.copytree(place, tmp_path / "copied")
    for words in ((), ("--data", copied)):
        assert evaluated(run, *words)["seen"] == "training"


def test_a_set_that_is_split_by_images_is_told_to_be_closed(run, home, place):
    words = ("train", "--data", place, "--name", "mine", "--split", "images", "--override", "drawings=2")
    assert run(*words, *FEW).code == 0
    report = evaluated(run)
    assert report["seen"] == "closed"
    outcome = run("eval", "--checkpoint", "mine", "--batches", 1)
    assert "closed set" in " ".join(outcome.out.split())
    assert [evaluated(run, "--set", part)["chose_threshold"] for part in ("test", "held-out", "all")] == [
        False,
        True,
        True,
    ]
    refused = run("eval", "--checkpoint", "mine", "--split", "classes")
    assert refused.code == 2
    assert "--split 'classes' cannot change: these images were trained on with 'images'" in refused.err


def test_of_more_classes_than_a_file_has_names_none_is_claimed_to_be_new(run, place, tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "MOST_CLASSES", 3)
    assert run("train", "--data", place, "--name", "mine", *FEW).code == 0
    assert evaluated(run)["seen"] == "never"  # the images are those of the training, which says what was trained on
    assert evaluated(run, "--set", "training")["seen"] == "training"
    other = draw_place(tmp_path / "other", CLASSES, signature)
    assert evaluated(run, "--data", other)["seen"] == "never"  # a copy
    for folder in (place, other):
        for name in CLASSES:
            (folder / name / "0.png").unlink()
        assert evaluated(run, "--data", folder)["seen"] == "unknown"


def test_the_network_of_another_set_is_examined_on_the_same_test(run, trained):
    outcome = run("eval", "--checkpoint", "bundled", "--data", trained, "--exam", "all-pairs", "--json", "--quiet")
    report = json.loads(outcome.out)
    assert (report["seen"], report["images"]) == ("never", 10)


def test_the_pixels_themselves_are_a_baseline_of_own_images(run, trained):
    outcome = run("eval", "--baseline", "pixels", "--data", trained, "--exam", "all-pairs", "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["images"] == 10
    for subset, seen in (("test", "never"), ("training", "training"), ("all", "training")):  # which it is fitted on
        words = ("--baseline", "pixels", "--data", trained, "--set", subset, "--exam", "pairs", "--batches", 1)
        assert json.loads(run("eval", *words, "--json", "--quiet").out)["seen"] == seen


def test_a_run_goes_on_where_its_images_lie_now(run, trained, tmp_path):
    moved = trained.rename(tmp_path / "elsewhere")
    outcome = run("train", "--resume", "mine", "--iterations", 3, "--quiet")
    assert outcome.code == 2
    assert "not at" in outcome.complaint()
    assert "--data PATH" in outcome.complaint()
    assert run("train", "--resume", "mine", "--iterations", 3, "--data", moved, "--quiet").code == 0


def test_a_run_does_not_go_on_with_other_images(run, trained):
    name = next(iter(CLASSES))
    write(trained / name / "0.png", signature("another"))
    outcome = run("train", "--resume", "mine", "--iterations", 3, "--quiet")
    complaint = outcome.complaint()
    assert (outcome.code, "other images" in complaint) == (2, True), complaint


def test_a_report_is_about_its_own_test_classes(run, trained, tmp_path):
    page = tmp_path / "page.html"
    outcome = run("report", "mine", "--exam", "all-pairs", "--output", page, "--quiet")
    assert outcome.code == 0, outcome.err
    assert "signatures/test" in page.read_text("utf-8")


@pytest.mark.parametrize("command", [("train",), ("eval",), ("report",)])
def test_what_neither_is_a_name_nor_there_is_refused(run, command):
    outcome = run(*command, "--data", "no-such-folder")
    assert outcome.code == 2
    assert "no data set is called 'no-such-folder', and there is no such folder or file" in outcome.complaint()


def test_options_of_own_images_are_refused_for_a_set_by_its_name(run):
    for words in (("--label-from", "x"), ("--split", "images")):
        outcome = run("eval", "--baseline", "pixels", "--data", "synthetic", *words)
        assert (outcome.code, f"{words[0]} has no effect on synthetic" in outcome.complaint()) == (2, True)


def test_the_old_name_of_the_option_still_works_alone(run, home):
    assert run("eval", "--baseline", "pixels", "--dataset", "synthetic", "--batches", 1, "--quiet").code == 0
    outcome = run("eval", "--baseline", "pixels", "--dataset", "synthetic", "--data", "synthetic")
    assert (outcome.code, "Give --data only" in outcome.complaint()) == (2, True)


def test_a_set_that_cannot_be_trained_on_is_refused_with_what_is_missing(run, home, tmp_path):
    place = draw_place(tmp_path / "two", {"a": 3, "b": 3}, signature)
    outcome = run("train", "--data", place, *FEW)
    assert outcome.code == 2
    assert "it has 2 classes, and training needs at least 4" in outcome.complaint()
