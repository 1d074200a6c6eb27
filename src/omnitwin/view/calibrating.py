"""Draw what `omnitwin calibrate` found as text for a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.reports.calibrating import CalibrateReport, Judgement
from omnitwin.reports.exams import Measure
from omnitwin.reports.nouns import counted
from omnitwin.view.console import say
from omnitwin.view.exams import interval, value
from omnitwin.view.words import listed, run_in_words, target_in_words

NAMED = 5  # files; JSON has them all


def show_calibration(report: CalibrateReport, console: Console) -> None:
    """Print the images, the figures before and after, and what was written."""
    say(
        console,
        f"{report.data}: {counted(report.images, 'image')} of {counted(report.classes, 'class')}, "
        f"{counted(report.similar, 'similar pair')} and {report.dissimilar:,} dissimilar",
        "bold",
    )
    for note in report.notes:
        say(console, f"Note: {note}", "dim")
    say(console, f"{_sentence(report.eer.label)} {value(report.eer)} (95 % interval {interval(report.eer)})")
    console.print(_table(report))
    say(console, _methods(report), "dim")
    for warning in report.warnings:
        say(console, f"Warning: {warning}", "bold yellow")
    if report.written is not None:
        say(console, f"Written: {report.written.name}, {report.written.folder}", "bold green")
        name = run_in_words(report.written.folder)
        say(console, f"Ask it: omnitwin compare --checkpoint {name} A.png B.png")
        say(console, f"Let it answer from now on: omnitwin use {name}")


def warn_of_calibration(report: CalibrateReport, console: Console) -> None:
    """Print which files were left out."""
    for unread in report.unread[:NAMED]:
        say(console, f"omnitwin: {unread.problem}", "bold red")
    if len(report.unread) > NAMED:
        say(
            console, f"omnitwin: {len(report.unread) - NAMED:,} more files were left out (--json names all)", "bold red"
        )
    if report.twice:
        files = listed(report.twice)
        say(console, f"Note: {counted(len(report.twice), 'picture')} twice in a class, left out: {files}", "dim")


def _table(report: CalibrateReport) -> Table:
    table = Table()
    table.add_column("figure", overflow="fold")
    for heading in ("before", "after") if report.after else ("before",):
        table.add_column(heading, overflow="fold", justify="right")
    sides = [side for side in (report.before, report.after) if side is not None]
    table.add_row("threshold", *(f"{side.threshold:.4g}" for side in sides))
    table.add_row("temperature, bias", *map(_fit, sides))
    for measure in report.before.measures:
        table.add_row(Text(measure.label), *(_figure(side.measure(measure.name)) for side in sides))
    table.add_row("Brier score", *(f"{side.reliability.brier_score:.4f}" for side in sides))
    table.add_row("calibration error (ECE)", *(f"{side.reliability.expected_calibration_error:.4f}" for side in sides))
    return table


def _figure(measure: Measure) -> str:
    """Return a figure, and its interval on a line of its own: so the table fits a narrow terminal."""
    return f"{value(measure)}\n{interval(measure)}"


def _fit(side: Judgement) -> str:
    return "none" if side.temperature is None else f"{side.temperature:.3g}, {side.bias:.3g}"


def _methods(report: CalibrateReport) -> str:
    """Say what before and after mean, and how the intervals were made."""
    after = (
        f"after: for {target_in_words(report.target)}, each pair by a fit without its classes ({report.folds} folds); "
    )
    method = report.before.measures[0].method
    return f"Before: the network as it is; {after if report.after else ''}95 % intervals: {method}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
