"""What is known of an image file once it is decoded: size, colour or ink, and marks by which duplicates are found.

    examine("a.jpg").problem  # None, or why it cannot be read

It runs in worker processes and needs no torch. The mark for near duplicates is the perceptual hash of C. Zauner,
"Implementation and benchmarking of perceptual image hash functions" (2010), section 3.2.1: the signs of the lowest
frequencies of the grey picture against their median. Scaling, compressing and small changes of light leave it almost
as it is. A thumbnail in colour tells pictures apart that have the same shapes.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops

from omnitwin.errors import BadImage
from omnitwin.images.intake import read_picture
from omnitwin.images.photo import plain
from omnitwin.images.values import STRIP
from omnitwin.metrics.arrays import Array

LEVELS = np.arange(256)
Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels

HASHED = 32  # pixels a side of the grey picture whose frequencies are hashed
FREQUENCIES = 8  # the lowest, in both directions: 64 bits
THUMB = 8  # pixels a side of the thumbnail, in RGB
SEEN = 128  # pixels of the longer side, at least, in which colour and ink are looked for: thin strokes are still there
COLOUR_LEVELS, COLOURED_SHARE = 24, 0.02  # a pixel's channels differ by so much, in at least this share: in colour
# Ink on paper: most pixels are about as light as the median, hardly any is lighter, and few have a colour. Of the
# sets signatures30 and signatures-crossmedia all images are ink; of faces-orl and coil100 none, of grocery 0.3 %.
PAPER_LIGHTNESS, PAPER_LEVELS, PAPER_SHARE = 100, 16, 0.7
LIGHTER_LEVELS, LIGHTER_SHARE, INK_COLOURED_SHARE = 32, 0.02, 0.2


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What decoding a file has shown. With a problem, all else is 0 or empty.

    width, height: of the upright picture, or of its box, in pixels
    blank: whether all pixels have one colour
    digest: BLAKE2b of the size and the pixels, 16 bytes: equal for the same pixels, whatever the file
    hash: perceptual hash, 64 bits
    thumb: 8 x 8 pixels RGB, 192 bytes
    """

    width: int = 0
    height: int = 0
    coloured: bool = False
    ink: bool = False
    blank: bool = False
    digest: bytes = b""
    hash: int = 0
    thumb: bytes = b""
    problem: str | None = None


def examine_record(path: str, box: Box | None = None) -> dict[str, Any]:
    """Return what examine returns, as JSON can hold it: for another process."""
    facts = vars(examine(path, box))
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in facts.items()}


def facts_of_record(record: dict[str, Any]) -> ImageFacts:
    """Return the facts in what examine_record returned."""
    return ImageFacts(**{**record, "digest": bytes.fromhex(record["digest"]), "thumb": bytes.fromhex(record["thumb"])})


def examine(path: str, box: Box | None = None) -> ImageFacts:
    """Decode a file, and return what is known of it, or of a box in it. It raises nothing."""
    try:
        return read_picture(Path(path), lambda picture: facts_of(cut_out(picture, box)))
    except (BadImage, MemoryError) as error:
        return ImageFacts(problem=problem_of(path, error))


def problem_of(path: str, error: BadImage | MemoryError) -> str:
    """Return why a file cannot be decoded, in one line that goes on after its name."""
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    return " ".join(str(error).removeprefix(f"{path} ").split())


def cut_out(picture: Image.Image, box: Box | None) -> Image.Image:
    """Return the part of a picture in a box, or all of it. Raises BadImage if the box lies outside."""
    if box is None:
        return picture
    left, top, right, bottom = box
    right, bottom = min(right, picture.width), min(bottom, picture.height)
    if left >= right or top >= bottom:
        raise BadImage(f"has {picture.width} x {picture.height} pixels, and its box lies outside")
    return picture.crop((left, top, right, bottom))


def facts_of(picture: Image.Image) -> ImageFacts:
    """Return what is known of a decoded picture."""
    whole = plain(picture)
    coloured, ink = _colour_and_ink(whole)
    thumb = whole.resize((THUMB, THUMB), Image.Resampling.BOX).convert("RGB")
    grey = whole.resize((HASHED, HASHED), Image.Resampling.BOX).convert("L")
    return ImageFacts(
        width=whole.width,
        height=whole.height,
        coloured=coloured,
        ink=ink,
        blank=_is_blank(whole),
        digest=_digest(whole),
        hash=perceptual_hash(np.asarray(grey)),
        thumb=thumb.tobytes(),
    )


def perceptual_hash(grey_HW: Array) -> int:
    """Return the hash of a grey picture of HASHED x HASHED pixels, 64 bits, highest for the lowest frequency."""
    waves = _cosines()
    low = waves @ grey_HW.astype(np.float64) @ waves.T
    bits = (low > np.median(low)).reshape(-1)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


@functools.cache
def _cosines() -> Array:
    """Return the lowest rows of the discrete cosine transform (DCT-II), (FREQUENCIES, HASHED)."""
    place = np.arange(HASHED)[None] + 0.5
    return np.asarray(np.cos(np.pi / HASHED * place * np.arange(FREQUENCIES)[:, None]))


def _digest(whole: Image.Image) -> bytes:
    """Return a hash of size and pixels. A grey picture has that of its copy in RGB."""
    found = hashlib.blake2b(f"{whole.width} x {whole.height} ".encode(), digest_size=16)
    rows = max(1, STRIP // whole.width)
    for top in range(0, whole.height, rows):
        strip = whole  # unless it is large: copies take longer than hashing
        if rows < whole.height:
            strip = whole.crop((0, top, whole.width, min(top + rows, whole.height)))
        found.update((strip if strip.mode == "RGB" else strip.convert("RGB")).tobytes())
    return found.digest()


def _colour_and_ink(whole: Image.Image) -> tuple[bool, bool]:
    """Return whether a picture has colours, and whether it is ink on paper.

    Levels are counted, and all else follows from the counts, L of 256 levels: four times as fast as with all pixels.
    """
    small = whole.reduce(max(1, max(whole.size) // SEEN))
    grey_L = np.array(small.convert("L").histogram())
    colour = 0.0
    if small.mode == "RGB":
        red, green, blue = small.split()
        lightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
        spread_L = np.array(ImageChops.subtract(lightest, darkest).histogram())
        colour = _share(spread_L, LEVELS >= COLOUR_LEVELS)
    paper = _median(grey_L)
    ink = (
        paper >= PAPER_LIGHTNESS
        and _share(grey_L, np.abs(LEVELS - paper) <= PAPER_LEVELS) >= PAPER_SHARE
        and _share(grey_L, paper + LIGHTER_LEVELS < LEVELS) <= LIGHTER_SHARE
        and colour <= INK_COLOURED_SHARE
        and int(np.flatnonzero(grey_L)[0]) < paper - PAPER_LEVELS  # it is not blank
    )
    return colour >= COLOURED_SHARE, ink


def _is_blank(whole: Image.Image) -> bool:
    """Return whether all pixels of a picture in grey or RGB have one colour."""
    return all(least == most for least, most in np.reshape(whole.getextrema(), (-1, 2)))


def _share(count_L: Array, chosen_L: Array) -> float:
    """Return the share of the pixels that have one of the chosen levels."""
    return float(count_L[chosen_L].sum() / count_L.sum())


def _median(count_L: Array) -> float:
    """Return the median level of pixels; of two in the middle their mean."""
    up_to_L, total = np.cumsum(count_L), int(count_L.sum())
    low, high = np.searchsorted(up_to_L, [(total - 1) // 2, total // 2], side="right").tolist()
    return float((low + high) / 2)
