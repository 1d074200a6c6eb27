"""Reports as text: nothing cut that somebody wants to copy, and readable on any terminal."""

from dataclasses import replace
from pathlib import Path

import pytest
from hand_built import evaluation, network, pairs_exam
from terminals import picture, plan, terminal

from omnitwin.reports import ComparisonReport, DownloadReport, SetReport, TrainReport
from omnitwin.view.exams import show_evaluation
from omnitwin.view.tables import show_comparison, show_download, show_plan, show_training

SHA256 = "0123456789abcdef" * 4
WEIGHTS = Path("/a/folder/that/is/deep/and/has/a/long/name/runs/small/weights.safetensors")
WIDTHS = (30, 80, 200)

TRAINED = TrainReport(
    output=WEIGHTS.parent,
    weights=WEIGHTS,
    weights_sha256=SHA256,
    best=WEIGHTS.with_name("best.safetensors"),
    best_iteration=30,
    held_out_eer=0.0625,
    iteration=40,
    iterations=100,
    loss=0.25,
    seconds=90,
    pairs_per_second=1234.5,
    stopped_by=None,
    warnings=(),
)
COMPARED = ComparisonReport(
    first=Path("first.png"),
    second=Path("second.png"),
    same=True,
    probability=0.98765,
    calibrated=False,
    threshold=0.5,
    checkpoint=WEIGHTS,
    bundled=False,
    engine="numpy",
    recipe="small",
    iteration=40,
    iterations=40,
    notes=("first.png: the image is blank",),
    first_picture=picture(),
    second_picture=picture(),
    first_input=picture(),
    second_input=picture(),
    first_novelty=None,
    second_novelty=None,
)
FETCHED = SetReport(
    name="training",
    fetched=True,
    images=19_280,
    classes=964,
    alphabets=30,
    fingerprint=SHA256,
    packed=Path("images_background.safetensors"),
    packed_bytes=26_570_000,
    source="images_background.zip",
)


def printed(show, report, width=80, **kind):
    console = terminal(width, **kind)
    show(report, console)
    return console.file.lines()


@pytest.mark.parametrize("width", WIDTHS)
def test_paths_and_digests_are_whole_in_any_width(width):
    words = " ".join(printed(show_training, TRAINED, width)).split()
    assert str(WEIGHTS) in words
    assert SHA256 in words


@pytest.mark.parametrize("width", WIDTHS)
def test_command_of_an_interrupted_run_is_on_one_line_in_any_width(width):
    lines = printed(show_training, replace(TRAINED, stopped_by="SIGINT"), width)
    assert any(line.endswith(f"Go on with: omnitwin train --resume {WEIGHTS.parent}") for line in lines)


def test_finished_run_says_that_it_is_done():
    assert printed(show_training, TRAINED)[0] == "Done: 40 iterations in 1:30"


def test_plan_without_measurements_tells_no_time():
    lines = printed(show_plan, plan())
    assert not any(line.startswith("time") for line in lines)
    assert any(line.split() == ["would", "write", "run"] for line in lines)


def test_plan_says_where_a_system_does_not_tell_the_memory_in_use():
    measured = plan(seconds_per_iteration=0.5, seconds_in_all=50.0, weights_bytes=1, training_bytes=1, data_bytes=1)
    lines = printed(show_plan, measured)
    assert any("0:50 at 0.500 s an iteration" in line for line in lines)
    assert any(line.startswith("peak memory") and "not told" in line for line in lines)


def test_plan_names_the_alphabets_that_are_held_out():
    assert any(line.split(maxsplit=2) == ["held", "out", "Greek, Latin"] for line in printed(show_plan, plan()))
    [line] = [line for line in printed(show_plan, plan(held_out=())) if line.startswith("held out")]
    assert "nothing" in line


@pytest.mark.parametrize("width", WIDTHS)
def test_the_best_network_is_told_with_its_iteration_and_error_where_there_is_one(width):
    [line] = [line for line in printed(show_training, TRAINED, width) if line.startswith("best")]
    assert line.endswith("best.safetensors (iteration 30: held-out EER 6.2 %)")
    without = replace(TRAINED, best=None, best_iteration=None, held_out_eer=None)
    assert not [line for line in printed(show_training, without, width) if line.startswith("best")]


def test_comparison_tells_verdict_probability_threshold_and_notes():
    text = "\n".join(printed(show_comparison, COMPARED))
    assert "same: probability 0.9877 that both show the same (threshold 0.5)" in text
    assert "Note: first.png: the image is blank" in text


def test_comparison_says_where_its_probability_is_calibrated():
    text = "\n".join(printed(show_comparison, replace(COMPARED, calibrated=True)))
    assert "same: calibrated probability 0.9877 that both show the same (threshold 0.5)" in text
    assert "calibrated" not in "\n".join(printed(show_comparison, COMPARED))


def test_comparison_calls_what_is_not_the_same_different():
    assert "different: probability" in "\n".join(printed(show_comparison, replace(COMPARED, same=False)))


@pytest.mark.parametrize("width", WIDTHS)
def test_comparison_puts_the_pictures_side_by_side_within_the_terminal(width):
    lines = printed(show_comparison, COMPARED, width)
    pictures = lines[1 : next(index for index, line in enumerate(lines) if "probability" in line)]
    assert max(len(line) for line in pictures) <= width
    assert all("@" in line[: len(line) // 2] and "@" in line[len(line) // 2 :] for line in pictures if "@" in line)
    assert any("@" in line for line in pictures)


def test_comparison_of_long_names_without_unicode_is_ascii():
    long = replace(COMPARED, first=Path("x" * 60), second=Path("y" * 60))
    printed(show_comparison, long, 80, colour=True, encoding="ascii")


def test_download_of_nothing_new_says_that_there_is_nothing_to_do():
    assert printed(show_download, DownloadReport(sets=(FETCHED,), seconds=1.0))[-1] != "Nothing to do."
    there = replace(FETCHED, fetched=False)
    assert printed(show_download, DownloadReport(sets=(there,), seconds=1.0))[-1] == "Nothing to do."


def show_exams(report, console):
    show_evaluation(report, console, 0)


@pytest.mark.parametrize(
    ("show", "whole", "early"),
    [
        (show_exams, evaluation(pairs_exam()), evaluation(pairs_exam(), network=network(iterations=2_000))),
        (show_comparison, COMPARED, replace(COMPARED, iterations=2_000)),
    ],
)
def test_a_network_that_was_stopped_early_is_seen_to_be_one(show, whole, early):
    assert any("small, 40 of 2,000 iterations" in line for line in printed(show, early))
    assert any("small, 40 iterations" in line for line in printed(show, whole))


def test_what_the_network_saw_is_shown_only_where_asked_for():
    lines = printed(lambda report, console: show_comparison(report, console, True), COMPARED)
    assert sum("what the network saw" in line for line in lines) == 1
    assert len(lines) > len(printed(show_comparison, COMPARED))
    assert not any("what the network saw" in line for line in printed(show_comparison, COMPARED))
