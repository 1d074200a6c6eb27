"""Pages of duplicates and maps: one HTML file each, with all pictures in it, that asks no network for anything.

duplicates.html.jinja and map.html.jinja are the pages, map.js is the program of the map. The page's policy allows that
one program, by its SHA-256, and no other.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omnitwin.config import PAGE_GROUPS
from omnitwin.reports.gallery_groups import KEEP, DuplicateFile, DuplicateGroup, DuplicatesReport, MapReport
from omnitwin.reports.nouns import counted
from omnitwin.reports.pictures import Picture
from omnitwin.system.files import write_text
from omnitwin.view.console import clean
from omnitwin.view.gallery_groups import false_pairs_in_words
from omnitwin.view.gallery_maps import colours_of, map_title, places_of
from omnitwin.view.templates import encoded, template, uri
from omnitwin.view.words import bytes_in_words, operating_in_words

FOLDER = Path(__file__).parent
DUPLICATES, MAP, PROGRAM = (FOLDER / name for name in ("duplicates.html.jinja", "map.html.jinja", "map.js"))
QUALITY = 80  # of JPEG


@dataclass(frozen=True)
class _Shown:
    """A file of a group on the page. source: its picture, or empty"""

    source: str
    keep: bool
    lines: tuple[str, ...]


def write_duplicates_page(report: DuplicatesReport, path: Path) -> None:
    """Write the groups of duplicates with their pictures. Raises CannotWrite."""
    write_text(path, duplicates_page(report))


def duplicates_page(report: DuplicatesReport) -> str:
    """Return the page of duplicates as HTML text."""
    left_out = len(report.groups) - PAGE_GROUPS
    facts = [
        f"{counted(report.copies, 'exact copy')} and {counted(report.look_alikes, 'look-alike')} in "
        f"{counted(len(report.groups), 'group')} among {counted(report.images, 'image')}.",
        false_pairs_in_words(report.false_pairs),
    ]
    if report.operating is not None:
        facts.append(f"Threshold {report.threshold:.4g}, {operating_in_words(report.operating)}.")
    if left_out > 0:
        facts.append(f"The first {PAGE_GROUPS:,} groups are shown; {left_out:,} more are in --csv and --json.")
    return template(DUPLICATES).render(
        title=" and ".join(str(place) for place in report.places),
        facts=facts,
        groups=list(_groups(report.groups[:PAGE_GROUPS])),
    )


def _groups(groups: tuple[DuplicateGroup, ...]) -> Iterator[tuple[str, list[_Shown]]]:
    for number, group in enumerate(groups, start=1):
        kind = "exact copies" if group.exact else "look-alikes"
        yield f"Group {number:,}: {kind}", [_shown(file) for file in group.files]


def _shown(file: DuplicateFile) -> _Shown:
    likely = "" if file.role != "look-alike" or file.probability is None else f", probability {file.probability:.4f}"
    facts = f"{file.width} x {file.height}, {bytes_in_words(file.size)}"
    return _Shown(_jpeg(file.picture), file.role == KEEP, (f"{file.role}{likely}", str(file.file), facts))


def write_map_page(report: MapReport, path: Path) -> None:
    """Write a map to zoom and drag in. Raises CannotWrite."""
    write_text(path, map_page(report))


def map_page(report: MapReport) -> str:
    """Return the page of a map as HTML text."""
    from markupsafe import Markup

    colours = colours_of(report.kinds)
    place_of = {kind: number for number, kind in enumerate(("", *report.kinds))}
    pictures = [_jpeg(point.picture) for point in report.points]
    points = [
        [round(x, 5), round(y, 5), place_of[point.kind], clean(str(point.file)), picture]
        for point, (x, y), picture in zip(report.points, places_of(report), pictures, strict=True)
    ]
    data = {"points": points, "kinds": [[clean(kind), colours[kind]] for kind in place_of]}
    text = json.dumps(data, separators=(",", ":")).replace("\x7f", "\\u007f")
    for letter in "<>&":  # nothing in the data ends its element
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    program = PROGRAM.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    return template(MAP).render(
        title=map_title(report),
        coloured_by=report.coloured_by,
        count=counted(len(report.points), "image"),
        data=Markup(text),
        program=Markup(program),
        digest=digest,
    )


def _jpeg(picture: Picture | None) -> str:
    """Return a picture as an address that holds all of it; empty for none."""
    return "" if picture is None else uri("jpeg", encoded(picture, format="JPEG", quality=QUALITY, optimize=True))
