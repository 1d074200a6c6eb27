"""Omniglot (Lake et al. 2015, MIT licence): its official files, and how to read a zip or a folder as a PackedSet.

Nothing is unpacked to disk: images are decoded in memory, so a hostile path in a zip can do no harm.
"""

import io
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from omnitwin.data.packed import PackedSet, fingerprint
from omnitwin.errors import DatasetCorrupt
from omnitwin.system.plain import NotPlain, files_below, open_named, open_plain

OFFICIAL_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
SIZE = 105  # pixels a side (Lake et al. 2015)
DRAWERS = 20  # people who drew each character, one drawing each (Lake et al. 2015)
LARGEST_PNG = 1 << 16  # bytes; the official ones have under 1,000
LARGEST_ZIP = 1 << 26  # bytes; the official ones have under 10 MB
MOST_MEMBERS = 100_000  # entries of a zip, with folders; the official ones have under 21,000
PIXEL_FORMATS = ("1", "L", "P")  # Pillow modes that a two-level PNG may come in
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA may ask for 4 GiB to unpack a drawing
# what zipfile raises for a file that is cut, damaged or encrypted, or whose names are in no encoding
DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
MEMBER = re.compile(r"(?P<alphabet>[^/]+)/(?P<character>[^/]+)/(?P<file>\d+)_(?P<drawer>\d\d)\.png")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One of the official zips."""

    name: str
    stem: str  # of the zip's name
    folder: str = ""  # below the official address
    md5: str  # of the zip
    fingerprint: str  # of the pixels in it

    @property
    def images(self) -> int:
        """Images in the zip."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class OmniglotSet(Archive):
    """A set of characters. Its folder inside the zip has the zip's name."""

    alphabets: int
    characters: int

    @property
    def images(self) -> int:
        return self.characters * DRAWERS


TRAINING = OmniglotSet(
    name="training",
    stem="images_background",
    md5="68d2efa1b9178cc56df9314c21c6e718",
    fingerprint="5136181e46a5c4481987a003a75de2f4cf3f818021561dc11172103e93786500",
    alphabets=30,
    characters=964,
)
TEST = OmniglotSet(
    name="test",
    stem="images_evaluation",
    md5="6b91aef0f799c5bb55b94e3f2daec811",
    fingerprint="7d185baeb97389a40b707202ec2d5748c285d5bc14f99203039b1f1532988399",
    alphabets=20,
    characters=659,
)
SETS = {archive.name: archive for archive in (TRAINING, TEST)}

Member = tuple[str, Callable[[], bytes]]


def zip_members(path: Path, endings: tuple[str, ...] = (".png",)) -> Iterator[Member]:
    """Yield the names and readers of a zip's files with these endings.

    Raises DatasetCorrupt if the zip is damaged, too large (now or once unpacked), or no plain file.
    """
    try:
        with open(path, "rb", opener=open_plain) as content:
            if os.fstat(content.fileno()).st_size > LARGEST_ZIP:
                raise DatasetCorrupt(f"{path} has more than {LARGEST_ZIP >> 20} MiB; the Omniglot zips have under 10")
            file = zipfile.ZipFile(content)
            entries = file.infolist()
            if len(entries) > MOST_MEMBERS:
                raise DatasetCorrupt(f"{path} holds {len(entries):,} entries, more than {MOST_MEMBERS:,}")
            for entry in entries:
                if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
                    raise DatasetCorrupt(f"{path} holds an unsafe path: {entry.filename!r}")
                if entry.file_size > LARGEST_PNG:
                    raise DatasetCorrupt(
                        f"{path}: {entry.filename!r} has {entry.file_size:,} bytes, which no drawing has"
                    )
                if entry.filename.endswith(endings):
                    yield entry.filename, partial(_member, file, entry)
    except NotPlain as error:
        raise DatasetCorrupt(f"{path} cannot be used: {error.strerror}") from error
    except DAMAGED as error:
        raise DatasetCorrupt(f"{path} is not a sound zip file: {error}") from error


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return an entry's bytes; RuntimeError if it is not compressed as the official ones are.

    The bound matters: without it zipfile unpacks up to 2 GiB before it checks the size that the entry gives.
    """
    if entry.compress_type not in METHODS:
        raise RuntimeError(f"it is packed by method {entry.compress_type}, not deflated")
    with archive.open(entry) as file:
        return file.read(LARGEST_PNG + 1)


def folder_members(folder: Path, endings: tuple[str, ...] = (".png",)) -> Iterator[Member]:
    """Yield the names, from the folder's own name on, and readers of the files with these endings below a folder."""
    try:
        for entry in files_below(folder):
            if entry.name.endswith(endings):
                path = Path(entry.path)
                yield path.relative_to(folder.parent).as_posix(), partial(_file, path)
    except OSError as error:
        raise DatasetCorrupt(f"{folder} cannot be read: {error.strerror or error}") from error


def _file(path: Path) -> bytes:
    """Return a file's bytes, or the first of too many. A link to a file counts as that file. Raises NotPlain."""
    with open(path, "rb", opener=open_named) as file:
        return file.read(LARGEST_PNG + 1)


def set_of_zip(path: Path) -> OmniglotSet | None:
    """Return the set of characters that a zip holds, judged by the folder inside it; None if it holds neither."""
    for name, _ in zip_members(path):
        return next((archive for archive in SETS.values() if name.startswith(f"{archive.stem}/")), None)
    return None


def decode(path: Path, archive: OmniglotSet, advance: Callable[[int], None]) -> PackedSet:
    """Read all drawings of a set from its zip or folder, and check names, sizes, counts and the pixels' fingerprint.

    Raises DatasetCorrupt, which names exactly what is wrong.
    """
    members = folder_members(path) if path.is_dir() else zip_members(path)
    names: list[str] = []
    images: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    for name, read in members:
        if len(names) == 2 * archive.images:
            raise DatasetCorrupt(
                f"{path} holds twice the {archive.images:,} drawings of the {archive.name} set, or more"
            )
        names.append(name)
        images.append(decode_png(read, f"{path}: {name}"))
        advance(1)
    return _assemble(names, images, archive, path)


def decode_png(read: Callable[[], bytes], where: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a drawing, (SIZE, SIZE), paper 1 and ink 0. Raises DatasetCorrupt, which names `where`."""
    try:
        content = io.BytesIO(read())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a wrong size is refused below
            image = Image.open(content, formats=["PNG"])
        with image:
            if image.size != (SIZE, SIZE):
                raise DatasetCorrupt(f"{where} is {image.width} x {image.height}, not {SIZE} x {SIZE}")
            if image.mode not in PIXEL_FORMATS:
                raise DatasetCorrupt(f"{where} has pixel format {image.mode}, not black and white")
            return np.asarray(image.convert("1")).astype(np.uint8)
    except UnidentifiedImageError:
        raise DatasetCorrupt(f"{where} is not a PNG image") from None
    except (*DAMAGED, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetCorrupt(f"{where} is not a PNG image that can be read: {error}") from error


def _assemble(
    names: list[str], images: list[np.ndarray[Any, np.dtype[np.uint8]]], archive: OmniglotSet, path: Path
) -> PackedSet:
    order = sorted(range(len(names)), key=names.__getitem__)
    drawings: dict[str, list[int]] = {}  # "Alphabet/character01" -> drawers in order
    for place in order:
        match = MEMBER.fullmatch(names[place].removeprefix(f"{archive.stem}/"))
        if match is None or not names[place].startswith(f"{archive.stem}/"):
            raise DatasetCorrupt(f"{path}: {names[place]!r} is not {archive.stem}/ALPHABET/CHARACTER/NUMBER_DRAWER.png")
        drawings.setdefault(f"{match['alphabet']}/{match['character']}", []).append(int(match["drawer"]))
    for character, drawers in drawings.items():
        if drawers != list(range(1, DRAWERS + 1)):
            raise DatasetCorrupt(f"{path}: {character} has {len(drawers)} drawings, by {drawers}, not {DRAWERS}")
    alphabets = sorted({character.split("/")[0] for character in drawings})
    found = (len(alphabets), len(drawings), len(names))
    if found != (archive.alphabets, archive.characters, archive.images):
        raise DatasetCorrupt(
            f"{path} holds {found[0]} alphabets, {found[1]} characters and {found[2]:,} drawings; the {archive.name} "
            f"set has {archive.alphabets}, {archive.characters} and {archive.images:,}"
        )
    pixels_NHW = np.stack([images[place] for place in order])
    images.clear()
    seen = fingerprint(pixels_NHW)
    if seen != archive.fingerprint:
        raise DatasetCorrupt(
            f"{path}: the drawings are not Omniglot's (fingerprint {seen[:12]}, not {archive.fingerprint[:12]})"
        )
    place_of = {alphabet: index for index, alphabet in enumerate(alphabets)}
    return PackedSet(
        name=f"omniglot/{archive.name}",
        images_NHW=torch.from_numpy(pixels_NHW),
        white=1,
        class_N=torch.arange(len(drawings)).repeat_interleave(DRAWERS),
        source_N=torch.arange(1, DRAWERS + 1).repeat(len(drawings)),
        group_C=torch.tensor([place_of[character.split("/")[0]] for character in drawings]),
        class_names=tuple(drawings),
        group_names=tuple(alphabets),
        fingerprint=seen,
    )
