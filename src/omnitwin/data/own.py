"""Images of the user's own as image sets: a folder or a table, decoded once, divided into parts.

    own = open_place(Path("products"), View(height=96, width=96, channels=3, frame="photo"))
    own["training"].gather(rows_B)   # (B, 3, 96, 96) float32

A part that is small beside the free memory is kept there, or on the device. The rows of a larger one come from the
memory map of its store (data.store) when they are asked for: its pixels then take no memory that the system could not
have back at any time.

    N images, C classes, G groups, B chosen rows, D channels, H x W pixels
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from omnitwin.data.folds import folds
from omnitwin.data.leaks import without_leaks_of
from omnitwin.data.listing import PARTS, TEST, TRAINING, LeftOut, ListedFile
from omnitwin.data.parts import BY_CLASSES, Parts, check_trainable, divided
from omnitwin.data.pictures import name_of_file, picture_of_file
from omnitwin.data.places import check_readable, list_images
from omnitwin.data.rows import LabelledRows
from omnitwin.data.store import PictureStore, fill_store
from omnitwin.data.store_index import row_bytes
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.facts import cut_out
from omnitwin.images.intake import read_picture
from omnitwin.images.views import Seen, seen
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.reports.nouns import OF_SETS, counted
from omnitwin.reports.pictures import Picture
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import free_main_memory, free_memory

ALL = "all"  # the part that is the whole place
KEPT_SHARE = 0.25  # of the free memory: a part that takes more is read from its map
READ_AT_ONCE = 1 << 26  # bytes of pixels: those on their way to a GPU take memory that cannot be swapped
NAMED = 3  # files in a note
UNKNOWN = "unknown"  # the source, or the group, of what has none beside others that have


@dataclass(frozen=True, eq=False, kw_only=True)
class FolderSet(LabelledRows):
    """Some pictures of a store as an image set; omnitwin.data.imageset explains the names.

    place_N: the place of each picture among those of the store, ascending
    kept: whether the pixels are kept in memory; None: if they are small beside what is free
    """

    store: PictureStore
    place_N: Array
    reporter: Reporter = SILENT
    kept: bool | None = None

    def __len__(self) -> int:
        return len(self.place_N)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width in pixels."""
        view = self.store.view
        return view.channels, view.height, view.width

    @cached_property
    def is_kept(self) -> bool:
        """Whether the pixels are, or will be, in the memory of the device."""
        if self.kept is not None:
            return self.kept
        needed = len(self) * row_bytes(self.store.view)
        free = free_main_memory()
        fits = free is None or needed <= KEPT_SHARE * free
        return fits and (self.device.type != "cuda" or needed <= KEPT_SHARE * free_memory(self.device))

    @property
    def nbytes(self) -> int:
        """Bytes of pixels that the set keeps in its device's memory."""
        return len(self) * row_bytes(self.store.view) if self.is_kept else 0

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the classes' names and of what is in each file, whatever the view."""
        return self.store.fingerprint(self.place_N.tolist())

    def file_of(self, row: int) -> ListedFile:
        """Return the file of one image."""
        return self.store.files[int(self.place_N[row])]

    def label(self, row: int) -> str:
        """Name one image by its class and its file."""
        return name_of_file(self.file_of(row))

    def picture(self, row: int) -> Picture:
        """Return one image as its file shows it, in its colours, or if the file is gone as a network sees it."""
        file, facts = self.file_of(row), self.store.facts[int(self.place_N[row])]
        try:
            return picture_of_file(self.store.listing, file, channels=3 if facts.coloured else 1)
        except BadImage:
            pixels_CHW = self.store.pixels_RCHW[self._row_N[row]]
        channels, height, width = pixels_CHW.shape
        pixels = pixels_CHW.transpose(1, 2, 0).tobytes()
        return Picture(width=width, height=height, pixels=pixels, channels=channels)

    def as_read(self, row: int, view: View) -> Seen:
        """Return what a network sees of an image's file, and what was found on it. Raises BadImage if it is gone."""
        file = self.file_of(row)
        return read_picture(self.store.listing.location(file), lambda picture: seen(cut_out(picture, file.box), view))

    def to(self, device: torch.device) -> "FolderSet":
        if device == self.device:
            return self
        return replace(self, **self.labels_on(device))

    def of_classes(self, kept_C: torch.Tensor) -> "FolderSet":
        """Return the classes where kept_C, (C,) bool, is true, and their groups, both numbered from 0 again."""
        there_N = kept_C[self.class_N].cpu().numpy()
        return replace(self, place_N=self.place_N[there_N], **self.labels_of(kept_C))

    def framed(self, view: View) -> "FolderSet":
        """Return the images as a network with this view sees them. A view that is new here decodes them once more."""
        if view == self.store.view:
            return self
        store = fill_store(self.store.listing, view, self.reporter)
        place_of = {file: place for place, file in enumerate(store.files)}
        place_N = np.array([place_of.get(self.file_of(row), -1) for row in range(len(self))], np.int64)
        there_N = torch.from_numpy(place_N >= 0).to(self.device)  # a file may have gone meanwhile
        found = replace(
            self,
            store=store,
            place_N=place_N[place_N >= 0],
            class_N=self.class_N[there_N],
            source_N=None if self.source_N is None else self.source_N[there_N],
        )
        return found if bool((found.count_C > 0).all()) else found.of_classes(found.count_C > 0)

    def gather(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return a network's input for some rows: (B, D, H, W) float32 from 0 (black) to 1 (white)."""
        pixels_BCHW = (
            self._pixels_NCHW[rows_B] if self.is_kept else self._read(rows_B).to(self.device, non_blocking=True)
        )
        return pixels_BCHW.float().div_(255)

    @cached_property
    def _row_N(self) -> Array:
        """The row of pixels of each image, in the store."""
        return self.store.row_N[self.place_N]

    @cached_property
    def _pixels_NCHW(self) -> torch.Tensor:
        """All pixels, on the device."""
        pixels_NCHW = torch.empty((len(self), *self.shape), dtype=torch.uint8, device=self.device)
        at_once = max(1, READ_AT_ONCE // row_bytes(self.store.view))
        for start in range(0, len(self), at_once):
            end = min(start + at_once, len(self))
            pixels_NCHW[start:end] = self._read(torch.arange(start, end)).to(self.device)
        return pixels_NCHW

    @cached_property
    def _sound_N(self) -> Array:
        """Whether the pixels of an image have been compared with their checksum."""
        return np.zeros(len(self), bool)

    def _read(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return pixels (B, D, H, W) uint8 from the map, read in the order in which they lie on the disk.

        Pixels that are not those that were written are decoded again. Raises DatasetCorrupt if that fails.
        """
        pixels_BCHW = torch.empty((len(rows_B), *self.shape), dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        into_BCHW, rows = pixels_BCHW.numpy(), rows_B.cpu().numpy()
        for place in np.argsort(self._row_N[rows], kind="stable").tolist():
            row = rows[place]
            into_BCHW[place] = self.store.pixels_RCHW[self._row_N[row]]
            if not self._sound_N[row]:
                at = int(self.place_N[row])
                if not self.store.is_sound(at, into_BCHW[place]):
                    into_BCHW[place] = self.store.decoded_again(at, self.reporter)
                    continue
                self._sound_N[row] = True
        return pixels_BCHW


class OwnImages(Mapping[str, FolderSet]):
    """The parts of a place: `training`, `held-out` and `test`, as far as there are such, and `all`.

    >>> own = open_place(Path("products"), View(height=96, width=96, channels=3, frame="photo"))
    >>> own["test"].class_names
    ('juice', 'milk')
    """

    def __init__(self, store: PictureStore, parts: Parts, reporter: Reporter = SILENT) -> None:
        self.store, self.parts, self.reporter = store, parts, reporter
        self._sets: dict[str, FolderSet] = {}

    def __getitem__(self, part: str) -> FolderSet:
        """Return a part. Raises KeyError; BadInput for the training part of a place that cannot be trained on."""
        if part not in self._names:
            raise KeyError(part)
        if part == TRAINING:
            check_trainable(self.store.listing)
        if part not in self._sets:
            self._sets[part] = _set_of(self.store, part, self._places(part), self.reporter)
        return self._sets[part]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def _names(self) -> list[str]:
        return [*(part for part in PARTS if part in self.parts.part_N), ALL]

    def _places(self, part: str) -> list[int]:
        return [place for place, own in enumerate(self.parts.part_N) if part in (own, ALL)]


def open_place(
    place: Path,
    view: View,
    *,
    pattern: str | None = None,
    split: str = BY_CLASSES,
    seed: int = 0,
    reporter: Reporter = SILENT,
    processes: int | None = None,
) -> OwnImages:
    """Open a folder or a table of images, and decode what is new in it.

    pattern: a regular expression for the class in a file's path (data.folder)
    split: `classes`, or `images` for a closed set (data.parts); a place may name its parts itself
    seed: of the split
    processes: that decode side by side; None: as many as processors

    Raises BadInput if the place is neither a folder nor a table, or none of its images can be read; CannotWrite if the
    cache folder cannot be written.
    """
    store = _decoded(place, view, pattern, reporter, processes)
    parts = without_leaks_of(store, divided(store.listing, seed, split))
    for note in _notes(store, parts):
        reporter.note(note)
    return OwnImages(store, parts, reporter)


def open_folds(
    place: Path,
    view: View,
    count: int,
    *,
    pattern: str | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
    processes: int | None = None,
) -> tuple[tuple[OwnImages, ...], FolderSet]:
    """Open a place as `count` divisions of its images, in each of which other classes are the test (data.folds).

    Returns them, and all images together as a training part. The other arguments are those of open_place. Raises
    BadInput if there are too few classes, too.
    """
    store = _decoded(place, view, pattern, reporter, processes)
    everything = Parts(part_N=(TRAINING,) * len(store.files))
    divisions = [without_leaks_of(store, parts) for parts in folds(store.listing, count, seed)]
    for fold, parts in enumerate(divisions, 1):
        if TEST not in parts.part_N:
            raise BadInput(f"every test image of fold {fold} is, exactly or nearly, elsewhere too", "Use fewer folds.")
    notes = tuple(dict.fromkeys(note for parts in divisions for note in parts.notes))
    for note in _notes(store, replace(everything, notes=notes)):
        reporter.note(note)
    found = [OwnImages(store, parts, reporter) for parts in (*divisions, everything)]
    return tuple(found[:-1]), found[-1][TRAINING]


def _decoded(place: Path, view: View, pattern: str | None, reporter: Reporter, processes: int | None) -> PictureStore:
    """Return the images of a place, decoded. Raises BadInput if none can be read."""
    listing = list_images(place, pattern)
    store = fill_store(listing, view, reporter, processes)
    check_readable(listing, store.broken)
    return store


def _notes(store: PictureStore, parts: Parts) -> Iterator[str]:
    """Yield what a person should know of how a place was understood, with the broken files."""
    if store.broken:
        yield f"{counted(len(store.broken), 'image file')} cannot be read: {_named(store.broken)}"
    yield from notes_on(store, parts)


def notes_on(store: PictureStore, parts: Parts) -> Iterator[str]:
    """Yield what a person should know of how a place was understood, except which files are broken."""
    if store.listing.left_out:
        yield f"{counted(len(store.listing.left_out), 'entry')} left out: {_named(store.listing.left_out)}"
    single = sum(count == 1 for count in Counter(file.label for file in store.files).values())
    if single:
        yield f"{counted(single, 'class')} with one image {'makes' if single == 1 else 'make'} dissimilar pairs only"
    if len(blank := np.flatnonzero(store.facts.blank_N)):
        named = _first([store.files[place].path for place in blank])
        yield f"{counted(len(blank), 'image')} of one colour all over, with nothing to learn or compare: {named}"
    yield from store.listing.notes
    yield from parts.notes


def _named(left_out: Sequence[LeftOut]) -> str:
    return _first([f"{each.path} {each.reason}" for each in left_out])


def _first(words: Sequence[str]) -> str:
    """Return the first few, and how many more there are."""
    return "; ".join((*words[:NAMED], *([f"and {len(words) - NAMED:,} more"] if len(words) > NAMED else [])))


def _name_of(place: Path) -> str:
    """Return what the sets of a place are called: never as a set of the catalogue, whose words are for its writing."""
    name = place.resolve().name or "images"
    return f"own {name}" if name in OF_SETS else name


def _set_of(store: PictureStore, part: str, places: Sequence[int], reporter: Reporter) -> FolderSet:
    """Return some pictures of a store as a set. They are sorted by group and class, as those of a listing."""
    files = [store.files[place] for place in places]
    class_names = tuple(dict.fromkeys(file.label for file in files))
    number_of = {name: number for number, name in enumerate(class_names)}
    group_of = {file.label: file.group for file in files}
    grouped = any(group is not None for group in group_of.values())
    group_names = dict.fromkeys(group_of[name] for name in class_names)
    groups = {name: number for number, name in enumerate(group_names)}
    sources = {name: number for number, name in enumerate(sorted({file.source or UNKNOWN for file in files}))}
    sourced = any(file.source for file in files)
    return FolderSet(
        name=f"{_name_of(store.listing.place)}/{part}",
        store=store,
        place_N=np.array(places, np.int64),
        class_N=torch.tensor([number_of[file.label] for file in files]),
        class_names=class_names,
        group_C=torch.tensor([groups[group_of[name]] for name in class_names]) if grouped else None,
        group_names=tuple(group or UNKNOWN for group in groups) if grouped else (),
        source_N=torch.tensor([sources[file.source or UNKNOWN] for file in files]) if sourced else None,
        reporter=reporter,
    )
