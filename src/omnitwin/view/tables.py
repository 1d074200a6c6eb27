"""Draw each report as text for a terminal, on stdout. A small function a report makes more than 400 lines."""

import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnitwin.reports.answers import (
    UNFAMILIAR,
    UNSURE,
    Answer,
    ChoiceReport,
    ComparisonReport,
    EnvironmentReport,
    LeftOut,
    RankingReport,
    TrainedNetwork,
    Verdict,
)
from omnitwin.reports.data import DownloadReport, ShowReport
from omnitwin.reports.nouns import counted
from omnitwin.reports.pictures import LabelledPicture
from omnitwin.reports.runs import RunList, StoredRun
from omnitwin.reports.training import PlanReport, TrainReport
from omnitwin.view.console import clean, say
from omnitwin.view.pictures import (
    GAP,
    cut,
    draw_images,
    draw_pairs,
    draw_picture,
    draw_titled,
    pair_columns,
)
from omnitwin.view.words import (
    BUNDLED_WEIGHTS,
    age_in_words,
    batch_in_words,
    bytes_in_words,
    done_in_words,
    end_in_words,
    listed,
    measuring_in_words,
    network_in_words,
    operating_in_words,
    percent,
    stopped_in_words,
    time_in_words,
    trained,
    weakness,
)

if TYPE_CHECKING:  # importing the records of exams takes time, and an answer needs none
    from omnitwin.reports.exams import EvalReport

SAW = "What the network saw"
ENOUGH_FOR_SPEED = 100  # images; fewer are read too soon for their number in a second to mean much
SPECKS = re.compile(r"(a speck was|(?P<count>\d+) specks were) ignored")
UNLIKE = f"{UNFAMILIAR}; the answer means little"


def show_download(report: DownloadReport, console: Console) -> None:
    for part in report.sets:
        state, origin = ("fetched", f", from {part.source}") if part.fetched else ("already here", "")
        say(
            console,
            f"{part.name}: {state}; {counted(part.alphabets, 'alphabet')}, {counted(part.classes, 'character')}, "
            f"{counted(part.images, 'drawing')}, "
            f"verified, {bytes_in_words(part.packed_bytes)} in {part.packed}{origin}",
        )
    if not any(part.fetched for part in report.sets):
        say(console, "Nothing to do.")


def show_plan(report: PlanReport, console: Console) -> None:
    rows = [
        ("recipe", f"{report.recipe}, seed {report.seed}"),
        ("data", f"{report.dataset}: {counted(report.images, 'image')} of {counted(report.classes, 'class')}"),
        ("held out", ", ".join(report.held_out) or "nothing: threshold 0.5, no calibration"),
        ("device", f"{report.device}, {report.precision}"),
        ("network", network_in_words(report)),
        (
            "iterations",
            f"{report.iterations:,} of {batch_in_words(report)}, learning rate {report.learning_rate:g}"
            f"{end_in_words(report)}",
        ),
    ]
    if report.seconds_per_iteration is not None and report.seconds_in_all is not None:
        rows += [
            ("time", f"{time_in_words(report.seconds_in_all)} at {report.seconds_per_iteration:.3f} s an iteration"),
            ("weights", bytes_in_words(report.weights_bytes or 0)),
            ("weights, gradients and optimiser", bytes_in_words(report.training_bytes or 0)),
            ("images on the device", bytes_in_words(report.data_bytes or 0)),
            ("peak memory", bytes_in_words(report.peak_bytes) if report.peak_bytes else "unknown on this system"),
        ]
    rows.append(("would write", str(report.output)))
    show_rows(rows, console)


def show_training(report: TrainReport, console: Console) -> None:
    if report.stopped_by in (None, "patience"):
        say(console, done_in_words(report), "bold green")
    else:
        say(console, stopped_in_words(report), "bold yellow")
    rows = [
        ("loss", f"{report.loss:.4f}"),
        ("speed", f"{report.pairs_per_second:,.0f} pairs/s"),
        ("weights", str(report.weights)),
        ("SHA-256", report.weights_sha256),
    ]
    if report.best is not None and report.held_out_eer is not None:
        eer = percent(report.held_out_eer)
        rows.append(("best", f"{report.best} (iteration {report.best_iteration:,}: held-out EER {eer})"))
    if report.operating is not None:
        rows.append(("threshold", f"{report.threshold:.4g}, {operating_in_words(report.operating)}"))
    show_rows(rows, console)
    if weak := weakness(report.held_out_eer):
        say(console, weak, "bold yellow")
    if report.stopped_by in (None, "patience"):
        say(console, f"Measure it: {measuring_in_words(report)}")


def show_comparison(report: ComparisonReport, console: Console, show_input: bool = False) -> None:
    """Print both images side by side and the answer; with show_input also the images as the network sees them."""
    names = [Text(clean(path.name), no_wrap=True, overflow=cut(console)) for path in (report.first, report.second)]
    columns = pair_columns(console)
    widest = (console.width - GAP) // 2
    table, inputs = (Table.grid(padding=(0, GAP, 0, 0)) for _ in range(2))
    for name, each in product(names, (table, inputs)):
        each.add_column(width=max(columns, min(name.cell_len, widest)))
    table.add_row(*names)
    table.add_row(
        *(draw_picture(picture, columns, console) for picture in (report.first_picture, report.second_picture))
    )
    console.print(table)
    if show_input:
        say(console, f"{SAW}:")
        inputs.add_row(
            *(draw_picture(picture, columns, console) for picture in (report.first_input, report.second_input))
        )
        console.print(inputs)
    probability = (
        f"{kind_in_words(report)} {report.probability:.4f} that both show the same (threshold {report.threshold:.4g})"
    )
    if report.verdict == UNSURE:
        console.print(Text.assemble(verdict_in_words(report), f": {clean('; '.join(report.reasons))}"), soft_wrap=True)
        say(console, f"--always-answer would go by {probability}", "dim")
    else:
        console.print(Text.assemble(verdict_in_words(report), f": {probability}"), soft_wrap=True)
        _show_operating(report, console)
    say(console, answered_by(report.network), "dim")
    for files, note in _by_note(report):
        say(console, f"Note: {files}: {note}", "dim")


def _show_operating(report: Answer, console: Console) -> None:
    """Print what the threshold was chosen for and how often it errs, if that is known."""
    if report.operating is not None:
        say(console, f"Threshold {report.threshold:.4g}, {operating_in_words(report.operating)}", "dim")


def _by_note(report: ComparisonReport) -> list[tuple[str, str]]:
    """Return each note once, with the names of its files."""
    files: dict[str, list[str]] = {}
    for line in report.notes:
        name = report.first.name if line.startswith(f"{report.first.name}: ") else report.second.name
        files.setdefault(line.removeprefix(f"{name}: "), []).append(name)
    return [(" and ".join(names), note) for note, names in files.items()]


def show_comparisons(reports: Sequence[ComparisonReport], console: Console) -> None:
    """Print comparisons side by side, each with its files, its verdict and its pictures."""
    pairs = []
    for report in reports:
        files = f"{clean(report.first.name)}\n{clean(report.second.name)}\n"
        title = Text.assemble(files, verdict_in_words(report), f"\nprobability {report.probability:.4f}")
        pairs.append((title, report.first_picture, report.second_picture))
    console.print(draw_titled(pairs, console))
    say(console, answered_by(reports[0].network), "dim")


def show_share_right(report: "EvalReport", console: Console) -> None:
    """Print in a line how many random pairs the network judged right."""
    accuracy = report.exams[0].measures[0]
    say(
        console,
        f"{percent(accuracy.value)} of {accuracy.n:,} random pairs are judged right; guessing gets 50 %.",
        "bold",
    )


def warn_of_comparison(report: ComparisonReport, console: Console) -> None:
    """Print a warning for each file that is far from every known image, if the answer does not say it."""
    if report.verdict == UNSURE:
        return
    _warn_of_novelty(report.first.name, report.first_novelty, console)
    _warn_of_novelty(report.second.name, report.second_novelty, console)


def show_ranking(report: RankingReport, console: Console, show_input: bool = False) -> None:
    """Print the images in order; with show_input also the query and the best as the network sees them."""
    if show_input:
        say(console, f"{SAW} of {report.query.name}, then of the most similar:")
        names = (report.query.name, *(f"{image.rank}. {image.file.name}" for image in report.ranked))
        seen = zip((report.query_picture, *report.pictures), names, strict=False)  # pictures of the best only
        console.print(draw_images([LabelledPicture(picture=picture, label=name) for picture, name in seen], console))
    say(
        console,
        f"{counted(len(report.ranked), 'image')} by how probably they show the same as {report.query.name}",
        "bold",
    )
    width = max(4, len(str(len(report.ranked))))
    words = max((len(verdict_in_words(image)[0]) for image in report.ranked), default=0)
    words = max(words, len("different"))
    say(console, f"{'rank':>{width}}  probability  {'verdict':<{words}}  file", "bold")
    for image in report.ranked:
        verdict, style = verdict_in_words(image)
        beginning = f"{image.rank:>{width}}  {image.probability:>11.4f}  "
        file = clean(str(image.file))  # neither cut nor wrapped, so that it can be copied
        console.print(Text.assemble(beginning, (f"{verdict:<{words}}", style), f"  {file}"), soft_wrap=True)
    speed = f": {report.images_per_second:,.0f} images/s" if report.images >= ENOUGH_FOR_SPEED else ""
    read = f"{counted(report.images, 'image')} read and embedded in {report.seconds:.2f} s"
    say(console, f"{read}{speed} ({report.engine})")
    say(console, f"{kind_in_words(report).capitalize()}; same from {report.threshold:.4g} on", "dim")
    _show_operating(report, console)
    show_doubts((reason for image in report.ranked for reason in image.reasons), console)
    say(console, answered_by(report.network), "dim")
    _show_notes(
        ((report.query.name, report.notes), *((image.file.name, image.notes) for image in report.ranked)), console
    )


def show_doubts(reasons: Iterable[str], console: Console) -> None:
    """Print each reason why an answer cannot be told once, with the files that it is of."""
    files: dict[str, list[str]] = {}
    for line in dict.fromkeys(reasons):
        name, _, reason = line.rpartition(": ")
        files.setdefault(reason, []).append(name)
    for reason, names in files.items():
        say(console, f"Cannot tell: {counted(len(names), 'image')} ({listed(names)}): {reason}", "yellow")


def _left_out(left_out: LeftOut) -> str:
    """Return a line such as `photos: 1 subfolder was not searched, 1 file is no image (old, notes.txt)`."""
    parts = []
    if count := left_out.subfolders:
        parts.append(f"{counted(count, 'subfolder')} {'was' if count == 1 else 'were'} not searched")
    if count := left_out.files:
        parts.append(f"{counted(count, 'file')} {'is no image' if count == 1 else 'are no images'}")
    named = f" ({listed(left_out.names)})" if left_out.names else ""
    return f"{left_out.folder}: {', '.join(parts)}{named}"


def _show_notes(notes_of_files: Iterable[tuple[str, tuple[str, ...]]], console: Console) -> None:
    """Print a line for each kind of note: notes of one kind differ only in numbers."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for name, notes in notes_of_files:
        for note in notes:
            kind = "specks" if _specks(note) else re.sub(r"\d+", "", note)
            by_kind.setdefault(kind, []).append((name, note))
    for found in by_kind.values():
        name, note = max(found, key=lambda pair: _specks(pair[1]))
        files, differ = name, len({note for _, note in found}) > 1
        if len(found) > 1:
            files = f"{len(found):,} images"
        if differ and _specks(note):
            note = f"up to {note}"
        elif differ:
            files += f", such as {name}"
        say(console, f"Note: {files}: {note}", "dim")


def _specks(note: str) -> int:
    """Return how many specks a note of images.cleaning counts, or 0 if it is another note."""
    found = SPECKS.match(note)
    return int(found["count"] or 1) if found else 0


def warn_of_ranking(report: RankingReport, console: Console) -> None:
    """Print what was left out; warn of images that are far from every known one, if they were answered all the same."""
    for left_out in report.left_out:
        say(console, f"Note: {_left_out(left_out)}", "dim")
    answered = [image for image in report.ranked if image.verdict != UNSURE]
    if answered:  # of a doubtful query none is, unless it was asked for
        _warn_of_novelty(report.query.name, report.novelty, console)
    far = [image.file.name for image in answered if image.novelty is not None and image.novelty > 1]
    if far:
        are = "image is" if len(far) == 1 else "images are"
        say(console, f"Warning: {len(far):,} ranked {are} {UNLIKE}: {listed(far)}", "bold yellow")


def _warn_of_novelty(name: str, novelty: float | None, console: Console) -> None:
    if novelty is not None and novelty > 1:
        say(console, f"Warning: {name} is {UNLIKE} (novelty {novelty:.2f}, limit 1)", "bold yellow")


def show_choice(report: ChoiceReport, console: Console, made: bool = False) -> None:
    """Print the default network. made: the choice was made just now"""
    start = "The default network is now" if made else "The default network"
    network = report.network
    if network.bundled:
        say(console, f"{start}: {BUNDLED_WEIGHTS} ({trained(network)})")
    else:
        say(console, f"{start}: {report.name} ({trained(network)}), {network.checkpoint}")


def show_runs(report: RunList, console: Console) -> None:
    """Print a line a run; in a terminal that is too narrow, print the name and below it the rest."""
    if not report.runs:
        say(console, f"No runs in {report.folder}. Train one: omnitwin train --recipe fast")
        return
    head = ("name", "recipe", "data", "iterations", "held-out EER", "age", "size")
    rows = [(run.name, *_cells(run)) for run in report.runs]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > console.width:
        for run in report.runs:
            say(console, run.name, "bold")
            say(console, f"  {_joined(run)}")
            _show_remarks(run, console)
        return
    say(console, _line(head, widths), "bold")
    for run, row in zip(report.runs, rows, strict=True):
        say(console, _line(row, widths))
        _show_remarks(run, console)


def show_runs_to_remove(runs: Sequence[StoredRun], console: Console) -> None:
    for run in runs:
        say(console, f"{run.folder}: {_joined(run)}")


def _cells(run: StoredRun) -> tuple[str, ...]:
    done = f"{run.iteration:,} of {run.iterations:,}" if run.iteration is not None and run.iterations else ""
    eer = percent(run.held_out_eer) if run.held_out_eer is not None else ""
    return run.recipe or "", run.data or "", done, eer, age_in_words(run.age), bytes_in_words(run.bytes)


def _joined(run: StoredRun) -> str:
    """Return the known cells of a run in one sentence."""
    recipe, data, done, eer, age, size = _cells(run)
    old = "" if age == "now" else f"{age} old"
    eer = eer and f"held-out EER {eer}"
    return ", ".join(part for part in (recipe, data, done and f"{done} iterations", eer, old, size) if part)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _show_remarks(run: StoredRun, console: Console) -> None:
    if run.calibrated is not None:
        say(console, f"  calibrated; threshold {operating_in_words(run.calibrated)}", "dim")
    if run.chosen:
        say(console, "  default, chosen by omnitwin use", "dim")
    if run.holder is not None:
        say(console, f"  in use by {run.holder}", "dim")
    if run.problem is not None:
        say(console, f"  {run.problem}", "bold red")


def verdict_in_words(answer: Verdict) -> tuple[str, str]:
    if answer.verdict == UNSURE:
        return "cannot tell", "bold yellow"
    return ("same", "bold green") if answer.same else ("different", "bold red")


def kind_in_words(report: Answer) -> str:
    return "calibrated probability" if report.calibrated else "probability"


def answered_by(network: TrainedNetwork) -> str:
    if network.bundled:
        return f"Answered by {BUNDLED_WEIGHTS} ({trained(network)})"
    return f"Answered by {trained(network)}: {network.checkpoint}"


def show_browse(report: ShowReport, console: Console) -> None:
    if report.images:
        say(console, f"{counted(len(report.images), 'random image')} of {report.dataset}, seed {report.seed}", "bold")
        console.print(draw_images(report.images, console))
    if report.pairs:
        say(console, f"{counted(len(report.pairs), 'random pair')} of {report.dataset}, seed {report.seed}", "bold")
        console.print(draw_pairs(report.pairs, console))


def show_environment(report: EnvironmentReport, console: Console) -> None:
    chosen = f"{report.chosen_device}, {report.precision}"
    show_rows(
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


def show_rows(rows: list[tuple[str, str]], console: Console) -> None:
    """Print names and values in two columns. Values are neither cut nor wrapped, so that they can be copied."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(console, f"{name:<{width}}  {value}")
