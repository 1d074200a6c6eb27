"""Show a drawing as a photo, a scan or another pen would: named variations, to examine networks beyond their set.

Each takes a two-level drawing (H, W), True or 1 for paper, and a NumPy generator, and returns a grey image (mode L) of
a size that it chooses. The same generator state gives the same image.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from omnitwin.images.framing import WHITE
from omnitwin.metrics.arrays import Array
from omnitwin.reports.pictures import Picture

Generator = np.random.Generator
Variation = Callable[[Array, Generator], Image.Image]

FINE = 2  # pixels of a smooth drawing to one of the original
GONE = 0.15  # share of the ink: if a thin pen would leave less, the drawing was thin before
ENLARGED = 96  # pixels a side to which a drawing of few pixels is enlarged


def two_level(picture: Picture) -> Array:
    """Return the drawing in a picture, (H, W) uint8: 1 for paper, which is lighter than middle grey."""
    levels_HWC = np.frombuffer(picture.pixels, dtype=np.uint8).reshape(picture.height, picture.width, -1)
    grey_HW = levels_HWC[:, :, 0] if picture.channels == 1 else levels_HWC.mean(2)
    return (grey_HW > WHITE // 2).astype(np.uint8)


def vary_plain(drawing_HW: Array, random: Generator) -> Image.Image:
    """Leave it as it was drawn."""
    return Image.fromarray(np.asarray(drawing_HW, dtype=np.uint8) * np.uint8(WHITE))


def vary_scale(drawing_HW: Array, random: Generator) -> Image.Image:
    """Scale it to half to three times the size."""
    image = vary_plain(drawing_HW, random)
    width = max(8, round(image.width * np.exp(random.uniform(np.log(0.5), np.log(3.0)))))
    return image.resize((width, round(width * image.height / image.width)), Image.Resampling.BICUBIC)


def vary_place(drawing_HW: Array, random: Generator) -> Image.Image:
    """Put it, small, anywhere on a large sheet."""
    image = vary_plain(drawing_HW, random)
    side = round(max(image.size) * random.uniform(1.8, 3.5))
    sheet = Image.new("L", (side, round(side * random.uniform(0.75, 1.3))), WHITE)
    sheet.paste(image, _anywhere(sheet.size, image.size, random))
    return sheet


def vary_thick(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it with a felt pen: strokes two to three times as wide."""
    return _two_level(_ink(drawing_HW).filter(ImageFilter.MaxFilter(2 * int(random.integers(2, 4)) + 1)))


def vary_thin(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it with a fine pen: strokes about half as wide."""
    ink = _ink(drawing_HW)
    thin = ink.filter(ImageFilter.MinFilter(5))
    broken = np.count_nonzero(np.asarray(thin)) < GONE * np.count_nonzero(np.asarray(ink))
    return _two_level(ink.filter(ImageFilter.MinFilter(3)) if broken else thin)


def vary_tiny_8(drawing_HW: Array, random: Generator) -> Image.Image:
    """Reduce it to 8 x 8 pixels, like the digits of scikit-learn, and enlarge it smoothly."""
    return _coarse(drawing_HW, 8)


def vary_tiny_12(drawing_HW: Array, random: Generator) -> Image.Image:
    """Reduce it to 12 x 12 pixels and enlarge it smoothly."""
    return _coarse(drawing_HW, 12)


def vary_smooth(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it in soft grey strokes, like those of a tablet or a blurred scan."""
    blurred = _ink(drawing_HW).filter(ImageFilter.GaussianBlur(FINE * random.uniform(0.8, 1.8)))
    ink = np.asarray(blurred, dtype=np.float32)
    return grey(1 - random.uniform(0.6, 0.95) * ink / max(1.0, float(ink.max())))


def vary_gaussian_noise(drawing_HW: Array, random: Generator) -> Image.Image:
    """Add the noise of a sensor."""
    light = 0.15 + 0.75 * np.asarray(drawing_HW, dtype=np.float64)
    return grey(light + random.normal(0, random.uniform(0.05, 0.15), light.shape))


def vary_salt_and_pepper(drawing_HW: Array, random: Generator) -> Image.Image:
    """Make some pixels black or white, as in a bad scan."""
    light, share = np.asarray(drawing_HW, dtype=np.float64), random.uniform(0.01, 0.04)
    chance = random.random(light.shape)
    return grey(np.where(chance < share / 2, 0.0, np.where(chance > 1 - share / 2, 1.0, light)))


def vary_shadow(drawing_HW: Array, random: Generator) -> Image.Image:
    """Put it on textured paper under a lamp from one side, with the shadow of a hand across it."""
    light = paper_and_ink(drawing_HW, random)
    return grey(light * _light(light.shape, random))


def vary_ruled(drawing_HW: Array, random: Generator) -> Image.Image:
    """Put it on ruled paper."""
    light = paper_and_ink(drawing_HW, random)
    height = len(light)
    gap, level = max(8, round(height * random.uniform(0.2, 0.35))), random.uniform(0.72, 0.85)
    lines = np.ones_like(light)
    for row in range(int(random.integers(gap)), height, gap):
        lines[row : row + FINE] = level
    return grey(light * lines)


def vary_light_on_dark(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it in chalk on a board."""
    ink = np.asarray(_ink(drawing_HW).filter(ImageFilter.GaussianBlur(1.0)), dtype=np.float64) / WHITE
    board, chalk = random.uniform(0.08, 0.3), random.uniform(0.75, 1.0)
    return grey(board + (chalk - board) * ink + random.normal(0, 0.02, ink.shape))


def vary_photo(drawing_HW: Array, random: Generator) -> Image.Image:
    """Photograph its sheet: turned a little, seen from the side, unevenly lit, out of focus, as JPEG."""
    light = paper_and_ink(drawing_HW, random)
    edge = round(max(light.shape) * 0.1)
    image = grey(np.pad(light, edge, constant_values=float(np.median(light))))
    corners = np.array([(0, 0), (0, image.height), (image.width, image.height), (image.width, 0)], dtype=np.float64)
    angle = np.deg2rad(random.uniform(-8, 8))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = corners.mean(0)
    seen = (corners - middle) @ turn.T * 0.9 + middle + random.normal(0, 0.02, (4, 2)) * image.width
    image = image.transform(
        image.size, Image.Transform.QUAD, seen.flatten().tolist(), Image.Resampling.BILINEAR, fillcolor=200
    )
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 0.8 * FINE)))
    lit = np.asarray(image, dtype=np.float64) / WHITE * _light((image.height, image.width), random)
    content = io.BytesIO()
    grey(lit + random.normal(0, 0.02, lit.shape)).save(content, "JPEG", quality=int(random.integers(40, 85)))
    photo = Image.open(content)
    photo.load()
    return photo.convert("L")


def vary_pencil(drawing_HW: Array, random: Generator) -> Image.Image:
    """Draw it with a grey pencil on textured paper, darker and lighter along the stroke."""
    ink = np.asarray(_ink(drawing_HW).filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float64) / WHITE
    grain = 0.8 + 0.3 * clouds(ink.shape, 6 * FINE, random) + random.normal(0, 0.12, ink.shape)
    paper = random.uniform(0.85, 0.97) + 0.02 * clouds(ink.shape, FINE, random)
    return grey(paper * (1 - random.uniform(0.4, 0.65) * ink * grain.clip(0.3, 1.1)))


AS_DRAWN = "as drawn"
VARIATIONS: dict[str, Variation] = {
    AS_DRAWN: vary_plain,
    "other scale": vary_scale,
    "small on a sheet": vary_place,
    "thick pen": vary_thick,
    "thin pen": vary_thin,
    "8 x 8 enlarged": vary_tiny_8,
    "12 x 12 enlarged": vary_tiny_12,
    "smooth grey": vary_smooth,
    "gaussian noise": vary_gaussian_noise,
    "salt and pepper": vary_salt_and_pepper,
    "shadow": vary_shadow,
    "ruled paper": vary_ruled,
    "light on dark": vary_light_on_dark,
    "photo": vary_photo,
    "pencil": vary_pencil,
}


def _ink(drawing_HW: Array) -> Image.Image:
    """Return the ink as 255 on 0, FINE times as large, with smooth edges instead of stairs."""
    image = Image.fromarray((1 - np.asarray(drawing_HW, dtype=np.uint8)) * np.uint8(WHITE))
    fine = image.resize((image.width * FINE, image.height * FINE), Image.Resampling.BICUBIC)
    return fine.filter(ImageFilter.GaussianBlur(FINE * 0.6)).point([0] * 128 + [WHITE] * 128)


def _two_level(ink: Image.Image) -> Image.Image:
    return ink.point([WHITE] * 128 + [0] * 128)


def _coarse(drawing_HW: Array, side: int) -> Image.Image:
    """Cut to the ink with a margin, average to side x side pixels, and enlarge by bicubic interpolation."""
    ink_HW = np.asarray(drawing_HW) == 0
    ink = Image.fromarray(ink_HW.astype(np.uint8) * np.uint8(WHITE))
    if box := ink.getbbox():
        half = max(box[2] - box[0], box[3] - box[1]) * 0.55
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        ink = ink.crop((round(x - half), round(y - half), round(x + half) + 1, round(y + half) + 1))
    small = ink.resize((side, side), Image.Resampling.BOX)
    return ImageOps.invert(ImageOps.autocontrast(small).resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC))


def paper_and_ink(drawing_HW: Array, random: Generator) -> Array:
    """Return the ink on textured paper, FINE times as large, from 0 for black to 1 for white."""
    ink = np.asarray(_ink(drawing_HW).filter(ImageFilter.GaussianBlur(1.0)), dtype=np.float64) / WHITE
    texture = 0.015 * clouds(ink.shape, FINE, random) + random.normal(0, 0.01, ink.shape)
    paper = random.uniform(0.85, 0.98) + texture
    level: Array = paper * (1 - ink) + random.uniform(0.1, 0.35) * ink
    return level


def _light(shape: tuple[int, ...], random: Generator) -> Array:
    """Return light that falls off to one side, with the soft edge of a shadow, as factors up to 1."""
    down, across = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angles = random.uniform(0, 2 * np.pi, 2)
    slope, edge = (np.cos(angle) * across + np.sin(angle) * down for angle in angles)
    soft = 1 / (1 + np.exp((random.uniform(-0.6, 0.6) - edge) / random.uniform(0.04, 0.2)))
    factors: Array = (1 - random.uniform(0.1, 0.25) * (1 + slope) / 1.4) * (1 - random.uniform(0.2, 0.5) * soft)
    return factors


def clouds(shape: tuple[int, ...], grain: int, random: Generator) -> Array:
    """Return smooth noise with a standard deviation of about 1; its grains are `grain` pixels wide."""
    height, width = (side // grain + 2 for side in shape)
    coarse = Image.fromarray(random.normal(0, 1, (height, width)).astype(np.float32))
    clouds: Array = np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float64)
    return clouds


def grey(light_HW: Array) -> Image.Image:
    return Image.fromarray(np.rint(light_HW.clip(0, 1) * WHITE).astype(np.uint8))


def _anywhere(outer: tuple[int, int], inner: tuple[int, int], random: Generator) -> tuple[int, int]:
    x, y = (int(random.integers(max(1, room - size + 1))) for room, size in zip(outer, inner, strict=True))
    return x, y
