"""Write the drawings that README.md compares: a.png, b.png and the folder drawings/.

python docs/drawings.py FOLDER

Straight strokes and a round pen, without randomness, give the same pixels everywhere.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

Segment = tuple[tuple[float, float], tuple[float, float]]
SIZE = 105  # pixels a side, as Omniglot
CHARACTERS = {  # strokes as points from left (0) to right (1) and from top (0) to bottom (1)
    "alpha": (((0.1, 0.2), (0.9, 0.2)), ((0.5, 0.2), (0.5, 0.9), (0.2, 0.75)), ((0.15, 0.55), (0.85, 0.55))),
    "beta": (((0.1, 0.2), (0.9, 0.2)), ((0.85, 0.2), (0.85, 0.9), (0.55, 0.75)), ((0.15, 0.55), (0.85, 0.55))),
    "gamma": (((0.2, 0.1), (0.2, 0.9), (0.8, 0.9)), ((0.2, 0.45), (0.75, 0.3))),
}
# by file: character; width and height in pixels; slant as a share of the height; radius of the pen in pixels; errors of
# the points in pixels, in turn
DRAWINGS = {
    "a.png": ("alpha", 62, 66, 0.00, 1.6, (0, 1, -1, 2, 0)),
    "b.png": ("alpha", 48, 70, -0.20, 2.2, (2, -2, 1, 3, -3)),
    "drawings/alpha2.png": ("alpha", 70, 56, 0.12, 1.3, (-2, 3, 0, 1, -3)),
    "drawings/alpha3.png": ("alpha", 50, 54, -0.10, 1.8, (2, -1, 3, -2, 1)),
    "drawings/beta1.png": ("beta", 58, 64, -0.08, 1.6, (1, -1, 2, 0, -2)),
    "drawings/gamma1.png": ("gamma", 60, 68, 0.05, 1.6, (0, 2, -2, 1, -1)),
}


def draw(character: str, width: int, height: int, slant: float, pen: float, off: tuple[int, ...]) -> Image.Image:
    """Return a character as a hand draws it, ink on paper, 1 bit a pixel."""
    y_HW, x_HW = np.mgrid[:SIZE, :SIZE]
    ink_HW = np.zeros((SIZE, SIZE), dtype=bool)
    for start, end in segments(character, width, height, slant, off):
        (x, y), (along_x, along_y) = start, (end[0] - start[0], end[1] - start[1])
        share_HW = ((x_HW - x) * along_x + (y_HW - y) * along_y) / (along_x**2 + along_y**2)
        nearest_HW = share_HW.clip(0, 1)
        ink_HW |= (x + nearest_HW * along_x - x_HW) ** 2 + (y + nearest_HW * along_y - y_HW) ** 2 <= pen**2
    return Image.fromarray(np.where(ink_HW, 0, 255).astype(np.uint8)).convert("1")


def segments(character: str, width: int, height: int, slant: float, off: tuple[int, ...]) -> Iterator[Segment]:
    """Yield the straight parts of all strokes, from point to point in pixels, in the middle of the sheet."""
    number = 0
    for stroke in CHARACTERS[character]:
        points = []
        for x, y in stroke:
            astray_x, astray_y = off[number % len(off)], off[(number + 2) % len(off)]
            down = (y - 0.5) * height
            across = (x - 0.5) * width + slant * down
            points.append((SIZE / 2 + across + astray_x, SIZE / 2 + down + astray_y))
            number += 1
        yield from pairwise(points)


def write_all(folder: Path) -> None:
    for name, hand in DRAWINGS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(*hand).save(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/drawings.py FOLDER")
    write_all(Path(sys.argv[1]))
