"""Embed many image files: read in several processes, embedded in batches here, with few pictures in memory at a time.

    for wanted, found in embed_files([Wanted(name="a.jpg", path="/photos/a.jpg")], verifier, reporter):
        ...

    gallery_of(find([Path("photos")]), verifier).embedding_ND

B images of a batch, N images, D numbers in an embedding
"""

import errno
import os
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from omnitwin.answers.doubts import doubts_about
from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier
from omnitwin.data.store_index import row_bytes
from omnitwin.errors import BadCheckpoint, BadInput, CannotWrite
from omnitwin.gallery.finding import Found
from omnitwin.gallery.gallery import Gallery, Item
from omnitwin.gallery.reading import read_record
from omnitwin.gallery.stored import halved, units
from omnitwin.images.views import Seen
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.portions import images_at_once
from omnitwin.system.workers import Died, most_begun, processors, work_through

AT_ONCE = 256  # images that are embedded together, at most
LONGEST_WAIT = 5.0  # seconds: then the images that were read are embedded, however few
LEAST_TASKS = 8  # files for a process: it takes a third of a second to start


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file to embed.

    name: as of Item
    known: digests of files whose embedding is known: if this file has one of them, it is not decoded
    """

    name: str
    path: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Embedded:
    """An image with its embedding, (D,) float32 as the network gives it."""

    item: Item
    embedding_D: Array


@dataclass(frozen=True, kw_only=True)
class Known:
    """A file whose content is that of another, which is embedded already."""

    sha256: str
    size: int
    mtime_ns: int


Outcome = Embedded | Known | UnreadImage


def embed_files(
    wanted: Sequence[Wanted],
    verifier: Verifier,
    reporter: Reporter = SILENT,
    processes: int | None = None,
    scratch: Path | None = None,
    at_once: int = AT_ONCE,
) -> Generator[tuple[Wanted, Outcome]]:
    """Yield each file with what came of it. A file that cannot be read, or kills its reader, costs no other.

    scratch: a folder for the pixels that wait; None: one of the system's temporary folder
    at_once: images that are embedded together, at most

    Raises CannotWrite if there is no room for the pixels, BadInput for a verifier that takes no files, BadCheckpoint if
    an embedding is not finite.
    """
    view = view_of(verifier)
    if not wanted:
        return
    if scratch is None:
        with TemporaryDirectory(prefix="omnitwin-") as folder:
            yield from embed_files(wanted, verifier, reporter, processes, Path(folder), at_once)
        return
    batch = _Batch(verifier)
    most = images_at_once(at_once, max(view.height, view.width))
    read = _read(wanted, view, scratch / "pixels", processes)
    with closing(read), reporter.task("Reading images", len(wanted), "images") as advance:
        for file, found, image in read:
            if "problem" in found:
                yield file, UnreadImage(file=Path(file.path), problem=found["problem"])
            elif image is None:
                yield file, Known(sha256=found["sha256"], size=found["size"], mtime_ns=found["mtime_ns"])
            else:
                batch.add(file, found, image)
            if len(batch.images) >= most or batch.waited() > LONGEST_WAIT:
                yield from batch.embedded()
            advance(1)
        yield from batch.embedded()


def gallery_of(
    found: Found,
    verifier: Verifier,
    reporter: Reporter = SILENT,
    processes: int | None = None,
) -> Gallery:
    """Return the gallery of image files without an index. It is what an index of the same files holds, bit for bit.

    Raises BadInput if none of them can be read, and as embed_files does.
    """
    wanted = [Wanted(name=file.name, path=file.path) for file in found.files]
    embedded, unread = separated(embed_files(wanted, verifier, reporter, processes))
    assert verifier.sha256 is not None
    return Gallery(
        root=found.root,
        items=tuple(each.item for each in embedded),
        embedding_ND=units(halved(np.stack([each.embedding_D for each in embedded]))),
        unread=(*found.unread, *unread),
        weights_sha256=verifier.sha256,
    )


def separated(outcomes: Iterable[tuple[Wanted, Outcome]]) -> tuple[list[Embedded], list[UnreadImage]]:
    """Return the images sorted by name, and the files that cannot be read. Raises BadInput if there are no images."""
    embedded, unread = [], []
    for _, outcome in outcomes:
        if isinstance(outcome, Embedded):
            embedded.append(outcome)
        elif isinstance(outcome, UnreadImage):
            unread.append(outcome)
    if not embedded:
        raise BadInput(f"none of the images can be read: {unread[0].problem}" if unread else "there are no images")
    return sorted(embedded, key=lambda each: each.item.name), unread


class _Batch:
    """Images that were read and wait to be embedded."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.files: list[Wanted] = []
        self.facts: list[dict[str, Any]] = []
        self.images: list[Seen] = []
        self.since = 0.0

    def add(self, file: Wanted, facts: dict[str, Any], image: Seen) -> None:
        if not self.images:
            self.since = time.monotonic()
        self.files.append(file)
        self.facts.append(facts)
        self.images.append(image)

    def waited(self) -> float:
        """Return the seconds since the first of the images came."""
        return time.monotonic() - self.since if self.images else 0.0

    def embedded(self) -> Generator[tuple[Wanted, Embedded]]:
        """Yield the images with their embeddings, and forget them."""
        if not self.images:
            return
        files, facts, images = self.files, self.facts, self.images
        self.files, self.facts, self.images = [], [], []
        embedding_BD, novelties = self.verifier.look(images)
        if not np.isfinite(embedding_BD).all():
            raise BadCheckpoint(
                f"{self.verifier.name} gives no answer: its weights lead to numbers that are not finite"
            )
        for file, found, image, embedding_D, novelty in zip(files, facts, images, embedding_BD, novelties, strict=True):
            doubts = doubts_about("", image, novelty, self.verifier.of_drawings)
            item = Item(
                name=file.name,
                sha256=found["sha256"],
                size=found["size"],
                mtime_ns=found["mtime_ns"],
                width=found["width"],
                height=found["height"],
                reasons=tuple(doubt.removeprefix(": ") for doubt in doubts),
            )
            yield file, Embedded(item=item, embedding_D=embedding_D)


def _read(
    wanted: Sequence[Wanted], view: View, scratch: Path, processes: int | None
) -> Generator[tuple[Wanted, dict[str, Any], Seen | None]]:
    """Yield each file with the facts that reading it gave, and the image unless it is known or there is a problem."""
    length, fields = row_bytes(view), asdict(view)
    count = min(processors() if processes is None else processes, -(-len(wanted) // LEAST_TASKS))
    slots = most_begun(count)  # places in the scratch file: a result is taken before its place is given again
    tasks = (
        (file.path, fields, os.fspath(scratch), index % slots * length, file.known) for index, file in enumerate(wanted)
    )
    try:
        with open(scratch, "w+b", buffering=0) as pixels, closing(work_through(read_record, tasks, count)) as results:
            pixels.truncate(slots * length)
            for index, (file, found) in enumerate(zip(wanted, results, strict=True)):
                if isinstance(found, Died):
                    yield file, {"problem": f"{file.path} {found.reason}."}, None
                    continue
                if "unwritten" in found:
                    raise OSError(errno.ENOSPC, found["unwritten"])
                image = None
                if found.get("pixels"):
                    pixels.seek(index % slots * length)
                    image = _image_of(found, pixels.read(length), view)
                yield file, found, image
    except OSError as error:
        raise CannotWrite(f"cannot write {scratch}: {error.strerror or error}") from error


def _image_of(found: dict[str, Any], pixels: bytes, view: View) -> Seen:
    shape = (view.channels, view.height, view.width)
    return Seen(
        pixels_CHW=np.frombuffer(pixels, np.uint8).reshape(shape),
        unrest=found["unrest"],
        pen=tuple(found["pen"]),
        findings=tuple(found["findings"]),
    )
