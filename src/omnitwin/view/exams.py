"""Exams as text for a terminal: figures with their intervals, parts, published lines, a small ROC.

Labels come with the report, so that every exam can be drawn.
"""

import math

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.reports.exams import ClassErrors, EvalReport, ExamReport, Group, Measure
from omnitwin.reports.nouns import counted, nouns_of
from omnitwin.view.console import clean, say
from omnitwin.view.pictures import draw_pairs
from omnitwin.view.words import BUNDLED_WEIGHTS, LISTED, listed, operating_in_words, percent, trained

SEEN = {  # {count} is empty, or the number of classes and a space
    "never": "{count}{kinds} that the network never saw",
    "held-out": "{held_out} kept out of training, which chose its best checkpoint",
    "closed": "other images of the {count}classes that it was trained on: a closed set, which says nothing about new "
    "classes",
    "unknown": "{count}{kinds} that the network may have been trained on: not known",
    "training": "images that the network was TRAINED on: no measure of how it does on others",
}
NOT_KNOWN = "It is not known whether the network was trained on these classes: it was on more than its file has names."
CHOSE = "they chose its threshold and calibration, too"
WORST = 5  # classes in a terminal
WORST_NOTE = "Error: mean of both shares at the exam's threshold; chance, too, makes a class the worst of many."
ROC_COLUMNS, ROC_LINES = 48, 8
LOWEST_FAR = 1e-4  # left end of the small ROC
BLOCKS = " ▁▂▃▄▅▆▇█"


def show_evaluation(report: EvalReport, console: Console, pairs: int) -> None:
    """Draw what spoils the figures, then all exams one after the other. pairs: how many of the shown pairs to draw"""
    if warning := spoiled(report):
        say(console, warning, "bold yellow")
    for exam in report.exams:
        if exam.shown[:pairs]:
            console.print(draw_pairs(exam.shown[:pairs], console))
        say(console, f"{exam.exam}: {exam.description}", "bold")
        _show_groups(exam, console)
        _show_measures(exam, report, console)
        if exam.published:
            _show_published(exam, console)
        if exam.curves is not None:
            _show_roc(exam, console)
        if exam.calibration is not None:
            _show_calibration(exam, console)
        if exam.worst:
            _show_worst(exam, report, console)
        console.print()
    say(console, subject(report), "dim")
    if report.network is not None and report.network.operating is not None:
        say(console, f"Its threshold: {operating_in_words(report.network.operating)}", "dim")
    say(console, f"On {report.dataset}: {seen(report)}; {report.precision} on {report.device}", "dim")
    if report.single_classes:
        say(console, single(report), "dim")


def subject(report: EvalReport) -> str:
    """Name the network or the baseline that sat the exams."""
    if report.network is None:
        return f"Baseline: {report.baseline}, {_untrained(report)}; threshold fitted on training pairs"
    network = report.network
    name = BUNDLED_WEIGHTS if network.bundled else network.checkpoint
    return f"Network: {name} ({trained(network)}; compare says same from {network.threshold:.4g} on)"


def seen(report: EvalReport) -> str:
    """Say whether the network has seen the images."""
    if report.network is None:
        fitted = "the very images its threshold was fitted on" if report.seen == "training" else "nothing learnt"
        return f"{_untrained(report)}, {fitted}"
    nouns = nouns_of(report.dataset)
    kind = f"the held-out {nouns.held_out}" if report.seen == "training" else f"{nouns.kinds} that were trained on:"
    without = f" (without {kind} {listed(report.left_out, LISTED)})" if report.left_out else ""
    chose = f"; {CHOSE}" if report.chose_threshold else ""
    return examined(report) + without + chose


def examined(report: EvalReport, count: str = "") -> str:
    """Say what images a network was examined on. count: of the classes, with a space behind it"""
    return SEEN[report.seen].format(count=count, **vars(nouns_of(report.dataset)))


def spoiled(report: EvalReport) -> str:
    """Warn of images that make the figures too kind, or return nothing."""
    chose = "Some of these images chose the network's threshold and calibration: only EER, AUC and ranks are fair."
    if report.seen == "training":
        how = "was fitted to" if report.network is None else "was TRAINED on"
        who = "The baseline" if report.network is None else "The network"
        return f"{who} {how} these images: the figures do not say how it does on others."
    if report.seen == "closed":
        closed = "Closed set: the figures say nothing about new classes, only about new images of those trained on."
        return f"{closed} {chose}" if report.chose_threshold else closed
    if report.seen == "held-out":
        what = "best checkpoint, threshold and calibration" if report.chose_threshold else "best checkpoint"
        return f"These {nouns_of(report.dataset).held_out} chose the network's {what}: the figures are too kind."
    if report.seen == "unknown":
        return f"{NOT_KNOWN} {chose}" if report.chose_threshold else NOT_KNOWN
    if report.chose_threshold:
        return chose
    if report.place is not None and report.place.shared:
        many = counted(report.place.shared, "test class")
        return f"{many} of the place {'is' if report.place.shared == 1 else 'are'} trained on, too."
    return ""


def _untrained(report: EvalReport) -> str:
    return "not trained here" if str(report.baseline).startswith("frozen") else "no network"


def single(report: EvalReport) -> str:
    """Say how many classes have one image, or return nothing."""
    if not report.single_classes:
        return ""
    make = "makes" if report.single_classes == 1 else "make"
    return f"{counted(report.single_classes, 'class')} of one image {make} dissimilar pairs only."


def value(measure: Measure) -> str:
    """Return `83.2 %`, or `0.9092` for a figure that is not drawn in percent."""
    return f"{_rounded(measure, measure.value)}{_unit(measure)}"


def interval(measure: Measure) -> str:
    """Return `80.4 to 85.7 %`, or a dash without an interval."""
    if measure.interval is None:
        return "-"
    low, high = (_rounded(measure, bound) for bound in measure.interval)
    return f"{low} to {high}{_unit(measure)}"


def _rounded(measure: Measure, share: float) -> str:
    if not measure.percent:
        return f"{share:.4f}"
    apart = 100 * min(share, 1 - share)  # percent from the nearer of 0 and 100; show a digit of it
    digits = max(1, min(3, math.ceil(-math.log10(apart) - 1e-9))) if apart > 0 else 1
    return f"{100 * share:.{digits}f}"


def _unit(measure: Measure) -> str:
    return " %" if measure.percent else ""


def _show_measures(exam: ExamReport, report: EvalReport, console: Console) -> None:
    if len(exam.measures) == 1:
        (measure,) = exam.measures
        text = Text.assemble(
            f"{clean(measure.label[:1].upper() + measure.label[1:])} ",
            (value(measure), "bold"),
            f" of {measure.n:,} {exam.unit} of {clean(report.dataset)} "
            f"(95 % interval {interval(measure)}; {measure.method})",
        )
        console.print(text, soft_wrap=True)
    else:
        table = _table("figure", "value", "95 % interval")
        for measure in exam.measures:
            table.add_row(Text(clean(measure.label)), value(measure), interval(measure))
        console.print(table)
        say(console, f"n = {exam.n:,} {exam.unit}; {exam.measures[0].method}")
    say(console, "; ".join(circumstances(exam)), "dim")


def circumstances(exam: ExamReport) -> list[str]:
    """Return the seeds, the threshold and the time of an exam."""
    first, last = (exam.seeds[0], exam.seeds[-1]) if exam.seeds else (None, None)
    seeds = "nothing sampled" if first is None else f"seed {first}" if first == last else f"seeds {first} to {last}"
    threshold = [f"exam's threshold {exam.threshold:.4g}"] if exam.threshold is not None else []
    return [seeds, *threshold, f"{exam.seconds:.1f} s"]


def _show_groups(exam: ExamReport, console: Console) -> None:
    if not exam.groups:
        return
    table = _table(clean(exam.grouped_by), *group_headings(exam))
    for group in exam.groups:
        table.add_row(Text(clean(group.name)), *group_cells(group))
    console.print(table)
    if (method := group_method(exam)) not in {measure.method for measure in exam.measures}:
        say(console, f"By {exam.grouped_by}: {method}", "dim")


def group_headings(exam: ExamReport) -> list[str]:
    """Return the heads of the columns of a table of groups, such as `balanced, %`."""
    return [f"{clean(measure.short)}{_unit(measure).replace(' ', ', ')}" for measure in _by_group(exam.groups[0])]


def group_cells(group: Group) -> list[str]:
    """Return `69.7 (66.5 to 73.2)` for each column of a table of groups."""
    texts = ((value(measure), interval(measure), _unit(measure)) for measure in _by_group(group))
    return [f"{middle.removesuffix(unit)} ({ends.removesuffix(unit)})" for middle, ends, unit in texts]


def group_method(exam: ExamReport) -> str:
    """Say how the intervals of the groups were computed."""
    return "; ".join(dict.fromkeys(measure.method for group in exam.groups for measure in group.measures))


def _by_group(group: Group) -> list[Measure]:
    return [measure for measure in group.measures if not measure.detail]


def _show_published(exam: ExamReport, console: Console) -> None:
    table = _table("published", "error", "source", "trained on", figures=False)
    for line in exam.published:
        table.add_row(line.name, percent(line.error), line.source, line.trained_on)
    console.print(table)


def _show_calibration(exam: ExamReport, console: Console) -> None:
    assert exam.calibration is not None
    before, after = exam.calibration.before, exam.calibration.after
    text = f"ECE {before.expected_calibration_error:.4f}, Brier {before.brier_score:.4f}"
    if after is not None:
        text += f" as trained; ECE {after.expected_calibration_error:.4f}, Brier {after.brier_score:.4f} calibrated"
    say(console, f"Probabilities: {text}; prior {exam.calibration.prior}")


def _show_roc(exam: ExamReport, console: Console) -> None:
    """Draw TAR by FAR as columns of blocks, FAR on a log scale."""
    assert exam.curves is not None
    unicode = console.encoding.startswith("utf")
    columns = max(4, min(ROC_COLUMNS, console.width - 8) // 4 * 4)  # four powers of ten
    fars = [LOWEST_FAR ** (1 - (column + 0.5) / columns) for column in range(columns)]
    heights = [8 * ROC_LINES * tar for tar in np.interp(fars, exam.curves.far, exam.curves.tar).tolist()]
    for line in range(ROC_LINES, 0, -1):
        marks = [BLOCKS[max(0, min(8, round(height - 8 * (line - 1))))] for height in heights]
        row = "".join(marks if unicode else ("#" if mark in BLOCKS[4:] else " " for mark in marks))
        tar = {ROC_LINES: "TAR 1 ", 1: "    0 "}.get(line, "      ")
        say(console, f"{tar}|{row}|")
    ends = "".join(f"{text:<{columns // 4}}" for text in ("1e-4", "1e-3", "1e-2", "0.1"))
    say(console, f"  FAR  {ends}1")


def worst_headings(exam: ExamReport, report: EvalReport) -> tuple[str, ...]:
    """Return the heads of the columns of the table of the worst classes."""
    kinds = nouns_of(report.dataset).kinds
    return f"the worst of {exam.classes:,} {kinds}", "error, %", "similar pairs rejected", "dissimilar pairs accepted"


def worst_cells(each: ClassErrors) -> tuple[str, ...]:
    """Return a row of that table: `milk`, `13.5`, `12 of 45 (26.7 %)`, `3 of 900 (0.3 %)`."""
    return each.name, f"{100 * each.error:.1f}", _of(each.rejected, each.similar), _of(each.accepted, each.dissimilar)


def _of(wrong: int, n: int) -> str:
    return f"{wrong:,} of {n:,} ({percent(wrong / n)})" if n else "none: one image"


def _show_worst(exam: ExamReport, report: EvalReport, console: Console) -> None:
    table = _table(*worst_headings(exam, report))
    for each in exam.worst[:WORST]:
        name, *cells = worst_cells(each)
        table.add_row(Text(clean(name)), *cells)
    console.print(table)
    say(console, WORST_NOTE, "dim")


def _table(*headings: str, figures: bool = True) -> Table:
    table = Table()
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", justify="left" if number == 0 or not figures else "right")
    return table
