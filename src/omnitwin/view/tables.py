"""Each report as text for a terminal, on stdout."""

import re
import shlex
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.reports.answers import (
    BEST,
    Answer,
    ChoiceReport,
    ComparisonReport,
    EnvironmentReport,
    RankingReport,
    TrainedNetwork,
)
from omnitwin.reports.data import DownloadReport, ShowReport
from omnitwin.reports.pictures import LabelledPicture
from omnitwin.reports.training import PlanReport, TrainReport
from omnitwin.view.console import clean, say
from omnitwin.view.pictures import GAP, cut, draw_beside, draw_images, draw_pairs, draw_picture, pair_columns
from omnitwin.view.words import (
    BUNDLED_WEIGHTS,
    batch_in_words,
    bytes_in_words,
    counted,
    listed,
    percent,
    time_in_words,
    trained,
)

SAW = "What the network saw"
UNLIKE = "unlike any drawing that the network was trained on; the answer means little"


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
    names = (report.first.name, report.second.name)
    columns = pair_columns(console)
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_row(*(Text(clean(name), no_wrap=True, overflow=cut(console)) for name in names))
    table.add_row(*(draw_picture(one, columns, console) for one in (report.first_picture, report.second_picture)))
    console.print(table)
    if show_input:
        say(console, f"{SAW}:")
        console.print(draw_beside((report.first_input, report.second_input), columns, console))
    console.print(
        Text.assemble(
            _verdict(report.same),
            f": {_kind(report)} {report.probability:.4f} that both show the same (threshold {report.threshold:.4g})",
        ),
        soft_wrap=True,
    )
    say(console, _answered(report.network), "dim")
    for note in report.notes:
        say(console, f"Note: {note}", "dim")


def warn_of_comparison(report: ComparisonReport, console: Console) -> None:
    """A line for each file that is far from any known drawing."""
    _warn_of_novelty(report.first.name, report.first_novelty, console)
    _warn_of_novelty(report.second.name, report.second_novelty, console)


def show_ranking(report: RankingReport, console: Console, show_input: bool = False) -> None:
    """The images in their order; above them with show_input what the network saw of the query and the best."""
    if show_input:
        say(console, f"{SAW} of {report.query.name}, then of the most similar:")
        best = ((one.picture, f"{one.rank}. {one.file.name}") for one in report.ranked[:BEST])
        seen = ((report.query_picture, report.query.name), *best)
        console.print(draw_images([LabelledPicture(picture=picture, label=name) for picture, name in seen], console))
    say(
        console,
        f"{counted(len(report.ranked), 'image')} by how probably they show the same as {report.query.name}",
        "bold",
    )
    width = max(4, len(str(len(report.ranked))))
    say(console, f"{'rank':>{width}}  probability  verdict    file", "bold")
    for one in report.ranked:
        verdict, style = _verdict(one.same)
        beginning = f"{one.rank:>{width}}  {one.probability:>11.4f}  "
        file = clean(str(one.file))  # never cut or wrapped, so that it can be copied
        console.print(Text.assemble(beginning, (f"{verdict:<9}", style), f"  {file}"), soft_wrap=True)
    speed = f"{counted(report.images, 'image')} read and embedded in {report.seconds:.2f} s"
    say(console, f"{speed}: {report.images_per_second:,.0f} images/s ({report.engine})")
    say(console, f"{_kind(report).capitalize()}; same from {report.threshold:.4g} on", "dim")
    say(console, _answered(report.network), "dim")
    _show_notes(((report.query.name, report.notes), *((one.file.name, one.notes) for one in report.ranked)), console)


def _show_notes(notes_of_files: Iterable[tuple[str, tuple[str, ...]]], console: Console) -> None:
    """A line for each kind of note, in which numbers make no difference."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for name, notes in notes_of_files:
        for note in notes:
            by_kind.setdefault(re.sub(r"\d+", "", note), []).append((name, note))
    for found in by_kind.values():
        name, note = found[0]
        such_as = f", such as {name}" if len({note for _, note in found}) > 1 else ""
        say(console, f"Note: {name if len(found) == 1 else f'{len(found):,} images{such_as}'}: {note}", "dim")


def warn_of_ranking(report: RankingReport, console: Console) -> None:
    """A line where the query is far from any known drawing, and one for all the ranked images that are."""
    _warn_of_novelty(report.query.name, report.novelty, console)
    far = [one.file.name for one in report.ranked if one.novelty is not None and one.novelty > 1]
    if far:
        are = "image is" if len(far) == 1 else "images are"
        say(console, f"Warning: {len(far):,} ranked {are} {UNLIKE}: {listed(far)}", "bold yellow")


def _warn_of_novelty(name: str, novelty: float | None, console: Console) -> None:
    if novelty is not None and novelty > 1:
        say(console, f"Warning: {name} is {UNLIKE} (novelty {novelty:.2f}, limit 1)", "bold yellow")


def show_choice(report: ChoiceReport, console: Console) -> None:
    network = report.network
    if network.bundled:
        say(console, f"Where no --checkpoint is given {BUNDLED_WEIGHTS} answer ({trained(network)}).")
    else:
        say(console, f"Where no --checkpoint is given {report.name} answers ({trained(network)}): {network.checkpoint}")


def _verdict(same: bool) -> tuple[str, str]:
    return ("same", "bold green") if same else ("different", "bold red")


def _kind(report: Answer) -> str:
    return "calibrated probability" if report.calibrated else "probability"


def _answered(network: TrainedNetwork) -> str:
    if network.bundled:
        return f"Answered by {BUNDLED_WEIGHTS} ({trained(network)})"
    return f"Answered by {trained(network)}: {network.checkpoint}"


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
    if report.default_network is None:
        return report.default_problem or ""
    network = report.default_network.network
    return f"{report.default_network.name} ({trained(network)})" + (
        "" if network.bundled else f": {network.checkpoint}"
    )


def _show_rows(rows: list[tuple[str, str]], console: Console) -> None:
    """Names and values in two columns; values are never cut or wrapped, so that they can be copied."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(console, f"{name:<{width}}  {value}")
