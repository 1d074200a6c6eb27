"""What a search found as one HTML page with thumbnails, without scripts or links; search.html.jinja is the page."""

from pathlib import Path

from omnitwin.reports.answers import DIFFERENT, SAME, UNSURE
from omnitwin.reports.galleries import SearchReport
from omnitwin.reports.nouns import counted
from omnitwin.system.files import write_text
from omnitwin.view.tables import answered_by, kind_in_words
from omnitwin.view.templates import template

TEMPLATE = Path(__file__).with_name("search.html.jinja")
WORDS = {SAME: "same", DIFFERENT: "different", UNSURE: "cannot tell"}


def write_search_page(report: SearchReport, path: Path) -> None:
    """Write the page of a search. Raises CannotWrite."""
    write_text(path, search_page(report))


def search_page(report: SearchReport) -> str:
    """Return the whole page as HTML text. Images without a picture get a grey box."""
    found = sum(len(query.found) for query in report.queries)
    asked = counted(len(report.queries), "query") if len(report.queries) > 1 else report.queries[0].query.name
    return template(TEMPLATE).render(
        title=f"{counted(found, 'image')} for {asked}",
        lead=f"{counted(report.images, 'image')} of {report.gallery} were searched. "
        f"{kind_in_words(report).capitalize()} that both show the same; same from {report.threshold:.4g} on.",
        queries=report.queries,
        words=WORDS,
        answered=answered_by(report.network),
    )
