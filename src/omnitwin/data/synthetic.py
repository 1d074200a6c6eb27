"""Alphabets that nobody ever wrote: procedural characters made of strokes, each drawn by several hands.

They need no download, so tests and a first look run anywhere. A character is a few curved strokes; a hand draws all
of them with its own slant, size, thickness and unsteadiness. Same seed, same drawings.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from omnitwin.data.packed import PackedSet, fingerprint

SIZE = 105  # pixels a side, as Omniglot
DRAWERS = 20  # hands an alphabet, as Omniglot
ALPHABETS = {"training": 25, "test": 10}
CHARACTERS = 20  # in each alphabet
CURVE_POINTS = 12  # straight pieces that a stroke is drawn with
UNSTEADY = 0.035  # standard deviation of a control point's place, as a share of the image
STREAMS = {"training": 1, "test": 2}  # keeps the characters of the two sets apart

Points = np.ndarray[Any, np.dtype[np.float64]]


def draw_set(
    subset: str,
    *,
    alphabets: int | None = None,
    characters: int | None = None,
    drawers: int = DRAWERS,
    size: int = SIZE,
    seed: int = 0,
) -> PackedSet:
    """A synthetic `training` or `test` set; no character is in both."""
    alphabets = ALPHABETS[subset] if alphabets is None else alphabets
    characters = CHARACTERS if characters is None else characters
    images: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    for alphabet in range(alphabets):
        random = np.random.default_rng([seed, STREAMS[subset], alphabet])
        hands = [_draw_hand(random) for _ in range(drawers)]
        for _ in range(characters):
            strokes = [random.uniform(0.15, 0.85, (3, 2)) for _ in range(random.integers(2, 5))]
            images += [_draw(strokes, *hand, size, random) for hand in hands]
    classes = alphabets * characters
    pixels_NHW = np.stack(images)
    names = [f"Synthetic {index + 1:02d}" for index in range(alphabets)]
    return PackedSet(
        name=f"synthetic/{subset}",
        images_NHW=torch.from_numpy(pixels_NHW),
        white=1,
        class_N=torch.arange(classes).repeat_interleave(drawers),
        drawer_N=torch.arange(1, drawers + 1).repeat(classes),
        alphabet_C=torch.arange(alphabets).repeat_interleave(characters),
        class_names=tuple(f"{name}/character{index + 1:02d}" for name in names for index in range(characters)),
        alphabet_names=tuple(names),
        fingerprint=fingerprint(pixels_NHW),
    )


def _draw_hand(random: np.random.Generator) -> tuple[Points, float]:
    """A hand's slant and size as a 2 x 2 matrix, and its pen's thickness as a share of the image."""
    angle, shear, scale = random.normal(0, 0.12), random.normal(0, 0.15), np.exp(random.normal(-0.1, 0.1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * turn @ np.array([[1.0, shear], [0.0, 1.0]]), float(random.uniform(0.018, 0.035))


def _draw(
    strokes: list[Points], matrix: Points, thickness: float, size: int, random: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = Image.new("1", (size, size), 1)
    pen = ImageDraw.Draw(image)
    shift = random.normal(0, 0.02, 2)
    time = np.linspace(0, 1, CURVE_POINTS)[:, None]
    for stroke in strokes:
        begin, bend, end = (stroke + random.normal(0, UNSTEADY, stroke.shape) - 0.5) @ matrix.T + 0.5 + shift
        curve = (1 - time) ** 2 * begin + 2 * time * (1 - time) * bend + time**2 * end
        pen.line(
            [(float(x), float(y)) for x, y in curve * size],
            fill=0,
            width=max(1, round(thickness * size)),
            joint="curve",
        )
    return np.asarray(image).astype(np.uint8)
