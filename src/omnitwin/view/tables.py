"""Each report as text for a terminal, on stdout."""

import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.reports import (
    ComparisonReport,
    DownloadReport,
    EnvironmentReport,
    PlanReport,
    ShowReport,
    TrainReport,
)
from omnitwin.view.console import clean, say
from omnitwin.view.pictures import GAP, cut, draw_images, draw_pairs, draw_picture, pair_columns
from omnitwin.view.words import bytes_in_words, percent, time_in_words, trained


def show_download(report: DownloadReport, console: Console) -> None:
    for one in report.sets:
        state, origin = ("fetched", f", from {one.source}") if one.fetched else ("already here", "")
        say(
            console,
            f"{one.name}: {state}; {one.alphabets} alphabets, {one.classes} characters, {one.images:,} drawings, "
            f"verified, {bytes_in_words(one.packed_bytes)} in {one.packed}{origin}",
        )
    if not any(one.fetched for one in report.sets):
        say(console, "Nothing to do.")


def show_plan(report: PlanReport, console: Console) -> None:
    rows = [
        ("recipe", f"{report.recipe} (encoder {report.encoder}), seed {report.seed}"),
        ("data", f"{report.dataset}: {report.images:,} images of {report.classes:,} classes"),
        ("held out", ", ".join(report.held_out) or "nothing: threshold 0.5, no calibration"),
        ("device", f"{report.device}, {report.precision}"),
        ("parameters", f"{report.parameters:,}"),
        (
            "iterations",
            f"{report.iterations:,} of {report.batch_size} {report.unit}, learning rate {report.learning_rate:g}",
        ),
    ]
    if report.seconds_per_iteration is not None and report.seconds_in_all is not None:
        rows += [
            ("time", f"{time_in_words(report.seconds_in_all)} at {report.seconds_per_iteration:.3f} s an iteration"),
            ("weights", bytes_in_words(report.weights_bytes or 0)),
            ("weights, gradients and optimiser", bytes_in_words(report.training_bytes or 0)),
            ("images on the device", bytes_in_words(report.data_bytes or 0)),
            ("peak memory", bytes_in_words(report.peak_bytes) if report.peak_bytes else "not told by this system"),
        ]
    rows.append(("would write", str(report.output)))
    _show_rows(rows, console)


def show_training(report: TrainReport, console: Console) -> None:
    if report.stopped_by is None:
        say(console, f"Done: {report.iteration:,} iterations in {time_in_words(report.seconds)}", "bold green")
    else:
        say(
            console,
            f"Stopped ({report.stopped_by}) and saved after {report.iteration:,} of {report.iterations:,} iterations. "
            f"Go on with: omnitwin train --resume {shlex.quote(str(report.output))}",
            "bold yellow",
        )
    rows = [
        ("loss", f"{report.loss:.4f}"),
        ("speed", f"{report.pairs_per_second:,.0f} pairs/s"),
        ("weights", str(report.weights)),
        ("SHA-256", report.weights_sha256),
    ]
    if report.best is not None and report.held_out_eer is not None:
        eer = percent(report.held_out_eer)
        rows.append(("best", f"{report.best} (iteration {report.best_iteration:,}: held-out EER {eer})"))
    _show_rows(rows, console)
    if report.stopped_by is None:
        say(console, f"Measure it: omnitwin eval --checkpoint {shlex.quote(str(report.output))}")


def show_comparison(report: ComparisonReport, console: Console, show_input: bool = False) -> None:
    """The files' images side by side, below them with show_input what the network saw, and the answer."""
    columns = pair_columns(console)
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_row(
        *(Text(clean(path.name), no_wrap=True, overflow=cut(console)) for path in (report.first, report.second))
    )
    pictures = (report.first_picture, report.second_picture)
    table.add_row(*(draw_picture(picture, columns, console) for picture in pictures))
    if show_input:
        table.add_row(*[Text("what the network saw:", no_wrap=True, overflow=cut(console))] * 2)
        table.add_row(*(draw_picture(one, columns, console) for one in (report.first_input, report.second_input)))
    console.print(table)
    kind = "calibrated probability" if report.calibrated else "probability"
    verdict, style = ("same", "bold green") if report.same else ("different", "bold red")
    console.print(
        Text.assemble(
            (verdict, style),
            f": {kind} {report.probability:.4f} that both show the same (threshold {report.threshold:.4g})",
        ),
        soft_wrap=True,
    )
    say(console, f"Answered by {trained(report)}: {report.checkpoint}", "dim")
    for note in report.notes:
        say(console, f"Note: {note}", "dim")


def show_browse(report: ShowReport, console: Console) -> None:
    if report.images:
        say(console, f"{len(report.images)} random images of {report.dataset}, seed {report.seed}", "bold")
        console.print(draw_images(report.images, console))
    if report.pairs:
        say(console, f"{len(report.pairs)} random pairs of {report.dataset}, seed {report.seed}", "bold")
        console.print(draw_pairs(report.pairs, console))


def show_environment(report: EnvironmentReport, console: Console) -> None:
    chosen = f"{report.chosen_device}, {report.precision}"
    _show_rows(
        [
            *report.versions.items(),
            *((f"device {index}", text) for index, text in enumerate(report.devices)),
            ("--device auto takes", chosen),
            *((f"{name} folder", path) for name, path in report.folders.items()),
            *report.variables.items(),
        ],
        console,
    )


def _show_rows(rows: list[tuple[str, str]], console: Console) -> None:
    """Names and values in two columns; values are never cut or wrapped, so that they can be copied."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(console, f"{name:<{width}}  {value}")
