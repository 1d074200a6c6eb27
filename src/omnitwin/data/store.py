"""Pictures decoded once into a memory-mapped file in the cache folder; later only what is new or changed is decoded.

    store = fill_store(listing, View(96, 96, 3, "photo"), reporter)
    store.pixels_RCHW[store.row_N[7]]   # of store.files[7]
    store.facts[7].digest               # without decoding it again

A store belongs to a place and a view. Its folder has a file of pixels, whole rows one after the other, which only grows
and which this process alone writes to, and an index (data.store_index). The index is written after its rows are on the
disk, now and then: a process that is killed loses what it decoded since then. No row that an index has named is ever
written over, as another process may have it mapped: when many rows are of files that are gone, or an index is damaged,
there is a new file of pixels with a new name.

    N pictures, R rows, C channels, H x W pixels
"""

import errno
import os
import shutil
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from json import dumps
from pathlib import Path
from typing import IO, Any, overload

import numpy as np

from omnitwin.data.listing import LeftOut, ListedFile, Listing
from omnitwin.data.store_index import (
    BLANK,
    INDEX,
    NO_ROW,
    PIXELS,
    Index,
    NewEntries,
    facts_of_entry,
    has_box,
    key_of,
    new_pixels,
    path_of,
    read_index,
    row_bytes,
    write_index,
)
from omnitwin.errors import BadImage, CannotWrite, DatasetCorrupt
from omnitwin.images.facts import ImageFacts, cut_out
from omnitwin.images.intake import read_picture
from omnitwin.images.packing import AGAIN, NO_FILE, pack_record, seen_of, state_of
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import open_unlinked
from omnitwin.system.locks import hold, private_folder
from omnitwin.system.paths import pictures_folder, unlinked
from omnitwin.system.plain import open_plain
from omnitwin.system.workers import Died, most_begun, processors, work_through

SEEING = 3  # version of images.views.seen: another one makes other pixels
SAVE_SECONDS = 15.0  # between two writings of the index: at most this much decoding is lost
SAVE_SHARE = 0.05  # of the time goes into writing the index: of very many files it is written less often
WASTE = 0.5  # share of rows without a file from which on those with a file are copied to a new file of pixels
AT_ONCE = 1 << 24  # bytes of pixels that are copied at once
LEAST_TASKS = 8  # files for a process: it takes a third of a second to start


class StoredFacts(Sequence[ImageFacts]):
    """What decoding each picture has shown."""

    def __init__(self, entries_N: Array) -> None:
        self.entries_N = entries_N

    def __len__(self) -> int:
        return len(self.entries_N)

    @property
    def blank_N(self) -> Array:
        """Whether each picture has one colour all over."""
        return (self.entries_N["flags"] & BLANK) > 0

    @overload
    def __getitem__(self, place: int) -> ImageFacts: ...
    @overload
    def __getitem__(self, place: slice) -> "StoredFacts": ...
    def __getitem__(self, place: int | slice) -> "ImageFacts | StoredFacts":
        found = self.entries_N[place]
        return StoredFacts(found) if isinstance(place, slice) else facts_of_entry(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureStore:
    """The decoded pictures of a listing.

    listing: with only the files that could be decoded
    row_N, crc_N: the row of each, and the CRC-32 of its pixels
    pixels_RCHW: a read-only memory map of all rows, uint8
    broken: the files that could not be decoded, with the reason
    decoded: number of files that this call decoded
    """

    folder: Path
    view: View
    listing: Listing
    row_N: Array
    crc_N: Array
    facts: StoredFacts
    pixels_RCHW: Array
    broken: tuple[LeftOut, ...]
    decoded: int

    @property
    def files(self) -> tuple[ListedFile, ...]:
        """The files that could be decoded, in the listing's order."""
        return self.listing.files

    def fingerprint(self, places: Iterable[int]) -> str:
        """Return the SHA-256 of these pictures' classes and of what is in each file, whatever the view."""
        found = sha256()
        for place in places:
            name = self.files[place].label.encode("utf-8", "surrogatepass")
            found.update(b"%d %s %s" % (len(name), name, self.facts[place].digest))
        return found.hexdigest()

    def is_sound(self, place: int, pixels_CHW: Array) -> bool:
        """Return whether pixels are those that were written for a picture."""
        return zlib.crc32(pixels_CHW.data) == int(self.crc_N[place])

    def decoded_again(self, place: int, reporter: Reporter = SILENT) -> Array:
        """Return the pixels of a picture whose stored ones are damaged, and have the store made again the next time.

        Raises DatasetCorrupt if the file has changed, too.
        """
        file = self.files[place]
        with suppress(OSError):
            (self.folder / INDEX).unlink()
            reporter.note(f"{self.folder} is damaged. Its images are read again.")
        with suppress(BadImage):
            pixels_CHW = read_picture(
                self.listing.location(file), lambda picture: seen_of(cut_out(picture, file.box), self.view)
            )
            if self.is_sound(place, pixels_CHW):
                return pixels_CHW
        raise DatasetCorrupt(
            f"the stored pixels of {file.path} in {self.folder} are damaged, and the file has changed",
            "Run the command again: the images are read again.",
        )


def store_folder(place: Path, view: View) -> Path:
    """Return the folder of the store of a place and a view. Raises CannotRun if it is a link."""
    key = dumps([os.path.realpath(place), asdict(view), SEEING])
    return unlinked(pictures_folder() / sha256(key.encode()).hexdigest()[:16])


def fill_store(listing: Listing, view: View, reporter: Reporter = SILENT, processes: int | None = None) -> PictureStore:
    """Decode the files of a listing that are new or changed, and return all that can be decoded.

    processes: that decode side by side; None: as many as processors; 0: this process decodes

    Raises CannotWrite if the cache folder cannot be written or its disk is full.
    """
    folder = store_folder(listing.place, view)
    try:
        with hold(folder, waiting=reporter.note):
            filling = _Filling(folder, view, listing, reporter)
            filling.fill(processes)
            return filling.opened()
    except (OSError, ValueError) as error:  # somebody deletes the cache at this moment
        reason = getattr(error, "strerror", None) or error
        raise CannotWrite(f"cannot use {folder}: {reason}", "Run the command again.") from error


class _Filling:
    """The store of a place while this process alone fills it.

    index: what is in memory; on the disk is the one before until it is saved
    saved_rows: rows of pixels that the index on the disk speaks of
    """

    def __init__(self, folder: Path, view: View, listing: Listing, reporter: Reporter) -> None:
        self.folder, self.view, self.listing, self.reporter = folder, view, listing, reporter
        self.keys = [key_of(file) for file in listing.files]
        self.index = self._known()
        self.saved_rows = self.index.rows
        self.decoded = 0
        self._remove_other_pixels()

    @property
    def pixels(self) -> Path:
        return self.folder / self.index.pixels

    def fill(self, processes: int | None) -> None:
        """Decode what is new or changed, and forget the files that are gone."""
        wanted = self._wanted()
        stale = set(wanted) | self._gone()
        if not stale:
            with suppress(OSError):
                os.utime(self.folder / INDEX)  # when it was used last
            return
        self.index.forget(stale)
        self.index.readers = readers()
        self._check_room(len(wanted))
        with self._writing() as file, private_folder(self.folder) as scratch:
            self._decode(wanted, file, scratch / "pixels", processes)
        self._tidy()

    def opened(self) -> PictureStore:
        place_of = self.index.places()
        entries_N = self.index.entries_N[[place_of[key] for key in self.keys]]
        good_N = entries_N["row"] != NO_ROW
        files = self.listing.files
        if not good_N.all():
            files = tuple(file for file, good in zip(files, good_N.tolist(), strict=True) if good)
        broken = tuple(
            LeftOut(path=self.listing.files[bad].path, reason=self.index.problems[place_of[self.keys[bad]]])
            for bad in np.flatnonzero(~good_N).tolist()
        )
        entries_N = entries_N[good_N]
        return PictureStore(
            folder=self.folder,
            view=self.view,
            listing=replace(self.listing, files=files),
            row_N=entries_N["row"].copy(),
            crc_N=entries_N["crc"].copy(),
            facts=StoredFacts(entries_N),
            pixels_RCHW=self._mapped(),
            broken=broken,
            decoded=self.decoded,
        )

    def _known(self) -> Index:
        """Return the index in the folder, or a new one if there is none, or it cannot be used."""
        place = os.path.realpath(self.listing.place)
        try:
            found = read_index(self.folder)
            if found is not None and (found.place, found.view) == (place, self.view):
                return found
        except DatasetCorrupt as error:
            self.reporter.note(f"{error}. The images are read again.")
        return Index(place=place, view=self.view, pixels=new_pixels(), readers=readers(), made=time.time())

    def _wanted(self) -> dict[bytes, ListedFile]:
        """Return the files that are new or have changed, by their keys."""
        place_of, retry = self.index.places(), self.index.readers != readers()
        place_N = np.array([place_of.get(key, -1) for key in self.keys])
        root = os.fspath(self.listing.root)
        state_N3 = np.array([state_of(os.path.join(root, file.path)) for file in self.listing.files], np.int64)
        known_N = place_N >= 0
        entries_K = self.index.entries_N[place_N[known_N]]
        same_K = (entries_K["state"] == state_N3[known_N]).all(1)
        known_N[known_N] = same_K & ~(retry & (entries_K["row"] == NO_ROW))
        return {self.keys[place]: self.listing.files[place] for place in np.flatnonzero(~known_N).tolist()}

    def _gone(self) -> set[bytes]:
        """Return the keys of files that are no longer listed and not there, and of boxes that are no longer listed."""
        root = os.fspath(self.listing.root)
        unlisted = set(self.index.keys).difference(self.keys)
        return {key for key in unlisted if has_box(key) or state_of(os.path.join(root, path_of(key))) == NO_FILE}

    def _remove_other_pixels(self) -> None:
        """Remove the pixels of a process that was killed while it wrote new ones, or of an index that is gone."""
        for path in self.folder.glob("pixels-*"):
            if PIXELS.fullmatch(path.name) and path != self.pixels:
                with suppress(OSError):
                    path.unlink()

    def _check_room(self, count: int) -> None:
        """Raise CannotWrite before hours of work whose result cannot be kept."""
        needed, free = count * row_bytes(self.view), shutil.disk_usage(self.folder).free
        if needed > free:
            raise CannotWrite(
                f"cannot write {self.pixels}: {count:,} images take {needed / 1e6:,.1f} MB, "
                f"and {free / 1e6:,.1f} MB are free"
            )

    @contextmanager
    def _writing(self) -> Iterator[IO[bytes]]:
        """Yield the file of pixels, to append to. If it cannot be written, nothing stays of what is not in an index."""
        length = row_bytes(self.view)
        try:
            with open_unlinked(self.pixels, "r+b" if os.path.lexists(self.pixels) else "w+b", buffering=0) as file:
                file.truncate(self.saved_rows * length)  # a killed process may have written more
                file.seek(0, os.SEEK_END)
                try:
                    yield file
                except (OSError, CannotWrite):
                    file.truncate(self.saved_rows * length)
                    raise
        except OSError as error:
            raise CannotWrite(f"cannot write {self.pixels}: {error.strerror or error}") from error

    def _decode(self, wanted: dict[bytes, ListedFile], file: IO[bytes], scratch: Path, processes: int | None) -> None:
        """Decode files, append their pixels, and save the index now and then and in the end, also after Ctrl-C."""
        new, pause, saved = NewEntries(), SAVE_SECONDS, time.monotonic()
        packed = self._packed(list(wanted.values()), scratch, processes)
        try:
            with closing(packed), self.reporter.task("Reading images", len(wanted), "images") as advance:
                for key, (found, pixels) in zip(wanted, packed, strict=True):
                    if pixels is not None:
                        write_whole(file, pixels)
                    new.add(key, found, self.index.rows + new.rows)
                    self.decoded += 1
                    advance(1)
                    if (start := time.monotonic()) - saved >= pause:
                        self._save(file, new)
                        new, saved = NewEntries(), time.monotonic()
                        pause = max(SAVE_SECONDS, (saved - start) / SAVE_SHARE)
        except KeyboardInterrupt:
            self._save(file, new)
            raise
        self._save(file, new)

    def _packed(
        self, files: Sequence[ListedFile], scratch: Path, processes: int | None
    ) -> Generator[tuple[dict[str, Any], bytes | None]]:
        """Yield what decoding each file shows, and its pixels; None if there is a problem. Raises OSError."""
        length, view, root = row_bytes(self.view), asdict(self.view), os.fspath(self.listing.root)
        count = min(processors() if processes is None else processes, -(-len(files) // LEAST_TASKS))
        slots = most_begun(count)  # places in the scratch file: a result is taken before its place is given again
        tasks = (
            (os.path.join(root, file.path), file.box, view, os.fspath(scratch), index % slots * length)
            for index, file in enumerate(files)
        )
        with open(scratch, "w+b", buffering=0) as pixels, closing(work_through(pack_record, tasks, count)) as results:
            pixels.truncate(slots * length)
            for index, found in enumerate(results):
                if isinstance(found, Died):
                    yield {"state": AGAIN, "problem": found.reason}, None
                    continue
                if "unwritten" in found:
                    raise OSError(errno.ENOSPC, found["unwritten"])
                pixels.seek(index % slots * length)
                yield found, None if "problem" in found else pixels.read(length)

    def _save(self, file: IO[bytes], new: NewEntries) -> None:
        """Bring the pixels to the disk, then the index."""
        os.fsync(file.fileno())
        self.index.add(new)
        write_index(self.folder, self.index)
        self.saved_rows = self.index.rows

    def _tidy(self) -> None:
        """Copy the rows of files to a new file of pixels, if many rows are of files that are gone."""
        row_N, length = self.index.entries_N["row"], row_bytes(self.view)
        live_L = np.flatnonzero(row_N != NO_ROW)
        live_L = live_L[np.argsort(row_N[live_L])]
        if len(live_L) >= self.index.rows * (1 - WASTE):
            return
        pixels_RCHW, at_once = self._mapped(), max(1, AT_ONCE // length)
        old, new = self.pixels, self.folder / new_pixels()
        try:
            with open_unlinked(new, "xb", buffering=0) as file:
                for start in range(0, len(live_L), at_once):
                    write_whole(file, pixels_RCHW[row_N[live_L[start : start + at_once]]])
                os.fsync(file.fileno())
            self.index.renumber(new.name, live_L)
            write_index(self.folder, self.index)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise CannotWrite(f"cannot write {new}: {error.strerror or error}") from error
        with suppress(OSError):
            old.unlink()

    def _mapped(self) -> Array:
        shape = (self.index.rows, self.view.channels, self.view.height, self.view.width)
        if not self.index.rows:
            return np.empty(shape, np.uint8)
        with open(self.pixels, "rb", opener=open_plain) as file:
            return np.memmap(file, np.uint8, "r", shape=shape)


def readers() -> str:
    """Return the versions of what decodes: another one may read files that this one cannot."""
    found = []
    for name in ("pillow", "pillow-heif"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def write_whole(file: IO[bytes], content: Any) -> None:
    """Write all bytes to an unbuffered file. Raises OSError."""
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
