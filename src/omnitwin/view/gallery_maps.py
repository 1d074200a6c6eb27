"""Draw a map of a gallery as an image file: thumbnails where there is room, dots elsewhere, a colour for each kind."""

import colorsys
import os
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from omnitwin.errors import BadInput
from omnitwin.reports.gallery_groups import MapPoint, MapReport
from omnitwin.reports.nouns import counted
from omnitwin.reports.pictures import Picture
from omnitwin.view.figures import BLACK, GREY, MARGIN, TEXT, shorten, write_sheet

SIDE = 1600  # pixels of the map
THUMB = 64  # pixels of the longer side of a thumbnail
DOT = 4  # pixels of a dot's radius
FRAME = 3  # pixels of the colour around a thumbnail
LEGEND = 10  # kinds that are named
# Okabe and Ito's colours, which colour-blind readers can tell apart; further kinds have hues a golden section apart
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a200", "#7b3294")
GOLDEN = 0.618034


def colours_of(kinds: tuple[str, ...]) -> dict[str, str]:
    """Return a colour for each kind, and grey for points of none."""
    further = (_hue(number) for number in range(len(kinds)))
    known = [*COLOURS, *(next(further) for _ in range(len(kinds) - len(COLOURS)))]
    return {"": GREY, **dict(zip(kinds, known, strict=False))}


def _hue(number: int) -> str:
    parts = colorsys.hls_to_rgb(number * GOLDEN % 1, 0.45, 0.65)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def places_of(report: MapReport) -> list[tuple[float, float]]:
    """Return the places of the points from 0 to 1, x to the right and y down, with one scale for both axes."""
    xs, ys = [point.x for point in report.points], [point.y for point in report.points]
    spread = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    middles = ((max(values) + min(values)) / 2 for values in (xs, ys))
    middle_x, middle_y = middles
    return [(0.5 + (point.x - middle_x) / spread, 0.5 - (point.y - middle_y) / spread) for point in report.points]


def map_title(report: MapReport) -> str:
    """Return what a map shows, in a line."""
    axes = "" if report.shares is None else f" ({100 * report.shares[0]:.0f} and {100 * report.shares[1]:.0f} %)"
    return f"{report.place}: {counted(len(report.points), 'image')} by {report.method}{axes}"


def check_no_image(path: Path, report: MapReport) -> None:
    """Raise BadInput if a figure would take the place of an image that it shows, by whatever path."""
    there = os.path.realpath(path)
    if any(os.path.realpath(point.file) == there for point in report.points):
        raise BadInput(f"{path} is one of the images of {report.place}", "Name another file for the figure.")


def map_figure(report: MapReport, path: Path) -> None:
    """Write the map to an image file."""
    check_no_image(path, report)
    colours = colours_of(report.kinds)
    font = ImageFont.load_default(TEXT)
    head = TEXT + 2 * MARGIN
    lines = [f"{report.coloured_by}: {kind}" for kind in report.kinds[:LEGEND]]
    more = len(report.kinds) - len(lines)
    lines += [f"and {more:,} more"] if more > 0 else []
    line_height = round(TEXT * 1.35)
    sheet = Image.new("RGB", (SIDE, head + SIDE + MARGIN + line_height * len(lines)), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), shorten(map_title(report), SIDE - 2 * MARGIN, font), fill=BLACK, font=font)
    taken: set[tuple[int, int]] = set()
    room = SIDE - 2 * (THUMB + MARGIN)
    drawn: list[tuple[MapPoint, Picture, int, int]] = []
    for point, (x, y) in zip(report.points, places_of(report), strict=True):
        left, top = round(THUMB + MARGIN + x * room), head + round(THUMB + MARGIN + y * room)
        pen.ellipse((left - DOT, top - DOT, left + DOT, top + DOT), fill=colours[point.kind])
        cell = (left // THUMB, top // THUMB)
        if point.picture is not None and cell not in taken:  # one in a square
            taken.add(cell)
            drawn.append((point, point.picture, left, top))
    for point, picture, left, top in drawn:
        image = Image.frombytes(picture.mode, picture.size, picture.pixels).convert("RGB")
        image.thumbnail((THUMB - 2 * FRAME, THUMB - 2 * FRAME))
        framed = Image.new("RGB", (image.width + 2 * FRAME, image.height + 2 * FRAME), colours[point.kind])
        framed.paste(image, (FRAME, FRAME))
        sheet.paste(framed, (left - framed.width // 2, top - framed.height // 2))
    for number, line in enumerate(lines):
        top = head + SIDE + number * line_height
        kind = report.kinds[number] if number < LEGEND and number < len(report.kinds) else ""
        pen.rectangle((MARGIN, top, MARGIN + TEXT, top + TEXT), fill=colours[kind])
        pen.text((2 * MARGIN + TEXT, top), shorten(line, SIDE - 4 * MARGIN, font), fill=BLACK, font=font)
    write_sheet(sheet, path)
