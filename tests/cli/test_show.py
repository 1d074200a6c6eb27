"""`omnitwin show`: random images and pairs of a data set."""

import json

import pytest
from PIL import Image

SHOW = ("show", "--data", "synthetic")


def shown(run, *words):
    outcome = run(*SHOW, "--json", *words)
    assert outcome.code == 0
    return json.loads(outcome.out)


def test_shows_as_many_images_and_pairs_as_asked_for(run):
    report = shown(run, "--images", 3, "--pairs", 4)
    assert (len(report["images"]), len(report["pairs"])) == (3, 4)


def test_without_a_number_shows_8_images_and_the_examples_10_pairs(run):
    report = shown(run)
    assert (len(report["images"]), len(report["pairs"])) == (8, 10)


def test_no_image_is_shown_twice(run):
    labels = [label for label in (each["label"] for each in shown(run, "--images", 840, "--pairs", 0)["images"])]
    assert len(set(labels)) == 840  # all there are: 7 alphabets of 6 characters by 20 hands


def test_more_images_than_there_are_is_refused(run):
    outcome = run(*SHOW, "--images", 841)
    assert outcome.code == 2
    assert "840 images" in outcome.complaint()


def test_similar_pairs_show_one_character_by_two_hands_and_others_two_characters(run):
    for pair in shown(run, "--images", 0, "--pairs", 50)["pairs"]:
        (left, left_hand), (right, right_hand) = (pair[side].split(", ") for side in ("left_label", "right_label"))
        assert pair["similar"] == (left == right)
        assert not pair["similar"] or left_hand != right_hand


def test_same_seed_shows_the_same(run):
    assert shown(run, "--seed", 3) == shown(run, "--seed", 3)


def test_another_seed_shows_others(run):
    assert shown(run, "--seed", 3)["images"] != shown(run, "--seed", 4)["images"]


def test_the_test_set_can_be_shown_too(run):
    assert shown(run, "--set", "test")["dataset"] == "synthetic/test"


def test_text_in_a_pipe_tells_of_each_pair_whether_it_is_similar(run):
    similar = [pair["similar"] for pair in shown(run, "--images", 0, "--pairs", 9)["pairs"]]
    words = run(*SHOW, "--images", 0, "--pairs", 9).out.split()
    assert [word for word in words if "similar" in word] == [["dissimilar", "similar"][each] for each in similar]


def test_text_in_a_pipe_names_the_character_of_each_image(run):
    label = shown(run, "--images", 1, "--pairs", 0)["images"][0]["label"]
    alphabet, rest = label.split("/")
    words = " ".join(run(*SHOW, "--images", 1, "--pairs", 0).out.split())
    assert all(part in words for part in (alphabet, *rest.split(", ")))


def test_text_in_a_pipe_has_no_escape_sequences(run):
    assert "\x1b" not in run(*SHOW).out


def test_figure_is_an_image(run, tmp_path):
    assert run(*SHOW, "--quiet", "--figure", tmp_path / "look.jpg").code == 0
    with Image.open(tmp_path / "look.jpg") as figure:
        figure.load()
        assert figure.format == "JPEG"


def test_quiet_says_nothing(run):
    outcome = run(*SHOW, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize(("words", "named"), [(["--data", "cifar"], "cifar"), (["--set", "validation"], "validation")])
def test_unknown_choices_exit_2_and_are_named(run, words, named):
    outcome = run(*SHOW, *words)
    assert outcome.code == 2
    assert repr(named) in outcome.complaint()


def test_figure_without_an_image_ending_is_refused_before_any_work(run, monkeypatch):
    from omnitwin.data import show as browsing

    monkeypatch.setattr(browsing, "show", lambda *_: pytest.fail("worked before looking at the ending"))
    outcome = run(*SHOW, "--figure", "look")
    assert outcome.code == 2
    assert "look" in outcome.complaint()
