"""Draw duplicates, groups and maps of a gallery as text for a terminal, and duplicates and groups as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from omnitwin.errors import BadInput
from omnitwin.reports.answers import Answer
from omnitwin.reports.gallery_groups import (
    COPY,
    KEEP,
    Doubtful,
    DuplicateFile,
    DuplicatesReport,
    FalsePairs,
    GroupsReport,
    MapReport,
)
from omnitwin.reports.nouns import counted
from omnitwin.view.console import clean, say
from omnitwin.view.csv_files import STDOUT, check_csv_file, no_formula, write_csv_file
from omnitwin.view.words import BUNDLED_WEIGHTS, bytes_in_words, listed, operating_in_words, rate, trained

DUPLICATE_COLUMNS = (
    "group", "role", "file", "copy_of", "probability", "width", "height", "bytes", "modified", "sha256",
)  # fmt: skip
GROUP_COLUMNS = ("group", "images", "file")
STYLES = {KEEP: "green", COPY: "yellow"}


def show_duplicates(report: DuplicatesReport, console: Console) -> None:
    """Print each group with the file to keep first, and how much the look-alikes are to be trusted."""
    places = " and ".join(str(place) for place in report.places)
    for number, group in enumerate(report.groups, start=1):
        kind = "exact copies" if group.exact else "look-alikes"
        say(console, f"Group {number:,}: {counted(len(group.files), 'file')}, {kind}", "bold")
        for file in group.files:
            beginning = f"  {_likely(file):>6}  "
            rest = f"  {file.width} x {file.height}, {bytes_in_words(file.size)}, {_day(file.modified)}"
            role = (f"{file.role:<10}", STYLES.get(file.role, ""))
            console.print(Text.assemble(beginning, role, f"  {clean(str(file.file))}", (rest, "dim")), soft_wrap=True)
    found = f"{counted(report.copies, 'exact copy')} and {counted(report.look_alikes, 'look-alike')}"
    groups = f" in {counted(len(report.groups), 'group')}" if report.groups else ""
    among = f"{counted(report.images, 'image')} of {places}{_judged(report.images, len(report.doubtful))}"
    say(console, f"{found}{groups} among {among}", "bold")
    _show_trust(report, report.false_pairs, console)
    if report.groups:
        why = "largest picture, then oldest file" if len(report.places) == 1 else "the file of the first folder"
        say(console, f"Nothing was deleted or moved: keep is a proposal ({why}).", "dim")


def _judged(images: int, doubtful: int) -> str:
    return f", of which {images - doubtful:,} could be judged" if doubtful else ""


def show_groups(report: GroupsReport, console: Console) -> None:
    """Print the groups of two or more images, and how well they agree with the folders."""
    for group in report.groups[: report.several]:
        say(console, f"Group {group.number:,}: {counted(len(group.files), 'image')}", "bold")
        for file in group.files:
            say(console, f"  {file}")
    alone = len(report.groups) - report.several
    say(
        console,
        f"{counted(len(report.groups), 'group')} of {counted(report.images, 'image')} of {report.place}"
        f"{_judged(report.images, len(report.doubtful))}: {report.several:,} of two or more, "
        f"{counted(alone, 'image')} alone ({report.linkage} linkage)",
        "bold",
    )
    if report.agreement is not None:
        found = report.agreement
        bounds = "" if found.interval is None else f" ({found.interval[0]:.3f} to {found.interval[1]:.3f})"
        of = f"{counted(found.classes, 'class folder')}, {counted(found.images, 'image')}"
        say(console, f"Adjusted Rand index {found.rand:.3f}{bounds} against {of}")
        say(console, f"1: the same groups; 0: groups at random. Interval: {found.method}", "dim")
    _show_trust(report, report.false_pairs, console)


def show_map(report: MapReport, written: Sequence[Path], console: Console) -> None:
    """Print what the map shows, and the files that were written."""
    axes = "" if report.shares is None else f", {100 * sum(report.shares):.0f} % of the variance"
    kinds = counted(len(report.kinds), report.coloured_by)
    say(console, f"{counted(len(report.points), 'image')} of {report.place} by {report.method}{axes}; {kinds}", "bold")
    if not written:
        for point in report.points:
            kind = f"  ({point.kind})" if point.kind else ""
            say(console, f"{point.x:8.4f} {point.y:8.4f}  {point.file}{kind}")
    for path in written:
        say(console, f"Map: {path}")
    say(console, _answered(report), "dim")


def warn_of_doubtful(doubtful: Sequence[Doubtful], console: Console) -> None:
    """Print each reason why images were not judged, with the images."""
    files: dict[str, list[str]] = {}
    for each in doubtful:
        for reason in each.reasons:
            files.setdefault(reason, []).append(each.file.name)
    for reason, names in files.items():
        say(console, f"Cannot tell: {counted(len(names), 'image')} ({listed(names)}): {reason}", "yellow")


def _show_trust(report: DuplicatesReport | GroupsReport, false: FalsePairs, console: Console) -> None:
    """Print how many pairs reach the threshold, and how many of different things are expected to."""
    reached = (
        f"{false.reached:,} of {counted(false.compared, 'pair')} compared reach probability {report.threshold:.4g}"
    )
    say(console, f"{reached}. {false_pairs_in_words(false)}")
    if report.operating is not None:
        say(console, f"Threshold {report.threshold:.4g}, {operating_in_words(report.operating)}", "dim")
    say(console, _answered(report), "dim")


def false_pairs_in_words(false: FalsePairs) -> str:
    """Return how many pairs of different things are expected to be accepted, or that it is not known."""
    if false.expected is None or false.expected_interval is None or false.far is None or false.far_interval is None:
        return (
            "How many of them are false is not known: this limit has no measured FAR. Measure one: omnitwin calibrate"
        )
    low, high = (_count(bound) for bound in false.expected_interval)
    about = "less than" if false.at_most else "about"
    stricter = " of a lower limit" if false.at_most else ""
    far = f"FAR{stricter} {rate(false.far, false.far_interval)}"
    return f"If all showed different things, {about} {_count(false.expected)} would ({low} to {high}; {far})."


def _count(pairs: float) -> str:
    """Return `1,195`, or `0.3` of an expectation below ten."""
    return f"{pairs:,.0f}" if pairs >= 10 or pairs == 0 else f"{pairs:.2g}"


def _answered(report: Answer) -> str:
    network = report.network
    who = BUNDLED_WEIGHTS if network.bundled else str(network.checkpoint)
    return f"Answered by {who} ({trained(network)})"


def _likely(file: DuplicateFile) -> str:
    return "" if file.role != "look-alike" or file.probability is None else f"{file.probability:.4f}"


def _day(seconds: float) -> str:
    """Return a date in UTC; a file can claim a time that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (OverflowError, OSError, ValueError):
        return "at an impossible time"


def check_csv(path: Path | None, json: bool) -> None:
    """Raise BadInput if CSV and JSON both go to standard output, or a name does not end like CSV; CannotWrite."""
    if path == STDOUT and json:
        raise BadInput("--json and --csv - both write to standard output", "Name a file: --csv FILE.csv.")
    check_csv_file(path)


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], path: Path) -> None:
    """Write a table with a heading to a file, or to standard output for `-`. Raises CannotWrite.

    Names stand as they are, for programs; one that a spreadsheet would take for a formula begins with `./`.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a name may hold a return
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_csv_file(content.getvalue(), path)


def duplicate_rows(report: DuplicatesReport) -> Iterable[Sequence[object]]:
    """Yield the cells of DUPLICATE_COLUMNS for each file of each group."""
    for number, group in enumerate(report.groups, start=1):
        for file in group.files:
            likely = "" if file.probability is None else f"{file.probability:.6f}"
            facts = (file.width, file.height, file.size, _moment(file.modified), file.sha256)
            yield (number, file.role, file.file, file.copy_of or "", likely, *facts)


def group_rows(report: GroupsReport) -> Iterable[Sequence[object]]:
    """Yield the cells of GROUP_COLUMNS for each image."""
    for group in report.groups:
        for file in group.files:
            yield group.number, len(group.files), file


def _cell(value: object) -> str:
    return no_formula(str(value)) if isinstance(value, Path) else str(value)


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return ""
