"""Draw pictures of things, which no network of drawings should judge: random shapes with surfaces, in light and colour.

    draw_thing(np.random.default_rng(0))  # an image of mode RGB, 64 to 240 pixels a side

They stand for all that is no drawing where a checkpoint learns what one is (images.novelty). A drawing is made with a
pen of even width in one tone; a thing has areas of any width, shading and texture.

H x W pixels; light from 0 to 1
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from omnitwin.images.framing import WHITE
from omnitwin.images.variations import Generator, clouds
from omnitwin.metrics.arrays import Array

SIDES = (64, 240)  # pixels
MOST_SHAPES = 25  # in a picture; few are more frequent than many
RADII = (0.04, 0.6)  # of a shape, as shares of the side
BUSY = 0.6  # share of pictures whose ground is a surface, too; the ground of others has a single tone
GREY = 0.3  # share of surfaces without colour


def draw_thing(random: Generator) -> Image.Image:
    """Return a random picture of things. The same generator state gives the same picture."""
    side = int(random.integers(*SIDES))
    if random.random() < BUSY:
        light_HW3 = _surface(side, random)
    else:
        light_HW3 = np.full((side, side, 3), random.choice([0.0, 1.0, random.uniform()]))
    for _ in range(int(np.exp(random.uniform(0, np.log(MOST_SHAPES))))):
        cover_HW1 = _shape(side, random)[..., None]
        light_HW3 = light_HW3 * (1 - cover_HW1) + _surface(side, random) * cover_HW1
    if random.random() < 0.5:  # of all pictures: a noisy sensor
        light_HW3 = light_HW3 + random.normal(0, random.uniform(0, 0.06), light_HW3.shape)
    image = Image.fromarray(np.rint(light_HW3.clip(0, 1) * WHITE).astype(np.uint8))
    if random.random() < 0.5:  # of all pictures: out of focus
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 2.5)))
    return image


def _surface(side: int, random: Generator) -> Array:
    """Return a flat, shaded, clouded or striped surface, (H, W, 3)."""
    tone_3 = np.repeat(random.uniform(), 3) if random.random() < GREY else random.uniform(size=3)
    light_HW3 = np.broadcast_to(tone_3, (side, side, 3)).copy()
    kind = int(random.integers(4))
    down_HW, across_HW = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    if kind >= 1:
        angle = random.uniform(0, 2 * np.pi)
        slope_HW = np.cos(angle) * across_HW + np.sin(angle) * down_HW
        light_HW3 += random.uniform(-0.4, 0.4, 3) * slope_HW[..., None]
    if kind >= 2:
        cloud_HW = clouds((side, side), int(random.integers(2, 40)), random)
        light_HW3 += random.uniform(0.02, 0.2) * random.uniform(0.5, 1, 3) * cloud_HW[..., None]
    if kind == 3:
        angle, waves = random.uniform(0, 2 * np.pi), side / random.uniform(4, 40)
        wave_HW = np.sin((np.cos(angle) * across_HW + np.sin(angle) * down_HW) * np.pi * waves)
        light_HW3 += random.uniform(0.05, 0.4) * np.sign(wave_HW)[..., None]
    return light_HW3


def _shape(side: int, random: Generator) -> Array:
    """Return how much of each pixel an ellipse, a box or a polygon covers, (H, W), from 0 to 1."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    x, y = random.uniform(0.1, 0.9, 2) * side
    radius = side * np.exp(random.uniform(*np.log(RADII)))
    aspect = np.exp(random.uniform(-1, 1))
    kind = int(random.integers(4))
    box = (x - radius * aspect, y - radius / aspect, x + radius * aspect, y + radius / aspect)
    if kind == 0:
        draw.ellipse(box, fill=WHITE)
    elif kind == 1:
        draw.rectangle(box, fill=WHITE)
    else:
        corners = int(random.integers(3, 9))
        angle_C = np.sort(random.uniform(0, 2 * np.pi, corners))
        radius_C = radius * random.uniform(0.4 if kind == 2 else 0.1, 1, corners)
        corner_C2 = np.stack([x + radius_C * np.cos(angle_C), y + radius_C * np.sin(angle_C)], axis=1)
        draw.polygon([tuple(corner) for corner in corner_C2.tolist()], fill=WHITE)
    image = image.rotate(random.uniform(0, 360)).filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2)))
    cover_HW: Array = np.asarray(image, dtype=np.float64) / WHITE
    return cover_HW
