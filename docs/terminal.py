"""Draw the pictures of README.md and EXAMPLE.md: what commands of omnitwin print, and the curve of a training.

python docs/terminal.py [NAME ...]

The pictures are SVG files in pictures/. Only lines with times are left out. (Rich can export SVG, too, but it draws the
half blocks of a drawing as letters: its files are 26 times as large, and most fonts leave gaps.)
"""

import contextlib
import io
import math
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.color import blend_rgb
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent))
import drawings

FOLDER = Path(__file__).parent / "pictures"
COLUMNS = 90
COMMANDS = {
    "compare": "omnitwin compare a.png b.png",
    "demo": "omnitwin demo",
    "images": "omnitwin show --data synthetic --pairs 0",
    "pairs": "omnitwin show --data synthetic --images 0",
    "predictions": "omnitwin eval --data synthetic --show 10",
}
CURVE = "training"
TIMES = re.compile(r"images/s|\d s\b")  # in a line that says how long something took
TERMINAL = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
WIDTH, HEIGHT, FONT, EDGE = 8.4, 17, 14, 16  # pixels: of a character, a line, the font, and around the text
BAR = 30  # pixels: the height of the window's bar
PAPER, INK = SVG_EXPORT_THEME.background_color, SVG_EXPORT_THEME.foreground_color
DOTS = ("#ff5f57", "#febc2e", "#28c840")  # the buttons of the window
Run = tuple[int, int, int]  # column, half line, and how many columns


def screen(command: str) -> list[str]:
    """Run a command in this process, in a terminal with colour, and return its lines with their ANSI codes."""
    from omnitwin.cli import demo, main

    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMNITWIN_", "NO_COLOR"))}
    out = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        patch.dict(os.environ, clean | TERMINAL | {"OMNITWIN_HOME": folder}, clear=True),
        patch.object(sys, "argv", shlex.split(command)),
        patch.object(demo, "DEMO_SECONDS", math.inf),  # a busy machine gives the same picture
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        drawings.write_all(Path())
        main()
    return [line for line in out.getvalue().splitlines() if not TIMES.search(line)]


def svg(command: str, lines: Sequence[str]) -> str:
    """Draw a terminal with a command and the lines that it printed."""
    console = Console(width=COLUMNS, color_system="truecolor", file=io.StringIO())
    texts = [Text.from_ansi(line) for line in (f"\x1b[1m$ {command}", *lines)]
    wrapped = [part for text in texts for part in text.divide(range(COLUMNS, len(text), COLUMNS))]
    rows = [list(text.render(console)) for text in wrapped]
    while len(rows) > 1 and not "".join(segment.text for segment in rows[-1]).strip():
        rows.pop()
    width, height = round(COLUMNS * WIDTH + 2 * EDGE), round(len(rows) * HEIGHT + BAR + 2 * EDGE)
    words: list[str] = []
    runs: dict[str, list[Run]] = {}
    for number, segments in enumerate(rows):
        for column, segment in placed(segments):
            if set(segment.text) == {"▀"}:
                for half, colour in enumerate(colours(segment.style)):
                    runs.setdefault(colour, []).append((column, 2 * number + half, len(segment.text)))
            else:
                words.append(letters(column, number, segment))
    paths = [f'<path fill="{colour}" d="{path(runs[colour])}"/>' for colour in sorted(runs)]
    dots = [f'<circle cx="{18 * number + 20}" cy="17" r="5.5" fill="{shade}"/>' for number, shade in enumerate(DOTS)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(command)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER.hex}"/>',
        *dots,
        f'<g transform="translate({EDGE} {BAR + EDGE / 2:g})">',
        f'<g transform="scale({WIDTH} {HEIGHT / 2:g})" shape-rendering="crispEdges">',
        *paths,
        "</g>",
        f'<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{FONT}">',
        *words,
        "</g></g></svg>",
    ]
    return "\n".join(parts) + "\n"


def placed(segments: Iterable[Segment]) -> Iterator[tuple[int, Segment]]:
    """Yield each run of one style with its column. Two blanks end a run, as SVG would make one of them."""
    column = 0
    for style, group in groupby(segments, key=lambda segment: segment.style or Style()):
        text = "".join(segment.text for segment in group)
        for part in re.finditer(r"▀+|[^▀\s]+(?: [^▀\s]+)*", text):
            yield column + part.start(), Segment(part[0], style)
        column += len(text)


def letters(column: int, number: int, segment: Segment) -> str:
    """Draw text; its length is fixed, so that every font keeps the columns."""
    colour, _ = colours(segment.style)
    weight = ' font-weight="bold"' if segment.style and segment.style.bold else ""
    x, y, length = column * WIDTH, number * HEIGHT + FONT, len(segment.text) * WIDTH
    return (
        f'<text x="{x:g}" y="{y}" textLength="{length:g}" lengthAdjust="spacingAndGlyphs" fill="{colour}"{weight}>'
        f"{escape(segment.text, quote=False)}</text>"
    )


def colours(style: Style | None) -> tuple[str, str]:
    """Return the colours of ink and paper of a style, as #rrggbb."""
    ink, paper = INK, PAPER
    if style and style.color:
        ink = style.color.get_truecolor(SVG_EXPORT_THEME)
    if style and style.bgcolor:
        paper = style.bgcolor.get_truecolor(SVG_EXPORT_THEME, foreground=False)
    if style and style.dim:
        ink = ColorTriplet(*blend_rgb(ink, PAPER, 0.4))
    return ink.hex, paper.hex


def path(runs: Sequence[Run]) -> str:
    """Return one path of rectangles, each half a line high; those that meet in a line are joined."""
    joined: list[Run] = []
    for column, line, count in sorted(runs, key=lambda run: (run[1], run[0])):
        if joined and joined[-1][1] == line and joined[-1][0] + joined[-1][2] == column:
            column, count = joined[-1][0], joined.pop()[2] + count
        joined.append((column, line, count))
    return "".join(f"M{column} {line}h{count}v1h-{count}z" for column, line, count in joined)


def curve(**overrides: Any) -> str:
    """Train on synthetic images and plot the loss, as `omnitwin report` does."""
    import matplotlib as mpl

    import omnitwin
    from omnitwin.view.plots import training_plot

    content = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        run = omnitwin.train("synthetic", recipe="small", device="cpu", output=Path(folder) / "run", **overrides)
        with mpl.rc_context({"svg.hashsalt": CURVE}):  # ids from this word, not by chance
            training_plot(run.steps).savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or (*COMMANDS, CURVE):
        picture = curve(iterations=300) if name == CURVE else svg(COMMANDS[name], screen(COMMANDS[name]))
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
