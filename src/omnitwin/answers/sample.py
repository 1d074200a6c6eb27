"""The images on which a network is calibrated: some of a place's, read and embedded, class by class.

    N images, C classes, D features

Which images are taken depends on hashes of their names only. So a second calibration takes the same ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from omnitwin.answers.files import read, view_of
from omnitwin.answers.verifier import Verifier
from omnitwin.data.leaks import without_leaks_of
from omnitwin.data.listing import HELD_OUT, TEST, TRAINING, ListedFile, Listing
from omnitwin.data.parts import Parts, divided, number_of
from omnitwin.data.places import check_readable, list_images
from omnitwin.data.store import PictureStore, fill_store
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.facts import cut_out
from omnitwin.images.intake import read_picture
from omnitwin.images.views import Seen, check_seen, seen
from omnitwin.metrics.arrays import Array
from omnitwin.model.description import MOST_CLASSES as MOST_NAMED
from omnitwin.model.description import Description
from omnitwin.recipes import View
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.nouns import counted
from omnitwin.reports.progress import SILENT, Reporter

MOST_CLASSES = 1000
MOST_IMAGES = 2000  # 2 million pairs, which take 100 MB
LEAST_CLASSES = 10  # with two images: a fit without two of them still has eight
AT_ONCE = 256  # images that are in memory at a time
WHY_HELD_OUT = (
    "only the classes that were held out choose the threshold, as the others were trained on, or are for the test"
)
NOT_KNOWN = f"the network was trained on more than {MOST_NAMED:,} classes, and their names were not kept"
SEED = -1  # of the hashes of names: with a split's own seed, the classes of its test would be taken first


class Usable(NamedTuple):
    """The images of a place that may choose a threshold, and why others may not.

    trained_on: whether the network was trained on the place, so that only its held-out classes may
    """

    listing: Listing
    notes: tuple[str, ...]
    trained_on: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """Embedded images, by class.

    class_N: number of each image's class, ascending
    class_names: of the C classes that have images
    novelty_N: of each image, for a verifier that can tell; else empty
    digests: of the pixels of each image, as digest_of makes them
    unread, twice: as in CalibrateReport
    """

    embeddings_ND: Array
    class_N: Array
    class_names: tuple[str, ...]
    novelty_N: Array
    digests: tuple[str, ...]
    unread: tuple[UnreadImage, ...]
    twice: tuple[str, ...]

    @property
    def paired_C(self) -> Array:
        """Whether each class has two images or more."""
        return np.bincount(self.class_N, minlength=len(self.class_names)) > 1

    @property
    def order_C(self) -> Array:
        """The classes by a hash of their names."""
        return np.array(sorted(range(len(self.class_names)), key=lambda number: _hash(self.class_names[number])))


def usable(place: Path, pattern: str | None, description: Description | None, reporter: Reporter = SILENT) -> Usable:
    """Return the images of a place that may choose a threshold, with notes on what was left out.

    pattern: as in list_images

    It leaves out the place's own test images. Of images that the network was trained on, wherever they are now, only
    classes that were held out may choose. Raises BadInput if nothing is left.
    """
    if description is not None and description.data is not None:
        found = _divided_as_trained(place, description, description.data, reporter)
        if found is not None:
            return _held_out(place, pattern, description, *found)
    lacks_names = description is not None and description.lacks_names
    notes = (f"{NOT_KNOWN}: make sure that it saw none of these",) if lacks_names else ()
    listing = list_images(place, pattern)
    if any(file.split == TEST for file in listing.files):
        kept = [file for file in listing.files if file.split != TEST]
        if not kept:
            raise BadInput(f"{listing.place} holds test images only", "A threshold is chosen on other images.")
        left = len(listing.files) - len(kept)
        said = f"{left:,} test images were left out: they choose no threshold"
        return Usable(replace(listing, files=tuple(kept)), (*notes, said))
    return Usable(listing, notes)


def _divided_as_trained(
    place: Path, description: Description, data: Mapping[str, Any], reporter: Reporter
) -> tuple[PictureStore, Parts] | None:
    """Return a place's pictures and their parts as in training; None if the network was not trained on them.

    Images that were moved or copied since are known by their fingerprint. They are decoded only if the place has all
    classes that were trained on. Files that cannot be read are left out before dividing, as in training.
    """
    known = description.was_trained_at(place)
    try:
        listing = list_images(place, data["pattern"])
        if not known and not set(data["classes"]) <= set(listing.classes):
            return None
        store = fill_store(listing, description.network.view, reporter)
        check_readable(listing, store.broken)
        parts = without_leaks_of(store, divided(store.listing, data["seed"], data["split"]))
    except BadInput:
        if known:
            raise
        return None
    trained = [index for index, part in enumerate(parts.part_N) if part == TRAINING]
    either = (trained, range(len(store.files)))  # after folds, a network is trained on all
    if known or any(store.fingerprint(places) == description.fingerprint for places in either):
        return store, parts
    return None


def _held_out(place: Path, pattern: str | None, description: Description, store: PictureStore, parts: Parts) -> Usable:
    """Return the held-out images of classes that were not trained on, and notes. Raises BadInput as usable does."""
    assert description.data is not None
    if pattern not in (None, description.data["pattern"]):
        raise BadInput(
            f"the network was trained on the images of {place}, with other classes than --label-from finds",
            "Leave --label-from out.",
        )
    trained = trained_classes(description, store)
    if trained is None:
        raise BadInput(
            f"{NOT_KNOWN}, and the images of {place} are not those of the training any more",
            "Give images of other classes.",
        )
    kept = tuple(
        file
        for file, part in zip(store.files, parts.part_N, strict=True)
        if part == HELD_OUT and file.label not in trained
    )
    if not kept:
        raise BadInput(
            f"the network was trained on the images of {place}, and none were held out: {WHY_HELD_OUT}",
            "Give images of other classes.",
        )
    notes = [f"the network was trained on these images: {WHY_HELD_OUT}"]
    if store.broken:
        notes.append(f"{counted(len(store.broken), 'image file')} cannot be read")
    return Usable(replace(store.listing, files=kept), tuple(notes), trained_on=True)


def trained_classes(description: Description, store: PictureStore) -> frozenset[str] | None:
    """Return the classes that a network was trained on, of a place of its images; None if they are not known.

    Its file has their names, unless they were too many. Then the place has to be as it was in training.
    """
    assert description.data is not None
    if names := description.data["classes"]:
        return frozenset(names)
    parts = without_leaks_of(store, divided(store.listing, description.data["seed"], description.data["split"]))
    trained = [index for index, part in enumerate(parts.part_N) if part == TRAINING]
    for places in (trained, range(len(store.files))):  # after folds, a network is trained on all
        if store.fingerprint(places) == description.fingerprint:
            return frozenset(store.files[place].label for place in places)
    return None


def check_enough(paired: int, what: str, found: Usable | None = None) -> None:
    """Raise BadInput if too few classes have two images.

    what: how an error names the images; found: with the notes why some of them choose nothing
    """
    if paired < LEAST_CLASSES:
        lack = LEAST_CLASSES - paired
        why = f" ({'; '.join(found.notes)})" if found is not None and found.notes else ""
        raise BadInput(
            f"{what} has {counted(paired, 'class')} with two images or more{why}, and a threshold needs "
            f"{LEAST_CLASSES}",
            "Give images of other classes."
            if found is not None and found.trained_on
            else f"Add {counted(lack, 'more class')} of two or more images.",
        )


def most_pairs(files_of: Mapping[str, Sequence[ListedFile]]) -> int:
    """Return the most dissimilar pairs that a sample of these classes can have."""
    counts = [min(len(files), most_of_each(len(files_of))) for files in files_of.values()]
    return (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2


def files_by_class(listing: Listing) -> tuple[dict[str, list[ListedFile]], tuple[str, ...]]:
    """Return the files of at most MOST_CLASSES classes, each in the order in which they are taken, and a note."""
    found: dict[str, list[ListedFile]] = {}
    for file in listing.files:
        found.setdefault(file.label, []).append(file)
    named = sorted(found, key=lambda label: (len(found[label]) < 2, _hash(label)))[:MOST_CLASSES]
    most = most_of_each(len(named))
    taken = sum(min(len(found[label]), most) for label in named)
    notes: tuple[str, ...] = ()
    if taken < len(listing.files):
        each = f"at most {most:,} of each of {len(named):,} classes"
        notes = (f"{taken:,} of {len(listing.files):,} images are enough, {each}; hashes of their names choose them",)
    return {label: sorted(found[label], key=lambda file: _hash(file.path)) for label in sorted(named)}, notes


def most_of_each(classes: int) -> int:
    """Return how many images of each class are taken."""
    return max(2, MOST_IMAGES // classes)


def take_sample(
    listing: Listing, files_of: Mapping[str, Sequence[ListedFile]], verifier: Verifier, reporter: Reporter = SILENT
) -> Sample:
    """Read and embed images. A file that cannot be read, or whose picture its class has already, gives way to the next.

    Few images are in memory at a time.
    """
    most = most_of_each(len(files_of))
    taking = _Taking(verifier)
    total = sum(min(len(files), most) for files in files_of.values())
    with reporter.task("Reading images", total, "images") as advance:
        for label, files in files_of.items():
            taken: set[str] = set()  # digests of the class's pictures
            for path, image in _read_all(listing, files, verifier):
                if isinstance(image, UnreadImage):
                    taking.unread.append(image)
                elif (pixels := digest_of(image.pixels_CHW)) in taken:
                    taking.twice.append(str(path))
                else:
                    taken.add(pixels)
                    taking.add(label, image, pixels)
                    advance(1)
                if len(taken) == most:
                    break
    return taking.sample()


def _read_all(
    listing: Listing, files: Sequence[ListedFile], verifier: Verifier
) -> Iterator[tuple[Path, Seen | UnreadImage]]:
    """Yield each file with its image, or with the problem that keeps it from being read."""
    for file in files:
        path = listing.location(file)
        try:
            yield path, read(path, verifier) if file.box is None else _read_box(path, file.box, view_of(verifier))
        except BadImage as error:
            yield path, UnreadImage(file=path, problem=error.line())


def _read_box(path: Path, box: tuple[int, int, int, int], view: View) -> Seen:
    """Return the part of an image in a box as a network sees it, as in training. Raises BadImage."""

    def cut(picture: Image.Image) -> Image.Image:
        try:
            return cut_out(picture, box)
        except BadImage as error:
            raise BadImage(f"{path} {error}") from error

    found = seen(read_picture(path, cut), view)
    check_seen(found, str(path), view)
    return found


class _Taking:
    """The sample so far. Images wait until there are enough to embed at once."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.waiting: list[Seen] = []
        self.embeddings: list[Array] = []
        self.novelties: list[float] = []
        self.labels: list[str] = []
        self.digests: list[str] = []
        self.unread: list[UnreadImage] = []
        self.twice: list[str] = []

    def add(self, label: str, image: Seen, digest: str) -> None:
        self.labels.append(label)
        self.digests.append(digest)
        self.waiting.append(image)
        if len(self.waiting) == AT_ONCE:
            self._embed()

    def sample(self) -> Sample:
        self._embed()
        names = tuple(dict.fromkeys(self.labels))
        number_of = {name: number for number, name in enumerate(names)}
        return Sample(
            embeddings_ND=np.concatenate(self.embeddings) if self.embeddings else np.zeros((0, 1), np.float32),
            class_N=np.array([number_of[label] for label in self.labels], dtype=np.int64),
            class_names=names,
            novelty_N=np.array(self.novelties),
            digests=tuple(self.digests),
            unread=tuple(self.unread),
            twice=tuple(self.twice),
        )

    def _embed(self) -> None:
        if self.waiting:
            embeddings_BD, novelties = self.verifier.look(self.waiting)
            self.embeddings.append(embeddings_BD)
            self.novelties += [value for value in novelties if value is not None]
            self.waiting = []


def digest_of(pixels_CHW: Array) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of what a network sees of an image (uint8)."""
    return sha256(pixels_CHW.tobytes()).hexdigest()[:16]


def _hash(name: str) -> float:
    return number_of(SEED, name)
