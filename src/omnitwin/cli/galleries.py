"""What `duplicates`, `group` and `map` share: their options, and what they say of images that were left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnitwin.cli.options import complete_place, known, one_of
from omnitwin.config import LINKAGES, check_far, check_threshold

if TYPE_CHECKING:
    from omnitwin.reports.answers import UnreadImage
    from omnitwin.reports.gallery_groups import Doubtful


def _share_checked(check: Any) -> Any:
    def callback(value: float | None) -> float | None:
        check(value)
        return value

    return callback


def linkage_option(default: str) -> Any:
    return typer.Option(
        "--linkage",
        metavar="NAME",
        help="How groups are formed: complete (every pair of a group reaches the limit) or average (the mean of its "
        "pairs does).",
        show_default=default,
        autocompletion=one_of(*LINKAGES),
        callback=known("linkage", *LINKAGES),
    )


Place = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER",
        help="A folder of images, with those in its subfolders; or an index (its name or folder).",
        autocompletion=complete_place,
    ),
]
MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        help="The limit: pairs from this probability on count as the same.",
        show_default="the checkpoint's threshold",
        callback=_share_checked(check_threshold),
    ),
]
Far = Annotated[
    float | None,
    typer.Option(
        "--far",
        metavar="RATE",
        help="The limit: one that is known to accept at most this share of pairs of different things.",
        show_default=False,
        callback=_share_checked(check_far),
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write a table of the files as CSV; - is standard output."),
]


def tell_what_was_left_out(unread: Sequence["UnreadImage"], doubtful: Sequence["Doubtful"], quiet: bool) -> None:
    """Say which files could not be read, and which images were not judged, on stderr."""
    from omnitwin.view.console import message_console, say
    from omnitwin.view.gallery_groups import warn_of_doubtful

    for image in unread:
        say(message_console(), f"omnitwin: {image.problem}", "bold red")
    if not quiet:
        warn_of_doubtful(doubtful, message_console())
