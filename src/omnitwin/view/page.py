"""A run as one HTML page without scripts or links, for light and dark screens, wide and narrow ones.

page.html.jinja is the page; this module computes its values. Jinja2 escapes each value, pictures are data of the page.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnitwin.errors import BadInput
from omnitwin.reports.data import PlaceFacts
from omnitwin.reports.exams import EvalReport, ExamReport, NetworkReport, RunReport
from omnitwin.reports.nouns import counted, nouns_of
from omnitwin.system.files import check_replaceable, write_text
from omnitwin.view.exams import (
    WORST_NOTE,
    circumstances,
    examined,
    group_cells,
    group_headings,
    group_method,
    interval,
    seen,
    single,
    spoiled,
    value,
    worst_cells,
    worst_headings,
)
from omnitwin.view.plots import as_svg, plots, training_plot
from omnitwin.view.templates import template, uri
from omnitwin.view.words import LISTED, listed, operating_in_words, percent, split_in_words, trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("page.html.jinja")
Row = tuple[str, ...]


def check_page(path: Path | None) -> None:
    """Raise BadInput unless the name ends like an HTML page, CannotWrite if a link is there. Call it first."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"{path} does not end like a page", "Name it FILE.html.")
    if path is not None:
        check_replaceable(path)


def write_page(report: RunReport) -> None:
    """Write the page of a run to report.page. Raises CannotWrite."""
    write_text(report.page, page(report))


def page(report: RunReport, draw: Callable[..., dict[str, "Figure"]] = plots) -> str:
    """Return the whole page as HTML text. draw returns the exams' figures by name, as view.plots.plots does."""
    evaluation, network = report.evaluation, _network(report)
    figures = _both_shades(draw(evaluation), draw(evaluation, dark=True))
    training = {}
    if report.steps:
        kept = nouns_of(network.trained_on).held_out
        training = _both_shades(*({"training": training_plot(report.steps, dark, kept)} for dark in (False, True)))
    return template(TEMPLATE).render(
        network=network,
        evaluation=evaluation,
        headline=headline(evaluation),
        lead=lead(report),
        main=_main_figures(evaluation),
        examined=_examined(evaluation, network),
        training=list(training.values()),
        place=_place(evaluation.place) if evaluation.place else [],
        broken=_broken(evaluation.place) if evaluation.place else [],
        notes=[f"{note[0].upper()}{note[1:]}." for note in evaluation.place.notes] if evaluation.place else [],
        warning=spoiled(evaluation),
        facts=_facts(network),
        hyper_parameters=list(_hyper_parameters(report.recipe)),
        versions=report.versions,
        curves=[figures[name] for name in ("roc", "det") if name in figures],
        worst_note=WORST_NOTE,
        exams=[_exam(exam, evaluation, figures) for exam in evaluation.exams],
    )


def headline(evaluation: EvalReport) -> str:
    """Return the page's first line: how good the network is on the images of the test.

    `Equal error rate (EER) 2.5 % (1.9 to 3.4 %) on 12 classes that the network never saw`

    The first equal error rate of the exams, to be compared with that of the training; without one, the first figure.
    """
    images = examined(evaluation, f"{evaluation.classes:,} ")
    rates = [rate for exam in evaluation.exams if (rate := exam.find("eer")) is not None]
    first = (rates or [evaluation.exams[0].measures[0]])[0]
    bounds = "" if first.interval is None else f" ({interval(first)})"
    return f"{first.label[:1].upper()}{first.label[1:]} {value(first)}{bounds} on {images}"


def lead(report: RunReport) -> str:
    """Return the first line on the training: which weights were kept, and how good they were on held-out images.

    `Best at 1,000 of 1,200 iterations: equal error rate 2.5 % on held-out alphabets.`
    `After 1,200 of 1,200 iterations; the best were at 1,000: equal error rate 2.5 % on held-out alphabets.`
    `After 1,200 of 1,200 iterations: ...`, by a recipe with slack, for which the lowest rate alone is not the best
    """
    network = _network(report)
    examined = [(step.held_out_eer, step.iteration) for step in report.steps if step.held_out_eer is not None]
    done = f"{network.iteration:,} of {network.iterations:,} iterations"
    if not examined:
        return f"After {done}."
    error, best = min(examined)
    own = next((error for error, iteration in examined if iteration == network.iteration), None)
    if report.recipe.get("slack") and own is not None:
        return f"After {done}: equal error rate {percent(own)} on held-out {nouns_of(network.trained_on).held_out}."
    rate = f"equal error rate {percent(error)} on held-out {nouns_of(network.trained_on).held_out}"
    if network.iteration == best:
        return f"Best at {done}: {rate}."
    return f"After {done}; the best were at {best:,}: {rate}."


def _network(report: RunReport) -> NetworkReport:
    assert report.evaluation.network is not None
    return report.evaluation.network


def _main_figures(evaluation: EvalReport) -> list[Row]:
    """Return the first figure of each exam: exam and figure, value, interval, n."""
    rows: list[Row] = []
    for exam in evaluation.exams:
        first = exam.measures[0]
        name = f"{exam.exam}: {first.label}"
        rows.append((name, value(first), interval(first), f"{first.n:,} {exam.unit}"))
    return rows


def _place(facts: PlaceFacts) -> list[Row]:
    """Return what is known of the user's own images, as rows of a table."""
    parts = [(part.name, f"{counted(part.classes, 'class')}, {counted(part.images, 'image')}") for part in facts.parts]
    left_out = "none" if not facts.leaks else f"{counted(facts.leaks, 'image')} left out of the test"
    return [
        ("place", str(facts.place)),
        ("images", f"{counted(facts.images, 'image')} of {counted(facts.classes, 'class')}"),
        ("split", split_in_words(facts.split, facts.seed)),
        *parts,
        ("the same picture in test and elsewhere", left_out),
        ("files that cannot be read", f"{facts.broken_in_all:,}, left out" if facts.broken_in_all else "none"),
    ]


def _broken(facts: PlaceFacts) -> list[Row]:
    """Return the files that cannot be read, with the reasons."""
    more = facts.broken_in_all - len(facts.broken)
    rows: list[Row] = [(each.path, each.reason) for each in facts.broken]
    return [*rows, (f"and {more:,} more", "")] if more else rows


def _examined(evaluation: EvalReport, network: NetworkReport) -> str:
    nouns = nouns_of(evaluation.dataset)
    groups = f" in {evaluation.alphabets:,} {nouns.groups}" if evaluation.alphabets else ""
    return (
        f"{trained(network)}; {evaluation.images:,} images of {evaluation.classes:,} {nouns.kinds}{groups}: "
        f"{seen(evaluation)}. {single(evaluation)} Intervals are 95 % intervals."
    ).replace("  ", " ")


def _facts(network: NetworkReport) -> list[Row]:
    calibration = (
        "none" if network.temperature is None else f"temperature {network.temperature:.4g}, bias {network.bias:.4g}"
    )
    return [
        ("trained on", network.trained_on),
        (f"held-out {nouns_of(network.trained_on).held_out}", listed(network.held_out, LISTED) or "none"),
        ("threshold", _threshold(network)),
        ("calibration", calibration),
        ("weights", network.checkpoint),
        ("SHA-256", network.weights_sha256),
    ]


def _threshold(network: NetworkReport) -> str:
    point = network.operating
    return f"{network.threshold:.4g}" + (f", {operating_in_words(point)}; {point.method}" if point else "")


def _hyper_parameters(fields: dict[str, Any], part: str = "") -> Iterator[Row]:
    """Yield name and value of each field of a recipe, those of its parts as `part: name`."""
    for name, content in fields.items():
        words = part + name.replace("_", " ")
        if isinstance(content, dict):
            yield from _hyper_parameters(content, f"{words}: ")
        else:
            yield words, str(content)


@dataclass(frozen=True)
class _Figure:
    """One figure as data URIs in both colour schemes; the browser takes the one that fits."""

    name: str
    light: str
    dark: str


def _both_shades(light: dict[str, "Figure"], dark: dict[str, "Figure"]) -> dict[str, _Figure]:
    return {
        name: _Figure(name.replace("-", " "), uri("svg+xml", as_svg(light[name])), uri("svg+xml", as_svg(dark[name])))
        for name in light
    }


@dataclass(frozen=True)
class _Exam:
    """One exam's part of the page: rows of texts for its tables, and its figures."""

    report: ExamReport
    measures: list[Row]
    notes: str
    published: list[Row]
    group_headings: Row
    groups: list[Row]
    group_method: str
    calibration: list[Row]
    worst_headings: Row
    worst: list[Row]
    figures: list[_Figure]


def _exam(exam: ExamReport, report: EvalReport, figures: dict[str, _Figure]) -> _Exam:
    methods = dict.fromkeys(measure.method for measure in exam.measures)
    return _Exam(
        report=exam,
        measures=[(measure.label, value(measure), interval(measure)) for measure in exam.measures],
        notes="; ".join([f"n = {exam.n:,} {exam.unit}", *methods, *circumstances(exam)]),
        published=[(line.name, percent(line.error), line.source, line.trained_on) for line in exam.published],
        group_headings=(exam.grouped_by, *group_headings(exam)) if exam.groups else (),
        groups=[(group.name, *group_cells(group)) for group in exam.groups],
        group_method=group_method(exam),
        calibration=_calibration(exam),
        worst_headings=worst_headings(exam, report),
        worst=[worst_cells(each) for each in exam.worst],
        figures=[figure for name, figure in figures.items() if name.partition("-")[2] == exam.exam],
    )


def _calibration(exam: ExamReport) -> list[Row]:
    if exam.calibration is None:
        return []
    sides = [("as trained", exam.calibration.before), ("calibrated", exam.calibration.after)]
    return [(name, f"{side.expected_calibration_error:.4f}", f"{side.brier_score:.4f}") for name, side in sides if side]
