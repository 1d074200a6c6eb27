"""Look for what query images show, in an index or in folders.

    search_images(SearchConfig(queries=(Path("query.png"),), index="photos")).queries[0].found[0].file

Probabilities are those of `compare`, but for the 16 bits that an index keeps of a number. The files of an index need
not be there any more.

Q queries, K images that are found, D numbers in an embedding
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from omnitwin.answers.doubts import doubts_about
from omnitwin.answers.files import read_all, view_of
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import SearchConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.embedding import gallery_of
from omnitwin.gallery.finding import find
from omnitwin.gallery.gallery import Gallery, line_of
from omnitwin.gallery.index import read_gallery
from omnitwin.gallery.indexes import find_index
from omnitwin.gallery.opening import verifier_of
from omnitwin.gallery.search import Nearest, search
from omnitwin.gallery.stored import REMAKE
from omnitwin.gallery.thumbnails import thumbnail
from omnitwin.images.views import SHOWN_PHOTO
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.galleries import FoundImage, QueryReport, SearchReport
from omnitwin.reports.progress import SILENT, Reporter


def search_images(config: SearchConfig, reporter: Reporter = SILENT, verifier: Verifier | None = None) -> SearchReport:
    """Return the images of an index or of folders that most probably show what the queries show.

    verifier: an open one, in place of the one that config names

    A query that is in the gallery does not find itself. The report names queries that cannot be read. Raises BadInput
    if the index is of another network or cannot be used, or none of the queries can be read.
    """
    start = time.perf_counter()
    gallery, place, verifier = _opened(config, reporter, verifier)
    line = line_of(verifier)
    asked, unread = _asked(config.queries, verifier)
    query_QD = np.stack([embedding_D for _, embedding_D, _ in asked])
    if query_QD.shape[1] != gallery.embedding_ND.shape[1]:
        raise BadInput(f"{place} holds embeddings of another size than those of {verifier.name}", REMAKE)
    nearest = search(gallery, query_QD, config.top + 1)  # one more, as a query may find itself
    logit_QK = line.slope * nearest.product_QK + line.offset
    probability_QK = verifier.probability_of(logit_QK.ravel()).reshape(logit_QK.shape)
    answers = tuple(
        _answer(config, gallery, verifier, nearest, probability_QK, number, query, doubts)
        for number, (query, _, doubts) in enumerate(asked)
    )
    return SearchReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=verifier.threshold,
        operating=verifier.operating,
        gallery=place,
        images=len(gallery),
        least=verifier.threshold if config.least is None else config.least,
        queries=answers,
        unread=(*unread, *(gallery.unread if config.folders else ())),
        seconds=time.perf_counter() - start,
    )


def _opened(config: SearchConfig, reporter: Reporter, verifier: Verifier | None) -> tuple[Gallery, Path, Verifier]:
    """Return the gallery to search, the folder that it has, and the verifier that embedded it."""
    if config.folders:
        verifier = verifier or open_verifier(config.checkpoint, config.device)
        line_of(verifier)
        found = find(config.folders)
        return gallery_of(found, verifier, reporter, config.processes), found.root, verifier
    folder = find_index(config.index)
    head, gallery = read_gallery(folder)
    return gallery, folder, verifier_of(folder, head, config.checkpoint, config.device, verifier)


def _asked(
    queries: Sequence[Path], verifier: Verifier
) -> tuple[list[tuple[Path, Array, tuple[str, ...]]], list[UnreadImage]]:
    """Return each query with its embedding, (D,) float32 of length 1, and its doubts; and those that cannot be read."""
    asked, unread = [], []
    for file, image in read_all(queries, verifier):
        if isinstance(image, UnreadImage):
            unread.append(image)
            continue
        embedding_1D, (novelty,) = verifier.look([image])
        unit_D = embedding_1D[0] / np.linalg.norm(embedding_1D[0])
        asked.append((file, unit_D, doubts_about(file.name, image, novelty, verifier.of_drawings)))
    if not asked:
        raise BadInput(unread[0].problem if unread else "no query was given", "")
    return asked, unread


def _answer(
    config: SearchConfig,
    gallery: Gallery,
    verifier: Verifier,
    nearest: Nearest,
    probability_QK: Array,
    number: int,
    query: Path,
    doubts: tuple[str, ...],
) -> QueryReport:
    """Return what one query has found, without itself."""
    itself, channels = os.path.realpath(query), view_of(verifier).channels
    found: list[FoundImage] = []
    for place, probability in zip(nearest.place_QK[number].tolist(), probability_QK[number].tolist(), strict=True):
        item, file = gallery.items[place], gallery.path(place)
        if os.path.realpath(file) == itself:
            continue
        if len(found) == config.top or (config.least is not None and probability < config.least):
            break
        of_image = (f"{file.name}: {reason}" for reason in item.reasons)
        reasons = () if config.always_answer else tuple(dict.fromkeys((*doubts, *of_image)))
        same = not reasons and probability >= verifier.threshold
        found.append(
            FoundImage(
                rank=len(found) + 1,
                file=file,
                probability=probability,
                same=same,
                reasons=reasons,
                picture=thumbnail(file, channels, SHOWN_PHOTO) if config.pictures else None,
            )
        )
    picture = thumbnail(query, channels, SHOWN_PHOTO) if config.pictures else None
    return QueryReport(query=query, found=tuple(found), picture=picture)
