"""`omnitwin download`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Json, Quiet
from omnitwin.config import SourceConfig


def download(
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Take the data from a folder, a zip file or a base URL (also: OMNITWIN_MIRROR).",
            show_default="the official address",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is already here.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch Omniglot's training and test sets, check every pixel, and pack them.

    OMNITWIN_OFFLINE=1 forbids the network.
    """
    from omnitwin.data import acquire
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_download

    report = acquire.download(SourceConfig(source=from_, force=force), reporter(quiet))
    if json:
        print_json(report)
    elif not quiet:
        show_download(report, result_console())
