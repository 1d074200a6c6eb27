"""`omnitwin demo`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from omnitwin.cli.options import Device, Quiet
from omnitwin.cli.stop import SIGNAL_EXIT, StopButton
from omnitwin.config import (
    DEMO_EXAM_SEED,
    DEMO_EXAMS,
    DEMO_IMAGES,
    DEMO_PAIRS,
    CompareConfig,
    EvalConfig,
    ShowConfig,
    TrainConfig,
)
from omnitwin.recipes import DEMO
from omnitwin.system.paths import BUNDLED

NEXT = (
    ("omnitwin compare A.png B.png", "your own images, by the bundled weights: same or different?"),
    (f"omnitwin train --recipe {DEMO.name}", "Omniglot, fetched by itself; about a minute on two CPU cores"),
    ("omnitwin eval --checkpoint newest --exam all", "every exam, on characters it never saw"),
    ("omnitwin report", "one HTML page about it"),
)


def demo(
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Batches.")] = DEMO.iterations,
    device: Device = TrainConfig.device,
    quiet: Quiet = False,
) -> None:
    """Try everything in under a minute, with nothing to download: train on drawn-up alphabets, measure on others.

    The network is thrown away afterwards.
    """
    from omnitwin.data import show as browsing
    from omnitwin.exams import evaluation
    from omnitwin.system.device import keep_freed_memory, select_device
    from omnitwin.training import training
    from omnitwin.view.console import result_console, say
    from omnitwin.view.exams import show_evaluation
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_browse

    select_device(device)  # refused before anything is shown
    keep_freed_memory()
    console, report_to = result_console(), reporter(quiet)
    console.quiet = quiet
    with TemporaryDirectory(prefix="omnitwin-demo-") as folder:
        output = Path(folder) / "demo"
        _head(console, "1. Alphabets that nobody ever wrote")
        show_browse(browsing.show(ShowConfig(images=DEMO_IMAGES, pairs=0, subset="test", dataset="synthetic")), console)
        _head(console, "2. A twin network, trained on others of the kind")
        recipe = replace(DEMO, iterations=iterations)
        config = TrainConfig(recipe=recipe, dataset="synthetic", device=device, output=output)
        trained = training.train(config, report_to, StopButton(report_to.note))
        if trained.stopped_by in SIGNAL_EXIT:
            raise typer.Exit(SIGNAL_EXIT[trained.stopped_by])
        _head(console, "3. Examined on these, which it never saw")
        exams = EvalConfig(
            exams=DEMO_EXAMS, seed=DEMO_EXAM_SEED, checkpoint=str(output), show=DEMO_PAIRS, device=device
        )
        examined = evaluation.evaluate(exams, report_to)
        assert examined.network is not None
        network = replace(examined.network, checkpoint="the one just trained")  # its folder is about to go
        show_evaluation(replace(examined, network=network), console, DEMO_PAIRS)
        _head(console, "4. Image files, asked of the bundled weights")
        _compare_files(console, Path(folder))
    _head(console, "Now the real thing")
    for command, effect in NEXT:
        say(console, f"  {command}", "bold cyan")
        say(console, f"      {effect}")


def _compare_files(console: Any, folder: Path) -> None:
    """What `omnitwin compare` answers about files of test characters, by the bundled weights."""
    from omnitwin.answers import comparison
    from omnitwin.data import samples
    from omnitwin.view.tables import show_comparison

    for first, second in samples.write_samples(folder):
        report = comparison.compare(CompareConfig(first=first, second=second, checkpoint=BUNDLED))
        show_comparison(report, console)
        console.print()


def _head(console: Any, text: str) -> None:
    console.rule(f"[bold]{text}", align="left", style="cyan")
