"""`omnitwin search`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.cli.options import Device, Json, Processes, Quiet, complete_checkpoint, complete_index
from omnitwin.config import SearchConfig
from omnitwin.errors import BadInput, ExitCode
from omnitwin.reports.answers import UNSURE
from omnitwin.reports.galleries import SearchReport

STANDARD_OUTPUT = Path("-")


def search(
    queries: Annotated[list[Path], typer.Argument(metavar="QUERY.png", help="Image files to look for.")],
    index: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="NAME",
            help="The index to search: its name or folder.",
            show_default="the only one",
            autocompletion=complete_index,
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--in",
            metavar="FOLDER",
            help="Search the images of this folder, which are read for it, in place of an index. May be given several "
            "times.",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, help="Images to list for each query, at most.")
    ] = SearchConfig.top,
    least: Annotated[
        float | None,
        typer.Option(
            "--min-probability",
            metavar="P",
            help="List no image with a lower probability. The exit code is 0 if one has at least this, else 1.",
            show_default="all are listed; the exit code goes by the network's threshold",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE.csv", help="Write the result as CSV; - is standard output."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write one page with thumbnails of what was found."),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="NAME",
            help="The network: a run's name or folder, a weights file, newest or bundled.",
            show_default="the index's; with --in bundled, or the choice of omnitwin use",
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    processes: Processes = None,
    always_answer: Annotated[
        bool,
        typer.Option("--always-answer", help="Answer same or different even of images that cannot be judged."),
    ] = SearchConfig.always_answer,
    device: Device = SearchConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the images of an index, or of folders, that most probably show what a query shows.

    The exit code is 0 if one was found, 1 if none reaches the probability, 4 if those that do cannot be judged. An
    index is searched without its files.
    """
    if csv == STANDARD_OUTPUT and json:
        raise BadInput("--csv - and --json exclude each other", "Leave one out.")
    config = SearchConfig(
        queries=tuple(queries),
        index=index,
        folders=tuple(folders or ()),
        top=top,
        least=least,
        checkpoint=checkpoint,
        processes=processes,
        always_answer=always_answer,
        pictures=html is not None,
        device=device,
    )
    from omnitwin.gallery.asking import search_images
    from omnitwin.view.console import message_console
    from omnitwin.view.csv_files import check_csv_file
    from omnitwin.view.galleries import warn_of_unread
    from omnitwin.view.progress import reporter

    if html is not None:
        from omnitwin.view.page import check_page

        check_page(html)
    check_csv_file(csv)
    report = search_images(config, reporter(quiet))
    warn_of_unread(report.unread, message_console())
    _print(report, csv, json, quiet)
    if html is not None:
        from omnitwin.view.search_page import write_search_page

        write_search_page(report, html)
    code = _code(report)
    if code != ExitCode.DONE:
        raise typer.Exit(code)


def _print(report: SearchReport, csv: Path | None, json: bool, quiet: bool) -> None:
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.csv_files import write_csv_file
    from omnitwin.view.galleries import search_table, show_search

    if csv is not None:
        write_csv_file(search_table(report), csv)
    if csv == STANDARD_OUTPUT:
        return
    if json:
        print_json(report)
    elif not quiet:
        show_search(report, result_console())


def _code(report: SearchReport) -> ExitCode:
    """Return whether an image was found: one that reaches the probability, and that can be judged."""
    reached: list[Any] = [
        image for query in report.queries for image in query.found if image.probability >= report.least
    ]
    if not reached:
        return ExitCode.DIFFERENT
    return ExitCode.CANNOT_TELL if all(image.verdict == UNSURE for image in reached) else ExitCode.DONE
