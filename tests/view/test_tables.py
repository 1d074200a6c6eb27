"""Reports as text: nothing cut that somebody wants to copy, and readable on any terminal."""

from dataclasses import replace
from pathlib import Path

import pytest
from hand_built import evaluation, network, operating_point, pairs_exam, ranking
from terminals import picture, plan, terminal

from omnitwin.reports.answers import ComparisonReport, LeftOut, RankingReport, TrainedNetwork
from omnitwin.reports.data import DownloadReport, SetReport
from omnitwin.reports.operating import BY_ITSELF, BY_OTHER_FITS, BY_OTHER_FOLDS, BY_OTHERS
from omnitwin.reports.training import TrainReport
from omnitwin.view.exams import show_evaluation
from omnitwin.view.tables import (
    show_comparison,
    show_download,
    show_plan,
    show_ranking,
    show_training,
    warn_of_comparison,
    warn_of_ranking,
)

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
    network=TrainedNetwork(checkpoint=WEIGHTS, bundled=False, recipe="small", iteration=40, iterations=40),
    engine="numpy",
    notes=("first.png: a speck was ignored",),
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


def test_the_exams_that_fit_images_of_ones_own_are_named_for_them():
    assert not any("--exam" in line for line in printed(show_training, TRAINED))
    told = " ".join(printed(show_training, replace(TRAINED, own_images=True)))
    assert "--exam all-pairs --exam retrieval" in told


def test_a_run_that_stopped_because_exams_found_nothing_better_is_done():
    lines = printed(show_training, replace(TRAINED, stopped_by="patience"))
    assert lines[0] == "Done: 40 iterations in 1:30 (the exams found no better network any more)"
    assert lines[-1].startswith("Measure it:")


def test_a_plan_tells_how_patient_a_run_is():
    assert "found no better network" not in " ".join(printed(show_plan, plan()))
    assert "or until 5 exams in a row found no better network" in " ".join(printed(show_plan, plan(patience=5)))


def test_plan_without_measurements_tells_no_time():
    lines = printed(show_plan, plan())
    assert not any(line.startswith("time") for line in lines)
    assert any(line.split() == ["would", "write", "run"] for line in lines)


def test_plan_says_where_a_system_does_not_tell_the_memory_in_use():
    measured = plan(seconds_per_iteration=0.5, seconds_in_all=50.0, weights_bytes=1, training_bytes=1, data_bytes=1)
    lines = printed(show_plan, measured)
    assert any("0:50 at 0.500 s an iteration" in line for line in lines)
    assert any(line.startswith("peak memory") and "unknown" in line for line in lines)


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
    assert "Note: first.png: a speck was ignored" in text


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
        (show_comparison, COMPARED, replace(COMPARED, network=replace(COMPARED.network, iterations=2_000))),
    ],
)
def test_a_network_that_was_stopped_early_is_seen_to_be_one(show, whole, early):
    assert any("small, 40 of 2,000 iterations" in line for line in printed(show, early))
    assert any("small, 40 iterations" in line for line in printed(show, whole))


def show_with_input(report, console):
    (show_ranking if isinstance(report, RankingReport) else show_comparison)(report, console, True)


@pytest.mark.parametrize("width", [*WIDTHS, 40])
@pytest.mark.parametrize("report", [COMPARED, ranking(3)], ids=["comparison", "ranking"])
def test_what_the_network_saw_is_shown_within_the_terminal_and_only_where_asked_for(report, width):
    show = show_ranking if isinstance(report, RankingReport) else show_comparison
    plain, shown = printed(show, report, width), printed(show_with_input, report, width)
    more = [line for line in shown if line not in plain or "@" in line]
    assert sum("What the network saw" in line for line in shown) == 1
    assert not any("What the network saw" in line for line in plain)
    assert all(len(line) <= width for line in more if "@" in line)
    assert sum("@" in line for line in shown) > sum("@" in line for line in plain)


def test_of_a_ranking_the_query_and_the_best_ten_are_shown_by_name():
    text = "\n".join(printed(show_with_input, ranking(12), 200))
    for number in range(1, 11):
        assert f"{number}. {number:02d}.png" in text
    assert "11. " not in text
    assert "12. " not in text


def told(count, notes):
    return [line for line in printed(show_ranking, ranking(count, notes=notes)) if line.startswith("Note")]


def test_notes_that_differ_in_numbers_alone_share_a_line_in_a_ranking():
    notes = [
        ("40 x 20 was scaled to fit 28 x 28", "light ink on dark was turned round"),
        ("9 x 9 was scaled to fit 28 x 28",),
        (),
    ]
    assert told(3, notes) == [
        "Note: 2 images, such as 01.png: 40 x 20 was scaled to fit 28 x 28",
        "Note: 01.png: light ink on dark was turned round",
    ]


def test_specks_of_many_images_are_counted_once_by_the_most():
    notes = [("7 specks were ignored",), ("a speck was ignored",), ("144 specks were ignored, many for a drawing",)]
    assert told(3, notes) == ["Note: 3 images: up to 144 specks were ignored, many for a drawing"]
    assert told(2, [("a speck was ignored",)] * 2) == ["Note: 2 images: a speck was ignored"]
    assert told(2, [("12 specks were ignored",), ()]) == ["Note: 01.png: 12 specks were ignored"]


def test_what_was_left_out_of_a_folder_is_told_with_the_right_plural():
    for subfolders, files, words in (
        (40, 0, "photos: 40 subfolders were not searched"),
        (0, 2, "photos: 2 files are no images"),
        (1, 1, "photos: 1 subfolder was not searched, 1 file is no image"),
    ):
        left_out = LeftOut(folder=Path("photos"), subfolders=subfolders, files=files)
        assert printed(warn_of_ranking, replace(ranking(2), left_out=(left_out,))) == [f"Note: {words}"]


def test_the_first_few_that_were_left_out_are_named():
    left_out = LeftOut(folder=Path("photos"), subfolders=1, files=3, names=("old", "a.txt", "b.txt", "c.txt"))
    (line,) = printed(warn_of_ranking, replace(ranking(2), left_out=(left_out,)))
    assert line.endswith("1 subfolder was not searched, 3 files are no images (old, a.txt, b.txt and 1 more)")


def test_a_speed_is_told_of_many_images_alone():
    for images, there in ((99, False), (100, True)):
        text = "\n".join(printed(show_ranking, replace(ranking(2), images=images)))
        assert ("images/s" in text) == there


def test_images_unlike_any_drawing_are_warned_of_in_one_line_that_names_the_first_few():
    lines = printed(warn_of_ranking, ranking(9, novelties=[2.0, 0.5, 3.0, 1.5, 1.01, 1.0, None, 0.1, 9.0]))
    (line,) = lines
    assert line.startswith("Warning: 5 ranked images are unlike any image")
    assert line.endswith(": 01.png, 03.png, 04.png and 2 more")


def test_a_query_unlike_any_drawing_is_warned_of_apart():
    (line,) = printed(warn_of_ranking, replace(ranking(2), novelty=1.25))
    assert line.startswith("Warning: query.png is unlike any image")
    assert "novelty 1.25, limit 1" in line


@pytest.mark.parametrize("novelty", [None, 0.5, 1.0])
def test_nothing_is_warned_of_where_all_is_like_drawings_or_nobody_knows(novelty):
    assert printed(warn_of_ranking, replace(ranking(2, novelties=[novelty] * 2), novelty=novelty)) == []
    known = replace(COMPARED, first_novelty=novelty, second_novelty=novelty)
    assert printed(warn_of_comparison, known) == []


def test_a_comparison_says_in_a_line_what_its_threshold_was_chosen_for_if_that_is_known():
    lines = printed(show_comparison, replace(COMPARED, threshold=0.61, operating=operating_point()), width=300)
    assert (
        "Threshold 0.61, chosen for far=0.01 on 5 held-out classes of omniglot/training: FAR 1.0 % (0.4 to 2.1), FRR "
        "6.2 % (3.0 to 12.5)"
    ) in lines
    assert not any("chosen for" in line for line in printed(show_comparison, COMPARED))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (f"{BY_OTHERS}; by hand", "cross-validated on these classes, which also chose the best checkpoint"),
        (f"{BY_OTHER_FITS}, 10 folds; by hand", "cross-validated on these classes"),
        (f"{BY_OTHER_FOLDS}; by hand", "cross-validated on these classes"),
        (f"{BY_ITSELF}; by hand", "measured on these classes, which chose it: too kind"),
        ("by hand", None),
    ],
)
def test_a_comparison_says_of_whom_far_and_frr_are_and_so_does_its_json(method, said):
    report = replace(COMPARED, operating=operating_point(method=method))
    [line] = [line for line in printed(show_comparison, report, width=300) if "chosen for" in line]
    assert line.endswith(said or "(3.0 to 12.5)")
    assert report.rates_are == said
    assert COMPARED.rates_are is None


def test_a_training_says_at_its_end_what_its_threshold_reached_and_on_which_classes():
    known = replace(TRAINED, threshold=0.61, operating=operating_point(method=f"{BY_OTHERS}; by hand"))
    [line] = [line for line in printed(show_training, known, width=300) if "threshold" in line]
    for words in ("0.61", "far=0.01 on 5 held-out classes", "FAR 1.0 % (0.4 to 2.1), FRR 6.2 %", "cross-validated"):
        assert words in line
    assert not [line for line in printed(show_training, TRAINED, width=300) if "threshold" in line]


def test_a_threshold_of_a_calibration_is_said_to_be_of_these_classes():
    point = operating_point(
        target="balanced", chosen_on="calibration", data="stamps", far=0.0, far_interval=(0.0, 1e-4)
    )
    lines = printed(show_comparison, replace(COMPARED, operating=point), width=300)
    [line] = [line for line in lines if "chosen for" in line]
    assert "for balanced accuracy on 5 classes of stamps: FAR 0.0 % (0.0 to 0.01)" in line


DOUBT = "a.png: unlike any image that the network was trained for"


def test_a_comparison_that_cannot_be_told_begins_with_that_and_its_reasons_and_is_never_called_same():
    doubtful = replace(COMPARED, same=False, reasons=(DOUBT, "b.png: text"))
    lines = printed(show_comparison, doubtful, width=300)
    (verdict,) = [line for line in lines if line.startswith("cannot tell")]
    assert verdict == f"cannot tell: {DOUBT}; b.png: text"
    assert not any(line.startswith(("same", "different")) for line in lines)
    assert printed(warn_of_comparison, replace(doubtful, first_novelty=9.0)) == []


def test_no_record_calls_a_pair_same_and_gives_reasons_against_it():
    with pytest.raises(ValueError, match="`same`, with reasons"):
        replace(COMPARED, same=True, reasons=(DOUBT,))
    answers = (
        replace(COMPARED, same=same, reasons=reasons) for same, reasons in ((True, ()), (False, ()), (False, (DOUBT,)))
    )
    assert [answer.verdict for answer in answers] == ["same", "different", "unsure"]


def test_a_ranking_names_each_reason_once_with_its_files():
    report = ranking(4)
    images = tuple(replace(image, same=False, reasons=(f"{image.file.name}: text",)) for image in report.ranked[:2])
    lines = printed(show_ranking, replace(report, ranked=(*images, *report.ranked[2:])))
    assert [line for line in lines if line.startswith("Cannot tell")] == [
        "Cannot tell: 2 images (01.png, 02.png): text"
    ]
    assert [("cannot tell" in line, " same " in line) for line in lines if "drawings/" in line] == [
        (True, False),
        (True, False),
        (False, True),
        (False, False),
    ]
