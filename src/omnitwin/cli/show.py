"""`omnitwin show`."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.cli.options import (
    Data,
    Figure,
    Json,
    LabelFrom,
    OldDataset,
    Quiet,
    Split,
    check_data,
    known,
    one_of,
    source_given,
)
from omnitwin.config import DATASETS, ShowConfig

DEFAULT = ShowConfig()
PARTS = ("training", "held-out", "test")


def show(
    data: Data = DEFAULT.dataset,
    label_from: LabelFrom = None,
    split: Split = None,
    images: Annotated[int, typer.Option("--images", min=0, help="Number of random images.")] = DEFAULT.images,
    pairs: Annotated[int, typer.Option("--pairs", min=0, help="Number of random pairs.")] = DEFAULT.pairs,
    subset: Annotated[
        str,
        typer.Option(
            "--set",
            metavar="NAME",
            help="training, test, or of your own images held-out.",
            autocompletion=one_of(*PARTS),
            callback=known("set", *PARTS),
        ),
    ] = DEFAULT.subset,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed draws the same images, and makes the same split.")
    ] = DEFAULT.seed,
    figure: Figure = None,
    json: Json = False,
    quiet: Quiet = False,
    dataset: OldDataset = None,
) -> None:
    """Show what a data set holds: random images with their labels, and random pairs (similar and dissimilar).

    Of your own images it tells how they were understood: classes, sizes, colour or ink, broken files, duplicates, and
    how they are split for training and testing. Nothing is copied or moved.
    """
    place = data if dataset is None else dataset
    check_data(place)
    if figure is not None:
        from omnitwin.view.figures import check_figure

        check_figure(figure)
    source = source_given(place, label_from, split)
    config = ShowConfig(images=images, pairs=pairs, subset=subset, dataset=place, seed=seed, source=source)
    report = _of_name(config, quiet) if place in DATASETS else _of_place(config, quiet)
    _draw(report, json, quiet, figure)


def _of_name(config: ShowConfig, quiet: bool) -> Any:
    from omnitwin.data import show as browsing
    from omnitwin.view.progress import reporter

    return browsing.show(config, reporter(quiet))


def _of_place(config: ShowConfig, quiet: bool) -> Any:
    from omnitwin.data.describe import describe
    from omnitwin.reports.data import NextStep
    from omnitwin.training.fitting import fitted_recipe
    from omnitwin.view.progress import reporter

    report = describe(config, reporter(quiet))
    if report.problem is not None:
        return report
    words = ["omnitwin", "train", "--data", str(report.place)]
    words += ["--label-from", config.source.pattern] if config.source.pattern is not None else []
    words += ["--split", config.source.split] if config.source.split is not None else []
    words += ["--seed", str(config.seed)] if config.seed != DEFAULT.seed else []
    recipe = fitted_recipe(report.place, config.source, None, {})
    view = recipe.network.view
    step = NextStep(
        command=shlex.join(words), recipe=recipe.name, height=view.height, width=view.width, channels=view.channels
    )
    return replace(report, next_step=step)


def _draw(report: Any, json: bool, quiet: bool, figure: Path | None) -> None:
    from omnitwin.reports.data import ShowReport
    from omnitwin.view.console import print_json, result_console

    if json:
        print_json(report)
    elif not quiet and isinstance(report, ShowReport):
        from omnitwin.view.tables import show_browse

        show_browse(report, result_console())
    elif not quiet:
        from omnitwin.view.data import show_data

        show_data(report, result_console())
    if figure is not None:
        from omnitwin.view.figures import browse_figure, data_figure

        (browse_figure if isinstance(report, ShowReport) else data_figure)(report, figure)
