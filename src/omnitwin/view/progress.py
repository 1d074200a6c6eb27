"""Progress on stderr: bars and a live monitor of training in a terminal, otherwise a line every 15 seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from omnitwin.reports.progress import SILENT, Advance, Reporter, ShowStep
from omnitwin.reports.training import PlanReport, StepReport
from omnitwin.view.console import clean, message_console, say
from omnitwin.view.words import batch_in_words, bytes_in_words, curve, end_in_words, percent, time_in_words

LINE_SECONDS = 15.0  # between two progress lines outside a terminal
CURVE_COLUMNS = 40
SMOOTHING = 0.9  # share of the past in the moving average of the loss


def reporter(quiet: bool, console: Console | None = None) -> Reporter:
    """Return the reporter for a console: silent if quiet, live in a terminal, otherwise line by line.

    console: None: this process's stderr
    """
    if quiet:
        return SILENT
    console = console or message_console()
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveReporter(console) if live else LineReporter(console)


class LineReporter:
    """Print few, whole lines: for pipes and log files.

    clock: the time in seconds, from any moment
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.clock = console, clock

    def note(self, text: str) -> None:
        say(self.console, text)

    def warn(self, text: str) -> None:
        say(self.console, f"Warning: {text}", "bold yellow")

    @contextmanager
    def task(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        size = bytes_in_words(total) if unit == "bytes" else f"{total:,} {unit}"
        self.note(f"{label}: {size}")
        yield lambda count: None

    @contextmanager
    def training(self, plan: PlanReport) -> Iterator[ShowStep]:
        self.note(opening(plan))
        last = 0.0

        def show(step: StepReport) -> None:
            nonlocal last
            now = self.clock()
            if now - last >= LINE_SECONDS or step.iteration == plan.iterations:
                last = now
                done = step.iteration - plan.first_iteration + 1
                left = (plan.iterations - step.iteration) * step.elapsed_seconds / done
                self.note(
                    f"iteration {step.iteration:,}/{plan.iterations:,}  loss {step.loss:.4f}  "
                    f"{step.pairs_per_second:,.0f} pairs/s  elapsed {time_in_words(step.elapsed_seconds)}  "
                    f"left {time_in_words(left)}"
                )

        yield show


class LiveReporter(LineReporter):
    """Show bars for tasks and the example's training monitor: for terminals."""

    @contextmanager
    def task(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        amounts = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), *amounts, TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=unit != "bytes") as progress:
            bar = progress.add_task(clean(label), total=total or None)
            yield lambda count: progress.advance(bar, count)

    @contextmanager
    def training(self, plan: PlanReport) -> Iterator[ShowStep]:
        self.note(opening(plan))
        bar = Progress(BarColumn(bar_width=None), TaskProgressColumn(), console=self.console)
        task = bar.add_task("", total=plan.iterations, completed=plan.first_iteration - 1)
        losses: list[float] = []
        held_out: list[tuple[float, int]] = []
        with Live(bar, console=self.console, refresh_per_second=8) as live:

            def show(step: StepReport) -> None:
                losses.append(step.loss)
                if step.held_out_eer is not None:
                    held_out.append((step.held_out_eer, step.iteration))
                bar.update(task, completed=step.iteration)
                live.update(Group(bar, self._monitor(plan, step, losses, held_out)))

            yield show

    def _monitor(
        self, plan: PlanReport, step: StepReport, losses: list[float], held_out: list[tuple[float, int]]
    ) -> Table:
        done = step.iteration - plan.first_iteration + 1
        rate = done / max(step.elapsed_seconds, 1e-9)
        smooth = losses[0]
        for loss in losses[-100:]:
            smooth = SMOOTHING * smooth + (1 - SMOOTHING) * loss
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_row("running on", Text(clean(f"{plan.device}, {plan.precision}")))
        table.add_row("iteration", f"{step.iteration:,} / {plan.iterations:,}")
        speed = f"{rate:.2f} it/s" if rate >= 1 else f"{1 / rate:.2f} s/it"
        table.add_row("speed", f"{speed}, {rate * plan.pairs_per_iteration:,.0f} pairs/s")
        left = (plan.iterations - step.iteration) / rate
        table.add_row("elapsed", f"{time_in_words(step.elapsed_seconds)}, left {time_in_words(left)}")
        table.add_row("loss", f"{step.loss:.4f} (smoothed {smooth:.4f})")
        if held_out:
            eer, iteration = min(held_out)
            best = f"best {percent(eer)} at iteration {iteration:,}"
            table.add_row("held-out EER", f"{percent(held_out[-1][0])} ({best})")
        unicode = self.console.encoding.startswith("utf")
        table.add_row("", Text(curve(losses, CURVE_COLUMNS, unicode), style="cyan"))
        return table


def opening(plan: PlanReport) -> str:
    """Return a line that says what is trained, on what device and on what data."""
    start = f", from iteration {plan.first_iteration:,}" if plan.first_iteration > 1 else ""
    return (
        f"Training {plan.recipe} on {plan.device} in {plan.precision}: {plan.parameters:,} parameters, "
        f"{plan.iterations:,} iterations of {batch_in_words(plan)} from {plan.classes:,} classes of "
        f"{plan.dataset}{start}{end_in_words(plan)}. Ctrl-C stops and saves."
    )
