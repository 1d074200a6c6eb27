"""Sheets of pictures with titles, written as PNG or as another format that the file's ending names."""

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from omnitwin.errors import BadInput
from omnitwin.reports.answers import UNSURE, ComparisonReport, RankingReport, Verdict
from omnitwin.reports.data import DataReport, ShowReport
from omnitwin.reports.exams import ExamReport
from omnitwin.reports.pictures import LabelledPicture, Picture, ScoredPair
from omnitwin.system.files import check_replaceable, replacing
from omnitwin.view.console import clean
from omnitwin.view.exams import interval, value
from omnitwin.view.words import label_lines

PICTURE = 210  # pixels of the longer side of one drawn picture
MARGIN = 16  # pixels between things
TEXT = 18  # pixels of a title's letters
WIDEST_TITLE = 4000  # pixels: room for two of the longest file names
# colour-blind safe
BLACK, GREY, GREEN, RED, PURPLE, OCHRE = "#1a1a1a", "#6a6a6a", "#00735c", "#c0392b", "#7b3294", "#8a6100"
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".pdf")
PAIRS_A_ROW, IMAGES_A_ROW = 2, 4

Save = Callable[..., None]  # of an image, a path and format=


@dataclass(frozen=True)
class _Cell:
    pictures: tuple[Picture, ...]
    lines: tuple[tuple[str, str], ...]  # text and its colour


def check_figure(path: Path | None, inputs: Sequence[Path] = ()) -> None:
    """Raise BadInput if the ending is no image format, or if path is an input image (or lies in an input folder).

    Raise CannotWrite if something is there that is no plain file. Call it before the work, not after it.
    """
    if path is not None and path.exists():
        place = os.path.realpath(path)
        if any(os.path.realpath(image) in (place, os.path.dirname(place)) for image in inputs):
            raise BadInput(f"{path} is one of the images that are compared", "Name another file for the figure.")
    if path is not None and path.suffix.lower() not in ENDINGS:
        raise BadInput(f"{path} does not end like a figure", f"Name it FILE.png, or with one of {' '.join(ENDINGS)}.")
    if path is not None:
        check_replaceable(path)


def browse_figure(report: ShowReport, path: Path) -> None:
    """Write the random images with their labels, then the random pairs titled similar or dissimilar."""
    write_sheet(_stack(f"{report.dataset}, seed {report.seed}", _samples(report.images, report.pairs)), path)


def data_figure(report: DataReport, path: Path) -> None:
    """Write random images and pairs of a folder or table, as browse_figure does."""
    title = (
        f"{report.place}: {report.images:,} images of {report.classes:,} classes, {report.shown}, seed {report.seed}"
    )
    write_sheet(_stack(title, _samples(report.pictures, report.pairs)), path)


def _samples(pictures: Sequence[LabelledPicture], pairs: Sequence[ScoredPair]) -> list[Image.Image]:
    lines = [label_lines(clean(picture.label)) for picture in pictures]
    most = max(map(len, lines), default=0)  # all cells of a sheet have the same number of lines
    cells = [
        _Cell((picture.picture,), tuple((line, BLACK) for line in [*own, *[""] * (most - len(own))]))
        for picture, own in zip(pictures, lines, strict=True)
    ]
    in_pairs = [_Cell((pair.left, pair.right), (_similarity(pair),)) for pair in pairs]
    return [_sheet(found, row) for found, row in ((cells, IMAGES_A_ROW), (in_pairs, PAIRS_A_ROW)) if found]


def pairs_figure(exam: ExamReport, dataset: str, path: Path) -> None:
    """Write the example's last figure: pairs with target, prediction and score, below the exam's first figure."""
    first = exam.measures[0]
    title = f"{dataset}, {exam.exam}: {first.label} {value(first)} of n = {exam.n:,} {exam.unit} ({interval(first)})"
    write_sheet(_stack(title, [_sheet([_scored_cell(pair) for pair in exam.shown], PAIRS_A_ROW)]), path)


def hardest_figure(exam: ExamReport, dataset: str, path: Path) -> None:
    """Write the wrong pairs of an exam that have the surest scores."""
    threshold = "" if exam.threshold is None else f" (threshold {exam.threshold:.4g})"
    title = f"{dataset}, {exam.exam}: the wrong pairs scored surest, of n = {exam.n:,}{threshold}"
    write_sheet(_stack(title, [_sheet([_labelled_cell(pair) for pair in exam.hardest], PAIRS_A_ROW)]), path)


def comparison_figure(report: ComparisonReport, path: Path, save: Save = Image.Image.save) -> None:
    """Write both images with the verdict. save: writes an image to a file, as Pillow does"""
    lines = (_verdict(report), (f"probability {report.probability:.4f}, threshold {report.threshold:.4g}", BLACK))
    cell = _Cell((report.first_picture, report.second_picture), lines)
    write_sheet(_stack(f"{report.first.name}  |  {report.second.name}", [_sheet([cell], 1)]), path, save)


def ranking_figure(report: RankingReport, path: Path) -> None:
    """Write the query beside each of the images most similar to it, as the network saw them."""
    cells = []
    for image, picture in zip(report.ranked, report.pictures, strict=False):  # pictures of the best only
        lines = (
            _verdict(image),
            (f"{image.rank}. {image.file.name}", BLACK),
            (f"probability {image.probability:.4f}", BLACK),
        )
        cells.append(_Cell((report.query_picture, picture), lines))
    title = f"{report.query.name}: the {len(cells)} most similar of {len(report.ranked):,}"
    write_sheet(_stack(f"{title} (threshold {report.threshold:.4g})", [_sheet(cells, PAIRS_A_ROW)]), path)


def _verdict(answer: Verdict) -> tuple[str, str]:
    if answer.verdict == UNSURE:
        return "cannot tell", OCHRE
    return ("same", GREEN) if answer.same else ("different", RED)


def _similarity(pair: ScoredPair) -> tuple[str, str]:
    return ("similar", GREEN) if pair.similar else ("dissimilar", PURPLE)


def _scored_cell(pair: ScoredPair) -> _Cell:
    right = pair.predicted == pair.similar
    predicted = "similar" if pair.predicted else "dissimilar"
    return _Cell(
        (pair.left, pair.right),
        (
            (f"Target: {'similar' if pair.similar else 'dissimilar'}", BLACK),
            (f"Predicted: {predicted}, Score: {pair.score:.4f}", BLACK),
            ("right" if right else "WRONG", GREEN if right else RED),
        ),
    )


def _labelled_cell(pair: ScoredPair) -> _Cell:
    scored = _scored_cell(pair)
    return _Cell(scored.pictures, (*scored.lines[:2], (pair.left_label, GREY), (pair.right_label, GREY)))


def _sheet(cells: Sequence[_Cell], per_row: int) -> Image.Image:
    """Draw cells in rows of per_row. All cells have the same number of pictures and lines.

    Each picture has a box as wide as PICTURE and as high as the highest picture.
    """
    per_row = min(per_row, len(cells))
    images = [[_enlarged(picture) for picture in cell.pictures] for cell in cells]
    box = max(image.height for row in images for image in row)
    font = ImageFont.load_default(TEXT)
    line_height = round(TEXT * 1.35)
    cell_width = len(cells[0].pictures) * (PICTURE + MARGIN // 2) + MARGIN
    cell_height = box + len(cells[0].lines) * line_height + 2 * MARGIN
    rows = -(-len(cells) // per_row)
    sheet = Image.new("RGB", (per_row * cell_width + MARGIN, rows * cell_height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        x, y = MARGIN + index % per_row * cell_width, index // per_row * cell_height
        for text, colour in cell.lines:
            pen.text((x, y), shorten(text, cell_width - MARGIN, font), fill=colour, font=font)
            y += line_height
        for place, image in enumerate(images[index]):
            left = x + place * (PICTURE + MARGIN // 2)
            sheet.paste(image, (left + (PICTURE - image.width) // 2, y + (box - image.height) // 2))
            pen.rectangle((left, y, left + PICTURE - 1, y + box - 1), outline=GREY)
    return sheet


def _enlarged(picture: Picture) -> Image.Image:
    """Return a picture with its longer side of PICTURE pixels. A small grey one keeps its pixels visible."""
    longer = max(picture.size)
    width, height = (max(1, side * PICTURE // longer) for side in picture.size)
    image = Image.frombytes(picture.mode, picture.size, picture.pixels)
    visible = picture.channels == 1 and longer <= PICTURE
    return image.resize((width, height), Image.Resampling.NEAREST if visible else Image.Resampling.BICUBIC)


def shorten(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return text as one line of printable characters, at most width pixels wide."""
    text = clean(text[:width])  # every visible letter is at least 1 pixel wide
    if font.getlength(text) <= width:
        return text
    too_long = bisect_right(range(len(text)), width, key=lambda count: ceil(font.getlength(text[:count] + "...")))
    return text[: max(0, too_long - 1)] + "..."


def _stack(title: str, parts: Sequence[Image.Image]) -> Image.Image:
    font = ImageFont.load_default(TEXT)
    title = shorten(title, WIDEST_TITLE, font)
    head = TEXT + 2 * MARGIN
    width = max([part.width for part in parts] + [round(font.getlength(title)) + 2 * MARGIN])
    sheet = Image.new("RGB", (width, head + sum(part.height for part in parts)), "white")
    ImageDraw.Draw(sheet).text((MARGIN, MARGIN), title, fill=BLACK, font=font)
    y = head
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    return sheet


def write_sheet(sheet: Image.Image, path: Path, save: Save = Image.Image.save) -> None:
    """Write an image in the format that the file's ending names. Raises BadInput, CannotWrite."""
    try:
        with replacing(path) as temporary:
            save(sheet, temporary, format=Image.registered_extensions()[path.suffix.lower()])
    except (KeyError, ValueError, struct.error) as error:  # too large for the format, or Pillow was built without it
        raise BadInput(f"{path} cannot be written as {path.suffix}: {error}", "Name it FILE.png.") from error
