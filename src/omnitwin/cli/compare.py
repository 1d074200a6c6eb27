"""`omnitwin compare`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import Checkpoint, Device, Figure, Json, Quiet
from omnitwin.config import CompareConfig
from omnitwin.errors import ExitCode


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.png", help="An image file.")],
    second: Annotated[Path, typer.Argument(metavar="B.png", help="Another.")],
    checkpoint: Checkpoint = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Probability from which on: same.", show_default="the checkpoint's"),
    ] = None,
    show_input: Annotated[bool, typer.Option("--show-input", help="Show what the network saw, too.")] = False,
    figure: Figure = None,
    device: Device = CompareConfig.device,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 for different, too.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell whether two images show the same thing. Exits 0 for same, 1 for different."""
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.figures import check_figure, comparison_figure
    from omnitwin.view.tables import show_comparison
    from omnitwin.workflows import comparison

    check_figure(figure)
    config = CompareConfig(first=first, second=second, checkpoint=checkpoint, threshold=threshold, device=device)
    report = comparison.compare(config)
    if json:
        print_json(report)
    elif not quiet:
        show_comparison(report, result_console(), show_input)
    if figure is not None:
        comparison_figure(report, figure)
    if not report.same and not exit_zero:
        raise typer.Exit(ExitCode.DIFFERENT)
