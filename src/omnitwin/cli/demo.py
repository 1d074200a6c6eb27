"""`omnitwin demo`."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from omnitwin.cli.options import Device, Quiet
from omnitwin.cli.stop import SIGNAL_EXIT, StopButton
from omnitwin.config import DEMO_IMAGES, DEMO_SECONDS, CompareConfig, EvalConfig, ShowConfig, TrainConfig
from omnitwin.recipes import DEMO
from omnitwin.system.paths import BUNDLED

NEXT = (
    ("omnitwin compare A.png B.png", "your own images: same or different"),
    (f"omnitwin train --recipe {DEMO.name}", "train on Omniglot, fetched first"),
    ("omnitwin eval --checkpoint newest --exam all", "take every exam"),
    ("omnitwin report", "write one HTML page about it"),
)


def demo(
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Batches to train on.")] = DEMO.iterations,
    device: Device = TrainConfig.device,
    quiet: Quiet = False,
) -> None:
    """Try everything in a minute, with nothing to download: draw alphabets, train, measure, compare files.

    The network is thrown away afterwards.
    """
    from omnitwin.data import show as browsing
    from omnitwin.exams import evaluation
    from omnitwin.reports.nouns import counted
    from omnitwin.system.device import keep_freed_memory, select_device
    from omnitwin.training import training
    from omnitwin.view.console import result_console, say
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_browse, show_share_right

    select_device(device)  # a device that is not here is refused before anything is shown
    keep_freed_memory()
    console, report_to = result_console(), reporter(quiet)
    console.quiet = quiet
    with TemporaryDirectory(prefix="omnitwin-demo-") as folder:
        output = Path(folder) / "demo"
        _head(console, "1. Alphabets that nobody ever wrote")
        show_browse(browsing.show(ShowConfig(images=DEMO_IMAGES, pairs=0, subset="test", dataset="synthetic")), console)
        _head(console, "2. A twin network learns from others like these")
        config = TrainConfig(
            recipe=replace(DEMO, iterations=iterations),
            dataset="synthetic",
            device=device,
            max_seconds=DEMO_SECONDS,
            output=output,
        )
        trained = training.train(config, report_to, StopButton(report_to.note))
        if trained.stopped_by in SIGNAL_EXIT:
            raise typer.Exit(SIGNAL_EXIT[trained.stopped_by])
        if trained.stopped_by is not None:
            say(console, f"Time is up after {counted(trained.iteration, 'iteration')} of {trained.iterations:,}.")
        _head(console, "3. An exam on these, which it never saw")
        exam = EvalConfig(exams=("pairs",), checkpoint=str(output), device=device)
        show_share_right(evaluation.evaluate(exam), console)
        _head(console, "4. The bundled weights compare image files")
        _compare_files(console, Path(folder))
    _head(console, "Now the real thing")
    _show_next(console)


def _compare_files(console: Any, folder: Path) -> None:
    """Compare files of test characters as `omnitwin compare` does, by the bundled weights."""
    from omnitwin.answers import comparison
    from omnitwin.data import samples
    from omnitwin.view.tables import show_comparisons

    pairs = samples.write_samples(folder)
    configs = [CompareConfig(first=first, second=second, checkpoint=BUNDLED) for first, second in pairs]
    show_comparisons([comparison.compare(config) for config in configs], console)


def _show_next(console: Any) -> None:
    from omnitwin.view.console import say

    width = max(len(command) for command, _ in NEXT)
    beside = width + 2 + max(len(effect) for _, effect in NEXT) <= console.width
    for command, effect in NEXT:
        if beside:
            say(console, f"{command:<{width}}  {effect}")
        else:
            say(console, command, "bold cyan")
            say(console, f"    {effect}")


def _head(console: Any, text: str) -> None:
    console.rule(f"[bold]{text}", align="left", style="cyan")
