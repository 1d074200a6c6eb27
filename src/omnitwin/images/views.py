"""Turn a picture into what a network sees of it: the one way from a picture to pixels, for training and for answers.

    view = View(height=96, width=96, channels=3, frame="photo")
    read_picture(path, lambda picture: seen(picture, view)).pixels_CHW   # for a set of images
    read_image(path, view, shown=True)                                   # for an answer: the same pixels

Frame `photo`: in colour or grey, fitted, surrounded by the colour of its edge (images.photo). Frame `whole`: grey, dark
on light, full contrast, fitted, surrounded by paper. Frame `ink`: grey, the ink found (images.cleaning), the box around
it fitted (images.framing). All are laid on white if they are transparent, and turned as their EXIF says.

C channels, H x W pixels
"""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from omnitwin.errors import BadImage
from omnitwin.images.costs import SECONDS
from omnitwin.images.frames import NOTE
from omnitwin.images.framing import WHITE, fitted, framed
from omnitwin.images.intake import Picturable, loaded, read_picture
from omnitwin.images.photo import REDUCING_GAP, letterboxed, plain
from omnitwin.images.resampling import area_resize
from omnitwin.images.values import TURNED, border_is_dark, grey_of
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.reports.pages import EMPTY_FORM

LARGEST = 480  # pixels of the longer side of an image to clean: a drawing that fills a tenth of it still has 48
ENLARGED = 2  # an image smaller than the view is enlarged to at least this many times the view's size
THICKENED = "hairlines were made as wide as a pen's strokes"
SHOWN = 112  # pixels of the longer side of a drawing that a person sees
SHOWN_PHOTO = 210  # of a photo, as view.figures draws it


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """A picture as a network sees it, and the changes made to it.

    shown: the picture for a person, of mode L or RGB, with its own aspect. For the frame `whole` it is what the network
    sees. None if it was not asked for.
    """

    pixels_CHW: Array  # uint8; a drawing has 0 for ink and 255 for paper
    shown: Image.Image | None = None
    notes: tuple[str, ...] = ()  # what was done, in words
    unrest: float = 0.0  # of the paper (images.cleaning); 0 unless the frame is `ink`
    pen: tuple[float, float, float] = (0.0, 0.0, 0.0)  # images.strokes.pen_of; zeros unless the frame is `ink`
    findings: tuple[str, ...] = ()  # facts of reports.pages; none unless the frame is `ink`

    @property
    def image(self) -> Image.Image:
        """What the network sees, of mode L, or RGB for 3 channels."""
        channels = len(self.pixels_CHW)
        return Image.fromarray(self.pixels_CHW[0] if channels == 1 else self.pixels_CHW.transpose(1, 2, 0).copy())

    @property
    def blank(self) -> bool:
        """Whether the network sees a single colour, and nothing on it."""
        return bool((self.pixels_CHW == self.pixels_CHW[:, :1, :1]).all())


def seen(picture: Image.Image, view: View, shown: bool = False) -> Seen:
    """Return an upright picture of any mode as a network with this view sees it, and with `shown` as a person does.

    A grey view of 3 channels has the same grey in each. A drawing in black and white becomes what PackedSet.framed
    makes of its row (for `ink` unless it is smaller than the view: it is enlarged before its ink is found).
    """
    frame = picture.info.get(NOTE)
    found = _seen(prepared(picture, view), view, shown)
    return replace(found, notes=(str(frame), *found.notes)) if frame else found


def _seen(picture: Image.Image, view: View, shown: bool) -> Seen:
    if view.frame == "photo":
        return _take_photo(picture, view, shown)
    taken = _take_whole(picture, view, shown) if view.frame == "whole" else _take_ink(picture, view, shown)
    if view.channels == 1:
        return taken
    pixels_CHW = np.repeat(taken.pixels_CHW, view.channels, axis=0)
    return replace(taken, pixels_CHW=pixels_CHW)


def prepared(picture: Image.Image, view: View) -> Image.Image:
    """Return a picture with no more than a view can use: grey (mode L), or for the frame `photo` mode L or RGB.

    Preparing before or after turning, and twice, makes no difference.
    """
    return plain(picture) if view.frame == "photo" and view.channels != 1 else grey_of(picture)


def read_image(path: Path, view: View, shown: bool = False, seconds: float = SECONDS) -> Seen:
    """Read an image file in any format that Pillow reads; raise BadImage if the file is no image.

    seconds: of CPU that reading may take (images.costs has more limits)
    """
    prepare = partial(prepared, view=view)  # before it is turned: a turned copy in grey is smaller than in colour
    return seen(read_picture(path, lambda picture: picture, prepare, seconds), view, shown)


def read_any(image: Picturable, view: View, shown: bool = False, forms: bool = False) -> Seen:
    """Read a file, a PIL image or an array for a network; raise BadImage if it is none of these, or is blank.

    forms: an empty form passes

    Arrays are (H, W), (H, W, 3) or (H, W, 4) uint8 or bool, or (H, W) of other numbers, whose range becomes that from
    black (ink) to white (paper).
    """
    if isinstance(image, str | os.PathLike):
        name, found = str(image), read_image(Path(image), view, shown)
    else:
        name = "the image" if isinstance(image, Image.Image) else "the array"
        found = seen(loaded(image, partial(prepared, view=view)), view, shown)
    check_seen(found, name, view, forms)
    return found


def check_seen(found: Seen, name: str, view: View, forms: bool = False) -> None:
    """Raise BadImage if a network sees nothing in an image. forms: an empty form passes, for a verdict to say so"""
    if not found.blank or (forms and EMPTY_FORM in found.findings):
        return
    if view.frame == "photo":
        raise BadImage(f"{name} has a single colour, and nothing on it", "Give an image that shows something.")
    if EMPTY_FORM in found.findings:
        raise BadImage(f"{name} has no drawing, only lines of a form or of paper", "Give an image with a drawing.")
    raise BadImage(
        f"{name} has no ink that stands out from its paper: it is blank, or noise", "Give an image with ink on it."
    )


def for_a_person(picture: Image.Image, channels: int) -> Image.Image:
    """Return a picture of any mode in grey or RGB, scaled down to a longer side of SHOWN_PHOTO if it is larger."""
    picture = plain(picture) if channels == 3 else grey_of(picture)
    scale = SHOWN_PHOTO / max(picture.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
    return picture.convert("RGB") if channels == 3 else picture


def _take_photo(picture: Image.Image, view: View, shown: bool) -> Seen:
    pixels_CHW = letterboxed(picture, view.height, view.width, view.channels)
    return Seen(pixels_CHW=pixels_CHW, shown=for_a_person(picture, view.channels) if shown else None)


def _take_ink(grey: Image.Image, view: View, shown: bool) -> Seen:
    from omnitwin.images.cleaning import clean_ink  # OpenCV waits for the first picture that needs it
    from omnitwin.images.strokes import INKED, Marks, is_hairline, pen_of, thickened

    handy = _of_handy_size(grey, view)
    cleaned = clean_ink(handy)
    ink_HW, marks, notes = cleaned.ink_HW, cleaned.marks, cleaned.notes
    factor, pixels = _factor(grey), max(view.height, view.width)
    if is_hairline(marks, factor, pixels) or (handy is not grey and not ink_HW.any()):
        cleaned = clean_ink(_hairlines_kept(grey))
        ink_HW, marks, notes = cleaned.ink_HW, cleaned.marks, cleaned.notes
        if is_hairline(marks, factor, pixels):
            ink_HW, notes = thickened(ink_HW), (*notes, THICKENED)
            marks = Marks(ink_HW > INKED)
    paper_1HW = np.rint((1 - ink_HW) * WHITE).astype(np.uint8)[None]
    return Seen(
        pixels_CHW=framed(paper_1HW, view.height, view.width, "ink"),
        shown=_small(handy) if shown else None,
        notes=notes,
        unrest=cleaned.unrest,
        pen=pen_of(marks),
        findings=cleaned.findings,
    )


def _hairlines_kept(grey: Image.Image) -> Image.Image:
    """Return a large image scaled down so that lines of a single pixel keep their contrast."""
    from omnitwin.images.strokes import darkest

    factor = _factor(grey)
    if factor == 1:
        return grey
    level_HW = np.asarray(grey)
    if border_is_dark(level_HW):
        return Image.fromarray(WHITE - darkest(WHITE - level_HW, factor))
    return Image.fromarray(darkest(level_HW, factor))


def _take_whole(grey: Image.Image, view: View, shown: bool) -> Seen:
    notes = []
    if border_is_dark(np.asarray(grey)):
        grey = ImageOps.invert(grey)
        notes.append(TURNED)
    low, high = grey.getextrema()
    grey = Image.new("L", grey.size, WHITE) if low == high else ImageOps.autocontrast(grey)
    if grey.size != (view.width, view.height):
        notes.append(f"{grey.width} x {grey.height} was scaled to fit {view.width} x {view.height}")
    found = Seen(pixels_CHW=fitted(np.asarray(grey)[None], view.height, view.width), notes=tuple(notes))
    return Seen(pixels_CHW=found.pixels_CHW, notes=found.notes, shown=found.image if shown else None)


def _of_handy_size(grey: Image.Image, view: View) -> Image.Image:
    """Return a large image averaged down, which loses little and saves time, or a tiny image enlarged smoothly."""
    factor = _factor(grey)
    if factor > 1:
        return grey.reduce(factor)
    if grey.width < view.width and grey.height < view.height:
        times = min(-(-view.width * ENLARGED // grey.width), -(-view.height * ENLARGED // grey.height))
        return grey.resize((grey.width * times, grey.height * times), Image.Resampling.BICUBIC)
    return grey


def _factor(grey: Image.Image) -> int:
    """Return by how much an image is scaled down to be read; 1: it is not."""
    return -(-max(grey.size) // LARGEST)


def _small(grey: Image.Image) -> Image.Image:
    """Return a drawing scaled to a longer side of SHOWN pixels."""
    scale = SHOWN / max(grey.size)
    width, height = (max(1, round(side * scale)) for side in grey.size)
    return Image.fromarray(area_resize(np.asarray(grey)[None], height, width)[0])
