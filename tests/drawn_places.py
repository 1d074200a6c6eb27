"""Folders of small pictures as users have them, drawn by Pillow alone: things in colour, and ink on paper."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw


def photo(seed: object, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture in colour that no other seed has: a few large discs on a coloured ground with light from above."""
    random = Random(str(seed))
    ground = Image.new("RGB", size, tuple(random.randrange(40, 216) for _ in range(3)))
    image = Image.blend(ground, Image.linear_gradient("L").resize(size).convert("RGB"), 0.5)
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, radius = random.randrange(size[0]), random.randrange(size[1]), random.randrange(3, 12)
        colour = tuple(random.randrange(256) for _ in range(3))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def signature(seed: object, size: tuple[int, int] = (120, 60)) -> Image.Image:
    """A few dark strokes on light paper."""
    random = Random(str(seed))
    image = Image.new("L", size, 235)
    points = [(random.randrange(8, size[0] - 8), random.randrange(8, size[1] - 8)) for _ in range(7)]
    ImageDraw.Draw(image).line(points, fill=random.randrange(20, 70), width=2)
    return image


def write(path: Path, image: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def draw_place(folder: Path, counts: Mapping[str, int], draw=photo, ending: str = ".png") -> Path:
    """A folder for each class, with so many different pictures."""
    for label, count in counts.items():
        for index in range(count):
            write(folder / label / f"{index}{ending}", draw((label, index)))
    return folder
