"""Turn any image file into an image such as networks are trained on: a grey square with dark ink on light paper.

Steps for the frame `whole`: orientation (EXIF), alpha on white, grey, polarity, contrast, size, padding with paper. For
the frame `ink`: orientation, alpha, grey, size, images.cleaning, images.framing.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from omnitwin.errors import BadImage
from omnitwin.images.cleaning import TURNED, border_is_dark, clean_ink
from omnitwin.images.costs import J2K_PIXELS, MOST_PIXELS, SECONDS, MeteredFile, limit, limit_head
from omnitwin.images.framing import WHITE, framed
from omnitwin.images.kinds import OUTSIDE_PROGRAMS, WITHOUT_HEIF, lacks_reader
from omnitwin.images.resampling import area_resize
from omnitwin.metrics.arrays import Array
from omnitwin.system.plain import open_named

LARGEST = 480  # pixels of the longer side of an image to clean: a drawing that fills a tenth of it still has 48
SHOWN = 112  # pixels a side of the picture that a person sees
NUMBERS = ("I;16", "I;16L", "I;16B", "I", "F")  # modes whose values may be in any unit
STRIP = 1 << 22  # pixels that are made grey at a time
Picturable = str | os.PathLike[str] | Image.Image | Any  # a file, a PIL image, or an array (also a tensor on the CPU)
Taken = TypeVar("Taken")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation
ENLARGED = 2  # an image smaller than the square is enlarged to at least this many times the square's size


@dataclass(frozen=True, eq=False, kw_only=True)
class Intake:
    """An image as a network sees it, and the changes made to it.

    shown: the image for a person. For the frame `whole` it is what the network sees; for `ink` it is the whole picture,
    fitted to a small square.
    """

    image: Image.Image  # size x size grey levels from 0 for ink to 255 for paper
    shown: Image.Image | None = None  # None if it was not asked for
    notes: tuple[str, ...]  # what was done, in words
    unrest: float = 0.0  # of the paper (images.cleaning); 0 for the frame `whole`

    @property
    def blank(self) -> bool:
        """Return whether the network sees nothing but paper."""
        return self.image.getextrema() == (WHITE, WHITE)


def read_image(path: Path, size: int, frame: str, shown: bool = False, seconds: float = SECONDS) -> Intake:
    """Read an image file in any format that Pillow reads; raise BadImage if the file is no image.

    seconds: of CPU that reading may take (images.costs has more limits).

    An image that is size x size, black and white, with ink on paper, keeps its pixels in the frame `whole`. A black and
    white drawing becomes in either frame what PackedSet.framed makes of its row.
    """
    return take_in(_open(path, seconds), size, frame, shown)


def read_any(image: Picturable, size: int, frame: str, shown: bool = False) -> Intake:
    """Read a file, a PIL image or an array for a network; raise BadImage if it is none of these, or is blank.

    Arrays are (H, W), (H, W, 3) or (H, W, 4) uint8 or bool, or (H, W) of other numbers, whose range becomes that from
    ink to paper.
    """
    if isinstance(image, str | os.PathLike):
        name, grey = str(image), _open(Path(image))
    elif isinstance(image, Image.Image):
        name, grey = "the image", _of_picture(image)
    else:
        name, grey = "the array", grey_of(_checked(_of_array(image)))
    intake = take_in(grey, size, frame, shown)
    if intake.blank:
        raise BadImage(
            f"{name} has no ink that stands out from its paper: it is blank, or noise", "Give an image with ink on it."
        )
    return intake


def _of_picture(image: Image.Image) -> Image.Image:
    try:
        _checked(image)
        if isinstance(image, ImageFile.ImageFile) and image.tile and image.fp:
            _load_limited(image, image.fp)
        image.load()
        return _upright_grey(image)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # a lazy image is decoded here; decoders raise whatever their format makes them raise
        raise BadImage(f"the image cannot be read: {error}", "Give an image that is open and whole.") from error


def _load_limited(image: ImageFile.ImageFile, plain: IO[bytes]) -> None:
    """Decode a lazy image of the user within the limits of a file; it keeps its size, and its file."""
    if image.format == "JPEG2000" and image.width * image.height > J2K_PIXELS:
        raise BadImage(
            f"the image is a JPEG 2000 of more than {J2K_PIXELS:,} pixels, not yet loaded", "Call its load() first."
        )
    file = MeteredFile(plain, "the image")
    metered = image.fp = cast("IO[bytes]", file)
    try:
        limit(image, file)
        image.load()
    finally:
        if image.fp is metered:
            image.fp = plain


def _of_array(array: Any) -> Image.Image:
    hint = "Give (H, W), (H, W, 3) or (H, W, 4) uint8."
    try:
        values = np.asarray(array)
    except MemoryError:
        raise
    except Exception as error:  # a tensor that needs a gradient or is on a GPU raises what its library likes
        raise BadImage(f"an array is no image: {error}", hint) from error
    if values.dtype.kind not in "biuf":
        raise BadImage("an array is no image: it holds no numbers", hint)
    plain = values.dtype in (np.uint8, np.bool_)
    if values.ndim not in (2, 3) or not values.size or (values.ndim == 3 and values.dtype != np.uint8):
        numbers = f" of {array.dtype}" if hasattr(array, "dtype") else ""
        raise BadImage(f"an array is no image: its shape is {values.shape}{numbers}", hint)
    if not plain:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if np.isinf(values).any():
            raise BadImage("an array is no image: it holds infinite numbers, or some beyond 1e38", hint)
    try:
        return Image.fromarray(np.ascontiguousarray(values))
    except (TypeError, ValueError, KeyError):
        raise BadImage(f"an array is no image: its shape is {values.shape}", hint) from None


def _checked(image: Image.Image) -> Image.Image:
    if not 0 < image.width * image.height <= MOST_PIXELS:
        raise BadImage(f"the image has {image.width} x {image.height} pixels", f"Give 1 to {MOST_PIXELS:,}.")
    return image


def take_in(grey: Image.Image, size: int, frame: str, shown: bool = False) -> Intake:
    """Return a grey image (mode L) as a network sees it, and with `shown` as a person sees it, too."""
    if frame == "whole":
        return _take_whole(grey, size, shown)
    handy = _of_handy_size(grey, size)
    cleaned = clean_ink(handy)
    paper_1HW = np.rint((1 - cleaned.ink_HW) * WHITE).astype(np.uint8)[None]
    square = Image.fromarray(framed(paper_1HW, size, size, frame)[0])
    picture = _fit(handy, SHOWN) if shown else None
    return Intake(image=square, shown=picture, notes=cleaned.notes, unrest=cleaned.unrest)


def _take_whole(grey: Image.Image, size: int, shown: bool) -> Intake:
    notes = []
    if border_is_dark(grey):
        grey = ImageOps.invert(grey)
        notes.append(TURNED)
    low, high = grey.getextrema()
    grey = Image.new("L", grey.size, WHITE) if low == high else ImageOps.autocontrast(grey)
    if grey.size != (size, size):
        notes.append(f"{grey.width} x {grey.height} was scaled to fit {size} x {size}")
        grey = _fit(grey, size)
    return Intake(image=grey, shown=grey if shown else None, notes=tuple(notes))


def _of_handy_size(grey: Image.Image, size: int) -> Image.Image:
    """Return a large image averaged down, which loses little and saves time, or a tiny image enlarged smoothly."""
    longer = max(grey.size)
    if longer > LARGEST:
        return grey.reduce(-(-longer // LARGEST))
    if longer < size:
        times = -(-size * ENLARGED // longer)
        return grey.resize((grey.width * times, grey.height * times), Image.Resampling.BICUBIC)
    return grey


def _open(path: Path, seconds: float = SECONDS) -> Image.Image:
    return _decoded(path, _upright_grey, seconds)


def read_picture(path: Path, take: Callable[[Image.Image], Taken]) -> Taken:
    """Decode an image file, turn it upright, and return what `take` makes of it. Raises BadImage."""
    return _decoded(path, lambda image: take(_turned(image, image)), SECONDS)


def _decoded(path: Path, take: Callable[[Image.Image], Taken], seconds: float) -> Taken:
    """Return what `take` makes of a decoded image, not yet upright. Raises BadImage."""
    lacking = lacks_reader(path.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with MeteredFile(open(path, "rb", opener=open_named), str(path), seconds) as file:
                limit_head(file)
                image = Image.open(cast("IO[bytes]", file))
                if image.format in OUTSIDE_PROGRAMS:
                    raise BadImage(f"{path} is {image.format}, which is not read")
                limit(image, file)
                with _unheard_libtiff() if image.format == "TIFF" else nullcontext():
                    image.load()
                return take(image)
    except FileNotFoundError:
        raise BadImage(f"{path} does not exist") from None
    except PermissionError as error:
        raise BadImage(f"{path} may not be read: {error.strerror}", "Check its permissions.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"{path} has more than {MOST_PIXELS:,} pixels", "Scale it down first.") from None
    except UnidentifiedImageError:
        if lacking:
            raise BadImage(f"{path} {WITHOUT_HEIF}", "") from None
        empty = path.stat().st_size == 0
        raise BadImage(f"{path} is {'an empty file' if empty else 'no image that Pillow can read'}") from None
    except BadImage:
        raise
    except OSError as error:
        raise BadImage(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # decoders of damaged files raise whatever their format makes them raise
        raise BadImage(f"{path} cannot be read: {error}") from error


@contextmanager
def _unheard_libtiff() -> Iterator[None]:
    """Silence libtiff, which writes about damaged files to stderr itself; Pillow raises an error anyway."""
    try:
        stderr = os.dup(2)
    except OSError:  # this process has no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _upright_grey(image: Image.Image) -> Image.Image:
    """Return an image in grey, turned as its EXIF says."""
    return _turned(grey_of(image), image)


def _turned(picture: Image.Image, image: Image.Image) -> Image.Image:
    """Return a picture turned as an image's EXIF says. (ImageOps.exif_transpose also writes all EXIF again.)"""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return picture if turn is None else picture.transpose(turn)


def grey_of(image: Image.Image) -> Image.Image:
    """Return an image in 256 grey levels, on white where it is transparent.

    It works strip by strip, because copies of a large image take too much memory.
    """
    if image.mode in ("1", "L") and not image.has_transparency_data:
        return image.convert("L")
    grey = Image.new("L", image.size)
    rows = max(1, STRIP // image.width)
    strips = [(0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)]
    scale = _scale(image, strips) if image.mode in NUMBERS else None
    for strip in strips:
        part = image.crop(strip)
        grey.paste(_scaled(part, *scale) if scale else _on_white(part), strip)
    return grey


def _on_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    return image.convert("RGB").convert("L") if image.mode not in ("1", "L") else image.convert("L")


def _values(image: Image.Image) -> Array:
    return np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)


def _scale(image: Image.Image, strips: list[tuple[int, int, int, int]]) -> tuple[float, float]:
    """Return the lowest value, and the grey levels that a difference of 1 makes."""
    bounds = [(float(values.min()), float(values.max())) for values in (_values(image.crop(strip)) for strip in strips)]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return low, WHITE / max(high - low, 1e-9)


def _scaled(image: Image.Image, low: float, levels: float) -> Image.Image:
    return Image.fromarray(((_values(image) - low) * levels).round().astype(np.uint8))


def _fit(grey: Image.Image, size: int) -> Image.Image:
    """Scale the longer side to `size`, keep the aspect, and put the image in the middle of a square of paper."""
    scale = size / max(grey.size)
    width, height = max(1, round(grey.width * scale)), max(1, round(grey.height * scale))
    square = Image.new("L", (size, size), WHITE)
    fitted = Image.fromarray(area_resize(np.asarray(grey)[None], height, width)[0])
    square.paste(fitted, ((size - width) // 2, (size - height) // 2))
    return square
