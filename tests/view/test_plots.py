"""Figures of curves: drawn from the report's own numbers, light and dark, the same for the same report."""

import io
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from xml.etree import ElementTree

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
    pairs_exam,
)
from PIL import Image
from terminals import step

from omnitwin.errors import CannotWrite
from omnitwin.reports.exams import CalibrationReport, Group
from omnitwin.view.plots import PALETTE, as_svg, plots, training_plot, write_figures

NAMES = {
    "roc",
    "det",
    "scores-all-pairs",
    "reliability-all-pairs",
    "scores-same-alphabet",
    "reliability-same-alphabet",
    "alphabets-same-alphabet",
    "alphabets-one-shot",
}
SHEETS = {"pairs", "hardest-all-pairs", "hardest-same-alphabet"}


def drawn(figure):
    """A figure as a small RGB image."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=60)
    return Image.open(content).convert("RGB")


def lines_of(figure):
    """Data of each line of a figure, by the first word of its label."""
    [axes] = figure.axes
    return {
        line.get_label().split(":")[0]: (list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()
    }


def texts_of(figure):
    """All that is written on a figure."""
    [axes, *_] = figure.axes
    legend = axes.get_legend()
    labels = [text.get_text() for text in legend.get_texts()] if legend else []
    titles = [axes.get_title(loc=place) for place in ("left", "center", "right")]
    return " ".join([*titles, axes.get_xlabel(), axes.get_ylabel(), *labels])


def brightness(image, box):
    part = image.convert("L").crop(box).tobytes()
    return sum(part) / len(part)


def python(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(Path(__file__).parents[1])}
    ).stdout


@pytest.fixture(scope="module")
def both():
    """All figures of one report, light and dark."""
    return {dark: plots(evaluation(), dark=dark) for dark in (False, True)}


def test_importing_the_module_does_not_import_matplotlib():
    program = "import sys, omnitwin.view.plots; print([name for name in sys.modules if name.startswith('matplotlib')])"
    assert python(program) == "[]\n"


def test_no_window_system_is_ever_asked_for():
    program = (
        "import sys; from hand_built import evaluation; from omnitwin.view.plots import plots; plots(evaluation());"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert python(program) == "True False\n"


def test_there_is_a_figure_for_all_that_the_exams_have_numbers_for(both):
    assert set(both[False]) == set(both[True]) == NAMES
    assert set(plots(evaluation(pairs_exam(), official_exam()))) == set()
    assert set(plots(evaluation(curved_exam(calibration=None)))) == {"roc", "det", "scores-all-pairs"}
    assert set(plots(evaluation(one_shot_exam(grouped_by="seed")))) == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_figure_is_drawn_light_and_dark(both, name):
    light, dark = (drawn(both[shade][name]) for shade in (False, True))
    assert light.size == dark.size
    assert min(light.size) > 80
    corner = (0, 0, 4, 4)
    assert brightness(light, corner) > 250
    assert brightness(dark, corner) < 40
    for image in (light, dark):
        paper = image.getpixel((0, 0))
        other = sum(pixel != paper for pixel in image.get_flattened_data())
        assert other > 0.01 * image.width * image.height, "blank"


@pytest.mark.parametrize("dark", [False, True])
def test_letters_stand_out_from_the_paper_in_both_schemes(both, dark):
    """WCAG 2.1, 1.4.3: text has at least 4.5 times the luminance of what is behind it, or the other way round."""
    from matplotlib.colors import to_rgb

    def luminance(colour):
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for figure in both[dark].values():
        [axes] = figure.axes
        paper = luminance(figure.get_facecolor())
        written = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
        for text in written:
            low, high = sorted((paper, luminance(text.get_color())))
            assert (high + 0.05) / (low + 0.05) > 4.5, text.get_text()


def test_drawing_leaves_matplotlibs_settings_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures = plots(evaluation(), dark=True)
    as_svg(figures["roc"])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("dark", [False, True])
def test_svg_of_the_same_figure_and_of_the_same_report_is_the_same_text(both, dark):
    again = plots(evaluation(), dark)
    for name, figure in both[dark].items():
        first = as_svg(figure)
        assert as_svg(figure) == first, name
        assert as_svg(again[name]) == first, name


@pytest.mark.parametrize("name", sorted(NAMES))
def test_svg_is_sound_and_asks_for_nothing_from_elsewhere(both, name):
    text = as_svg(both[False][name])
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {element.tag.rpartition("}")[2] for element in root.iter()}.isdisjoint({"script", "image", "foreignObject"})
    links = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"<dc:date>", text)


def test_svg_of_light_and_dark_differ(both):
    assert as_svg(both[False]["roc"]) != as_svg(both[True]["roc"])


@pytest.mark.parametrize("points", [ORDINARY, ORACLE, CONSTANT], ids=["ordinary", "oracle", "constant"])
def test_roc_is_the_reports_curve_with_its_equal_error_rate(points):
    exam = curved_exam(points=points)
    lines = lines_of(plots(evaluation(exam))["roc"])
    assert lines["all-pairs"] == (list(points["far"]), list(points["tar"]))
    assert lines["EER 14.0 % (all-pairs)"] == ([0.14], [pytest.approx(0.86)])


@pytest.mark.parametrize("points", [ORDINARY, ORACLE, CONSTANT], ids=["ordinary", "oracle", "constant"])
def test_det_is_false_rejects_by_false_accepts_on_the_scale_of_the_normal_distribution(points):
    """Martin et al. 1997, "The DET curve in assessment of detection task performance"."""
    lines = lines_of(plots(evaluation(curved_exam(points=points)))["det"])
    accepted = [(far, 1 - tar) for far, tar in zip(points["far"], points["tar"], strict=True) if far > 0]
    for places, shares in zip(lines["all-pairs"], zip(*accepted, strict=True), strict=True):
        for place, share in zip(places, shares, strict=True):
            if 1e-5 < share < 1 - 1e-5:
                assert place == pytest.approx(NormalDist().inv_cdf(share), abs=1e-6)
            else:  # 0 and 1 are at infinity: beyond the axes, which end at 1e-4
                assert abs(NormalDist().inv_cdf(1e-4)) < abs(place) < 10


@pytest.mark.parametrize("eer", [0.0, 1.0])
def test_an_equal_error_rate_of_0_or_1_is_no_end_of_the_world(eer):
    measures = tuple(replace(one, value=eer) if one.name == "eer" else one for one in curved_exam().measures)
    for figure in plots(evaluation(curved_exam(measures=measures))).values():
        drawn(figure)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_figure_says_n_and_who_on_what(both, name):
    text = texts_of(both[False][name])
    own = [one for one in evaluation().exams if one.exam == name.partition("-")[2]]
    shown = own or [one for one in evaluation().exams if one.curves is not None]
    assert all(f"n = {exam.n:,}" in text for exam in shown)
    assert "small on omniglot/test" in text


def test_a_baselines_figures_name_the_baseline():
    report = evaluation(curved_exam(calibration=None), network=None, baseline="hausdorff")
    assert all("hausdorff on omniglot/test" in texts_of(figure) for figure in plots(report).values())


def test_scores_are_the_shares_of_each_kind_in_each_bin(both):
    [axes] = both[False]["scores-all-pairs"].axes
    curves = curved_exam().curves
    drawn = [tuple(patch.get_data().values) for patch in axes.patches if patch.get_label() in ("similar", "dissimilar")]
    assert sorted(drawn) == sorted([curves.similar, curves.dissimilar])
    assert all(tuple(patch.get_data().edges) == curves.edges for patch in axes.patches)


def test_reliability_shows_both_sides_where_there_are_two_and_says_the_prior(both):
    figure = both[False]["reliability-all-pairs"]
    before, after = curved_exam().calibration.before, curved_exam().calibration.after
    lines = lines_of(figure)
    assert lines["as trained"] == (list(before.mean), list(before.share))
    assert lines["calibrated"] == (list(after.mean), list(after.share))
    assert "prior 1:1" in texts_of(figure)
    assert "as trained: ECE 0.120, Brier 0.060" in texts_of(figure)
    alone = CalibrationReport(prior="1:1", temperature=None, bias=None, before=before, after=None)
    assert "calibrated" not in lines_of(plots(evaluation(curved_exam(calibration=alone)))["reliability-all-pairs"])


def test_alphabets_come_in_the_order_of_their_figure_with_their_intervals():
    low, high = (
        Group(name=name, measures=(measure("accuracy", value, (value - 0.1, value + 0.2)),))
        for name, value in (("Low", 0.3), ("High", 0.7))
    )
    [axes] = plots(evaluation(one_shot_exam(groups=(high, low))))["alphabets-one-shot"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Low", "High"]
    [container] = axes.containers
    points, _, [bars] = container
    assert list(points.get_xdata()) == [pytest.approx(30), pytest.approx(70)]
    ends = [(segment[0][0], segment[1][0]) for segment in bars.get_segments()]
    assert ends == [(pytest.approx(20), pytest.approx(50)), (pytest.approx(60), pytest.approx(90))]


def test_an_alphabet_without_an_interval_is_a_point():
    group = Group(name="Greek", measures=(measure("accuracy", 0.5, None),))
    [axes] = plots(evaluation(one_shot_exam(groups=(group,))))["alphabets-one-shot"].axes
    [(points, _, [bars])] = axes.containers
    [[(left, _), (right, _)]] = bars.get_segments()
    assert list(points.get_xdata()) == [left] == [right] == [50]


def test_a_figure_of_many_alphabets_is_high_enough_for_their_names():
    names = [f"Alphabet {number:02d}" for number in range(40)]
    few, many = (plots(evaluation(one_shot_exam(*names[:count])))["alphabets-one-shot"] for count in (2, 40))
    assert many.get_size_inches()[1] > few.get_size_inches()[1] + 5
    [axes] = many.axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))


HOSTILE = [
    "[red]x[/red]",
    r"$\nosuch{$",
    "$x$",
    "a\x1b[31mb",
    "two\nlines",
    "<script>",
    "-->",
    "&amp;",
    "x" * 300,
    "漢字",
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of letters that the font lacks and of names longer than the figure
@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_mean_something_to_matplotlib_or_xml_do_no_harm(name):
    report = evaluation(one_shot_exam(name, "Greek"), dataset=name, network=network(recipe=name))
    [figure] = plots(report).values()
    ElementTree.fromstring(as_svg(figure))
    drawn(figure)


def test_dollar_signs_in_names_are_no_mathematics():
    figure = plots(evaluation(one_shot_exam("$x$", "Greek")))["alphabets-one-shot"]
    other = plots(evaluation(one_shot_exam("x", "Greek")))["alphabets-one-shot"]
    widths = [each.axes[0].get_yticklabels()[0].get_window_extent().width for each in (figure, other)]
    assert widths[0] > 2 * widths[1]  # three letters, not one


def test_no_control_character_reaches_the_fonts_whose_warnings_would_print_it():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn(plots(evaluation(one_shot_exam("a\x1b[31mb", "Greek")))["alphabets-one-shot"])
    assert [str(each.message) for each in caught if not str(each.message).isprintable()] == []


def read_back(folder):
    images = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG", path
            images[path.stem] = image.convert("RGB")
    return images


def test_every_figure_is_written_as_a_png_that_can_be_read(tmp_path):
    write_figures(evaluation(), tmp_path / "new" / "figures")
    images = read_back(tmp_path / "new" / "figures")
    assert set(images) == NAMES | SHEETS
    for name, image in images.items():
        assert min(image.size) > 250, name
        assert len(image.getcolors(1 << 24)) > 5, name


def test_figures_are_made_again_to_the_byte_and_replace_those_before(tmp_path):
    write_figures(evaluation(curved_exam()), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    write_figures(evaluation(curved_exam(points=ORACLE)), tmp_path / "a")
    assert (tmp_path / "a" / "roc.png").read_bytes() != before["roc.png"]
    write_figures(evaluation(curved_exam()), tmp_path / "a")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before


def test_a_figure_that_cannot_be_written_leaves_those_before_it_whole(tmp_path):
    (tmp_path / "scores-all-pairs.png").mkdir()  # in the place of the third
    with pytest.raises(CannotWrite, match=r"scores-all-pairs\.png"):
        write_figures(evaluation(), tmp_path)
    (tmp_path / "scores-all-pairs.png").rmdir()
    assert set(read_back(tmp_path)) == {"roc", "det"}


def test_a_file_in_the_folders_place_is_left_alone(tmp_path):
    (tmp_path / "figures").write_text("mine")
    with pytest.raises(CannotWrite, match="figures"):
        write_figures(evaluation(), tmp_path / "figures")
    assert (tmp_path / "figures").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def losses(count, every=None):
    steps = [step(number, loss=0.7 - number / (2 * count)) for number in range(1, count + 1)]
    if every:
        return [replace(one, held_out_eer=0.3) if one.iteration % every == 0 else one for one in steps]
    return steps


@pytest.mark.parametrize("dark", [False, True])
def test_training_is_the_loss_by_iteration(dark):
    figure = training_plot(losses(40), dark)
    [axes] = figure.axes
    [line] = axes.get_lines()
    assert list(line.get_xdata()) == list(range(1, 41))
    assert list(line.get_ydata()) == [one.loss for one in losses(40)]
    assert "n = 40 iterations" in axes.get_title()
    assert brightness(drawn(figure), (0, 0, 4, 4)) == pytest.approx(24 if dark else 255, abs=16)


def test_training_shows_the_held_out_error_where_there_is_one():
    loss, error = training_plot(losses(40, every=10), kept="alphabets").axes
    [line] = error.get_lines()
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([10, 20, 30, 40], [0.3] * 4)
    assert "held-out" in error.get_ylabel()
    assert "loss" in loss.get_ylabel()
    assert len(training_plot(losses(40)).axes) == 1


def test_a_long_training_is_drawn_by_means_and_still_says_how_long_it_was():
    steps = losses(10_000)
    [axes] = training_plot(steps).axes
    [line] = axes.get_lines()
    assert 400 <= len(line.get_xdata()) <= 600
    assert list(line.get_xdata())[-1] == 10_000
    assert sum(line.get_ydata()) / len(line.get_ydata()) == pytest.approx(sum(one.loss for one in steps) / 10_000)
    assert "n = 10,000 iterations" in axes.get_title()


def test_one_iteration_is_enough_for_a_figure_of_training():
    drawn(training_plot(losses(1)))


def test_the_colours_are_those_that_the_colour_blind_tell_apart():
    """Okabe and Ito 2008, "Color Universal Design": blue, vermilion, bluish green."""
    light = {name: colours[0] for name, colours in PALETTE.items()}
    assert [light[name] for name in ("blue", "orange", "green")] == ["#0072B2", "#D55E00", "#009E73"]
    assert (light["purple"], light["black"]) == ("#CC79A7", "#000000")


def strokes(*exams):
    """Colour and dash of each curve on the ROC and on the DET figure."""
    figures = plots(evaluation(*exams))
    found = []
    for name in ("roc", "det"):
        [axes] = figures[name].axes
        lines = [line for line in axes.get_lines() if "n = " in line.get_label()]
        found.append([(line.get_color(), line.get_linestyle()) for line in lines])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 7])
def test_every_curve_is_drawn_and_no_two_alike(count):
    drawn = strokes(*(curved_exam(f"exam-{number}") for number in range(count)))
    assert len(drawn) == len(set(drawn)) == count


def test_a_curve_has_the_colour_that_its_exam_brings_whichever_others_there_are():
    own, plain = curved_exam("own", colour="orange"), curved_exam("plain")
    alone, first, second = (strokes(*exams) for exams in ((own,), (own, plain), (plain, own)))
    assert [alone[0][0], first[0][0], second[1][0]] == [PALETTE["orange"][0]] * 3
    assert {first[1][0], second[0][0]} == {PALETTE["blue"][0]}


def test_a_curve_without_an_area_or_an_equal_error_rate_is_drawn():
    only = curved_exam(measures=(measure("recall", 0.5),))
    for figure in plots(evaluation(only)).values():
        drawn(figure)
    assert "n = 28,680" in texts_of(plots(evaluation(only))["roc"])


def test_each_exam_that_shows_pairs_has_a_sheet_of_its_own(tmp_path):
    exams = (pairs_exam(), pairs_exam(exam="triples"), pairs_exam(exam="many", measures=curved_exam().measures))
    written = write_figures(evaluation(*exams), tmp_path)
    assert [path.name for path in written] == ["pairs.png", "pairs-triples.png", "pairs-many.png"]
    assert all(path.exists() for path in written)
