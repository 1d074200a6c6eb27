"""Draw the reports of `index`, `search` and `embed`, on a console or as CSV."""

import csv
import io
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from omnitwin.reports.answers import UNSURE, UnreadImage
from omnitwin.reports.galleries import (
    EmbedReport,
    IndexList,
    IndexRemoval,
    IndexReport,
    QueryReport,
    SearchReport,
    StoredIndex,
)
from omnitwin.reports.nouns import counted
from omnitwin.view.console import clean, say
from omnitwin.view.csv_files import no_formula
from omnitwin.view.tables import answered_by, kind_in_words, show_doubts, verdict_in_words
from omnitwin.view.words import age_in_words, bytes_in_words

COLUMNS = ("query", "rank", "probability", "verdict", "path", "reasons")  # of the CSV
CHANGES = ("new", "changed", "moved", "removed", "unchanged")


def show_index(report: IndexReport, console: Console) -> None:
    """Print what was done, and how fast."""
    say(console, f"{counted(report.images, 'image')} of {report.root} in {report.folder}", "bold")
    say(console, ", ".join(f"{getattr(report, change):,} {change}" for change in CHANGES))
    speed = f", {report.images_per_second:,.0f} images/s" if report.embedded else ""
    say(
        console,
        f"{counted(report.embedded, 'image')} read and embedded in {report.seconds:.2f} s{speed}; "
        f"{bytes_in_words(report.bytes)}",
    )
    _show_links(report.links, console)
    if report.doubtful:
        are = "Of 1 image" if report.doubtful == 1 else f"Of {report.doubtful:,} images"
        say(console, f"{are} this network cannot tell what they show: unlike what it was trained for", "yellow")
    say(console, answered_by(report.network).replace("Answered", "Embedded", 1), "dim")


def warn_of_unread(unread: Iterable[UnreadImage], console: Console) -> None:
    """Print a line for each file that could not be read."""
    for image in unread:
        say(console, f"omnitwin: {image.problem}", "bold red")


def show_indexes(report: IndexList, console: Console) -> None:
    """Print each index and its facts."""
    if not report.indexes:
        say(console, f"No indexes in {report.folder}. Make one: omnitwin index FOLDER")
    for each in report.indexes:
        say(console, each.name, "bold")
        say(console, f"  {', '.join(_facts(each))}")
        if each.holder is not None:
            say(console, f"  in use by {each.holder}", "dim")
        if each.problem is not None:
            say(console, f"  {each.problem}", "bold red")


def show_removal(report: IndexRemoval, console: Console) -> None:
    say(console, f"Removed the index {report.name}, {bytes_in_words(report.bytes)}. The images are still there.")


def show_search(report: SearchReport, console: Console) -> None:
    """Print what each query has found, in order."""
    for query in report.queries:
        _show_query(query, len(report.queries) > 1, console)
    searched = f"{counted(report.images, 'image')} of {report.gallery} searched in {report.seconds:.2f} s"
    say(console, f"{searched} ({report.engine})")
    say(console, f"{kind_in_words(report).capitalize()}; same from {report.threshold:.4g} on", "dim")
    show_doubts((reason for query in report.queries for image in query.found for reason in image.reasons), console)
    say(console, answered_by(report.network), "dim")


def _show_query(query: QueryReport, named: bool, console: Console) -> None:
    if named:
        say(console, f"{query.query}:", "bold")
    if not query.found:
        say(console, "Nothing was found.")
        return
    width = max(4, len(str(len(query.found))))
    words = max(len("different"), *(len(verdict_in_words(image)[0]) for image in query.found))
    say(console, f"{'rank':>{width}}  probability  {'verdict':<{words}}  file", "bold")
    for image in query.found:
        verdict, style = verdict_in_words(image)
        beginning = f"{image.rank:>{width}}  {image.probability:>11.4f}  "
        file = clean(str(image.file))  # neither cut nor wrapped, so that it can be copied
        console.print(Text.assemble(beginning, (f"{verdict:<{words}}", style), f"  {file}"), soft_wrap=True)


def search_table(report: SearchReport) -> str:
    """Return what was found as CSV, a line an image. Names stand as they are but for formulas; a program reads them."""
    content = io.StringIO()
    rows = csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a name may hold a carriage return
    rows.writerow(COLUMNS)
    for query in report.queries:
        for image in query.found:
            verdict = verdict_in_words(image)[0] if image.verdict == UNSURE else image.verdict
            reasons = "; ".join(image.reasons)
            paths = [no_formula(str(path)) for path in (query.query, image.file)]
            rows.writerow([paths[0], image.rank, image.probability, verdict, paths[1], reasons])
    return content.getvalue()


def show_embedding(report: EmbedReport, console: Console) -> None:
    say(
        console,
        f"{counted(report.images, 'image')} embedded in {report.seconds:.2f} s, {report.features} numbers each: "
        f"{report.output}",
    )
    _show_links(report.links, console)
    say(console, answered_by(report.network).replace("Answered", "Embedded", 1), "dim")


def _show_links(links: int, console: Console) -> None:
    if links:
        are = "is" if links == 1 else "are"
        say(
            console,
            f"Note: {counted(links, 'name')} {are} of a file that has another name, too, and counts once",
            "dim",
        )


def _facts(each: StoredIndex) -> list[str]:
    facts = []
    if each.images is not None:
        facts += [counted(each.images, "image"), f"of {each.root}"]
    facts.append(bytes_in_words(each.bytes))
    if each.age is not None:
        age = age_in_words(each.age)
        facts.append(f"updated {age if age == 'now' else f'{age} ago'}")
    if each.network is not None:
        facts.append(f"network {each.network}")
    return facts
