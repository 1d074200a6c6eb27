"""Draw a training over folds of classes as text for a terminal, on stdout."""

from rich.console import Console

from omnitwin.reports.folds import FoldReport, FoldsReport
from omnitwin.reports.nouns import counted
from omnitwin.view.console import say
from omnitwin.view.exams import interval, value
from omnitwin.view.tables import show_rows
from omnitwin.view.words import STOPPED_BY, operating_in_words, percent, run_in_words, time_in_words


def show_folds(report: FoldsReport, console: Console) -> None:
    """Print what each fold found, the figures of all together, and how to go on."""
    run = run_in_words(report.output)
    if report.stopped_by is not None:
        why = STOPPED_BY.get(report.stopped_by, report.stopped_by)
        say(
            console,
            f"Stopped ({why}) and saved; {report.done} of {counted(report.count, 'fold')} done. "
            f"Go on with: omnitwin train --resume {run}",
            "bold yellow",
        )
        return
    say(console, f"Done: {counted(report.count, 'fold')} in {time_in_words(report.seconds)}", "bold green")
    show_rows([(f"fold {fold.fold}", _fold(fold)) for fold in report.folds], console)
    if report.exam is not None:
        say(console, f"Together: {report.exam.description}", "bold")
        show_rows(
            [(measure.label, f"{value(measure)} {interval(measure)}") for measure in report.exam.measures], console
        )
        say(console, f"Intervals: {report.exam.measures[-1].method}", "dim")
    say(
        console,
        f"A network of all classes was trained for {counted(report.iterations or 0, 'iteration')}, the median of the "
        "folds. It has their threshold and calibration; their figures are those of networks of fewer classes.",
    )
    rows = [("weights", str(report.weights)), ("SHA-256", str(report.weights_sha256))]
    chosen = f", {operating_in_words(report.operating)}" if report.operating is not None else ""
    show_rows([*rows, ("threshold", f"{report.threshold:.4g}{chosen}")], console)
    say(console, f"Compare with it: omnitwin compare A.png B.png --checkpoint {run}")


def _fold(fold: FoldReport) -> str:
    eer = "no pairs of both kinds" if fold.eer is None else f"EER {percent(fold.eer)}"
    return (
        f"{counted(fold.tested, 'test class')}: {eer}; trained on {counted(fold.classes, 'class')}, "
        f"best at iteration {fold.iteration:,}"
    )
