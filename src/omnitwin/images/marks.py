"""Put a drawing on a page with marks that are no part of it, and draw pages with no drawing: to examine networks.

MARKS are variations like those of images.variations. A page of NO_DRAWING takes some two-level drawings, (H, W) each,
of which only a word shows any, and a NumPy generator. All return an image, grey (mode L) or RGB.

H x W pixels; light from 0 for black to 1 for white
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from omnitwin.images.framing import WHITE
from omnitwin.images.things import draw_thing
from omnitwin.images.variations import FINE, Generator, Variation, grey, paper_and_ink
from omnitwin.metrics.arrays import Array

MARGIN = 0.3  # of a drawing's side: paper around it, for marks
PRINT = (0.1, 0.3)  # light of what is printed
LID = (0.0, 0.15)  # light of what lies around a sheet
GLYPHS = (4, 7)  # drawings in a word

Page = Callable[[Sequence[Array], Generator], Image.Image]


def vary_box(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it in the box of a form."""
    page, (left, top, right, bottom) = _page(drawing_HW, random)
    apart_4 = random.uniform(0.04, 0.14, 4) * page.width
    box = [left - apart_4[0], top - apart_4[1], right + apart_4[2], bottom + apart_4[3]]
    ImageDraw.Draw(page).rectangle(box, outline=_tone(random, PRINT), width=int(random.integers(1, 4)))
    return page


def vary_underlined(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it above a line to write on."""
    page, (left, _, right, bottom) = _page(drawing_HW, random)
    row = bottom + random.uniform(0.02, 0.08) * page.height
    ends = [max(2.0, left - random.uniform(0.05, 0.2) * page.width), 0.0]
    ends[1] = min(page.width - 3.0, right + random.uniform(0.05, 0.2) * page.width)
    line = [ends[0], row, ends[1], row]
    ImageDraw.Draw(page).line(line, fill=_tone(random, PRINT), width=int(random.integers(1, 3)))
    return page


def vary_crossed(drawing_HW: Array, random: Generator) -> Image.Image:
    """Put a straight line across the page, from edge to edge."""
    page, _ = _page(drawing_HW, random)
    start, end = random.uniform(0.15, 0.85) + random.uniform(-0.06, 0.06, 2)
    line = [-2.0, start * page.height, page.width + 2.0, end * page.height]
    if random.random() < 0.5:
        line = [start * page.width, -2.0, end * page.width, page.height + 2.0]
    ImageDraw.Draw(page).line(line, fill=_tone(random, PRINT), width=int(random.integers(1, 4)))
    return page


def vary_squared(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it on squared paper, whose lines a scanner made dark."""
    page, _ = _page(drawing_HW, random)
    gap, tone = int(page.width * random.uniform(0.09, 0.18)), _tone(random, (0.1, 0.4))
    draw = ImageDraw.Draw(page)
    for start in range(int(random.integers(gap)), max(page.size), gap):
        draw.line([start, 0, start, page.height], fill=tone)
        draw.line([0, start, page.width, start], fill=tone)
    return page


def vary_stamped(drawing_HW: Array, random: Generator) -> Image.Image:
    """Put a round stamp over the edge of the drawing."""
    page, (left, top, right, bottom) = _page(drawing_HW, random)
    radius = page.width * random.uniform(0.12, 0.2)
    angle, reach = random.uniform(0, 2 * np.pi), random.uniform(0.4, 0.8) * radius
    x = (left + right) / 2 + np.cos(angle) * ((right - left) / 2 + reach)
    y = (top + bottom) / 2 + np.sin(angle) * ((bottom - top) / 2 + reach)
    x, y = (float(np.clip(place, radius + 2, side - radius - 2)) for place, side in zip((x, y), page.size, strict=True))
    draw, tone = ImageDraw.Draw(page), _tone(random, PRINT)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=tone, width=int(random.integers(2, 4)))
    for row in np.linspace(-0.25, 0.25, int(random.integers(1, 4))) * radius:  # lines of what would be writing
        half = radius * random.uniform(0.4, 0.6)
        draw.line([x - half, y + row, x + half, y + row], fill=tone, width=2)
    return page


def vary_edged(drawing_HW: Array, random: Generator) -> Image.Image:
    """Scan it with the lid open: black along one side of the page, or in a corner."""
    page, _ = _page(drawing_HW, random)
    turn = int(random.integers(4))  # the side is above on the left in the page turned so many times, then turned back
    page = page.rotate(90 * turn, expand=True)
    wide, tone = page.width * random.uniform(0.04, 0.13), _tone(random, LID)
    corners = [
        (-1.0, -1.0),
        (page.width * random.uniform(0.1, 0.2), -1.0),
        (-1.0, page.width * random.uniform(0.1, 0.2)),
    ]
    if random.random() < 0.5:
        slant = random.uniform(-0.4, 0.4) * wide
        corners = [(-1.0, -1.0), (wide + slant, -1.0), (wide - slant, page.height), (-1.0, page.height)]
    ImageDraw.Draw(page).polygon(corners, fill=tone)
    return page.rotate(-90 * turn, expand=True)


def vary_crooked(drawing_HW: Array, random: Generator) -> Image.Image:
    """Scan it crooked, on black."""
    page, _ = _page(drawing_HW, random)
    angle = random.uniform(2, 8) * random.choice([-1.0, 1.0])
    return page.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=_tone(random, LID))


MARKS: dict[str, Variation] = {
    "in a box": vary_box,
    "above a line": vary_underlined,
    "line across": vary_crossed,
    "squared paper": vary_squared,
    "round stamp": vary_stamped,
    "dark edge": vary_edged,
    "crooked on black": vary_crooked,
}


def empty_form(drawings: Sequence[Array], random: Generator) -> Image.Image:
    """Draw an empty form: a box, or several in a row."""
    page = _blank(drawings[0], random)
    draw, tone, width = ImageDraw.Draw(page), _tone(random, PRINT), int(random.integers(1, 4))
    boxes, high = int(random.integers(1, 4)), page.height * random.uniform(0.3, 0.7)
    edges = np.linspace(0.1, 0.9, boxes + 1) * page.width
    for left, right in pairwise(edges.tolist()):
        draw.rectangle([left, (page.height - high) / 2, right, (page.height + high) / 2], outline=tone, width=width)
    return page


def ruled_sheet(drawings: Sequence[Array], random: Generator) -> Image.Image:
    """Draw a sheet with dark rules and nothing on it."""
    page = _blank(drawings[0], random)
    gap, draw, tone = int(page.height * random.uniform(0.1, 0.25)), ImageDraw.Draw(page), _tone(random, (0.1, 0.5))
    for row in range(int(random.integers(2, gap)), page.height, gap):
        draw.line([0, row, page.width, row], fill=tone, width=int(random.integers(1, 3)))
    return page


def word(drawings: Sequence[Array], random: Generator) -> Image.Image:
    """Write drawings in a row, as letters of a word."""
    glyphs = []
    for place in random.integers(len(drawings), size=int(random.integers(*GLYPHS) + 1)):
        ink_HW = np.asarray(drawings[place]) == 0
        rows, columns = (np.flatnonzero(ink_HW.any(axis)) for axis in (1, 0))
        if len(rows):
            glyph_HW = ink_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            high = 60 * random.uniform(0.8, 1)
            size = (max(6, min(80, round(glyph_HW.shape[1] * high / len(glyph_HW)))), round(high))
            glyphs.append(Image.fromarray(glyph_HW.astype(np.uint8) * np.uint8(WHITE)).resize(size))
    page = Image.new("L", (sum(glyph.width + 14 for glyph in glyphs) + 60, 140), WHITE)
    left = 30
    for glyph in glyphs:
        page.paste(0, (left, 100 - glyph.height), glyph)
        left += glyph.width + int(random.integers(6, 14))
    return page.filter(ImageFilter.GaussianBlur(0.7))


def dirt(drawings: Sequence[Array], random: Generator) -> Image.Image:
    """Draw paper with specks of dirt."""
    page = _blank(drawings[0], random)
    draw = ImageDraw.Draw(page)
    for _ in range(int(random.integers(6, 40))):
        x, y, radius = random.uniform(size=3) * [page.width, page.height, 0.012 * page.width]
        draw.ellipse([x - radius - 1, y - radius - 1, x + radius, y + radius], fill=_tone(random, (0.1, 0.6)))
    return page


def thing(drawings: Sequence[Array], random: Generator) -> Image.Image:
    """Draw things instead (images.things)."""
    return draw_thing(random)


NO_DRAWING: dict[str, Page] = {
    "empty form": empty_form,
    "ruled sheet": ruled_sheet,
    "word": word,
    "dirt": dirt,
    "things": thing,
}


def _page(drawing_HW: Array, random: Generator) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return a drawing on paper with a margin, and the box around its ink: left, top, right, bottom."""
    margin = round(MARGIN / 2 * max(np.shape(drawing_HW)))
    drawing_HW = np.pad(np.asarray(drawing_HW), margin, constant_values=1)
    rows, columns = (np.flatnonzero((drawing_HW == 0).any(axis)) for axis in (1, 0))
    box = (0, 0, 0, 0)
    if len(rows):
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    left, top, right, bottom = (FINE * edge for edge in box)
    return grey(paper_and_ink(drawing_HW, random)), (left, top, right, bottom)


def _blank(drawing_HW: Array, random: Generator) -> Image.Image:
    """Return paper without anything on it, as large as the page of a drawing."""
    return _page(np.ones_like(drawing_HW), random)[0]


def _tone(random: Generator, light: tuple[float, float]) -> int:
    return round(WHITE * float(random.uniform(*light)))
