"""`omnitwin eval`: every option does what it says, and the figures on stdout are those of what was scored."""

import json
import math
import re
import shutil

import pytest
from checkpoints import written_anew
from hand_built import curved_exam, evaluation, one_shot_exam, pairs_exam, same_alphabet_exam
from omniglot_like import write_zip
from PIL import Image

from omnitwin.config import EXAMS
from omnitwin.exams import beyond
from omnitwin.exams import evaluation as workflow
from omnitwin.model.description import read_description

NAMED = ["same-alphabet" if exam == "same-group" else exam for exam in EXAMS]  # in reports on alphabets
PAIRS = ("eval", "--batches", 3, "--batch-size", 10)
ONE_SHOT = ("eval", "--exam", "one-shot", "--way", 3, "--episodes", 40)
PIXELS = ("eval", "--baseline", "pixels", "--data", "synthetic")
PICTURES = {"pixels", "left", "right", "picture"}  # names under which a report carries them
TABLE_EDGES = "┏┃┡│└"
IMAGES, CHARACTERS = 240, 12  # of the test set: 2 alphabets of 6 characters by 20 hands


def report_of(run, *words):
    outcome = run(*words, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def exam(run, *words):
    """The only exam of a run."""
    [one] = report_of(run, *words)["exams"]
    return one


def figure(one, name):
    [measure] = [measure for measure in one["measures"] if measure["name"] == name]
    return measure


def accuracy(one):
    return figure(one, "accuracy")["value"]


def names_within(value):
    """Every name of a field anywhere in a JSON value."""
    if isinstance(value, dict):
        return set(value) | {name for part in value.values() for name in names_within(part)}
    return {name for part in value for name in names_within(part)} if isinstance(value, list) else set()


@pytest.fixture
def few_pairs_to_fit(monkeypatch):
    """A baseline is fitted on fewer training pairs than are worth waiting for."""
    monkeypatch.setattr(workflow, "BASELINE_PAIRS", 100)


# the example's exam


@pytest.mark.usefixtures("trained")
def test_accuracy_is_the_share_of_right_pairs_in_all(run):
    one = exam(run, *PAIRS, "--show", 30)
    right = sum(pair["predicted"] == pair["similar"] for pair in one["shown"])
    assert (len(one["shown"]), one["n"], one["unit"]) == (30, 30, "pairs")
    assert accuracy(one) == right / 30


@pytest.mark.usefixtures("trained")
def test_each_batch_has_its_own_accuracy(run):
    one = exam(run, *PAIRS, "--show", 30)
    rights = [pair["predicted"] == pair["similar"] for pair in one["shown"]]
    assert one["grouped_by"] == "batch"
    assert [group["measures"][0]["value"] for group in one["groups"]] == [
        sum(rights[start : start + 10]) / 10 for start in (0, 10, 20)
    ]


@pytest.mark.usefixtures("trained")
def test_without_options_it_is_the_examples_exam(run):
    """MathWorks, "Train a Twin Neural Network to Compare Images": 5 batches of 150 random pairs, from 0.5 on."""
    one = exam(run, "eval")
    assert (one["exam"], one["n"], len(one["groups"]), one["threshold"]) == ("pairs", 750, 5, 0.5)
    assert {group["measures"][0]["n"] for group in one["groups"]} == {150}


@pytest.mark.usefixtures("trained")
def test_a_pair_is_called_similar_from_the_threshold_on(run):
    one = exam(run, *PAIRS, "--show", 30)
    assert all(pair["predicted"] == (pair["score"] >= one["threshold"]) for pair in one["shown"])


@pytest.mark.usefixtures("trained")
def test_interval_holds_just_the_probabilities_that_the_result_does_not_rule_out(run):
    measure = figure(exam(run, *PAIRS), "accuracy")
    for bound in measure["interval"]:  # Wilson 1927: 1.96 standard errors of the bound itself away from the share
        error = math.sqrt(bound * (1 - bound) / measure["n"])
        assert abs(measure["value"] - bound) == pytest.approx(1.959964 * error, rel=1e-5)
    low, high = measure["interval"]
    assert low < measure["value"] < high


@pytest.mark.usefixtures("trained")
def test_target_is_similar_just_where_both_drawings_are_of_one_character(run):
    shown = exam(run, *PAIRS, "--show", 30)["shown"]
    characters = [[pair[side].rpartition(", drawing")[0] for side in ("left_label", "right_label")] for pair in shown]
    assert [pair["similar"] for pair in shown] == [left == right for left, right in characters]


# what is chosen


@pytest.mark.usefixtures("trained")
def test_exams_are_those_asked_for_each_once_and_in_their_order(run):
    words = ("--exam", "one-shot", "--exam", "pairs", "--exam", "one-shot", "--way", 3, "--episodes", 10)
    assert [one["exam"] for one in report_of(run, *PAIRS, *words)["exams"]] == ["pairs", "one-shot"]


@pytest.mark.usefixtures("trained")
def test_all_is_every_exam_that_the_set_has_and_says_which_it_has_not(run):
    outcome = run(*PAIRS, "--exam", "all", "--way", 3, "--episodes", 10, "--json")
    assert outcome.code == 0
    assert [one["exam"] for one in json.loads(outcome.out)["exams"]] == [one for one in NAMED if one != "official"]
    assert "official is left out: the official runs belong to omniglot/test, not to synthetic/test" in outcome.err


@pytest.mark.usefixtures("trained")
def test_way_is_how_many_characters_there_are_to_choose_from(run):
    outcome = run(*ONE_SHOT, "--way", 4, "--json")
    assert "Comparing pairs: 160 pairs" in outcome.err  # 40 episodes, each query with 4 examples
    [one] = json.loads(outcome.out)["exams"]
    assert "4-way 1-shot" in one["description"]


@pytest.mark.usefixtures("trained")
def test_shot_is_how_many_examples_there_are_of_each(run):
    outcome = run(*ONE_SHOT, "--shot", 5, "--json")
    assert "Comparing pairs: 600 pairs" in outcome.err  # 40 episodes, 3 ways of 5 examples
    [one] = json.loads(outcome.out)["exams"]
    assert "3-way 5-shot" in one["description"]
    assert "mean score of 5 examples" in one["description"]


@pytest.mark.usefixtures("trained")
def test_as_many_shots_are_taken_as_leave_a_drawer_for_the_query(run):
    assert exam(run, *ONE_SHOT, "--shot", 19)["n"] == 40
    outcome = run(*ONE_SHOT, "--shot", 20, "--quiet")
    assert outcome.code == 2
    assert "20 shots" in outcome.complaint()


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("episodes", [1, 17])
def test_episodes_is_how_many_questions_are_asked(run, episodes):
    one = exam(run, *ONE_SHOT, "--episodes", episodes)
    assert (one["n"], one["unit"], one["threshold"]) == (episodes, "episodes", None)
    assert accuracy(one) * episodes == pytest.approx(round(accuracy(one) * episodes))
    assert sum(group["measures"][0]["n"] for group in one["groups"]) == episodes


@pytest.mark.usefixtures("trained")
def test_scope_any_takes_characters_from_all_alphabets_and_alphabet_from_one(run):
    whole = exam(run, *ONE_SHOT, "--scope", "any", "--way", CHARACTERS)
    assert "any alphabet" in whole["description"]
    assert "characters" in figure(whole, "accuracy")["method"]
    within = exam(run, *ONE_SHOT, "--scope", "alphabet", "--way", 6)
    assert "one alphabet" in within["description"]
    assert "alphabets" in figure(within, "accuracy")["method"]


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("scope", "way"), [("alphabet", 7), ("any", CHARACTERS + 1)])
def test_more_ways_than_there_are_characters_exit_2_and_say_what_to_do(run, scope, way):
    outcome = run(*ONE_SHOT, "--scope", scope, "--way", way, "--quiet")
    assert outcome.code == 2
    assert str(way) in outcome.complaint()
    assert "--way" in outcome.complaint()


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("words", [(*PAIRS, "--show", 5), ONE_SHOT])
def test_same_seed_is_the_same_exam(run, words):
    one, again = exam(run, *words, "--seed", 3), exam(run, *words, "--seed", 3)
    assert {**one, "seconds": 0} == {**again, "seconds": 0}
    assert one["seeds"] == [3]


@pytest.mark.usefixtures("trained")
def test_another_seed_is_another_exam(run):
    assert exam(run, *PAIRS, "--show", 5)["shown"] != exam(run, *PAIRS, "--show", 5, "--seed", 1)["shown"]
    exams = [exam(run, *ONE_SHOT, "--seed", seed) for seed in range(3)]
    assert len({tuple(group["measures"][0]["n"] for group in one["groups"]) for one in exams}) > 1


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("words", [PAIRS, ONE_SHOT])
def test_each_of_several_seeds_is_the_exam_of_that_seed_alone(run, words):
    many = exam(run, *words, "--seed", 4, "--seeds", 2)
    alone = [exam(run, *words, "--seed", seed) for seed in (4, 5)]
    assert many["seeds"] == [4, 5]
    assert many["n"] == 2 * alone[0]["n"]
    assert many["grouped_by"] == "seed"
    assert [group["measures"][0]["value"] for group in many["groups"]] == [accuracy(one) for one in alone]
    assert accuracy(many) == pytest.approx(sum(accuracy(one) for one in alone) / 2)


@pytest.mark.usefixtures("trained")
def test_seed_of_any_sign_is_a_seed(run):
    assert exam(run, *PAIRS, "--seed", -1)["seeds"] == [-1]


@pytest.mark.usefixtures("trained")
def test_seed_beyond_all_bounds_is_taken_or_refused(run):
    assert run(*PAIRS, "--seed", 2**130).code in (0, 2)


def test_checkpoint_is_a_name_a_folder_or_a_file(run, trained, tmp_path):
    elsewhere = tmp_path / "network.safetensors"
    elsewhere.write_bytes((trained / "weights.safetensors").read_bytes())
    found = [report_of(run, *PAIRS, "--checkpoint", name) for name in ("trained", trained, elsewhere)]
    assert [accuracy(report["exams"][0]) for report in found] == [accuracy(exam(run, *PAIRS))] * 3
    paths = [report["network"]["checkpoint"] for report in found]
    assert paths == [str(trained / "best.safetensors")] * 2 + [str(elsewhere)]


@pytest.mark.usefixtures("trained")
def test_a_set_that_was_never_seen_is_examined_unless_another_is_asked_for(run):
    test = report_of(run, *PAIRS)
    assert (test["dataset"], test["subset"], test["seen"]) == ("synthetic/test", "test", "never")
    assert (test["images"], test["classes"], test["alphabets"]) == (IMAGES, CHARACTERS, 2)
    training = report_of(run, *PAIRS, "--set", "training")
    assert (training["dataset"], training["subset"], training["seen"]) == ("synthetic/training", "training", "training")
    assert (training["images"], training["classes"], training["alphabets"]) == (240, 12, 2)  # 5 of 7 are held out
    assert training["left_out"] == training["network"]["held_out"]


@pytest.mark.usefixtures("trained")
def test_held_out_is_the_alphabets_that_training_kept_out(run):
    report = report_of(run, *ONE_SHOT, "--episodes", 100, "--set", "held-out")
    assert (report["subset"], report["seen"]) == ("held-out", "held-out")
    assert (report["images"], report["classes"], report["alphabets"]) == (600, 30, 5)
    [one] = report["exams"]
    assert {group["name"] for group in one["groups"]} == set(report["network"]["held_out"])


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("subset", "said"), [("test", "never saw"), ("held-out", "kept out"), ("training", "TRAINED")])
def test_text_says_what_the_network_knows_of_the_images(run, subset, said):
    assert said in run(*PAIRS, "--set", subset).out.splitlines()[-1]


@pytest.mark.usefixtures("trained")
def test_precision_and_device_are_those_asked_for(run):
    report = report_of(run, *PAIRS, "--precision", "bf16", "--device", "cpu")
    assert report["precision"] == "bf16"
    assert report["device"].startswith("cpu")
    assert report_of(run, *PAIRS)["precision"] == "fp32"


@pytest.mark.usefixtures("trained")
def test_each_image_is_embedded_once_for_all_exams(run):
    report = report_of(run, "eval", "--exam", "all", "--way", 3, "--episodes", 20)
    assert report["embedded"] == IMAGES


# what is told


def test_json_tells_of_each_exam_its_name_count_seeds_method_interval_and_network(run, trained):
    report = report_of(run, *PAIRS, "--exam", "all", "--way", 3, "--episodes", 20, "--show", 3, "--seed", 5)
    digest = report["network"]["weights_sha256"]
    assert re.fullmatch("[0-9a-f]{64}", digest)
    seeds = {"pairs": [5], "all-pairs": [], "same-alphabet": [], "one-shot": [5], "retrieval": [], "beyond": [5]}
    thresholds = {"pairs": 0.5, "one-shot": None, "retrieval": None}
    pairs = IMAGES * (IMAGES - 1) // 2
    counts = {"pairs": 30, "all-pairs": pairs, "same-alphabet": 2 * 120 * 119 // 2, "one-shot": 20}
    counts |= {"retrieval": IMAGES, "beyond": 14 * beyond.BEYOND_PAIRS}
    assert [one["exam"] for one in report["exams"]] == list(seeds)
    for one in report["exams"]:
        assert one["weights_sha256"] == digest
        assert one["seeds"] == seeds[one["exam"]]
        assert one["n"] == counts[one["exam"]]
        assert one["threshold"] == thresholds.get(one["exam"], report["network"]["threshold"])
        for measure in one["measures"]:
            low, high = measure["interval"]
            assert 0 <= low <= high <= 1
            if measure["name"] not in ("far", "frr", "balanced_accuracy_marked"):  # of some of the pairs
                assert measure["n"] == one["n"]
            assert measure["method"]
        rates = {measure["name"]: measure["n"] for measure in one["measures"] if measure["name"] in ("far", "frr")}
        assert not rates or sum(rates.values()) == one["n"]


@pytest.mark.usefixtures("trained")
def test_json_has_no_pictures(run):
    outcome = run(*PAIRS, "--exam", "pairs", "--exam", "all-pairs", "--show", 5, "--json")
    report = json.loads(outcome.out)
    assert names_within(report) & PICTURES == set()
    assert len(report["exams"][0]["shown"]) == 5
    assert len(report["exams"][1]["hardest"]) > 0
    assert len(outcome.out) < 100_000


def test_json_names_the_network(run, trained):
    network = report_of(run, *PAIRS)["network"]
    assert network["checkpoint"] == str(trained / "best.safetensors")
    assert (network["recipe"], network["iteration"], network["iterations"]) == ("small", 3, 3)
    assert (network["trained_on"], len(network["held_out"])) == ("synthetic/training", 5)
    known = read_description(trained / "best.safetensors")
    assert network["threshold"] == known.threshold
    assert {name: network[name] for name in ("temperature", "bias")} == known.calibration


def test_threshold_and_calibration_are_the_checkpoints(run, trained, tmp_path):
    fitted = {"calibration": {"temperature": 0.5, "bias": 0.25}, "threshold": 0.3}
    written_anew(trained / "best.safetensors", tmp_path / "fitted.safetensors", record=fitted)
    words = ("eval", "--exam", "same-alphabet", "--checkpoint", tmp_path / "fitted.safetensors")
    report = report_of(run, *words)
    network, [one] = report["network"], report["exams"]
    assert (network["threshold"], network["temperature"], network["bias"]) == (0.3, 0.5, 0.25)
    assert one["threshold"] == 0.3
    assert (one["calibration"]["temperature"], one["calibration"]["bias"]) == (0.5, 0.25)
    assert one["calibration"]["after"] is not None
    assert "balanced accuracy at 0.3, the threshold" in run(*words).out


@pytest.mark.usefixtures("trained")
def test_hardest_pairs_are_wrong_and_the_surest_come_first(run):
    one = exam(run, "eval", "--exam", "all-pairs")
    hardest = one["hardest"]
    assert all(pair["predicted"] != pair["similar"] for pair in hardest)
    assert all(pair["predicted"] == (pair["score"] >= one["threshold"]) for pair in hardest)
    for similar, order in ((False, -1), (True, 1)):
        scores = [order * pair["score"] for pair in hardest if pair["similar"] == similar]
        assert scores == sorted(scores)
        assert len(scores) <= 6


@pytest.mark.usefixtures("trained")
def test_text_tells_accuracy_count_interval_and_seed(run):
    measure = figure(exam(run, *PAIRS, "--seed", 5), "accuracy")
    text = " ".join(run(*PAIRS, "--seed", 5).out.split())
    low, high = (f"{100 * bound:.1f}" for bound in measure["interval"])
    assert f"Accuracy {100 * measure['value']:.1f} % of 30 pairs of synthetic/test" in text
    assert f"(95 % interval {low} to {high} %; Wilson" in text
    assert "seed 5; exam's threshold 0.5" in text


@pytest.mark.usefixtures("trained")
def test_progress_is_not_among_the_results(run):
    outcome = run(*PAIRS)
    assert "Comparing pairs: 30 pairs" in outcome.err
    assert "Comparing pairs" not in outcome.out


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("show", [0, 4])
def test_show_prints_target_prediction_and_score_of_that_many_pairs(run, show):
    text = run(*PAIRS, "--show", show).out
    assert [text.count(word) for word in ("Target: ", "Predicted: ", "Score: 0.")] == [show] * 3


@pytest.mark.usefixtures("trained")
def test_shown_scores_are_those_of_the_report(run):
    scores = [f"Score: {pair['score']:.4f}" for pair in exam(run, *PAIRS, "--show", 4)["shown"]]
    text = run(*PAIRS, "--show", 4).out
    assert all(score in text for score in scores)


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("words", [PAIRS, (*ONE_SHOT, "--exam", "same-alphabet")])
def test_quiet_says_nothing(run, words):
    outcome = run(*words, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.fixture
def measured(monkeypatch):
    """The command shows a report made by hand: of every exam, or of those that measured(exam, ...) is given."""

    def measured(*exams):
        monkeypatch.setattr(workflow, "evaluate", lambda *_: evaluation(*exams))

    measured()
    return measured


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("columns", [40, 80, 160])
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["pipe", "no colour", "dumb"])
def test_text_has_no_escape_sequences_and_no_table_wider_than_the_terminal(run, monkeypatch, columns, variables):
    for name, value in {"COLUMNS": str(columns), **variables}.items():
        monkeypatch.setenv(name, value)
    outcome = run("eval", "--show", 3)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    tables = [line for line in outcome.out.splitlines() if line[:1] in TABLE_EDGES and line]
    assert len(tables) > 30
    assert max(map(len, tables)) <= columns
    for one in NAMED[:5]:  # those of the hand-built report
        assert any(line.startswith(f"{one}: ") for line in outcome.out.splitlines())


@pytest.mark.usefixtures("measured")
def test_colour_is_not_forced_upon_those_who_want_none(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("eval").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*(3[0-9]|4[0-9])m", run("eval").out)


@pytest.mark.parametrize("name", ["[red]x[/red]\x1b[31m", "[/red]", "[bold", "a\nb", "\x07", ":smile:"])
def test_names_of_alphabets_come_out_harmless(run, measured, name):
    measured(same_alphabet_exam(name), one_shot_exam(name))
    outcome = run("eval")
    assert outcome.code == 0, outcome.err
    spelled_out = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
    assert outcome.out.count(spelled_out) == 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", outcome.out)


# baselines


@pytest.mark.usefixtures("few_pairs_to_fit")
def test_a_baseline_needs_no_network(run, home):
    report = report_of(run, *PIXELS, "--batches", 2, "--batch-size", 20)
    assert (report["network"], report["baseline"]) == (None, "pixels")
    assert (report["dataset"], report["seen"]) == ("synthetic/test", "never")
    assert report["exams"][0]["weights_sha256"] is None
    assert not (home / "data").exists()


@pytest.mark.usefixtures("few_pairs_to_fit")
def test_a_baseline_takes_every_exam_and_tells_no_calibration_of_its_own(run):
    report = report_of(run, *PIXELS, "--exam", "all", "--way", 3, "--episodes", 20)
    assert [one["exam"] for one in report["exams"]] == [name for name in NAMED if name != "official"]
    assert {one["threshold"] for one in report["exams"] if one["exam"] not in ("one-shot", "retrieval")} == {0.5}
    assert all(one["calibration"] is None for one in report["exams"])
    text = run(*PIXELS, "--batches", 1, "--batch-size", 20).out
    assert "Baseline: pixels, no network" in text
    assert "never saw" not in text


@pytest.mark.usefixtures("few_pairs_to_fit")
def test_the_precision_that_is_told_of_a_baseline_is_the_one_it_was_computed_in(run):
    words = (*PIXELS, "--batches", 1, "--batch-size", 20, "--show", 20)
    plain, half = (report_of(run, *words, "--precision", name) for name in ("fp32", "bf16"))
    scores = [[pair["score"] for pair in report["exams"][0]["shown"]] for report in (plain, half)]
    assert (half["precision"] == "fp32") == (scores[0] == scores[1])


def test_a_precision_that_nobody_knows_is_refused_for_a_baseline_too(run):
    outcome = run(*PIXELS, "--precision", "int8", "--quiet")
    assert outcome.code == 2
    assert "'int8'" in outcome.complaint()


def test_pixels_tell_synthetic_drawings_apart_better_than_chance(run):
    """Two drawings of a character share more ink than two of others: no learning is needed for that."""
    low, _ = figure(exam(run, *PIXELS, "--batches", 1, "--batch-size", 400), "accuracy")["interval"]
    assert low > 0.5


@pytest.mark.usefixtures("few_pairs_to_fit")
def test_hausdorff_is_a_baseline_too(run):
    words = ("eval", "--baseline", "hausdorff", "--data", "synthetic", "--batches", 1, "--batch-size", 20)
    report = report_of(run, *words)
    assert (report["baseline"], report["exams"][0]["n"]) == ("hausdorff", 20)


# figures


def opened(folder):
    """Size and number of colours of each picture in a folder; all are whole PNGs."""
    found = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            found[path.name] = (image.size, len(image.convert("RGB").getcolors(1 << 24)))
    return found


@pytest.mark.usefixtures("trained")
def test_figures_are_readable_pngs_that_are_not_blank(run, tmp_path):
    words = (*PAIRS, "--exam", "all", "--way", 3, "--episodes", 20)
    outcome = run(*words, "--figures", tmp_path / "new" / "figures")
    assert outcome.code == 0
    assert "Score: " not in outcome.out  # the sheet of pairs needs some, the terminal was not asked for any
    found = opened(tmp_path / "new" / "figures")
    curved = ("all-pairs", "same-alphabet")
    parts = {f"{part}-{one}.png" for part in ("scores", "reliability", "hardest") for one in curved}
    assert found.keys() == parts | {
        "roc.png",
        "det.png",
        "pairs.png",
        "alphabets-same-alphabet.png",
        "alphabets-one-shot.png",
    }
    for name, (size, colours) in found.items():
        assert min(size) > 200, name
        assert colours > 10, name


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("show", "pairs"), [(0, 10), (4, 4)])
def test_sheet_of_pairs_has_as_many_as_are_shown_or_the_examples_ten(run, tmp_path, show, pairs):
    def height(number):
        assert run(*PAIRS, "--show", number, "--figures", tmp_path).code == 0
        with Image.open(tmp_path / "pairs.png") as image:
            return image.height

    row = height(3) - height(2)  # two pairs in each row
    assert height(show) == height(2) + (pairs // 2 - 1) * row


@pytest.mark.parametrize("in_the_way", ["the folder", "one figure"])
def test_figures_that_cannot_be_written_exit_3_with_one_line_and_leave_nothing_half_written(
    run, tmp_path, measured, in_the_way
):
    measured(pairs_exam(), curved_exam())
    folder = tmp_path / "figures"
    if in_the_way == "the folder":
        folder.write_text("mine")
    else:
        (folder / "det.png").mkdir(parents=True)
    outcome = run("eval", "--quiet", "--figures", folder)
    assert outcome.code == 3
    assert str(folder) in outcome.complaint()
    if in_the_way == "the folder":
        assert folder.read_text() == "mine"
    else:
        (folder / "det.png").rmdir()
        opened(folder)


# what is refused


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("option", "word", "instead"),
    [
        ("--exam", "exm", "one-shot"),
        ("--scope", "anywhere", "group or any"),
        ("--set", "validation", "held-out"),
        ("--baseline", "sift", "hausdorff"),
        ("--data", "cifar", "omniglot"),
        ("--precision", "int8", "bf16"),
        ("--device", "x", "cpu"),
    ],
)
def test_unknown_choices_exit_2_with_one_line_that_names_them_and_what_there_is(run, option, word, instead):
    outcome = run(*PAIRS, "--quiet", option, word)
    assert outcome.code == 2
    assert repr(word) in outcome.complaint()
    assert instead in outcome.complaint()


@pytest.mark.parametrize(
    ("option", "number"),
    [
        ("--way", 1),
        ("--shot", 0),
        ("--episodes", 0),
        ("--seeds", 0),
        ("--batches", 0),
        ("--batch-size", -1),
        ("--show", -1),
    ],
)
def test_numbers_out_of_range_exit_2_and_name_the_option(run, option, number):
    outcome = run("eval", option, number)
    assert outcome.code == 2
    assert option in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_the_official_runs_are_refused_on_another_set_however_they_are_asked_for(run):
    for words in (("--exam", "official"), ("--exam", "all", "--exam", "official")):
        outcome = run("eval", "--data", "synthetic", *words, "--quiet")
        assert outcome.code == 2
        assert "official runs belong to omniglot/test, not to synthetic/test" in outcome.complaint()


def test_held_out_alphabets_of_a_run_that_has_none_exit_2_and_say_how_to_have_some(run, trained):
    shutil.rmtree(trained)
    small = ("--recipe", "small", "--data", "synthetic", "--batch-size", 4, "--iterations", 1, "--holdout", 0)
    assert run("train", *small, "--quiet").code == 0
    outcome = run(*PAIRS, "--set", "held-out", "--checkpoint", "newest")
    assert outcome.code == 2
    assert "--holdout" in outcome.complaint()


def test_a_baseline_has_no_held_out_alphabets(run):
    outcome = run(*PIXELS, "--set", "held-out")
    assert outcome.code == 2
    assert "baseline" in outcome.complaint()


@pytest.mark.usefixtures("trained", "fake_omniglot")
def test_held_out_alphabets_are_looked_for_in_the_set_that_was_trained_on_alone(run, fake_omniglot, monkeypatch):
    monkeypatch.setenv("OMNITWIN_MIRROR", str(fake_omniglot.zips))
    outcome = run(*PAIRS, "--data", "omniglot", "--set", "held-out", "--quiet")
    assert outcome.code == 2
    assert "trained on other images" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_a_baseline_beside_a_checkpoint_exits_2(run):
    outcome = run(*PIXELS, "--checkpoint", "trained")
    assert outcome.code == 2
    assert "--checkpoint" in outcome.complaint()


def test_no_network_yet_exits_3_and_says_how_to_get_one(run):
    outcome = run(*PAIRS, "--checkpoint", "newest")
    assert outcome.code == 3
    assert "omnitwin train" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_missing_dataset_exits_3_and_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run(*PAIRS, "--data", "omniglot")
    assert outcome.code == 3
    assert "omnitwin download" in outcome.complaint()


# Omniglot itself, or what is taken for it


@pytest.fixture
def mirror(fake_omniglot, monkeypatch):
    monkeypatch.setenv("OMNITWIN_MIRROR", str(fake_omniglot.zips))
    return fake_omniglot


@pytest.mark.usefixtures("mirror", "few_pairs_to_fit")
def test_the_official_runs_are_told_by_error_and_run_beside_published_figures(run):
    words = ("eval", "--baseline", "pixels", "--exam", "official")
    one = exam(run, *words)
    assert (one["n"], one["unit"], one["seeds"], one["threshold"]) == (4, "trials", [], None)
    assert [group["name"] for group in one["groups"]] == ["run 01, Alpha_(first)", "run 02, Alpha_(first)"]
    wrong = sum(group["measures"][0]["value"] * group["measures"][0]["n"] for group in one["groups"])
    assert figure(one, "error")["value"] == pytest.approx(wrong / 4)
    published = {line["name"]: line["error"] for line in one["published"]}
    assert (published["humans"], published["modified Hausdorff distance"]) == (0.045, 0.388)  # Lake et al. 2015
    assert "published" in run(*words).out


@pytest.mark.usefixtures("few_pairs_to_fit")
def test_what_the_official_runs_need_is_looked_for_before_any_exam_is_taken(run, mirror, monkeypatch):
    """Minutes of comparing all pairs should not end with the word that a file is missing."""
    assert run("download", "--from", mirror.zip_of("training")).code == 0
    assert run("download", "--from", mirror.zip_of("test")).code == 0
    monkeypatch.delenv("OMNITWIN_MIRROR")
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run("eval", "--baseline", "pixels", "--exam", "all-pairs", "--exam", "official")
    assert outcome.code == 3
    assert "all_runs.zip" in outcome.err
    assert "Exam: " not in outcome.err


@pytest.mark.usefixtures("trained")
def test_more_ways_than_characters_are_refused_before_any_exam_is_taken(run):
    outcome = run("eval", "--exam", "all-pairs", "--exam", "one-shot", "--way", 7)
    assert outcome.code == 2
    assert "--way" in outcome.err
    assert "Exam: " not in outcome.err


HOSTILE = "A[red]x[bold]\x1b[31m$\\nosuch{$"  # before Beta in the order of names, as the fingerprint wants it


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.usefixtures("few_pairs_to_fit")
def test_a_mirror_that_names_an_alphabet_after_an_escape_sequence_does_no_harm(run, mirror, monkeypatch, tmp_path):
    """The fingerprint is that of the pixels: names are whatever the zip says."""
    source = tmp_path / "mirror"
    shutil.copytree(mirror.zips, source)
    renamed = {name.replace("Alpha_(first)", HOSTILE): content for name, content in mirror.files["test"].items()}
    write_zip(source / "images_evaluation.zip", renamed)
    monkeypatch.setenv("OMNITWIN_MIRROR", str(source))
    words = ("--exam", "all", "--way", 2, "--episodes", 5, "--batches", 1, "--batch-size", 10, "--show", 4)
    outcome = run("eval", "--baseline", "pixels", *words, "--figures", tmp_path / "figures")
    assert outcome.code == 0, outcome.err
    assert "\x1b" not in outcome.out + outcome.err
    assert "A[red]x[bold]\\x1b[31m$" in outcome.out
    opened(tmp_path / "figures")


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        (("--way", 5), "one-shot"),
        (("--exam", "official", "--scope", "any"), "one-shot"),
        (("--exam", "one-shot", "--batch-size", 9), "pairs"),
    ],
)
def test_an_option_that_none_of_the_exams_takes_is_refused(run, words, owner):
    outcome = run("eval", *words)
    assert outcome.code == 2
    assert outcome.complaint() == f"omnitwin: {words[-2]} belongs to the exam {owner}. Add --exam {owner}."
