"""`omnitwin report`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import (
    DataOrNone,
    Device,
    Json,
    LabelFrom,
    Quiet,
    Split,
    complete_run,
    data_given,
    exams_option,
    source_given,
)
from omnitwin.cli.stop import saying_what_was_done
from omnitwin.config import REPORT as DEFAULT
from omnitwin.system.paths import NEWEST


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="A run's name or folder, or a weights file.",
            show_default="the newest run",
            autocompletion=complete_run,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE.html", help="The page to write.", show_default="report.html in the run"),
    ] = None,
    exam: Annotated[list[str] | None, exams_option(DEFAULT.exams[0])] = None,
    data: DataOrNone = None,
    label_from: LabelFrom = None,
    split: Split = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sampled exams.")] = DEFAULT.seed,
    device: Device = DEFAULT.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page about a run: what was trained, its curves, its exams, figures and hardest pairs."""
    place = data_given(data, None)
    config = replace(
        DEFAULT,
        exams=tuple(exam or DEFAULT.exams),
        checkpoint=run,
        dataset=place,
        source=source_given(place, label_from, split),
        seed=seed,
        device=device,
    )
    from omnitwin.answers.choosing import check_checkpoint

    check_checkpoint(run or NEWEST)
    from omnitwin.exams import reporting
    from omnitwin.system.device import keep_freed_memory
    from omnitwin.view.console import print_json, result_console, say
    from omnitwin.view.page import check_page, write_page
    from omnitwin.view.progress import reporter

    check_page(output)
    keep_freed_memory()
    report_to = reporter(quiet)
    with saying_what_was_done("No page was written."):
        found = reporting.report_run(config, output, report_to)
    report_to.note("Writing the figures")
    write_page(found)
    if json:
        print_json(found)
    elif not quiet:
        say(result_console(), f"Report: {found.page}")
