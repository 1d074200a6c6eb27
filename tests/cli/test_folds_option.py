"""`omnitwin train --folds K`: its screen, its JSON, what it refuses, and how it goes on."""

import json

import pytest
from drawn_places import draw_place, signature

CLASSES = {f"hand {index}": 3 for index in range(8)}
SHORT = ("--recipe", "fast", "--iterations", 12, "--batch-size", 16, "--override", "drawings=2", "--device", "cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """8 classes of 3 signatures; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("pictures") / "hands", CLASSES, signature)


def test_the_screen_names_each_fold_the_figures_and_the_network(run, place):
    outcome = run("train", "--data", place, *SHORT, "--folds", 2, "--name", "both")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("Done: 2 folds in ")
    folds = [line for line in lines if line.startswith("fold ")]
    assert [line.split(":")[0].split("  ")[0] for line in folds] == ["fold 1", "fold 2"]
    assert all("4 test classes: EER " in line for line in folds)
    assert any(line.startswith("equal error rate (EER)") and " to " in line for line in lines)
    assert "8 classes resampled" in outcome.out
    for rate in ("false accepts (FAR)", "false rejects (FRR)"):
        assert any(line.startswith(rate) and " to " in line for line in lines)
    (threshold,) = (line for line in lines if line.startswith("threshold "))
    assert "on 8 held-out classes of hands" in threshold
    assert threshold.endswith("cross-validated on these classes")
    assert lines[-1] == "Compare with it: omnitwin compare A.png B.png --checkpoint both"
    assert "Fold 2 of 2: 4 test classes" in outcome.err
    files = [place / "hand 0" / "0.png", place / "hand 0" / "1.png"]
    assert run("compare", *files, "--checkpoint", "both").code in (0, 1, 4)
    again = run("train", "--resume", "both")
    assert (again.code, again.out) == (2, "")
    assert "both has done its folds" in again.err


def test_json_has_the_folds_and_the_figures(run, place):
    outcome = run("train", "--data", place, *SHORT, "--folds", 2, "--name", "told", "--json", "--quiet")
    record = json.loads(outcome.out)
    assert [fold["tested"] for fold in record["folds"]] == [4, 4]
    measures = {measure["name"]: measure for measure in record["exam"]["measures"]}
    assert measures["eer"]["n"] == 2 * (12 * 11 // 2)
    assert record["stopped_by"] is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--folds", 1), "at least 2 folds are needed to test every class, not 1"),
        (("--folds", 5), "5 folds need at least 10 classes with two images"),
        (("--folds", 2, "--dry-run"), "--dry-run tells of a single training"),
        (("--folds", 2, "--split", "images"), "--folds is for classes of your own images"),
        (("--folds", 2, "--target", "far=0.001"), "far=0.001 cannot be shown"),
    ],
)
def test_what_folds_cannot_do_is_refused_in_one_line(run, place, words, why):
    outcome = run("train", "--data", place, *SHORT, *words, "--quiet")
    assert (outcome.code, outcome.out) == (2, "")
    assert why in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_set_by_its_name_has_no_folds(run):
    outcome = run("train", "--data", "synthetic", "--folds", 3, "--quiet")
    assert outcome.code == 2
    assert "--folds is for classes of your own images" in outcome.err


def test_a_run_without_folds_is_not_resumed_as_folds(run, place):
    assert run("train", "--data", place, *SHORT, "--name", "plain", "--quiet").code == 0
    outcome = run("train", "--resume", "plain", "--folds", 2, "--quiet")
    assert outcome.code != 0
    assert "holds no training over folds" in outcome.err


def test_an_exam_of_few_test_classes_says_that_folds_exist(run, place):
    assert run("train", "--data", place, *SHORT, "--name", "small", "--quiet").code == 0
    outcome = run("eval", "--checkpoint", "small", "--exam", "all-pairs")
    assert outcome.code == 0
    note = "Figures of 2 test classes have wide intervals; omnitwin train --folds 3 (or more) tests every class once."
    assert note in outcome.err.splitlines()
