"""An index: a folder with the embeddings of many images, made once and then kept up to date.

    build(IndexConfig(places=(Path("photos"),)))       # again: only what is new or changed is read
    read_gallery(find_index("photos")).items[0].name

The folder has one file (gallery.stored). While it is made, parts of the same form lie beside it, each complete or
absent: a process that is killed loses what came after the last part, and the next one goes on from there. The file is
replaced in one step at the end, then the parts are removed.

A file is known by its path, size and time of change. If they are not known, it is read, and known by its content if
that was seen before. Names are relative to the folder that all places lie in, so a folder of images that was moved as a
whole is known, too. Files that cannot be read are tried again each time.
"""

import os
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import IndexConfig
from omnitwin.data.store import SEEING
from omnitwin.errors import BadInput
from omnitwin.gallery.embedding import AT_ONCE, Embedded, Known, Outcome, Wanted, embed_files
from omnitwin.gallery.finding import Found, FoundFile, find, is_below
from omnitwin.gallery.gallery import Gallery, Item, line_of
from omnitwin.gallery.indexes import folder_for, parts_of
from omnitwin.gallery.stored import REMAKE, Head, Stored, halved, read_head, read_stored, write_stored
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.galleries import IndexReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.locks import hold, private_folder
from omnitwin.system.paths import BUNDLED, INDEX_FILE

SAVE_SECONDS = 15.0  # between two parts: at most this much reading is lost, and what waits to be embedded
MOST_PLACES = 1000  # that an index keeps, to be brought up to date without naming them again
MOVED_SHARE = 0.5  # of an index's files that another folder has, from which on it counts as the same folder, moved
MOST_MOVED = 1000  # digests of one size that a file is compared with before it is decoded


def build(
    config: IndexConfig,
    reporter: Reporter = SILENT,
    verifier: Verifier | None = None,
    save_seconds: float = SAVE_SECONDS,
    at_once: int = AT_ONCE,
) -> IndexReport:
    """Make an index, or bring it up to date.

    verifier: an open one, in place of the one that config names
    save_seconds, at_once: how often what is done is saved, and how many images are embedded together

    Raises BadInput if places are missing or empty, or the index is of another network, of other places, or damaged, and
    config does not say to rebuild it; FolderInUse if another process writes there. A KeyboardInterrupt says how many
    images were embedded.
    """
    start = time.perf_counter()
    folder = folder_for(config)
    verifier = verifier or open_verifier(config.checkpoint or _network_of(config, folder), config.device)
    line_of(verifier)
    with hold(folder):
        config, before = _with_places(config, folder)
        found = find(config.places, config.exclude, config.listed)
        head = _head(config, found, verifier)
        if before is not None:
            named = config.name is not None or config.output is not None
            _check_same(folder, before, head, found, named)
        building = _Building(folder, head, found, before, reporter)
        with (
            private_folder(folder) as scratch,
            closing(embed_files(building.wanted, verifier, reporter, config.processes, scratch, at_once)) as outcomes,
        ):
            building.take(outcomes, save_seconds)
        building.finish()
    seconds = time.perf_counter() - start
    return IndexReport(
        folder=folder,
        root=found.root,
        network=verifier.trained(),
        **building.counts(),
        embedded=building.embedded,
        doubtful=building.doubtful,
        unread=tuple(sorted((*found.unread, *building.unread.values()), key=lambda each: str(each.file))),
        links=found.links,
        others=found.others,
        bytes=(folder / INDEX_FILE).stat().st_size,
        seconds=seconds,
        images_per_second=building.embedded / seconds,
    )


def read_gallery(folder: Path) -> tuple[Head, Gallery]:
    """Return what an index says of itself, and its images. Raises BadInput if it cannot be used."""
    stored = read_stored(folder / INDEX_FILE)
    names = [item.name for item in stored.items]
    try:
        if names != sorted(names):
            raise ValueError("its images are not sorted")
        return stored.head, stored.gallery()
    except ValueError as error:
        raise BadInput(f"{folder / INDEX_FILE} cannot be used: {error}", REMAKE) from error


def _network_of(config: IndexConfig, folder: Path) -> str | None:
    """Return the network that an index to be brought up to date was made with; None: there is none yet."""
    if config.rebuild or not os.path.lexists(folder / INDEX_FILE):
        return None
    return read_head(folder / INDEX_FILE).network


def _with_places(config: IndexConfig, folder: Path) -> tuple[IndexConfig, Stored | None]:
    """Return a config that names places, and the index to go on from: None if there is none, or it is to be rebuilt.

    Raises BadInput if the index cannot be used, or nothing says what images it is made of.
    """
    named = bool(config.places) or config.listed is not None
    if (config.rebuild and named) or not os.path.lexists(folder / INDEX_FILE):
        before = None
    else:
        before = read_stored(folder / INDEX_FILE)
    if not named:
        if before is None or not before.head.places:
            raise BadInput(f"{folder} does not say what images it is made of", "Name folders or image files.")
        config = replace(config, places=tuple(map(Path, before.head.places)), exclude=before.head.exclude)
    return config, None if config.rebuild else before


def _head(config: IndexConfig, found: Found, verifier: Verifier) -> Head:
    assert verifier.sha256 is not None
    kept = config.listed is None and len(found.places) <= MOST_PLACES
    return Head(
        root=str(found.root),
        places=found.places if kept else (),
        exclude=config.exclude,
        weights_sha256=verifier.sha256,
        network=BUNDLED if verifier.bundled else verifier.name,
        seeing=SEEING,
        updated=time.time(),
    )


def _check_same(folder: Path, before: Stored, new: Head, found: Found, named: bool) -> None:
    """Raise BadInput unless an index can be brought up to date: by the same network, for the same images.

    named: whether the index was named; else its name is that of its first place, and all places have to be the same
    """
    old = before.head
    if old.weights_sha256 != new.weights_sha256:
        raise BadInput(
            f"{folder} was made with other weights ({old.network})",
            "Give those with --checkpoint, choose another --name, or make the index again: --rebuild",
        )
    if old.seeing != new.seeing:
        raise BadInput(
            f"{folder} was made by another version of omnitwin, which reads images otherwise",
            "Make the index again: --rebuild",
        )
    if not named and old.places != new.places and Path(old.root).exists():
        raise BadInput(
            f"the index {folder.name} is of other places: {', '.join(old.places[:3]) or 'a list'}",
            f"For an index of these: --name NAME. To change what it is made of: --name {folder.name}",
        )
    roots = Path(old.root), Path(new.root)
    related = roots[0].is_relative_to(roots[1]) or roots[1].is_relative_to(roots[0])
    if not related and not _was_moved(before, found):
        raise BadInput(
            f"{folder} holds the images of {old.root}, not of {new.root}",
            "Choose another --name, or make the index again: --rebuild",
        )


def _was_moved(before: Stored, found: Found) -> bool:
    """Return whether the folder of an index is gone, and most of what was in it is in another one now."""
    size_of = {file.name: file.size for file in found.files}
    there = sum(size_of.get(item.name) == item.size for item in before.items)
    return not Path(before.head.root).exists() and there >= len(before.items) * MOVED_SHARE


@dataclass(eq=False)
class _Old:
    """Images that are embedded already, of the index and of parts: each with its absolute path and its embedding."""

    items: list[Item] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    halves: list[Array] = field(default_factory=list)  # each (D,) float16
    places_of: dict[str, list[int]] = field(default_factory=dict)  # by path
    place_of_content: dict[str, int] = field(default_factory=dict)  # by digest

    def add(self, stored: Stored, root: str | None = None) -> None:
        """Take the images of an index or a part. root: where they are now; None: where they were"""
        base = stored.head.root if root is None else root
        for item, half_D in zip(stored.items, stored.half_ND, strict=True):
            place = len(self.items)
            path = str(Path(base, item.name))
            self.items.append(item)
            self.paths.append(path)
            self.halves.append(half_D)
            self.places_of.setdefault(path, []).append(place)
            self.place_of_content.setdefault(item.sha256, place)


class _Building:
    """An index while this process alone writes it.

    wanted: files whose embedding is not known, or whose content may have changed
    unread: by the name of the file
    embedded: number of images that were embedded
    """

    def __init__(self, folder: Path, head: Head, found: Found, before: Stored | None, reporter: Reporter) -> None:
        self.folder, self.head, self.found = folder, head, found
        self.old = _Old()
        self.before: dict[str, Item] = {}  # by path, of the index alone
        if before is not None:
            moved = not Path(before.head.root).exists()
            self.old.add(before, head.root if moved else None)
            self.before = dict(zip(self.old.paths, self.old.items, strict=True))
        self._add_parts(reporter)
        self.now: dict[str, tuple[Item, Array]] = {}  # by name
        self.fresh: list[Embedded] = []  # embedded since the last part
        self.unread: dict[str, UnreadImage] = {}
        self.embedded = 0
        self.wanted = self._wanted()
        self._keep_what_is_closed()

    def take(self, outcomes: Iterable[tuple[Wanted, Outcome]], save_seconds: float) -> None:
        """Take what came of the wanted files, and save it now and then, also after Ctrl-C."""
        saved = time.monotonic()
        try:
            for wanted, outcome in outcomes:
                self._take(wanted.name, outcome)
                if self.fresh and time.monotonic() - saved >= save_seconds:
                    self._save_part()
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self._save_part()
            raise KeyboardInterrupt(f"{self.embedded:,} of {len(self.wanted):,} images were embedded") from None

    def finish(self) -> None:
        """Write the index, then remove the parts. Raises BadInput if there are no images."""
        if not self.now:
            raise BadInput(f"none of the images can be read: {next(iter(self.unread.values())).problem}")
        names = sorted(self.now)
        names_of_unread = {**{self._name(each): each for each in self.found.unread}, **self.unread}
        stored = Stored(
            head=replace(self.head, updated=time.time()),
            items=[self.now[name][0] for name in names],
            half_ND=np.stack([self.now[name][1] for name in names]),
            unread=[(name, each.problem) for name, each in sorted(names_of_unread.items()) if name not in self.now],
        )
        write_stored(self.folder / INDEX_FILE, stored)
        for path in parts_of(self.folder):
            with suppress(OSError):
                path.unlink()

    @property
    def doubtful(self) -> int:
        """The number of images that the network cannot judge."""
        return sum(bool(item.reasons) for item, _ in self.now.values())

    def counts(self) -> dict[str, int]:
        """Return how many images there are, and how they compare with those of the index before."""
        root = self.head.root
        paths = {str(Path(root, name)): item for name, (item, _) in self.now.items()}
        there = set(paths) | {str(Path(root, name)) for name in self.unread}
        gone: dict[str, int] = {}  # files by content
        for path, item in self.before.items():
            if path not in there:
                gone[item.sha256] = gone.get(item.sha256, 0) + 1
        new = changed = moved = unchanged = 0
        for path, item in paths.items():
            if path in self.before:
                same = self.before[path].sha256 == item.sha256
                unchanged, changed = unchanged + same, changed + (not same)
            elif gone.get(item.sha256):
                gone[item.sha256] -= 1
                moved += 1
            else:
                new += 1
        return {
            "images": len(self.now),
            "new": new,
            "changed": changed,
            "moved": moved,
            "removed": sum(gone.values()),
            "unchanged": unchanged,
        }

    def _add_parts(self, reporter: Reporter) -> None:
        """Take the parts of a process that did not come to its end; those of another network, or damaged, go."""
        for path in parts_of(self.folder):
            try:
                part = read_stored(path)
                if (part.head.weights_sha256, part.head.seeing) == (self.head.weights_sha256, self.head.seeing):
                    self.old.add(part)
                    continue
                reason = f"{path} is of another network"
            except BadInput as error:
                reason = str(error)
            reporter.note(f"{reason}. Its images are read again.")
            with suppress(OSError):
                path.unlink()

    def _wanted(self) -> list[Wanted]:
        """Take the files that are as they were, and return the others."""
        here = {file.path for file in self.found.files}
        gone: dict[int, list[str]] = {}  # digests by size, of images that are in the old places no more
        for path, item in zip(self.old.paths, self.old.items, strict=True):
            if path not in here:
                gone.setdefault(item.size, []).append(item.sha256)
        wanted = []
        for file in self.found.files:
            places = self.old.places_of.get(file.path, [])
            same = [place for place in places if _is_same(self.old.items[place], file)]
            if same:
                self._use(same[-1], file)
                continue
            known = [self.old.items[place].sha256 for place in places if self.old.items[place].size == file.size]
            known += gone.get(file.size, [])[:MOST_MOVED]
            wanted.append(Wanted(name=file.name, path=file.path, known=tuple(dict.fromkeys(known))))
        return wanted

    def _keep_what_is_closed(self) -> None:
        """Keep images in folders that may not be read now: nobody knows whether they are gone."""
        for place, path in enumerate(self.old.paths):
            if path not in self.before or not Path(path).is_relative_to(self.head.root):
                continue
            if is_below(name := self._name_of(path), self.found.closed):
                self.now.setdefault(name, (replace(self.old.items[place], name=name), self.old.halves[place]))

    def _take(self, name: str, outcome: Outcome) -> None:
        if isinstance(outcome, UnreadImage):
            self.unread[name] = outcome
        elif isinstance(outcome, Known):
            place = self.old.place_of_content[outcome.sha256]
            item = self.old.items[place]
            item = replace(item, name=name, size=outcome.size, mtime_ns=outcome.mtime_ns)
            self.now[name] = item, self.old.halves[place]
        else:
            self.embedded += 1
            self.fresh.append(outcome)
            self.now[name] = outcome.item, halved(outcome.embedding_D)

    def _use(self, place: int, file: FoundFile) -> None:
        self.now[file.name] = replace(self.old.items[place], name=file.name), self.old.halves[place]

    def _save_part(self) -> None:
        if not self.fresh:
            return
        numbers = [int(path.stem.rpartition("-")[2]) for path in parts_of(self.folder)]
        path = self.folder / f"omnitwin-part-{max(numbers, default=0) + 1:06d}.safetensors"
        embedding_ND = np.stack([each.embedding_D for each in self.fresh])
        items = [each.item for each in self.fresh]
        write_stored(path, Stored(head=self.head, items=items, half_ND=halved(embedding_ND)))
        self.fresh = []

    def _name(self, unread: UnreadImage) -> str:
        return self._name_of(str(unread.file))

    def _name_of(self, path: str) -> str:
        return Path(path).relative_to(self.head.root).as_posix()


def _is_same(item: Item, file: FoundFile) -> bool:
    return (item.size, item.mtime_ns) == (file.size, file.mtime_ns)
