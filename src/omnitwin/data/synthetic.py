"""Invented alphabets: procedural characters made of strokes, each drawn by several hands.

They need no download, so tests and a first look run anywhere. A character is one to four strokes (lines, arcs, hooks,
waves, corners, zigzags, loops, curls, dots) that join or cross; an alphabet prefers some kinds and directions. A hand
draws a whole alphabet with its own slant, proportions, size, pen and unsteadiness. The same seed gives the same
drawings.

P control points of a stroke, T places on its path, H hands, S pixels a side
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from omnitwin.config import SourceConfig
from omnitwin.data.packed import PackedSet, fingerprint
from omnitwin.reports.progress import SILENT, Reporter

SIZE = 105  # pixels a side, as in Omniglot
DRAWERS = 20  # hands for each alphabet, as in Omniglot
ALPHABETS = {"training": 25, "test": 10}
CHARACTERS = 20  # in each alphabet
STREAMS = {"training": 1, "test": 2}  # of random numbers: no character is in both sets
KINDS = {  # of strokes: control points from the origin, in strokes' lengths; `straight` ones have corners
    "line": ((0, 0), (0.5, 0.06), (1, 0)),
    "arc": ((0, 0), (0.5, 0.4), (1, 0)),
    "hook": ((0, 0), (0.6, 0), (0.95, 0.12), (0.9, 0.38), (0.65, 0.4)),
    "wave": ((0, 0), (0.3, 0.28), (0.7, -0.28), (1, 0)),
    "corner": ((0, 0), (0.7, 0), (0.8, 0.7)),
    "zigzag": ((0, 0), (0.3, 0.5), (0.6, 0), (0.9, 0.5)),
    "loop": ((0, 0), (0.42, -0.14), (0.7, 0.2), (0.5, 0.58), (0.1, 0.55), (-0.14, 0.2), (0.1, -0.06)),
    "curl": ((0, 0), (0.5, -0.05), (0.85, 0.2), (0.62, 0.48), (0.38, 0.22), (0.65, -0.15), (1, -0.3)),
    "dot": ((0, 0), (0.05, 0.01)),
}
STRAIGHT = ("corner", "zigzag")
STROKES = (0.08, 0.37, 0.35, 0.2)  # shares of characters of one, two, three and four strokes
DIRECTIONS = (0.0, 90.0, 90.0, 45.0, 135.0, 180.0)  # degrees clockwise from the right
UNSTEADY = 2.5  # how far a control point strays per extent of its stroke, relative to how far the whole stroke does
FIRST = 1.3  # length of a character's first stroke, relative to the others
DENSITY = 1.3  # places on a stroke's path for each pixel of its length, so that no hand leaves a gap
TRIES = 3  # places tried for each further stroke; the one that crowds and sprawls least is taken

Floats = np.ndarray[Any, np.dtype[np.float64]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Stroke:
    """A stroke of a pen."""

    points_P2: Floats  # control points: x to the right and y down, in shares of the sheet
    curved: bool  # else it has corners


@dataclass(frozen=True)
class Hands:
    """How H hands differ."""

    matrix_H22: Floats  # slant, size and proportions
    pen_H: Floats  # width of the pen, as a share of the sheet
    wobble_H: Floats  # unsteadiness, as a share of the sheet


def open_synthetic(subset: str, config: SourceConfig, reporter: Reporter = SILENT) -> PackedSet:
    """Return the `training` or `test` set as the catalogue has it; nothing is fetched."""
    return draw_set(subset)


def draw_set(
    subset: str,
    *,
    alphabets: int | None = None,
    characters: int | None = None,
    drawers: int = DRAWERS,
    size: int = SIZE,
    seed: int = 0,
) -> PackedSet:
    """Return a synthetic `training` or `test` set; no character is in both."""
    alphabets = ALPHABETS[subset] if alphabets is None else alphabets
    characters = CHARACTERS if characters is None else characters
    images: list[Pixels] = []
    for alphabet in range(alphabets):
        random = np.random.default_rng([seed, STREAMS[subset], alphabet])
        hands = _hands(drawers, random)
        liking = 0.05 + random.dirichlet(np.full(len(KINDS), 0.8))
        for _ in range(characters):
            images.append(_draw(_character(liking / liking.sum(), random), hands, size, random))
    classes = alphabets * characters
    pixels_NHW = np.concatenate(images)
    names = [f"Synthetic {index + 1:02d}" for index in range(alphabets)]
    return PackedSet(
        name=f"synthetic/{subset}",
        images_NHW=torch.from_numpy(pixels_NHW),
        white=1,
        class_N=torch.arange(classes).repeat_interleave(drawers),
        source_N=torch.arange(1, drawers + 1).repeat(classes),
        group_C=torch.arange(alphabets).repeat_interleave(characters),
        class_names=tuple(f"{name}/character{index + 1:02d}" for name in names for index in range(characters)),
        group_names=tuple(names),
        fingerprint=fingerprint(pixels_NHW),
    )


def _hands(count: int, random: np.random.Generator) -> Hands:
    angle_H, shear_H = random.normal(0, 0.09, count), random.normal(0, 0.16, count)
    size_H, proportion_H = random.normal(-0.05, 0.15, count), random.normal(0, 0.1, count)
    turn_H22 = np.array([[np.cos(angle_H), -np.sin(angle_H)], [np.sin(angle_H), np.cos(angle_H)]]).transpose(2, 0, 1)
    slant_H22 = np.zeros((count, 2, 2))
    slant_H22[:, 0, 0], slant_H22[:, 1, 1] = np.exp(size_H + proportion_H), np.exp(size_H - proportion_H)
    slant_H22[:, 0, 1] = shear_H * np.exp(size_H)
    return Hands(turn_H22 @ slant_H22, random.uniform(0.022, 0.04, count), random.uniform(0.006, 0.02, count))


def _character(liking_K: Floats, random: np.random.Generator) -> list[Stroke]:
    """Return strokes in the middle of the sheet; each joins or crosses an earlier stroke, or is near it."""
    strokes: list[Stroke] = []
    for _ in range(random.choice(len(STROKES), p=STROKES) + 1):
        kind = random.choice(list(KINDS), p=liking_K)
        if not strokes:
            first = "corner" if kind == "dot" else kind
            strokes.append(Stroke(_shape(first, random) * FIRST, first not in STRAIGHT))
            continue
        stroke = Stroke(_shape(kind, random), kind not in STRAIGHT)
        placed = [other.points_P2 for other in strokes]
        centres_2 = np.stack([points_P2.mean(0) for points_P2 in placed])
        places = [stroke.points_P2 + _place(stroke, kind, strokes, random) for _ in range(TRIES)]
        room = [np.abs(place.mean(0) - centres_2).sum(1).min() / _extent(*placed, place) for place in places]
        strokes.append(Stroke(places[int(np.argmax(room))], stroke.curved))
    corners = np.concatenate([stroke.points_P2 for stroke in strokes])
    low, high = corners.min(0), corners.max(0)
    scale = random.uniform(0.52, 0.72) / _extent(corners)
    return [Stroke((stroke.points_P2 - (low + high) / 2) * scale, stroke.curved) for stroke in strokes]


def _extent(*points_P2: Floats) -> float:
    """Return the longer side of the box around some points."""
    return float(np.ptp(np.concatenate(points_P2), axis=0).max())


def _shape(kind: str, random: np.random.Generator) -> Floats:
    """Return a stroke from the origin, mirrored, turned, bent and stretched by chance."""
    points_P2 = np.array(KINDS[kind], dtype=float)
    points_P2[1:] += random.normal(0, 0.06 if len(points_P2) > 2 else 0.01, points_P2[1:].shape)
    points_P2[:, 1] *= random.choice([-1, 1]) * random.uniform(0.6, 1.2)
    angle = np.radians(random.choice(DIRECTIONS) + random.normal(0, 12))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points_P2 @ turn.T) * random.uniform(0.4, 1.0)


def _place(stroke: Stroke, kind: str, earlier: list[Stroke], random: np.random.Generator) -> Floats:
    """Return how far to move a stroke so that it begins, ends or crosses on an earlier one; a dot lies beside it."""
    other = earlier[random.integers(len(earlier))]
    share = random.choice([0.0, 0.5, 1.0, random.uniform(0.15, 0.85)])
    target_2 = _path(len(other.points_P2), other.curved, 101)[round(share * 100)] @ other.points_P2
    way = random.uniform()
    if kind == "dot" or way < 0.15:
        angle, distance = random.uniform(0, 2 * np.pi), random.uniform(0.2, 0.35)
        return np.asarray(target_2 + distance * np.array([np.cos(angle), np.sin(angle)]))
    own = 0.0 if way < 0.55 else 1.0 if way < 0.65 else random.uniform(0.35, 0.65)
    path_T2 = _path(len(stroke.points_P2), stroke.curved, 101) @ stroke.points_P2
    return np.asarray(target_2 - path_T2[round(own * 100)])


@lru_cache
def _path(points: int, curved: bool, places: int) -> Floats:
    """Return the weight of each control point in each place on the path, (T, P).

    The path is straight between the points, or follows Catmull and Rom's spline.
    """
    known = np.eye(points)
    if not curved or points == 2:
        time = np.linspace(0, points - 1, places)
        return np.stack([np.interp(time, np.arange(points), row) for row in known], axis=1)
    known = np.concatenate([[2 * known[0] - known[1]], known, [2 * known[-1] - known[-2]]])
    time = np.linspace(0, points - 1, places)
    index = time.astype(int).clip(max=points - 2)
    t = (time - index)[:, None]
    a, b, c, d = (known[index + step] for step in range(4))
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


def _draw(strokes: list[Stroke], hands: Hands, size: int, random: np.random.Generator) -> Pixels:
    """Draw a character once by each hand, (H, S, S): paper 1, ink 0; no hand draws it quite as intended."""
    count = len(hands.pen_H)
    shift_H12 = random.normal(0, 0.025, (count, 1, 2)) + 0.5
    paths = []
    for stroke in strokes:
        wobble_H11 = hands.wobble_H[:, None, None]
        astray_HP2 = random.normal(0, 1, (count, *stroke.points_P2.shape)) * _extent(stroke.points_P2) * UNSTEADY
        drift_H12 = random.normal(0, 1, (count, 1, 2))
        meant_HP2 = (stroke.points_P2 + wobble_H11 * (astray_HP2 + drift_H12)) @ hands.matrix_H22.transpose(0, 2, 1)
        length = float(np.abs(np.diff(stroke.points_P2, axis=0)).sum())
        paths.append(_path(len(stroke.points_P2), stroke.curved, 2 + round(DENSITY * size * length)) @ meant_HP2)
    return _ink(np.concatenate(paths, axis=1) + shift_H12, hands.pen_H, size)


def _ink(path_HT2: Floats, pen_H: Floats, size: int) -> Pixels:
    """Draw a round pen along each path: set the points of its disc at every place; ink off the sheet is lost."""
    radius_H = pen_H * size / 2
    steps = max(1, round(float(radius_H.max())))  # at least one point in each pixel
    grid = np.linspace(-1, 1, 2 * steps + 1)
    disc_G2 = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    disc_G2 = disc_G2[(disc_G2**2).sum(1) <= 1].astype(np.float32)
    border = steps + 1  # pixels for what leaves the sheet
    side = size + 4 * border
    sheet_HSS = np.ones((len(pen_H), side, side), dtype=np.uint8)
    place_HT2 = ((path_HT2 * size).clip(-border, size + border) + 2 * border).astype(np.float32)
    start_H1 = np.arange(len(pen_H))[:, None] * side**2
    reach_H11 = radius_H.astype(np.float32)[:, None, None]
    for offset_2 in disc_G2:
        x_HT, y_HT = (place_HT2 + reach_H11 * offset_2).astype(np.int32).transpose(2, 0, 1)
        sheet_HSS.reshape(-1)[start_H1 + y_HT * side + x_HT] = 0
    return sheet_HSS[:, 2 * border : -2 * border, 2 * border : -2 * border]
