"""`omnitwin duplicates`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.galleries import Csv, Far, MinProbability, Place, linkage_option, tell_what_was_left_out
from omnitwin.cli.options import Checkpoint, Device, Json, Quiet, complete_place
from omnitwin.config import LINKAGE, DuplicatesConfig
from omnitwin.errors import ExitCode


def duplicates(
    place: Place,
    other: Annotated[
        Path | None,
        typer.Argument(
            metavar="OTHER",
            help="Another folder or index: find what of it the first one has already.",
            show_default=False,
            autocompletion=complete_place,
        ),
    ] = None,
    min_probability: MinProbability = None,
    far: Far = None,
    linkage: Annotated[str | None, linkage_option(LINKAGE)] = None,
    checkpoint: Checkpoint = None,
    csv: Csv = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE.html", help="Write a page with the pictures.")
    ] = None,
    device: Device = DuplicatesConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find images that are there twice. The exit code is 0 for none, 1 for some.

    Exact copies have the same bytes. Look-alikes show the same by the network. In each group one file is proposed to be
    kept: the largest picture, then the oldest file; between two folders the file of the first. Nothing is deleted.
    """
    config = DuplicatesConfig(
        place=place,
        other=other,
        checkpoint=checkpoint,
        min_probability=min_probability,
        far=far,
        linkage=linkage,
        device=device,
        pictures=html is not None,
    )
    from omnitwin.gallery import duplicates as finding
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.csv_files import STDOUT
    from omnitwin.view.gallery_groups import (
        DUPLICATE_COLUMNS,
        check_csv,
        duplicate_rows,
        show_duplicates,
        write_csv,
    )
    from omnitwin.view.gallery_pages import write_duplicates_page
    from omnitwin.view.page import check_page
    from omnitwin.view.progress import reporter

    check_page(html)
    check_csv(csv, json)
    report = finding.duplicates(config, reporter(quiet))
    tell_what_was_left_out(report.unread, report.doubtful, quiet)
    if json:
        print_json(report)
    elif not quiet and csv != STDOUT:
        show_duplicates(report, result_console())
    if csv is not None:
        write_csv(DUPLICATE_COLUMNS, duplicate_rows(report), csv)
    if html is not None:
        write_duplicates_page(report, html)
    if report.groups:
        raise typer.Exit(ExitCode.DIFFERENT)
