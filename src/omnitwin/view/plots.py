"""Plots of exams and of training with matplotlib: ROC, DET, scores, reliability, groups of classes, loss.

Colour-blind readers can tell the colours apart (Okabe and Ito's palette). Every title gives n.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from omnitwin.reports.exams import EvalReport, ExamReport, Reliability
from omnitwin.reports.nouns import OWN, WRITING
from omnitwin.reports.training import StepReport
from omnitwin.system.files import check_replaceable, replacing
from omnitwin.view.console import clean
from omnitwin.view.exams import value
from omnitwin.view.figures import hardest_figure, pairs_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = {  # on light paper, from Okabe and Ito 2008, and on dark paper
    "blue": ("#0072B2", "#56B4E9"),
    "orange": ("#D55E00", "#E69F00"),
    "green": ("#009E73", "#2BC79A"),
    "purple": ("#CC79A7", "#D990B8"),
    "black": ("#000000", "#FFFFFF"),
}
DASHES = ("-", "--", ":", "-.")  # of the curves, in turn
SIZE = (5.2, 4.0)  # inches: the width of a thesis column
RESOLUTION = 200  # dots an inch
LONGEST_NAME = 44  # letters; of Omniglot's alphabets the longest has 41
DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
GROUPS = {nouns.group: nouns.groups for nouns in (OWN, WRITING)}  # parts of an exam that have a figure
FIGURE = re.compile(r"(roc|det|(scores|reliability|alphabets|groups|pairs|hardest)(-.+)?)\.png")  # of write_figures
SVG_ID = r"\b[a-z][0-9a-f]{10}\b"  # matplotlib's form
NEAREST = 1e-6  # smallest distance of a drawn share from 0 and 1, which lie at infinity on a DET curve


def plots(report: EvalReport, dark: bool = False) -> dict[str, "Figure"]:
    """Return all figures that the exams of a report have the numbers for, by name."""
    curved = [exam for exam in report.exams if exam.curves is not None]
    found: dict[str, Figure] = {}
    if curved:
        found["roc"] = _drawn(dark, partial(_roc, curved, report, dark))
        found["det"] = _drawn(dark, partial(_det, curved, report, dark))
    for exam in curved:
        found[f"scores-{exam.exam}"] = _drawn(dark, partial(_scores, exam, report, dark))
        if exam.calibration is not None:
            found[f"reliability-{exam.exam}"] = _drawn(dark, partial(_reliability, exam, report, dark))
    for exam in report.exams:
        if exam.grouped_by in GROUPS and exam.groups:
            size = (SIZE[0], 1.2 + 0.24 * len(exam.groups))
            found[f"{GROUPS[exam.grouped_by]}-{exam.exam}"] = _drawn(dark, partial(_groups, exam, report, dark), size)
    return found


def check_figures(folder: Path) -> None:
    """Raise CannotWrite if a file of the folder has a figure's name and is not plain. Call it before the work."""
    for path in folder.iterdir():
        if FIGURE.fullmatch(path.name):
            check_replaceable(path)


def write_figures(report: EvalReport, folder: Path) -> list[Path]:
    """Write every figure of a report, and the sheets of pairs, as PNG into a folder."""
    written = []
    for name, figure in plots(report).items():
        written.append(folder / f"{name}.png")
        with replacing(written[-1]) as temporary:
            figure.savefig(temporary, dpi=RESOLUTION, metadata={"Software": None})
    for exam in report.exams:
        if exam.shown:
            written.append(folder / ("pairs.png" if exam.exam == "pairs" else f"pairs-{exam.exam}.png"))
            pairs_figure(exam, report.dataset, written[-1])
        if exam.hardest:
            written.append(folder / f"hardest-{exam.exam}.png")
            hardest_figure(exam, report.dataset, written[-1])
    return written


def as_svg(figure: "Figure") -> str:
    """Return a figure as SVG text, the same for the same figure.

    matplotlib makes ids from addresses in memory; here they are numbered instead.
    """
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None}, transparent=True)
    numbers: dict[str, str] = {}
    return re.sub(SVG_ID, lambda found: numbers.setdefault(found[0], f"id{len(numbers)}"), content.getvalue())


def training_plot(steps: Sequence[StepReport], dark: bool = False, kept: str = OWN.held_out) -> "Figure":
    """Plot the loss by iteration, and the held-out equal error rate if there is one. kept: what was held out"""

    def draw(axes: "Axes") -> None:
        blue, orange = _colours(dark)
        points = max(1, len(steps) // 500)
        groups = [steps[start : start + points] for start in range(0, len(steps), points)]
        iterations = [group[-1].iteration for group in groups]
        axes.plot(iterations, [sum(step.loss for step in group) / len(group) for group in groups], color=blue)
        axes.set(xlabel="iteration", ylabel="loss (nats)", title=f"Training, n = {len(steps):,} iterations")
        axes.yaxis.label.set_color(blue)
        held_out = [(step.iteration, step.held_out_eer) for step in steps if step.held_out_eer is not None]
        held_out = held_out[:: max(1, len(held_out) // 500)]
        if held_out:
            other = axes.twinx()
            other.grid(False)
            other.plot(*zip(*held_out, strict=True), color=orange, marker="o", markersize=3)
            other.set_ylabel(f"equal error rate, held-out {kept}", color=orange)
            other.set_ylim(bottom=0)

    return _drawn(dark, draw)


def _drawn(dark: bool, draw: Callable[["Axes"], None], size: tuple[float, float] = SIZE) -> "Figure":
    from matplotlib.figure import Figure

    with _style(dark):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        figure.draw_without_rendering()  # within the style, which text reads when it is laid out
        figure.set_layout_engine("none")  # a second layout would move everything a little
        return figure


@contextmanager
def _style(dark: bool) -> Iterator[None]:
    import matplotlib as mpl

    ink, paper = ("#e8e8e8", "#16181c") if dark else ("#1a1a1a", "#ffffff")
    style: dict[Any, Any] = {
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink),
        **dict.fromkeys(("axes.facecolor", "figure.facecolor", "savefig.facecolor"), paper),
        "text.parse_math": False,  # names may hold dollar signs
        "text.usetex": False,  # even if the user's settings ask for it
        "font.size": 9.5,
        "axes.titlesize": 9.5,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
    }
    with mpl.rc_context(style):
        yield


def _colours(dark: bool) -> tuple[str, str]:
    """Return blue and orange."""
    return PALETTE["blue"][dark], PALETTE["orange"][dark]


def _strokes(exams: Sequence[ExamReport], dark: bool) -> list[tuple[str, str]]:
    """Return colour and dash of each exam's curve: its own colour, else the next that no exam has, else any."""
    free = [name for name in PALETTE if name not in {exam.colour for exam in exams}]
    spare = cycle(free or PALETTE)
    names = [exam.colour if exam.colour in PALETTE else next(spare) for exam in exams]
    return [(PALETTE[name][dark], dash) for name, dash in zip(names, cycle(DASHES), strict=False)]


def _title(report: EvalReport, text: str) -> str:
    who = report.network.recipe if report.network else str(report.baseline)
    return f"{text}\n{_name(who)} on {_name(report.dataset)}"


def _name(text: str) -> str:
    """Return a name in letters that every font has, cut if it would leave no room for the curve."""
    spelt = clean(text).encode("ascii", "backslashreplace").decode()
    return spelt if len(spelt) <= LONGEST_NAME else f"{spelt[: LONGEST_NAME - 3]}..."


def _roc(exams: list[ExamReport], report: EvalReport, dark: bool, axes: "Axes") -> None:
    for exam, (colour, dash) in zip(exams, _strokes(exams, dark), strict=True):
        assert exam.curves is not None
        auc, eer = exam.find("auc"), exam.find("eer")
        label = f"{exam.exam}: {f'AUC {value(auc)}, ' if auc else ''}n = {exam.n:,}"
        axes.plot(exam.curves.far, exam.curves.tar, color=colour, linestyle=dash, label=label)
        if eer is not None:
            axes.plot([eer.value], [1 - eer.value], "o", color=colour, label=f"EER {value(eer)} ({exam.exam})")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title=_title(report, "ROC"))
    axes.set(xlabel="false accept rate (FAR)", ylabel="true accept rate (TAR)")
    axes.legend(loc="lower right", fontsize=8)


def _det(exams: list[ExamReport], report: EvalReport, dark: bool, axes: "Axes") -> None:
    for exam, (colour, dash) in zip(exams, _strokes(exams, dark), strict=True):
        assert exam.curves is not None
        points = [
            (_probit(far), _probit(1 - tar)) for far, tar in zip(exam.curves.far, exam.curves.tar, strict=True) if far
        ]
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, label=f"{exam.exam}: n = {exam.n:,} pairs")
        eer = exam.find("eer")
        if eer is not None:
            place = [_probit(eer.value)]
            axes.plot(place, place, "o", color=colour, label=f"EER {value(eer)} ({exam.exam})")
    ends = (_probit(DET_TICKS[0]), _probit(DET_TICKS[-1]))
    axes.plot(ends, ends, color="grey", linewidth=0.8, linestyle=":")
    ticks, names = [_probit(tick) for tick in DET_TICKS], [f"{100 * tick:g}" for tick in DET_TICKS]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(xlim=ends, ylim=ends, title=_title(report, "DET"))
    axes.set(xlabel="false accept rate, %", ylabel="false reject rate, %")
    axes.legend(loc="upper right", fontsize=8)


def _probit(share: float) -> float:
    return NormalDist().inv_cdf(min(1 - NEAREST, max(NEAREST, share)))


def _scores(exam: ExamReport, report: EvalReport, dark: bool, axes: "Axes") -> None:
    assert exam.curves is not None
    blue, orange = _colours(dark)
    for shares, colour, name, dash in (
        (exam.curves.dissimilar, orange, "dissimilar", "--"),
        (exam.curves.similar, blue, "similar", "-"),
    ):
        axes.stairs(shares, exam.curves.edges, color=colour, linestyle=dash, linewidth=1.4, label=name)
        axes.stairs(shares, exam.curves.edges, color=colour, alpha=0.2, fill=True)
    axes.set(xlabel="score (logit)", ylabel="share of the pairs of each kind")
    axes.set_title(_title(report, f"Scores, {exam.exam}, n = {exam.n:,} pairs"))
    axes.legend(fontsize=8)


def _reliability(exam: ExamReport, report: EvalReport, dark: bool, axes: "Axes") -> None:
    assert exam.calibration is not None
    blue, orange = _colours(dark)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    sides: list[tuple[Reliability, str, str, str]] = [(exam.calibration.before, orange, "as trained", "s--")]
    if exam.calibration.after is not None:
        sides.append((exam.calibration.after, blue, "calibrated", "o-"))
    for side, colour, name, mark in sides:
        label = f"{name}: ECE {side.expected_calibration_error:.3f}, Brier {side.brier_score:.3f}"
        axes.plot(side.mean, side.share, mark, color=colour, markersize=4, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set(xlabel="predicted probability", ylabel="share of similar pairs")
    axes.set_title(_title(report, f"Reliability, {exam.exam}, n = {exam.n:,} pairs, prior 1:1"))
    axes.legend(loc="best", fontsize=8)  # an uncalibrated network may lie above or below the line


def _groups(exam: ExamReport, report: EvalReport, dark: bool, axes: "Axes") -> None:
    groups = sorted(exam.groups, key=lambda group: group.measures[0].value)
    measures = [group.measures[0] for group in groups]
    scale, unit = (100, ", %") if measures[0].percent else (1, "")
    values = [scale * measure.value for measure in measures]
    ends = [measure.interval or (measure.value, measure.value) for measure in measures]
    low = [max(0.0, middle - scale * end[0]) for middle, end in zip(values, ends, strict=True)]
    high = [max(0.0, scale * end[1] - middle) for middle, end in zip(values, ends, strict=True)]
    places = range(len(groups))
    axes.errorbar(values, places, xerr=[low, high], fmt="o", color=_colours(dark)[0], markersize=4, linewidth=1)
    axes.set_yticks(places, [_name(group.name.replace("_", " ")) for group in groups])
    axes.set_xlabel(f"{_name(measures[0].label)}{unit} (95 % interval)")
    axes.set_title(_title(report, f"By {exam.grouped_by}, {exam.exam}, n = {exam.n:,} {exam.unit}"), loc="right")
