"""`omnitwin demo`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from omnitwin.cli.options import Device, Quiet
from omnitwin.cli.stop import SIGNAL_EXIT, StopButton
from omnitwin.config import DEMO, DEMO_PAIRS, EvalConfig, TrainConfig


def demo(
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Batches.")] = DEMO.iterations,
    device: Device = TrainConfig.device,
    quiet: Quiet = False,
) -> None:
    """Try everything in under a minute, with nothing to download: train on drawn-up alphabets, measure on others.

    The network is thrown away afterwards.
    """
    from omnitwin.view.console import result_console, say
    from omnitwin.view.exams import show_evaluation
    from omnitwin.view.progress import reporter
    from omnitwin.workflows import evaluation, training

    console, report_to = result_console(), reporter(quiet)
    console.quiet = quiet
    with TemporaryDirectory(prefix="omnitwin-demo-") as folder:
        output = Path(folder) / "demo"
        recipe = replace(DEMO, iterations=iterations)
        config = TrainConfig(recipe=recipe, dataset="synthetic", device=device, output=output)
        trained = training.train(config, report_to, StopButton(report_to.note))
        if trained.stopped_by in SIGNAL_EXIT:
            raise typer.Exit(SIGNAL_EXIT[trained.stopped_by])
        measured = evaluation.evaluate(EvalConfig(checkpoint=str(output), show=DEMO_PAIRS, device=device), report_to)
    show_evaluation(measured, console, DEMO_PAIRS)
    say(console, "Now the real thing:", "bold")
    say(console, "  omnitwin train --recipe small      Omniglot, fetched by itself; a minute or two without a GPU")
    say(console, "  omnitwin eval --checkpoint newest  on characters it never saw")
    say(console, "  omnitwin compare A.png B.png       on your own images")
