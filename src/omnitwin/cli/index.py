"""`omnitwin index`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import (
    Checkpoint,
    Device,
    Exclude,
    Json,
    ListedFrom,
    Processes,
    Quiet,
    complete_index,
)
from omnitwin.cli.stop import saying_what_was_done
from omnitwin.config import IndexConfig
from omnitwin.errors import BadInput


def index(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Folders, searched with all that is in them, and image files.",
            show_default="those of the index",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The index's name.",
            show_default="that of the first folder",
            autocompletion=complete_index,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FOLDER", help="The index's folder.", show_default="in omnitwin's data folder"
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    exclude: Exclude = None,
    listed: ListedFrom = None,
    processes: Processes = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read every image again, also for another network.")
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="List the indexes, and do nothing else.")] = False,
    drop: Annotated[
        str | None,
        typer.Option(
            "--drop",
            metavar="NAME",
            help="Remove this index, and do nothing else. The images stay.",
            autocompletion=complete_index,
        ),
    ] = None,
    device: Device = IndexConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Embed the images of folders once, to search in them; later only what is new or changed is read.

    It can be stopped at any time: the same command goes on where it was. The files themselves are never touched, and
    `search` does not need them any more.
    """
    if show or drop is not None:
        others = (
            places,
            name,
            output,
            checkpoint,
            exclude,
            listed,
            processes,
            rebuild or None,
            (show and drop) or None,
        )
        if any(other is not None for other in others):
            raise BadInput(f"{'--list' if show else '--drop'} goes alone", "Leave the other words out.")
        _list(json, quiet) if show else _drop(str(drop), json, quiet)
        return
    config = IndexConfig(
        places=tuple(places or ()),
        name=name,
        output=output,
        checkpoint=checkpoint,
        exclude=tuple(exclude or ()),
        listed=listed,
        processes=processes,
        rebuild=rebuild,
        device=device,
    )
    from omnitwin.gallery.index import build
    from omnitwin.view.console import message_console, print_json, result_console
    from omnitwin.view.galleries import show_index, warn_of_unread
    from omnitwin.view.progress import reporter

    with saying_what_was_done("What was embedded is kept: the same command goes on from there."):
        report = build(config, reporter(quiet))
    warn_of_unread(report.unread, message_console())
    if json:
        print_json(report)
    elif not quiet:
        show_index(report, result_console())


def _list(json: bool, quiet: bool) -> None:
    from omnitwin.gallery.indexes import list_indexes
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.galleries import show_indexes

    report = list_indexes()
    if json:
        print_json(report)
    elif not quiet:
        show_indexes(report, result_console())


def _drop(name: str, json: bool, quiet: bool) -> None:
    from omnitwin.gallery.indexes import remove_index
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.galleries import show_removal

    report = remove_index(name)
    if json:
        print_json(report)
    elif not quiet:
        show_removal(report, result_console())
