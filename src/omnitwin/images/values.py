"""Turn a picture of any mode into 256 grey levels: numbers in any unit, colours, transparency.

    grey_of(Image.open("depth.tif"))  # mode L

Numbers: the range of the values, without those that stand for no data and without single pixels far outside the others.
Colours: their luma, unless ink and paper are about as light: then the direction in which the colours differ most.
Transparency: on white, or on black if white shows nothing.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from omnitwin.metrics.arrays import Array

WHITE = 255  # paper
TURNED = "light ink on dark was turned round"
NUMBERS = ("I;16", "I;16L", "I;16B", "I", "F")  # modes whose values may be in any unit
GREY = ("1", "L", "LA", "La")
STRIP = 1 << 22  # pixels that are made grey at a time
SAMPLE = 1 << 20  # values from which their range is taken
OUTER = 0.5  # percent of the values on either side that may lie outside the others
REACH = 2.0  # times the range of the others: values further away are outliers, as of a sensor's hot pixels
ABSURD = 100.0  # times the largest of the others: values beyond are no measurements, but stand for no data
NO_DATA = (-9999.0, -32768.0, -99999.0, -999.0)  # numbers that usually do, where all others are larger
SHOWS = 12  # grey levels between the lightest and the darkest pixel, from which on something is seen
SMALL = 128  # pixels of the longer side of the copy from which the direction of colours is taken
EQUAL = 0.4  # contrast in luma as a share of that in the best direction; 1 for grey ink on grey paper
LEAST_SPREAD = 4.0  # levels: standard deviation of colours in the best direction
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow has it


@dataclass(frozen=True)
class _Range:
    """How numbers become grey levels: the lowest value, levels for a difference of 1, and what missing ones become."""

    low: float
    levels: float
    missing: float
    bounds: tuple[float, float]  # values outside are no data


def grey_of(image: Image.Image) -> Image.Image:
    """Return an image in 256 grey levels.

    It works strip by strip, because copies of a large image take too much memory.
    """
    if image.mode in ("1", "L") and not image.has_transparency_data:
        return image if image.mode == "L" else image.convert("L")
    if image.mode in NUMBERS:
        return _of_numbers(image)
    return _grey_of_colours(opaque(image))


def opaque(image: Image.Image) -> Image.Image:
    """Return an image without transparency and numbers, mode L or RGB: on white, or on black if white shows nothing."""
    if image.mode in NUMBERS:
        return _of_numbers(image)
    mode = "L" if image.mode in GREY else "RGB"
    if image.mode == mode and not image.has_transparency_data:
        return image
    if not image.has_transparency_data:
        return _laid(image, mode, None)
    on_white = _laid(image, mode, "white")
    if _shows(on_white):
        return on_white
    on_black = _laid(image, mode, "black")
    return on_black if _shows(on_black) else on_white


def _shows(image: Image.Image) -> bool:
    bands = [image.getextrema()] if image.mode == "L" else image.getextrema()
    return any(high - low >= SHOWS for low, high in bands)  # type: ignore[misc, operator]


def _strips(image: Image.Image) -> list[tuple[int, int, int, int]]:
    rows = max(1, STRIP // image.width)
    return [(0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)]


def _laid(image: Image.Image, mode: str, ground: str | None) -> Image.Image:
    """Return an image of mode L or RGB, on a ground if it is transparent."""
    whole = Image.new(mode, image.size)
    for box in _strips(image):
        strip = image.crop(box)
        if ground:
            layers = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", layers.size, ground), layers)
        if mode == "L" and strip.mode not in ("1", "L"):
            strip = strip.convert("RGB")
        whole.paste(strip.convert(mode), box)
    return whole


# ---- light ink on dark


def border_of(image_HW: Array) -> Array:
    """Return the outermost pixels; those of the corners count twice."""
    border: Array = np.concatenate([image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1]])
    return border


def border_is_dark(level_HW: Array) -> bool:
    """Return whether the border, which is paper, is mostly darker than the middle of the grey levels in use."""
    border = border_of(level_HW)
    middle = (float(level_HW.min()) + float(level_HW.max())) / 2
    dark = int(np.count_nonzero(border < math.ceil(middle)))
    if 2 * dark != len(border):
        return 2 * dark > len(border)
    return float(np.median(border)) < middle


# ---- colours


def _grey_of_colours(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    weights = direction(image)
    return image.convert("L") if weights is None else image.convert("L", weights)


def small_colours(image: Image.Image) -> Array:
    """Return the colours of a small copy of an RGB image, (P, 3) float64."""
    small = image.reduce(factor) if (factor := max(image.size) // SMALL) > 1 else image
    return np.asarray(small, dtype=np.float64).reshape(-1, 3)


def direction(image: Image.Image) -> tuple[float, float, float, float] | None:
    """Return weights of red, green and blue, and a number to add, for grey that separates ink from paper.

    None if luma does. What is common is paper, and becomes light.
    """
    colour_P3 = small_colours(image)
    covariance_33 = np.cov(colour_P3.T) if len(colour_P3) > 1 else np.zeros((3, 3))
    variance_3, direction_33 = np.linalg.eigh(covariance_33)
    spread = float(np.sqrt(max(variance_3[-1], 0)))
    in_luma = float(np.sqrt(max(LUMA @ covariance_33 @ LUMA, 0)))
    if spread < LEAST_SPREAD or in_luma * np.sqrt(3) >= EQUAL * spread:
        return None
    along_3 = direction_33[:, -1]
    place_P = colour_P3 @ along_3
    low, middle, high = np.percentile(place_P, [0, 50, 100])
    if high - middle > middle - low:  # what is rare is ink, and dark
        along_3, low, high = -along_3, -high, -low
    along_3 = along_3 * (WHITE / (high - low))
    return float(along_3[0]), float(along_3[1]), float(along_3[2]), float(-low * WHITE / (high - low))


# ---- numbers


def _of_numbers(image: Image.Image) -> Image.Image:
    grey, strips = Image.new("L", image.size), _strips(image)
    scale = _range(image, strips)
    for box in strips:
        grey.paste(_scaled(_values(image.crop(box)), scale), box)
    return grey


def _values(image: Image.Image) -> Array:
    return np.asarray(image, dtype=np.float64)


def _range(image: Image.Image, strips: list[tuple[int, int, int, int]]) -> _Range:
    every = max(1, image.width * image.height // SAMPLE)
    extremes, samples = [], []
    for box in strips:
        value_P = _values(image.crop(box)).ravel()
        finite_P = value_P[np.isfinite(value_P)]
        if len(finite_P):
            extremes += [float(finite_P.min()), float(finite_P.max())]
            samples.append(finite_P[::every])
    if not samples:
        return _Range(0.0, 0.0, 0.0, (-np.inf, np.inf))
    sample_P = np.concatenate(samples)
    bounds = _bounds_of_data(sample_P)
    sample_P = sample_P[(sample_P >= bounds[0]) & (sample_P <= bounds[1])]
    low, high = (float(bound) for bound in np.percentile(sample_P, [OUTER, 100 - OUTER]))
    reach = REACH * (high - low)
    least, most = max(min(extremes), bounds[0]), min(max(extremes), bounds[1])
    if reach > 0:
        least, most = max(least, low - reach), min(most, high + reach)
    return _Range(least, WHITE / max(most - least, 1e-9), float(np.median(sample_P)), bounds)


def _bounds_of_data(sample_P: Array) -> tuple[float, float]:
    """Return the least and the largest value that is data: numbers like -9999 or 3e38 often say that there is none."""
    least, most = -np.inf, np.inf
    for _ in range(4):  # numbers for no data, at most two at either end
        lowest, highest = float(sample_P.min()), float(sample_P.max())
        rest_P = sample_P[sample_P > lowest]
        if len(rest_P) and rest_P.min() < rest_P.max() and (lowest in NO_DATA or _absurd(lowest, rest_P)):
            least, sample_P = float(rest_P.min()), rest_P
            continue
        rest_P = sample_P[sample_P < highest]
        if not (len(rest_P) and rest_P.min() < rest_P.max() and _absurd(highest, rest_P)):
            break
        most, sample_P = float(rest_P.max()), rest_P
    return least, most


def _absurd(value: float, rest_P: Array) -> bool:
    return abs(value) > ABSURD * max(float(np.abs(rest_P).max()), 1.0)


def _scaled(value_HW: Array, scale: _Range) -> Image.Image:
    known = (value_HW >= scale.bounds[0]) & (value_HW <= scale.bounds[1])
    value_HW = np.where(known & np.isfinite(value_HW), value_HW, scale.missing)
    return Image.fromarray(((value_HW - scale.low) * scale.levels).clip(0, WHITE).round().astype(np.uint8))
