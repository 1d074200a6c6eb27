"""The different images of a gallery: files with the same bytes count once, as the first of them by name.

So a copy changes no group, and thousands of copies make no pairs.

N images, U of them with different bytes
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from omnitwin.gallery.gallery import Gallery
from omnitwin.metrics.arrays import Array
from omnitwin.reports.gallery_groups import Doubtful


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """The images of a gallery with different bytes, by the name of their first file.

    files: of each, the places of its files in the gallery, by name
    judged_J: int, those (of U) that the verifier can judge
    embedding_JD: their embeddings
    """

    files: list[list[int]]
    judged_J: Array
    embedding_JD: Array

    def __len__(self) -> int:
        return len(self.files)


def contents_of(gallery: Gallery, without: Iterable[str] = ()) -> Contents:
    """Return the different images of a gallery. without: SHA-256 of images to leave out"""
    left_out = set(without)
    by_bytes: dict[str, list[int]] = {}
    for place in sorted(range(len(gallery)), key=lambda place: gallery.items[place].name):
        item = gallery.items[place]
        if item.sha256 not in left_out:
            by_bytes.setdefault(item.sha256, []).append(place)
    files = list(by_bytes.values())
    judged = [number for number, places in enumerate(files) if not gallery.items[places[0]].reasons]
    places = np.array([files[number][0] for number in judged], np.int64)
    return Contents(files=files, judged_J=np.array(judged, np.int64), embedding_JD=gallery.embedding_ND[places])


def doubtful_in(gallery: Gallery) -> tuple[Doubtful, ...]:
    """Return the images that the verifier cannot judge."""
    return tuple(
        Doubtful(file=gallery.path(place), reasons=item.reasons)
        for place, item in enumerate(gallery.items)
        if item.reasons
    )
