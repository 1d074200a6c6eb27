"""`omnitwin show`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Dataset, Figure, Json, Quiet, known, one_of
from omnitwin.config import ShowConfig

DEFAULT = ShowConfig()


def show(
    images: Annotated[int, typer.Option("--images", min=0, help="Number of random images.")] = DEFAULT.images,
    pairs: Annotated[int, typer.Option("--pairs", min=0, help="Number of random pairs.")] = DEFAULT.pairs,
    subset: Annotated[
        str,
        typer.Option(
            "--set",
            metavar="NAME",
            help="training or test.",
            autocompletion=one_of("training", "test"),
            callback=known("set", "training", "test"),
        ),
    ] = DEFAULT.subset,
    dataset: Dataset = DEFAULT.dataset,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same images.")] = DEFAULT.seed,
    figure: Figure = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show random images with their labels, and random pairs (similar and dissimilar) as training draws them."""
    if figure is not None:
        from omnitwin.view.figures import check_figure

        check_figure(figure)
    from omnitwin.data import show as browsing
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_browse

    config = ShowConfig(images=images, pairs=pairs, subset=subset, dataset=dataset, seed=seed)
    report = browsing.show(config, reporter(quiet))
    if json:
        print_json(report)
    elif not quiet:
        show_browse(report, result_console())
    if figure is not None:
        from omnitwin.view.figures import browse_figure

        browse_figure(report, figure)
