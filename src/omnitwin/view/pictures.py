"""Pictures in a terminal: half blocks in colour or grey if it has colour, else a ramp of characters."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from PIL import Image
from rich.console import Console, Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from omnitwin.reports.pictures import LabelledPicture, Picture, ScoredPair
from omnitwin.view.console import clean
from omnitwin.view.words import label_lines

RAMP = " .:-=+*#%@"  # from paper to ink
LEAST_RANGE = 64  # grey levels of a picture that are stretched over the whole ramp
FIRST = 16  # of the 256 colours of terminals whose values are known: 6 x 6 x 6 colours, then 24 greys
STEPS = (0, 95, 135, 175, 215, 255)
XTERM = [
    *(level for red in STEPS for green in STEPS for blue in STEPS for level in (red, green, blue)),
    *(8 + 10 * step for step in range(24) for _ in range(3)),
]
MANY_COLOURS = ("truecolor", "256")  # rich's names of systems with enough colours for a photo
GAP = 2  # columns between two pictures
NARROWEST, WIDEST = 12, 28  # columns of one picture


def draw_picture(picture: Picture, columns: int, console: Console) -> Text:
    """Draw a picture in the given columns and at most half as many lines: characters are twice as high as wide.

    It keeps its aspect: a high picture lies in the middle of the columns.
    """
    longer = max(picture.size)
    drawn, lines = max(1, round(columns * picture.width / longer)), max(1, round(columns * picture.height / longer / 2))
    image = Image.frombytes(picture.mode, picture.size, picture.pixels)
    left = " " * ((columns - drawn) // 2)
    right = " " * (columns - drawn - len(left))
    if _has_shades(picture, console):
        rows = _half_blocks(image, drawn, lines, few=console.color_system == "256")
    else:
        rows = _ramp(image, drawn, lines)
    text = Text(no_wrap=True, overflow="crop")
    for index, row in enumerate(rows):
        text.append("\n" if index else "").append(left).append(row).append(right)
    return text


def _half_blocks(image: Image.Image, columns: int, lines: int, few: bool = False) -> Iterator[Text]:
    """Yield lines of half blocks: the upper half in the letter's colour, the lower half in the background's.

    few: the terminal has 256 colours; each colour becomes the nearest of them (rich's own choice is often a red)
    """
    small = image.convert("RGB").resize((columns, 2 * lines), Image.Resampling.BOX)
    if few:
        palette = Image.new("P", (1, 1))
        palette.putpalette(bytes(XTERM))
        nearest = small.quantize(palette=palette, dither=Image.Dither.NONE).tobytes()
        cells = [f"color({FIRST + number})" for number in nearest]
    else:
        colours = zip(*[iter(small.tobytes())] * 3, strict=True)
        cells = [f"rgb({red},{green},{blue})" for red, green, blue in colours]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        text = Text()
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=above, bgcolor=below))
        yield text


def _ramp(image: Image.Image, columns: int, lines: int) -> Iterator[Text]:
    """Yield lines of characters, darker for darker grey: the darkest is the last, and a photo's lightest the first."""
    grey = image.convert("L").resize((columns, lines), Image.Resampling.BOX).tobytes()
    low, high = min(grey), max(grey)
    if high - low < LEAST_RANGE:
        high = 255
    span = max(1, high - low)  # averaging fades thin strokes: stretch to the last character
    cells = [RAMP[(high - value) * (len(RAMP) - 1) // span] for value in grey]
    for start in range(0, len(cells), columns):
        yield Text("".join(cells[start : start + columns]))


def has_colour(console: Console) -> bool:
    """Return whether the console can show shades of grey and block characters."""
    return console.color_system is not None and not console.no_color and console.encoding.startswith("utf")


def _has_shades(picture: Picture, console: Console) -> bool:
    """Return whether the console can show a picture in half blocks. 16 colours are too few for a picture in colour."""
    return has_colour(console) and (picture.channels == 1 or console.color_system in MANY_COLOURS)


def cut(console: Console) -> Literal["ellipsis", "crop"]:
    """Return how to cut text that is too long: with an ellipsis if the terminal's encoding has one."""
    return "ellipsis" if console.encoding.startswith("utf") else "crop"


def draw_beside(pictures: Iterable[Picture], columns: int, console: Console) -> Table:
    """Draw pictures side by side, each in the given columns."""
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_row(*(draw_picture(picture, columns, console) for picture in pictures))
    return table


def pair_columns(console: Console, per_line: int = 1) -> int:
    """Return the columns of one picture if per_line pairs stand side by side."""
    return max(4, min(WIDEST, (_cell_columns(console, per_line) - GAP) // 2))


def draw_pairs(pairs: Sequence[ScoredPair], console: Console) -> RenderableType:
    """Draw pairs with their titles, as many side by side as fit."""
    return draw_titled([(pair_title(pair), pair.left, pair.right) for pair in pairs], console)


def draw_titled(pairs: Sequence[tuple[Text, Picture, Picture]], console: Console) -> RenderableType:
    """Draw two pictures with each title, as many side by side as fit."""
    per_line = max(1, min(len(pairs), _per_line(console, 2 * NARROWEST + GAP)))  # few pairs are drawn larger
    columns = pair_columns(console, per_line)
    cells = [Group(title, draw_beside((left, right), columns, console), Text()) for title, left, right in pairs]
    return _grid(cells, per_line, 2 * columns + GAP)


def draw_images(images: Sequence[LabelledPicture], console: Console) -> RenderableType:
    """Draw pictures with their labels, as many side by side as fit."""
    per_line = _per_line(console, NARROWEST + 4)
    columns = max(4, min(WIDEST, _cell_columns(console, per_line)))
    cells = [
        Group(
            draw_picture(image.picture, columns, console),
            *(Text(line, no_wrap=True, overflow=cut(console)) for line in label_lines(clean(image.label))),
            Text(),
        )
        for image in images
    ]
    return _grid(cells, per_line, columns)


def _per_line(console: Console, narrowest: int) -> int:
    """Return how many cells of at least `narrowest` columns fit side by side, two gaps apart."""
    return max(1, (console.width + 2 * GAP) // (narrowest + 2 * GAP))


def _cell_columns(console: Console, per_line: int) -> int:
    return (console.width + 2 * GAP) // per_line - 2 * GAP


def pair_title(pair: ScoredPair) -> Text:
    """Return `similar` or `dissimilar`; for a scored pair target, prediction, score, and whether they agree."""
    target = "similar" if pair.similar else "dissimilar"
    if pair.score is None or pair.predicted is None:
        return Text(target, style="bold green" if pair.similar else "bold magenta")
    predicted = "similar" if pair.predicted else "dissimilar"
    right = pair.predicted == pair.similar
    return Text.assemble(
        ("right" if right else "WRONG", "bold green" if right else "bold red"),
        f"\nTarget: {target}\nPredicted: {predicted}\nScore: {pair.score:.4f}",
    )


def _grid(cells: Sequence[RenderableType], per_line: int, columns: int) -> Table:
    table = Table.grid(padding=(0, 2 * GAP, 0, 0))
    for _ in range(per_line):
        table.add_column(width=columns)
    for start in range(0, len(cells), per_line):
        table.add_row(*cells[start : start + per_line])
    return table
