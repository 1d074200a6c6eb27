"""Read any image file, PIL image or array as an upright picture, within the limits of images.costs.

    read_picture(path, lambda picture: picture.size)

images.views turns a picture into what a network sees.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from omnitwin.errors import BadImage
from omnitwin.images.costs import J2K_PIXELS, MOST_PIXELS, SECONDS, MeteredFile, limit, limit_head
from omnitwin.images.frames import NOTE, chosen
from omnitwin.images.kinds import OUTSIDE_PROGRAMS, WITHOUT_HEIF, lacks_reader
from omnitwin.system.plain import open_named

DAMAGED = "It may be damaged or cut short: copy or save it again, or give another."
Picturable = str | os.PathLike[str] | Image.Image | Any  # a file, a PIL image, or an array (also a tensor on the CPU)
Taken = TypeVar("Taken")
Prepare = Callable[[Image.Image], Image.Image]
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation


def read_picture(
    path: Path,
    take: Callable[[Image.Image], Taken],
    prepare: Prepare | None = None,
    seconds: float = SECONDS,
) -> Taken:
    """Decode an image file, turn it upright, and return what `take` makes of it. Raises BadImage.

    prepare: what is done to every pixel before the picture is turned, which needs a copy
    seconds: of CPU that reading may take (images.costs has more limits)
    """
    return _decoded(path, lambda image: take(_upright(image, prepare)), seconds)


def loaded(image: Any, prepare: Prepare | None = None) -> Image.Image:
    """Return a PIL image, or an array, as an upright picture. Raises BadImage."""
    if not isinstance(image, Image.Image):
        return _upright(_checked(_of_array(image)), prepare)
    try:
        _checked(image)
        if isinstance(image, ImageFile.ImageFile) and image.tile and image.fp:
            _load_limited(image, image.fp)
        image.load()
        return _upright(image, prepare)
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
                    picture = chosen(image, partial(limit, image, file))
                return take(picture)
    except FileNotFoundError:
        raise BadImage(f"{path} does not exist") from None
    except PermissionError as error:
        raise BadImage(f"{path} may not be read: {error.strerror}", "Check its permissions.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"{path} has more than {MOST_PIXELS:,} pixels", "Scale it down first.") from None
    except UnidentifiedImageError:
        if lacking:
            raise BadImage(f"{path} {WITHOUT_HEIF}", "") from None
        raise BadImage(f"{path} is {'an empty file' if _is_empty(path) else 'no image that Pillow can read'}") from None
    except BadImage:
        raise
    except OSError as error:
        raise BadImage(f"{path} cannot be read: {error.strerror or error}", DAMAGED) from error
    except Exception as error:  # decoders of damaged files raise whatever their format makes them raise
        raise BadImage(f"{path} cannot be read: {error}", DAMAGED) from error


def _is_empty(path: Path) -> bool:
    """Return whether a file has no bytes. One that is gone meanwhile has not been seen to be empty."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


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


def _upright(image: Image.Image, prepare: Prepare | None) -> Image.Image:
    """Return an image, prepared, turned as its EXIF says. (ImageOps.exif_transpose also writes all EXIF again.)"""
    picture = image if prepare is None else prepare(image)
    if note := image.info.get(NOTE):
        picture.info[NOTE] = note
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is not None:
        return picture.transpose(turn)
    return picture.copy() if picture is image and image.format == "JPEG2000" else picture  # its `reduce` is a number
