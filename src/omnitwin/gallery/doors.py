"""The Python functions of galleries: what `omnitwin index`, `search` and `embed` do. Imports no torch."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from omnitwin.answers.twin import Twin, each_of, path_of
from omnitwin.answers.verifier import Verifier
from omnitwin.config import EmbedConfig, IndexConfig, SearchConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.asking import search_images
from omnitwin.gallery.export import embed_images
from omnitwin.gallery.index import build
from omnitwin.reports.galleries import EmbedReport, IndexReport, SearchReport
from omnitwin.reports.progress import SILENT, Reporter

Places = str | PathLike[str] | Iterable[str | PathLike[str]]
Network = Twin | str | PathLike[str] | None


def index(
    places: Places = (),
    *,
    name: str | None = None,
    output: str | PathLike[str] | None = None,
    twin: Network = None,
    exclude: Sequence[str] = (),
    rebuild: bool = False,
    processes: int | None = None,
    reporter: Reporter = SILENT,
    device: str = IndexConfig.device,
) -> IndexReport:
    """Embed the images of folders once, to search in them; later only what is new or changed is read.

    places: folders, which are searched with all that is in them, and image files; none: those of the index
    name, output: the index's name in omnitwin's data folder, or its folder; None: named after the first place
    twin: what load returns, or a name that load takes; None: the default network
    exclude: patterns such as `*.gif` or `old/*`, of files and folders that are left out
    rebuild: read every image again, also for another network
    processes: that read images side by side; None: as many as processors; 0: this process reads

    It can be stopped at any time: the same call goes on where it was. The report names files that cannot be read.
    Raises BadInput if a place is missing or empty, or the index is of another network; FolderInUse, CannotWrite.

    >>> omnitwin.index("photos").images
    12480
    >>> omnitwin.index("photos").embedded  # nothing has changed
    0
    """
    checkpoint, verifier = _network(twin)
    config = IndexConfig(
        places=_paths(places),
        name=name,
        output=None if output is None else path_of(output),
        checkpoint=checkpoint,
        exclude=tuple(exclude),
        rebuild=rebuild,
        processes=processes,
        device=device,
    )
    return build(config, reporter, verifier)


def search(
    queries: Places,
    index: str | PathLike[str] | None = None,
    *,
    folders: Places = (),
    top: int = SearchConfig.top,
    least: float | None = None,
    twin: Network = None,
    always_answer: bool = False,
    processes: int | None = None,
    reporter: Reporter = SILENT,
    device: str = SearchConfig.device,
) -> SearchReport:
    """Find the images of an index, or of folders, that most probably show what a query shows.

    queries: image files
    index: its name or folder; None: the only one there is
    folders: places that are read for this search, in place of an index
    top: images that are found for each query, at most
    least: probability below which no image is found; None: the `top` most similar are found
    twin: what load returns, or a name that load takes; None: the index's network, else the default one
    always_answer: as of Twin.compare
    processes: as of index, to read the folders

    An index is searched without its files. Every image is compared: nothing is approximate. Raises BadInput if the
    index cannot be used or is of another network, or if no query can be read.

    >>> [(image.file.name, image.verdict) for image in omnitwin.search("query.png", "photos").queries[0].found]
    [('2024-06-01.jpg', 'same'), ('2023-12-24.jpg', 'different')]
    """
    checkpoint, verifier = _network(twin)
    config = SearchConfig(
        queries=_paths(queries),
        index=None if index is None else str(path_of(index)),
        folders=_paths(folders),
        top=top,
        least=least,
        checkpoint=checkpoint,
        always_answer=always_answer,
        processes=processes,
        device=device,
    )
    return search_images(config, reporter, verifier)


def embed(
    places: Places,
    output: str | PathLike[str],
    *,
    twin: Network = None,
    exclude: Sequence[str] = (),
    processes: int | None = None,
    reporter: Reporter = SILENT,
    device: str = EmbedConfig.device,
) -> EmbedReport:
    """Write the embeddings of images to a file for other programs. For arrays of a few images: Twin.embed

    places, exclude, twin, processes: as of index
    output: FILE.npz with arrays `embeddings` (N, D) float32, `paths`, `sha256`, `width` and `height` (N); or FILE.csv
        or FILE.parquet (with pyarrow), a row an image

    Raises BadInput if a place is missing, no image can be read, or nobody writes such a file; CannotWrite.

    >>> omnitwin.embed("photos", "photos.npz").features
    512
    >>> numpy.load("photos.npz")["embeddings"].shape
    (12480, 512)
    """
    checkpoint, verifier = _network(twin)
    config = EmbedConfig(
        places=_paths(places),
        output=path_of(output),
        checkpoint=checkpoint,
        exclude=tuple(exclude),
        processes=processes,
        device=device,
    )
    return embed_images(config, reporter, verifier)


def _paths(places: Places) -> tuple[Path, ...]:
    """Return paths. Raises BadInput for what is none."""
    if isinstance(places, str | PathLike):
        places = [places]
    return tuple(path_of(place) for place in each_of(places, "files"))


def _network(twin: Network) -> tuple[str | None, Verifier | None]:
    """Return the name of a network, or the verifier of an open one. Raises BadInput for what is neither."""
    if isinstance(twin, Twin):
        return None, twin.verifier
    if twin is not None and not isinstance(twin, str | PathLike):
        raise BadInput(f"{twin!r} names no network", "Give what omnitwin.load returns, a run's name or a path.")
    return None if twin is None else str(twin), None
