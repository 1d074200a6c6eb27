"""Each report as text for a terminal, on stdout."""

import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.ranking_reports import RankingReport
from omnitwin.reports import (
    Answer,
    ChoiceReport,
    ComparisonReport,
    DownloadReport,
    EnvironmentReport,
    PlanReport,
    ShowReport,
    TrainReport,
)
from omnitwin.view.console import clean, say
from omnitwin.view.pictures import GAP, cut, draw_images, draw_pairs, draw_picture, pair_columns
from omnitwin.view.words import BUNDLED_WEIGHTS, batch_in_words, bytes_in_words, percent, time_in_words, trained


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
        ("iterations", f"{report.iterations:,} of {batch_in_words(report)}, learning rate {report.learning_rate:g}"),
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
    console.print(
        Text.assemble(
            _verdict(report.same),
            f": {_kind(report)} {report.probability:.4f} that both show the same (threshold {report.threshold:.4g})",
        ),
        soft_wrap=True,
    )
    say(console, _answered(report), "dim")
    for path, novelty in ((report.first, report.first_novelty), (report.second, report.second_novelty)):
        _warn_of_novelty(path.name, novelty, console)
    for note in report.notes:
        say(console, f"Note: {note}", "dim")


def show_ranking(report: RankingReport, console: Console) -> None:
    say(console, f"{len(report.ranked):,} images by how probably they show the same as {report.query.name}", "bold")
    width = max(4, len(str(len(report.ranked))))
    say(console, f"{'rank':>{width}}  probability  verdict    file", "bold")
    for one in report.ranked:
        verdict, style = _verdict(one.same)
        beginning = f"{one.rank:>{width}}  {one.probability:>11.4f}  "
        file = clean(str(one.file))  # never cut or wrapped, so that it can be copied
        console.print(Text.assemble(beginning, (f"{verdict:<9}", style), f"  {file}"), soft_wrap=True)
    speed = f"{report.images:,} images read and embedded in {report.seconds:.3g} s"
    say(console, f"{speed}: {report.images_per_second:,.0f} images/s ({report.engine})")
    say(console, f"{_kind(report).capitalize()}; same from {report.threshold:.4g} on", "dim")
    say(console, _answered(report), "dim")
    _warn_of_novelty(report.query.name, report.novelty, console)
    for one in report.ranked:
        _warn_of_novelty(one.file.name, one.novelty, console)
    files_by_note: dict[str, list[str]] = {}
    for path, notes in ((report.query, report.notes), *((one.file, one.notes) for one in report.ranked)):
        for note in notes:
            files_by_note.setdefault(note, []).append(path.name)
    for note, names in files_by_note.items():
        say(console, f"Note: {names[0] if len(names) == 1 else f'{len(names):,} images'}: {note}", "dim")


def _warn_of_novelty(name: str, novelty: float | None, console: Console) -> None:
    if novelty is not None and novelty > 1:
        text = "is unlike any drawing that the network was trained on; the answer means little"
        say(console, f"Warning: {name} {text} (novelty {novelty:.3g}, limit 1)", "bold yellow")


def show_choice(report: ChoiceReport, console: Console) -> None:
    if report.bundled:
        say(console, f"Where no --checkpoint is given {BUNDLED_WEIGHTS} answer ({trained(report)}).")
    else:
        say(console, f"Where no --checkpoint is given {report.name} answers ({trained(report)}): {report.checkpoint}")


def _verdict(same: bool) -> tuple[str, str]:
    return ("same", "bold green") if same else ("different", "bold red")


def _kind(report: Answer) -> str:
    return "calibrated probability" if report.calibrated else "probability"


def _answered(report: Answer) -> str:
    if report.bundled:
        return f"Answered by {BUNDLED_WEIGHTS} ({trained(report)})"
    return f"Answered by {trained(report)}: {report.checkpoint}"


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
            ("default network", _default_network(report)),
            *report.variables.items(),
        ],
        console,
    )


def _default_network(report: EnvironmentReport) -> str:
    network = report.default_network
    if network is None:
        return report.default_problem or ""
    return f"{network.name} ({trained(network)})" + ("" if network.bundled else f": {network.checkpoint}")


def _show_rows(rows: list[tuple[str, str]], console: Console) -> None:
    """Names and values in two columns; values are never cut or wrapped, so that they can be copied."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(console, f"{name:<{width}}  {value}")
