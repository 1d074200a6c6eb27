"""Exams as text: figures that keep their last digits, intervals beside each, and a ROC that says what it should."""

import re
from dataclasses import replace

import pytest
from hand_built import (
    CONSTANT,
    ORACLE,
    ORDINARY,
    curved_exam,
    evaluation,
    measure,
    network,
    official_exam,
    one_shot_exam,
    operating_point,
    pairs_exam,
    same_alphabet_exam,
)
from terminals import terminal

from omnitwin.reports.exams import CalibrationReport, ClassErrors, ExamReport, Group, Measure
from omnitwin.view.exams import circumstances, interval, seen, show_evaluation, spoiled, subject, value

WIDTHS = (40, 80, 160)
TABLE_EDGES = "┏┃┡│└├+|"  # with which a line of a table begins; `|` is also the left edge of the ROC
ROC_LABELS = ("TAR 1 |", "      |", "    0 |")


def printed(report, width=80, pairs=0, **kind):
    console = terminal(width, **kind)
    show_evaluation(report, console, pairs)
    return console.file.lines()


def words(report, **kind):
    return " ".join(" ".join(printed(report, **kind)).split())


def roc(lines):
    """The columns of the small ROC, a string a line from the top, without its frame."""
    return [line[7:-1] for line in lines if line.startswith(ROC_LABELS)]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.5, "50.0 %"),
        (0.8321, "83.2 %"),
        (0.01, "1.0 %"),
        (0.99, "99.0 %"),
        (0.00905, "0.9 %"),
        (0.00051, "0.05 %"),
        (0.0000379, "0.004 %"),
        (0.99634, "99.6 %"),
        (0.99951, "99.95 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
    ],
)
def test_a_rate_is_told_in_percent_to_one_decimal_and_more_only_where_it_would_be_0_or_100(share, text):
    assert value(measure("accuracy", share)) == text


@pytest.mark.parametrize("share", [1e-5, 2e-4, 0.009, 0.991, 0.9998, 1 - 1e-5])
def test_no_rate_is_rounded_to_0_or_to_1_that_is_neither(share):
    assert value(measure("tar_at_far_1e-4", share)) not in ("0.0 %", "0.000 %", "100.0 %", "100.000 %")


@pytest.mark.parametrize("name", ["auc", "average_precision"])
def test_what_is_no_rate_is_told_as_a_number_from_0_to_1(name):
    figure = measure(name, 0.90917, (0.87, 0.94512))
    assert (value(figure), interval(figure)) == ("0.9092", "0.8700 to 0.9451")


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "eer", "tar_at_far_1e-4", "false_alarms"])
def test_every_other_figure_is_told_in_percent(name):
    figure = measure(name, 0.5, (0.25, 0.75))
    assert (value(figure), interval(figure)) == ("50.0 %", "25.0 to 75.0 %")


def test_both_ends_of_an_interval_keep_their_own_digits():
    assert interval(measure("eer", 0.009, (0.0005, 0.0154))) == "0.05 to 1.5 %"


def test_without_an_interval_there_is_a_dash():
    assert interval(measure("eer", 0.14, None)) == "-"


def test_an_exam_of_one_figure_tells_value_count_interval_and_method():
    text = words(evaluation(pairs_exam()))
    assert "pairs: 300 random pairs of different images, similar with probability 1/2" in text
    assert "Accuracy 88.0 % of 300 pairs of omniglot/test (95 % interval 83.9 to 91.2 %; Wilson)" in text


def test_an_exam_of_many_figures_tells_each_with_its_interval():
    lines = printed(evaluation(curved_exam()))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert ["equal error rate (EER)", "14.0 %", "9.0 to 19.0 %"] in rows
    assert ["ROC AUC", "0.9092", "0.8592 to 0.9592"] in rows
    assert ["balanced accuracy at 0.4766, the threshold", "85.0 %", "80.0 to 90.0 %"] in rows
    assert len(rows) == len(curved_exam().measures)
    assert "n = 28,680 pairs; percentile bootstrap" in lines


def test_each_group_has_its_figures_with_their_intervals():
    lines = printed(evaluation(same_alphabet_exam("Greek", "Old_Church_Slavonic_(Cyrillic)")), 120)
    headings = next(line for line in lines if "alphabet" in line and line.startswith("┃"))
    assert [cell.strip() for cell in headings.strip("┃").split("┃")] == ["alphabet", "balanced, %", "AUC", "EER, %"]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    numbers = ["69.7 (66.5 to 73.2)", "0.7118 (0.5801 to 0.8342)", "36.0 (25.6 to 45.6)"]
    assert ["Greek", *numbers] in rows
    assert ["Old_Church_Slavonic_(Cyrillic)", *numbers] in rows


def test_groups_without_an_interval_are_shown_without_one():
    exam = one_shot_exam(groups=(Group(name="Greek", measures=(measure("accuracy", 0.5, None),)),))
    assert any(line.split()[1:4] == ["Greek", "│", "50.0"] for line in printed(evaluation(exam)))


def test_published_figures_stand_beside_the_official_runs_alone():
    text = words(evaluation(official_exam()), width=120)
    assert "Error rate 8.8 % of 40 trials" in text
    assert "humans │ 4.5 % │ Lake et al. 2015" in text
    assert "38.8 %" in text
    assert "published" not in words(evaluation(pairs_exam(), one_shot_exam()))


@pytest.mark.parametrize(
    ("seeds", "told"), [((), "nothing sampled"), ((7,), "seed 7"), ((7, 8, 9), "seeds 7 to 9"), ((-1,), "seed -1")]
)
def test_seeds_are_told(seeds, told):
    assert circumstances(pairs_exam(seeds=seeds)) == [told, "exam's threshold 0.5", "1.2 s"]


def test_an_exam_without_a_threshold_tells_none():
    assert circumstances(one_shot_exam()) == ["seeds 7 to 9", "0.0 s"]


def test_calibration_tells_both_sides_where_there_are_two():
    text = words(evaluation(curved_exam()))
    assert "ECE 0.1200, Brier 0.0600 as trained; ECE 0.0300, Brier 0.0150 calibrated" in text
    before = curved_exam().calibration.before
    alone = CalibrationReport(prior="1:1", temperature=None, bias=None, before=before, after=None)
    text = words(evaluation(curved_exam(calibration=alone)))
    assert "ECE 0.1200, Brier 0.0600; prior 1:1" in text
    assert "calibrated" not in text
    assert "Probabilities" not in words(evaluation(curved_exam(calibration=None)))


def test_a_network_is_named_with_its_iterations_and_threshold():
    assert subject(evaluation()).endswith("best.safetensors (small, 40 iterations; compare says same from 0.4766 on)")
    early = evaluation(network=network(iterations=2000))
    assert "small, 40 of 2,000 iterations" in subject(early)


def test_a_baseline_is_said_to_be_none():
    report = evaluation(pairs_exam(weights_sha256=None), network=None, baseline="pixels")
    assert "pixels, no network" in subject(report)
    assert "Baseline: pixels" in words(report)
    assert "never saw" not in words(report)


def test_it_is_said_what_the_network_knows_of_the_images():
    texts = [seen(evaluation(seen=kind)) for kind in ("never", "held-out", "training")]
    assert "never saw" in texts[0]
    assert "kept out of training" in texts[1]
    assert "TRAINED on" in texts[2]
    assert len(set(texts)) == 3


def test_pairs_are_drawn_just_where_they_are_asked_for():
    report = evaluation(pairs_exam())
    counts = ["\n".join(printed(report, pairs=pairs)).count("Score: ") for pairs in (0, 2, 3, 10)]
    assert counts == [0, 2, 3, 3]


def test_the_roc_of_an_oracle_is_full_and_that_of_a_constant_scorer_is_the_false_accept_rate():
    full = roc(printed(evaluation(curved_exam(points=ORACLE))))
    assert full == ["█" * 48] * 8
    # on the diagonal TAR is FAR, here on a log scale from 1e-4 to 1: column c stands for 1e-4 ** (1 - (c + 0.5) / 48)
    diagonal = roc(printed(evaluation(curved_exam(points=CONSTANT))))
    eighths = [round(64 * 1e-4 ** (1 - (column + 0.5) / 48)) for column in range(48)]
    drawn = [sum(" ▁▂▃▄▅▆▇█".index(line[column]) for line in diagonal) for column in range(48)]
    assert drawn == eighths
    assert diagonal[0][:47].strip() == ""


def test_the_roc_in_ascii_has_the_same_extremes():
    full = roc(printed(evaluation(curved_exam(points=ORACLE)), encoding="ascii"))
    assert full == ["#" * 48] * 8
    diagonal = roc(printed(evaluation(curved_exam(points=CONSTANT)), encoding="ascii"))
    heights = [sum(line[column] == "#" for line in diagonal) for column in range(48)]
    assert heights[:24] == [0] * 24  # TAR = FAR below 1e-2 is nothing to be seen
    assert heights == sorted(heights)
    assert heights[-1] in (7, 8)  # 0.91 of 8 lines


def test_the_roc_of_a_network_between_them_rises_and_lies_between_them():
    ordinary, constant = (roc(printed(evaluation(curved_exam(points=one)))) for one in (ORDINARY, CONSTANT))
    heights = [
        [sum(" ▁▂▃▄▅▆▇█".index(line[column]) for line in lines) for column in range(48)]
        for lines in (ordinary, constant)
    ]
    assert heights[0] == sorted(heights[0])
    assert all(high >= low for high, low in zip(*heights, strict=True))
    assert heights[0][-1] >= 60  # TAR 0.97 to 1 beyond FAR 0.4
    # at FAR 1e-2, the middle of the axis, TAR is 0.5: half of 64 eighths
    assert heights[0][23] == pytest.approx(32, abs=3)


def test_the_axis_of_the_roc_names_far_from_1e_4_to_1():
    [axis] = [line for line in printed(evaluation(curved_exam())) if line.startswith("  FAR")]
    assert axis.split() == ["FAR", "1e-4", "1e-3", "1e-2", "0.1", "1"]
    assert [axis.index(tick) - 7 for tick in ("1e-4", "1e-3", "1e-2", "0.1")] == [0, 12, 24, 36]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [{}, {"colour": True}, {"encoding": "ascii"}], ids=["pipe", "colour", "ascii"])
def test_no_line_of_a_table_is_wider_than_the_terminal(width, kind):
    lines = printed(evaluation(), width, **kind)
    tables = [line for line in lines if line[:1] in TABLE_EDGES and line]
    assert len(tables) > 30
    assert max(map(len, tables)) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_the_roc_stays_within_the_terminal(width):
    lines = [line for line in printed(evaluation(curved_exam()), width) if line.startswith((*ROC_LABELS, "  FAR"))]
    assert len(lines) == 9
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("names", [("Greek",), ("Old_Church_Slavonic_(Cyrillic)", "Greek")], ids=["short", "long"])
def test_no_number_is_cut_in_any_width(width, names):
    """Rows may take more lines and names may be cut; a number that lacks a digit says something else."""
    report = evaluation(pairs_exam(), same_alphabet_exam(*names), one_shot_exam(*names), official_exam())
    assert not [line for line in printed(report, width) if re.search(r"[\d.(-]…", line)]


@pytest.mark.parametrize("width", WIDTHS)
def test_without_unicode_only_ascii_is_written(width):
    printed(evaluation(), width, pairs=3, colour=True, encoding="ascii")  # Paper is strict: other letters would raise


@pytest.mark.parametrize("kind", [{}, {"colour": True, "no_color": True}, {"colour": True}])
def test_text_is_the_same_with_and_without_colour(kind):
    assert printed(evaluation(), **kind) == printed(evaluation())


def test_a_pipe_gets_no_escape_sequence():
    console = terminal(80)
    show_evaluation(evaluation(), console, 3)
    assert "\x1b" not in console.file.text()


HOSTILE = [
    "[red]x[/red]",
    "[/red]",
    "[bold",
    "[link=file:///etc]y[/link]",
    ":smile:",
    "a\x1b[31mb",
    "two\nlines",
    "\x9b2J",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("exam", [same_alphabet_exam, one_shot_exam, official_exam])
def test_names_of_groups_are_printed_as_they_are_but_for_control_characters(exam, name):
    console = terminal(200)
    show_evaluation(evaluation(exam(name)), console, 0)
    text = console.file.text()
    spelled_out = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
    assert spelled_out in text
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "two\nlines" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_files_data_sets_and_devices_are_printed_harmlessly(name):
    report = evaluation(pairs_exam(), dataset=name, device=name, network=network(checkpoint=name, recipe=name))
    console = terminal(200)
    show_evaluation(report, console, 0)
    assert "\x1b" not in console.file.text()
    assert "\x9b" not in console.file.text()
    spelled_out = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
    assert f"Network: {spelled_out} ({spelled_out}, 40 iterations" in console.file.text()


def own_exam(**fields):
    """An exam that nobody in omnitwin knows, with figures by other names."""
    figures = tuple(
        Measure(name=name, value=0.5, interval=None, n=7, method="by hand") for name in ("recall_at_1", "x")
    )
    known = {"exam": "nearest", "description": "by hand", "n": 7, "unit": "queries", "measures": figures}
    return ExamReport(**{**known, "grouped_by": "shelf", "groups": (Group(name="A", measures=figures),), **fields})


def test_an_exam_with_figures_of_its_own_is_shown_by_their_names():
    lines = printed(evaluation(own_exam()))
    assert any(line.split()[:5] == ["│", "recall", "at", "1", "│"] for line in lines)
    assert any(line.split()[1:7] == ["shelf", "┃", "recall", "at", "1,", "%"] for line in lines)


def test_a_figure_comes_under_the_words_that_its_report_brings():
    figure = Measure(name="r", value=0.5, interval=None, n=7, method="m", label="recall", short="rec", percent=False)
    lines = printed(evaluation(own_exam(measures=(figure,), groups=(Group(name="A", measures=(figure,)),))))
    assert any(line.startswith("Recall 0.5000 of 7 queries") for line in lines)
    assert any(line.split()[1:5] == ["shelf", "┃", "rec", "┃"] for line in lines)


def test_an_exam_without_any_figure_is_refused():
    with pytest.raises(ValueError, match="nearest has no measure"):
        own_exam(measures=())


def test_alphabets_left_out_of_what_a_network_was_trained_on_are_named():
    text = seen(evaluation(seen="training", left_out=("Greek", "Latin")))
    assert "TRAINED on" in text
    assert text.endswith("(without the held-out alphabets Greek, Latin)")


def test_an_exam_without_groups_has_no_table_of_them():
    exam = replace(pairs_exam(), groups=())
    assert not [line for line in printed(evaluation(exam)) if line[:1] in "┏┃│" and line]


def test_images_that_chose_the_threshold_are_said_to_have_done_so_if_the_report_says_so_and_not_by_their_name():
    point = operating_point(chosen_on="calibration", data="stamps")
    calibrated = evaluation(network=network(operating=point), dataset="stamps/test")
    assert "chose" not in seen(calibrated)
    assert spoiled(calibrated) == ""
    chosen = replace(calibrated, chose_threshold=True)
    assert "chose its threshold and calibration" in seen(chosen)
    assert "only EER, AUC and ranks are fair" in spoiled(chosen)


@pytest.mark.parametrize(
    ("facts", "warned"),
    [
        ({"seen": "training"}, "The network was TRAINED on these images"),
        ({"seen": "training", "network": None, "baseline": "pixels"}, "The baseline was fitted to these images"),
        ({"seen": "closed"}, "Closed set"),
        ({"seen": "unknown"}, "It is not known whether the network was trained on these classes"),
        ({"seen": "held-out"}, "chose the network's best checkpoint: the figures are too kind"),
        ({"seen": "held-out", "chose_threshold": True}, "best checkpoint, threshold and calibration"),
        ({"chose_threshold": True}, "Some of these images chose the network's threshold"),
    ],
)
def test_what_spoils_the_figures_is_said_before_them(facts, warned):
    lines = printed(evaluation(**facts), 200)
    assert warned in lines[0]
    assert not [line for line in printed(evaluation(), 200) if "too kind" in line or "TRAINED" in line]


def test_an_evaluation_says_what_the_networks_threshold_was_chosen_for():
    text = words(evaluation(network=network(operating=operating_point())), width=300)
    assert "Its threshold: chosen for far=0.01 on 5 held-out classes" in text


# ---- the worst classes ----

MILK = ClassErrors(name="dairy/milk", error=0.135, similar=45, rejected=12, dissimilar=1900, accepted=6)
ALONE = ClassErrors(name="ghost", error=0.25, similar=0, rejected=0, dissimilar=40, accepted=10)


def test_the_worst_classes_are_a_table_of_their_wrong_pairs_with_their_numbers():
    lines = printed(evaluation(curved_exam(worst=(ALONE, MILK), classes=31), dataset="shop/test"), 120)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert ["dairy/milk", "13.5", "12 of 45 (26.7 %)", "6 of 1,900 (0.3 %)"] in rows
    assert ["ghost", "25.0", "none: one image", "10 of 40 (25.0 %)"] in rows
    assert any("worst of 31 classes" in line for line in lines)
    assert any("chance, too, makes a class the worst of many" in line for line in lines)


def test_a_terminal_shows_five_of_the_worst_classes():
    many = tuple(replace(MILK, name=f"class {number}") for number in range(20))
    text = words(evaluation(curved_exam(worst=many, classes=100)), width=120)
    assert "class 4" in text
    assert "class 5" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_the_worst_classes_fits_the_terminal(width):
    long = replace(MILK, name="a" * 200)
    tables = [
        line for line in printed(evaluation(curved_exam(worst=(long,), classes=2)), width) if line[:1] in TABLE_EDGES
    ]
    assert max(map(len, tables)) <= width
