"""`omnitwin eval`: the figures on stdout are those of the pairs that were scored."""

import json
import math

import pytest
from PIL import Image

EXAM = ("eval", "--batches", "3", "--batch-size", "10")


def exam(run, *words):
    outcome = run(*EXAM, "--json", *words)
    assert outcome.code == 0
    return json.loads(outcome.out)


@pytest.mark.usefixtures("trained")
def test_accuracy_is_the_share_of_right_pairs_in_all(run):
    report = exam(run, "--show", 30)
    right = sum(pair["predicted"] == pair["similar"] for pair in report["shown"])
    assert (report["right"], report["n"]) == (right, 30)
    assert report["accuracy"] == right / 30


@pytest.mark.usefixtures("trained")
def test_each_batch_has_its_own_accuracy(run):
    report = exam(run, "--show", 30)
    rights = [pair["predicted"] == pair["similar"] for pair in report["shown"]]
    assert report["accuracies"] == [sum(rights[start : start + 10]) / 10 for start in (0, 10, 20)]


@pytest.mark.usefixtures("trained")
def test_a_pair_is_called_similar_from_the_threshold_on(run):
    report = exam(run, "--show", 30)
    assert all(pair["predicted"] == (pair["score"] >= report["threshold"]) for pair in report["shown"])


@pytest.mark.usefixtures("trained")
def test_interval_holds_just_the_probabilities_that_the_result_does_not_rule_out(run):
    report = exam(run)
    for bound in report["interval"]:  # Wilson 1927: 1.96 standard errors of the bound itself away from the share
        error = math.sqrt(bound * (1 - bound) / report["n"])
        assert abs(report["accuracy"] - bound) == pytest.approx(1.959964 * error, rel=1e-5)
    low, high = report["interval"]
    assert low < report["accuracy"] < high


@pytest.mark.usefixtures("trained")
def test_target_is_similar_just_where_both_drawings_are_of_one_character(run):
    shown = exam(run, "--show", 30)["shown"]
    characters = [[pair[side].rpartition(", drawing")[0] for side in ("left_label", "right_label")] for pair in shown]
    assert [pair["similar"] for pair in shown] == [left == right for left, right in characters]


def test_json_names_network_data_and_exam(run, trained):
    report = exam(run, "--seed", 5)
    assert report["checkpoint"] == str(trained / "weights.safetensors")
    assert (report["recipe"], report["iteration"], report["dataset"]) == ("small", 3, "synthetic/test")
    assert (report["seed"], report["batch_size"], report["precision"]) == (5, 10, "fp32")


@pytest.mark.usefixtures("trained")
def test_same_seed_is_the_same_exam(run):
    assert exam(run, "--show", 5) == exam(run, "--show", 5)


@pytest.mark.usefixtures("trained")
def test_another_seed_is_another_exam(run):
    assert exam(run, "--show", 5)["shown"] != exam(run, "--show", 5, "--seed", 1)["shown"]


@pytest.mark.usefixtures("trained")
def test_seed_of_any_sign_is_a_seed(run):
    assert exam(run, "--seed", -1)["seed"] == -1


@pytest.mark.usefixtures("trained")
def test_seed_beyond_all_bounds_is_taken_or_refused(run):
    assert run(*EXAM, "--seed", 2**130).code in (0, 2)


@pytest.mark.usefixtures("trained")
def test_text_tells_accuracy_count_and_interval(run):
    report = exam(run)
    text = " ".join(run(*EXAM).out.split())
    low, high = (f"{100 * bound:.1f} %" for bound in report["interval"])
    assert f"Accuracy {100 * report['accuracy']:.1f} % on 30 random pairs of synthetic/test" in text
    assert f"(95 % interval {low} to {high}, Wilson)" in text


@pytest.mark.usefixtures("trained")
def test_text_in_a_pipe_has_no_escape_sequences_and_progress_is_elsewhere(run):
    outcome = run(*EXAM, "--show", 2)
    assert "\x1b" not in outcome.out + outcome.err
    assert "Comparing test pairs" in outcome.err
    assert "Comparing test pairs" not in outcome.out


@pytest.mark.usefixtures("trained")
def test_show_prints_target_prediction_and_score_of_that_many_pairs(run):
    text = run(*EXAM, "--show", 4).out
    assert [text.count(word) for word in ("Target: ", "Predicted: ", "Score: 0.")] == [4, 4, 4]


@pytest.mark.usefixtures("trained")
def test_shown_scores_are_those_of_the_report(run):
    scores = [f"Score: {pair['score']:.4f}" for pair in exam(run, "--show", 4)["shown"]]
    text = run(*EXAM, "--show", 4).out
    assert all(score in text for score in scores)


@pytest.mark.usefixtures("trained")
def test_figure_is_an_image_of_the_pairs(run, tmp_path):
    outcome = run(*EXAM, "--show", 4, "--figure", tmp_path / "new" / "pairs.png")
    assert outcome.code == 0
    with Image.open(tmp_path / "new" / "pairs.png") as figure:
        figure.load()
        assert figure.format == "PNG"
        assert min(figure.size) > 400


@pytest.mark.usefixtures("trained")
def test_figure_in_an_impossible_place_exits_3_with_one_line(run, tmp_path):
    (tmp_path / "file").touch()
    outcome = run(*EXAM, "--quiet", "--figure", tmp_path / "file" / "pairs.png")
    assert outcome.code == 3
    assert "pairs.png" in outcome.complaint() or str(tmp_path / "file") in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_quiet_says_nothing(run):
    outcome = run(*EXAM, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_checkpoint_is_a_name_a_folder_or_a_file(run, trained, tmp_path):
    elsewhere = tmp_path / "network.safetensors"
    elsewhere.write_bytes((trained / "weights.safetensors").read_bytes())
    right = [exam(run, "--checkpoint", name)["right"] for name in ("trained", trained, elsewhere)]
    assert right == [exam(run)["right"]] * 3


def test_no_network_yet_exits_3_and_says_how_to_get_one(run):
    outcome = run(*EXAM)
    assert outcome.code == 3
    assert "omnitwin train" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_missing_dataset_exits_3_and_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run(*EXAM, "--dataset", "omniglot")
    assert outcome.code == 3
    assert "omnitwin download" in outcome.complaint()


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("words", "named"), [(["--dataset", "cifar"], "cifar"), (["--precision", "int8"], "int8"), (["--device", "x"], "x")]
)
def test_unknown_choices_exit_2_and_are_named(run, words, named):
    outcome = run(*EXAM, *words)
    assert outcome.code == 2
    assert repr(named) in outcome.complaint()
