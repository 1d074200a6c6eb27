"""Write drawings as image files, such as a user would bring, to ask a network about."""

from pathlib import Path

from PIL import Image

from omnitwin.config import SourceConfig
from omnitwin.data.catalogue import open_images
from omnitwin.data.imageset import ImageSet

SAME, OTHER = 50, 48  # classes: plain shapes of one alphabet, of equal size, that are easy to tell apart


def write_samples(folder: Path) -> list[tuple[Path, Path]]:
    """Write PNG files of synthetic characters and return two pairs of them.

    The first pair shows one character by two hands, the second two characters of one alphabet by one hand.
    """
    packed = open_images("synthetic", "test", SourceConfig())
    first, other = (int(packed.first_C[number % len(packed.class_names)]) for number in (SAME, OTHER))
    files = [_write(packed, row, folder) for row in (first, first + 1, other)]
    return [(files[0], files[1]), (files[0], files[2])]


def _write(packed: ImageSet, row: int, folder: Path) -> Path:
    picture = packed.picture(row)
    hand = row - int(packed.first_C[packed.class_N[row]]) + 1
    path = folder / f"{packed.class_names[int(packed.class_N[row])].split('/')[-1]}-hand{hand}.png"
    Image.frombytes(picture.mode, picture.size, picture.pixels).save(path)
    return path
