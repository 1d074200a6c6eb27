"""`omnitwin embed`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import Checkpoint, Device, Exclude, Json, ListedFrom, Processes, Quiet
from omnitwin.config import EmbedConfig


def embed(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", help="Folders, searched with all that is in them, and image files.", show_default="--from"
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", metavar="FILE.npz", help="The file to write: .npz, .csv, or .parquet (with pyarrow)."),
    ] = ...,  # type: ignore[assignment]
    checkpoint: Checkpoint = None,
    exclude: Exclude = None,
    listed: ListedFrom = None,
    processes: Processes = None,
    device: Device = EmbedConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the embeddings of images to a file for other programs: the numbers that the network makes of each."""
    config = EmbedConfig(
        places=tuple(places or ()),
        output=output,
        checkpoint=checkpoint,
        exclude=tuple(exclude or ()),
        listed=listed,
        processes=processes,
        device=device,
    )
    from omnitwin.gallery.export import embed_images
    from omnitwin.view.console import message_console, print_json, result_console
    from omnitwin.view.galleries import show_embedding, warn_of_unread
    from omnitwin.view.progress import reporter

    report = embed_images(config, reporter(quiet))
    warn_of_unread(report.unread, message_console())
    if json:
        print_json(report)
    elif not quiet:
        show_embedding(report, result_console())
