"""`omnitwin map`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.galleries import MinProbability, Place, tell_what_was_left_out
from omnitwin.cli.options import Checkpoint, Device, Figure, Json, Quiet, known, one_of
from omnitwin.config import MAP_PICTURES, MAPS, MapConfig


def map_images(
    place: Place,
    figure: Figure = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write a page to zoom and drag in, with the pictures."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="pca, or umap (needs omnitwin[map]).",
            autocompletion=one_of(*MAPS),
            callback=known("way to draw a map", *MAPS),
        ),
    ] = MapConfig.method,
    min_probability: MinProbability = None,
    checkpoint: Checkpoint = None,
    device: Device = MapConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Lay images out in two dimensions: similar ones lie near each other.

    Colours stand for the folders of the images, or for groups if all lie in one folder.
    """
    config = MapConfig(
        place=place,
        checkpoint=checkpoint,
        min_probability=min_probability,
        device=device,
        method=method,
        pictures=MAP_PICTURES if html is not None or figure is not None else 0,
    )
    from omnitwin.gallery import mapping
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.figures import check_figure
    from omnitwin.view.gallery_groups import show_map
    from omnitwin.view.gallery_pages import write_map_page
    from omnitwin.view.page import check_page
    from omnitwin.view.progress import reporter

    check_page(html)
    check_figure(figure, (place,))
    report = mapping.map_gallery(config, reporter(quiet))
    tell_what_was_left_out(report.unread, (), quiet)
    if figure is not None:
        from omnitwin.view.gallery_maps import map_figure

        map_figure(report, figure)
    if html is not None:
        write_map_page(report, html)
    if json:
        print_json(report)
    elif not quiet:
        show_map(report, [path for path in (figure, html) if path is not None], result_console())
