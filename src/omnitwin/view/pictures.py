"""Pictures in a terminal: half blocks if it has colour, else grey as a ramp of characters."""

from collections.abc import Iterable, Sequence
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
GAP = 2  # columns between two pictures
NARROWEST, WIDEST = 12, 28  # columns of one picture


def draw_picture(picture: Picture, columns: int, console: Console) -> Text:
    """Draw a picture in the given columns and, as characters are twice as high as wide, half the lines."""
    lines = max(1, round(columns * picture.height / picture.width / 2))
    image = Image.frombytes(picture.mode, picture.size, picture.pixels)
    if has_colour(console):
        colours = image.resize((columns, 2 * lines), Image.Resampling.BOX).convert("RGB").tobytes()
        cells = [f"rgb({red},{green},{blue})" for red, green, blue in zip(*[iter(colours)] * 3, strict=True)]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        text = Text(no_wrap=True, overflow="crop")
        for index, (upper, lower) in enumerate(zip(rows[::2], rows[1::2], strict=True)):
            text.append("\n" if index else "")
            for above, below in zip(upper, lower, strict=True):
                text.append("▀", Style(color=above, bgcolor=below))
    else:
        grey = image.convert("L").resize((columns, lines), Image.Resampling.BOX).tobytes()
        darkest = max(1, 255 - min(grey))  # averaging fades thin strokes: stretch to the last character
        cells = [RAMP[(255 - value) * (len(RAMP) - 1) // darkest] for value in grey]
        rows_of_text = ["".join(cells[start : start + columns]) for start in range(0, len(cells), columns)]
        text = Text("\n".join(rows_of_text), no_wrap=True, overflow="crop")
    return text


def has_colour(console: Console) -> bool:
    """Return whether the console can show shades of grey and block characters."""
    return console.color_system is not None and not console.no_color and console.encoding.startswith("utf")


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
