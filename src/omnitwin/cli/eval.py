"""`omnitwin eval`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Checkpoint, DatasetOrNone, Device, Figure, Json, Precision, Quiet, source
from omnitwin.config import FIGURE_PAIRS, EvalConfig

DEFAULT = EvalConfig()


def evaluate(
    batches: Annotated[int, typer.Option("--batches", min=1, help="Batches of random pairs.")] = DEFAULT.batches,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Pairs in a batch.")] = DEFAULT.batch_size,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pairs, on any machine.")] = DEFAULT.seed,
    checkpoint: Checkpoint = None,
    dataset: DatasetOrNone = None,
    show: Annotated[int, typer.Option("--show", min=0, help="Show so many test pairs with score.")] = DEFAULT.show,
    figure: Figure = None,
    device: Device = DEFAULT.device,
    precision: Precision = DEFAULT.precision,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a trained network on random pairs of test characters, which it never saw: the example's exam."""
    from omnitwin.view.console import print_json, result_console, say
    from omnitwin.view.figures import check_figure, evaluation_figure
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_evaluation
    from omnitwin.workflows import evaluation

    check_figure(figure)
    config = EvalConfig(
        batches=batches,
        batch_size=batch_size,
        seed=seed,
        checkpoint=checkpoint,
        dataset=dataset,
        source=source(),
        device=device,
        precision=precision,
        show=show or (FIGURE_PAIRS if figure else 0),
    )
    report = evaluation.evaluate(config, reporter(quiet))
    if json:
        print_json(report)
    elif not quiet:
        console = result_console()
        show_evaluation(report, console)
        say(console, f"Network: {report.checkpoint}", "dim")
    if figure is not None:
        evaluation_figure(report, figure)
