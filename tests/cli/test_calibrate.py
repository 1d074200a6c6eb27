"""`omnitwin calibrate`: on a screen, in a pipe and as JSON; and what other commands make of the new verifier."""

import itertools
import json

import pytest
from drawn_places import draw_place, signature, write

CLASSES = {f"hand {index:02}": 3 for index in range(12)}
WIDE = "300"


def hand(key):
    """A signature that a hand writes nearly the same each time."""
    label, index = key
    return signature(label).rotate(4 * index, fillcolor=235)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """12 hands of 3 signatures; not to be changed."""
    return draw_place(tmp_path_factory.mktemp("own") / "hands", CLASSES, hand)


def test_the_screen_tells_before_and_after_and_what_was_written(run, place, home):
    outcome = run("calibrate", "--data", place, "--target", "far=0.05", "--name", "mine")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == f"{place}: 36 images of 12 classes, 36 similar pairs and 594 dissimilar"
    assert any(line.startswith("Equal error rate (EER) ") and "95 % interval" in line for line in lines)
    heads = [line.split() for line in lines if "before" in line and "after" in line]
    assert heads[0][1:6:2] == ["figure", "before", "after"]
    assert any("Before: the network as it is; after: for far=0.05, each pair by a fit" in line for line in lines)
    assert f"Written: mine, {home}" in outcome.out
    assert lines[-2:] == [
        "Ask it: omnitwin compare --checkpoint mine A.png B.png",
        "Let it answer from now on: omnitwin use mine",
    ]
    assert "\x1b" not in outcome.out + outcome.err


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_no_figure_is_cut_in_a_narrow_terminal(run, place, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = run("calibrate", "--data", place, "--name", f"mine{columns}")
    table = [line for line in outcome.out.splitlines() if line[:1] in "┏┃┡│└+|"]
    assert max(map(len, table)) <= columns
    assert "…" not in outcome.out


def test_the_json_has_figures_files_and_verifier(run, place, tmp_path):
    own = draw_place(tmp_path / "hands", CLASSES, hand)
    (own / "hand 00" / "broken.png").write_bytes(b"no image")
    write(own / "hand 00" / "again.png", hand(("hand 00", 0)))
    outcome = run("calibrate", "--data", own, "--json")
    record = json.loads(outcome.out)
    assert (record["images"], record["problem"], record["target"]) == (36, None, "balanced")
    assert record["written"]["name"] == "bundled-hands"
    assert [unread["file"][-10:] for unread in record["unread"]] == ["broken.png"]
    assert len(record["twice"]) == 1
    for side in ("before", "after"):
        assert {measure["name"] for measure in record[side]["measures"]} == {"far", "frr", "balanced_accuracy"}
        assert all(measure["interval"][0] <= measure["value"] for measure in record[side]["measures"])
    assert "broken.png" in outcome.err
    assert "Note: 1 picture twice in a class" in outcome.err


def test_the_new_verifier_answers_with_a_line_on_its_threshold(run, place):
    run("calibrate", "--data", place, "--target", "far=0.05", "--name", "mine", "--quiet")
    a, b = (place / "hand 00" / f"{index}.png" for index in (0, 1))
    outcome = run("compare", "--checkpoint", "mine", a, b)
    [line] = [line for line in outcome.out.splitlines() if line.startswith("Threshold ")]
    assert "chosen for far=0.05 on 12 classes of hands: FAR " in line
    record = json.loads(run("compare", "--checkpoint", "mine", "--json", a, b).out)
    assert record["operating"]["target"] == "far=0.05"
    other = run("compare", "--checkpoint", "mine", "--threshold", "0.5", a, b).out
    assert "chosen for" not in other
    assert (
        json.loads(run("compare", "--threshold", "0.5", "--json", "--checkpoint", "mine", a, b).out)["operating"]
        is None
    )


def test_a_verifier_named_as_a_folder_here_is_told_by_its_path(run, place, home, monkeypatch):
    monkeypatch.chdir(place.parent)
    outcome = run("calibrate", "--data", place.name, "--name", place.name)
    words = outcome.out.splitlines()[-2].removeprefix("Ask it: omnitwin ").split()
    assert run(*words[:3], *(place / "hand 00" / f"{index}.png" for index in (0, 1, 4))).code in (0, 1)


def test_runs_use_and_resume_know_it(run, place):
    run("calibrate", "--data", place, "--name", "mine", "--quiet")
    assert "calibrated; threshold chosen for balanced accuracy on 12 classes of hands" in run("runs").out
    assert run("use", "mine").code == 0
    assert "mine" in run("use").out
    refused = run("train", "--resume", "mine")
    assert refused.code == 2
    assert "mine was calibrated (omnitwin calibrate), not trained" in refused.err


def test_a_network_that_cannot_tell_is_shown_refused_with_3_and_not_written(run, tmp_path):
    for number, (label, index) in enumerate(itertools.product(CLASSES, range(3))):
        write(tmp_path / "mixed" / f"class {number % 12}" / f"{number}.png", signature((label, index)))
    outcome = run("calibrate", "--data", tmp_path / "mixed", "--name", "mine")
    assert outcome.code == 3
    assert "Equal error rate" in outcome.out
    assert "and guessing gets 50 %. No verifier was written." in outcome.err
    assert run("compare", "--checkpoint", "mine", "a.png", "b.png").code == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "far=2"), "needs a share between 0 and 1"),
        (("--target", "frr=0.1"), "no target is called 'frr=0.1'"),
        (("--name", "a/b"), "cannot name a run"),
        (("--data", "omniglot"), "has its own threshold from training"),
        (("--data", "nowhere"), "no data set is called 'nowhere'"),
        (("--label-from", "("), "--label-from"),
        (
            ("--target", "far=0.001"),
            "594 dissimilar pairs of these images show a FAR of 0.0051 at best",
        ),
    ],
)
def test_wrong_words_are_refused_in_a_line(run, place, words, said):
    outcome = run("calibrate", *(() if "--data" in words else ("--data", place)), *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.out == ""


def test_a_link_to_itself_is_refused_in_a_line(run, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    outcome = run("calibrate", "--data", tmp_path / "loop")
    assert outcome.code == 2
    assert "loop does not exist" in outcome.err


def test_names_that_could_command_a_terminal_are_spelled_out(run, tmp_path):
    own = draw_place(tmp_path / "red\x1b[31m", CLASSES, hand)
    (own / "hand 00" / "bro\x1b[31mken.png").write_bytes(b"no image")
    outcome = run("calibrate", "--data", own)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
