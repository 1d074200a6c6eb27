"""`omnitwin compare`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import Checkpoint, Device, Figure, Json, Quiet
from omnitwin.config import CompareConfig, RankConfig
from omnitwin.errors import ExitCode
from omnitwin.reports.answers import SAME, UNSURE


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.png", help="An image file.")],
    others: Annotated[
        list[Path],
        typer.Argument(metavar="B.png", help="Another image file, several, or folders of them (not their subfolders)."),
    ],
    checkpoint: Checkpoint = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Answer same from this probability on.", show_default="the checkpoint's"),
    ] = None,
    show_input: Annotated[
        bool,
        typer.Option("--show-input", help="Also show what the network saw (in a ranking: of the ten most similar)."),
    ] = False,
    figure: Figure = None,
    device: Device = CompareConfig.device,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 for different and cannot tell, too.")] = False,
    always_answer: Annotated[
        bool,
        typer.Option("--always-answer", help="Answer same or different even of images that cannot be judged."),
    ] = CompareConfig.always_answer,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell whether two images show the same thing. The exit code is 0 for same, 1 for different, 4 for cannot tell.

    It cannot tell if an image is unlike what the network was trained for, or shows no one drawing.

    With more than two images, or a folder, rank the others by the probability that they show what the first shows.
    The exit code is then 0.
    """
    if figure is not None:
        from omnitwin.view.figures import check_figure

        check_figure(figure, (first, *others))
    if len(others) > 1 or os.path.isdir(others[0]):
        ranking = RankConfig(
            query=first,
            others=tuple(others),
            checkpoint=checkpoint,
            threshold=threshold,
            device=device,
            always_answer=always_answer,
        )
        _rank(ranking, figure, show_input, json, quiet)
        return
    pair = CompareConfig(
        first=first,
        second=others[0],
        checkpoint=checkpoint,
        threshold=threshold,
        device=device,
        always_answer=always_answer,
    )
    verdict = _verdict(pair, figure, show_input, json, quiet)
    if verdict != SAME and not exit_zero:
        raise typer.Exit(ExitCode.CANNOT_TELL if verdict == UNSURE else ExitCode.DIFFERENT)


def _verdict(config: CompareConfig, figure: Path | None, show_input: bool, json: bool, quiet: bool) -> str:
    from omnitwin.answers import comparison
    from omnitwin.view.console import message_console, print_json, result_console

    report = comparison.compare(config)
    if json:
        print_json(report)
    elif not quiet:
        from omnitwin.view.tables import show_comparison, warn_of_comparison

        show_comparison(report, result_console(), show_input)
        warn_of_comparison(report, message_console())
    if figure is not None:
        from omnitwin.view.figures import comparison_figure

        comparison_figure(report, figure)
    return report.verdict


def _rank(config: RankConfig, figure: Path | None, show_input: bool, json: bool, quiet: bool) -> None:
    from omnitwin.answers import comparison
    from omnitwin.view.console import message_console, print_json, result_console, say
    from omnitwin.view.progress import reporter

    report = comparison.rank(config, reporter(quiet))
    for image in report.unread:
        say(message_console(), f"omnitwin: {image.problem}", "bold red")
    if json:
        print_json(report)
    elif report.ranked and not quiet:
        from omnitwin.view.tables import show_ranking, warn_of_ranking

        show_ranking(report, result_console(), show_input)
        warn_of_ranking(report, message_console())
    if not report.ranked:
        raise typer.Exit(ExitCode.BAD_INPUT)
    if figure is not None:
        from omnitwin.view.figures import ranking_figure

        ranking_figure(report, figure)
