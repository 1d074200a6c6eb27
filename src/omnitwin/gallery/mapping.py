"""Lay a gallery out in two dimensions, so that similar images lie near each other.

    report = map_gallery(MapConfig(place=Path("photos")))
    [(point.file, point.x, point.y) for point in report.points]

`pca`: the two directions in which the embeddings vary most. It is exact, fast, and keeps distances as well as a plane
can. `umap` (McInnes, Healy and Melville 2018, "UMAP: uniform manifold approximation and projection") keeps neighbours
together instead; distances between bunches mean little. It needs umap-learn.

N images, D numbers in an embedding
"""

import time
from collections import Counter

import numpy as np

from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier
from omnitwin.config import LINKAGE, MapConfig
from omnitwin.errors import BadInput, CannotRun
from omnitwin.gallery.gallery import Gallery, line_of
from omnitwin.gallery.grouping import groups_of, labels_of, named_groups
from omnitwin.gallery.limits import Limit, limit_for
from omnitwin.gallery.opening import gallery_of, verifier_for
from omnitwin.gallery.thumbnails import thumbnail
from omnitwin.metrics.arrays import Array
from omnitwin.reports.gallery_groups import BY_FOLDER, BY_GROUP, MapPoint, MapReport
from omnitwin.reports.progress import SILENT, Reporter

AT_ONCE = 8192  # embeddings whose products are summed at a time: 16 MB in float64 of 256 numbers
LEAST_FOR_UMAP = 4  # images: fewer have no neighbours to speak of
NEIGHBOURS = 15  # of umap, its own default


def map_gallery(config: MapConfig, reporter: Reporter = SILENT) -> MapReport:
    """Return a map of a folder's images, coloured by folder, or by group if all lie in one.

    Raises BadInput, BadCheckpoint, DeviceMissing; CannotRun if umap-learn is not installed.
    """
    start = time.perf_counter()
    if config.method == "umap":
        _import_umap()  # before the work
    verifier = verifier_for(config.place, config.checkpoint, config.device)
    line_of(verifier)
    limit = limit_for(verifier, config.min_probability)
    gallery = gallery_of(config.place, verifier, reporter)
    place_N2, shares = principal(gallery.embedding_ND) if config.method == "pca" else (_umap(gallery, reporter), None)
    coloured_by, kinds = _kinds(gallery, verifier, limit, reporter)
    counts = Counter(kind for kind in kinds if kind)
    order = sorted(range(len(gallery)), key=lambda place: gallery.items[place].name)
    pictured = set(_evenly(order, config.pictures))
    channels = view_of(verifier).channels
    return MapReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=limit.probability,
        operating=limit.operating,
        place=config.place,
        method=config.method,
        shares=shares,
        coloured_by=coloured_by,
        kinds=tuple(sorted(counts, key=lambda kind: (-counts[kind], kind))),
        points=tuple(
            MapPoint(
                file=gallery.path(place),
                x=float(place_N2[place, 0]),
                y=float(place_N2[place, 1]),
                kind=kinds[place],
                picture=thumbnail(gallery.path(place), channels) if place in pictured else None,
            )
            for place in order
        ),
        unread=gallery.unread,
        seconds=time.perf_counter() - start,
    )


def principal(embedding_ND: Array) -> tuple[Array, tuple[float, float]]:
    """Return the first two principal components, (N, 2) float64, and their shares of the variance.

    The largest entry of each direction, by magnitude, is positive, so a map is not mirrored the next time. The
    directions are those of the covariance, (D, D), so memory does not grow with N.
    """
    count, features = embedding_ND.shape
    middle_D = embedding_ND.mean(0, dtype=np.float64)
    covariance_DD = np.zeros((features, features))
    for start in range(0, count, AT_ONCE):
        centred_BD = embedding_ND[start : start + AT_ONCE] - middle_D
        covariance_DD += centred_BD.T @ centred_BD
    directions_DD, variance_D, _ = np.linalg.svd(covariance_DD, hermitian=True)
    axes_2D = np.zeros((2, features))
    axes_2D[: min(2, features)] = directions_DD.T[:2]
    for axis_D in axes_2D:
        axis_D *= np.sign(axis_D[np.abs(axis_D).argmax()]) or 1.0
    place_N2 = (embedding_ND - middle_D) @ axes_2D.T
    total = float(variance_D.sum())
    first, second = ([*variance_D.tolist(), 0.0, 0.0])[:2]
    return place_N2, ((first / total, second / total) if total > 0 else (0.0, 0.0))


def _import_umap() -> type:
    """Return the class UMAP. Raises CannotRun if it is not installed."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise CannotRun(
            f"--method umap needs umap-learn: {error}", "Run: pip install 'omnitwin[map]'; or use --method pca."
        ) from error
    found: type = UMAP
    return found


def _umap(gallery: Gallery, reporter: Reporter) -> Array:
    """Return the map of UMAP, (N, 2) float64, the same each time on one machine."""
    if len(gallery) < LEAST_FOR_UMAP:
        raise BadInput(f"umap needs {LEAST_FOR_UMAP} images or more, not {len(gallery)}", "Use --method pca.")
    reporter.note(f"Laying out {len(gallery):,} images by UMAP")
    neighbours = min(NEIGHBOURS, len(gallery) - 1)
    # spectral starts fail on the smallest galleries
    start = "spectral" if len(gallery) > NEIGHBOURS else "random"
    layout = _import_umap()(n_neighbors=neighbours, random_state=0, n_jobs=1, init=start)
    return np.asarray(layout.fit_transform(gallery.embedding_ND), np.float64)


def _kinds(gallery: Gallery, verifier: Verifier, limit: Limit, reporter: Reporter) -> tuple[str, list[str]]:
    """Return what colours stand for, and the kind of each image; empty for an image in no group, or alone in one."""
    labels = labels_of(gallery)
    if len(set(labels)) > 1:
        return BY_FOLDER, labels
    group_N, _ = groups_of(gallery, line_of(verifier), limit, LINKAGE, reporter)
    names = {}
    for group in named_groups(gallery, group_N):
        if len(group.files) > 1:
            names.update(dict.fromkeys(group.files, f"group {group.number}"))
    return BY_GROUP, [names.get(gallery.path(place), "") for place in range(len(gallery))]


def _evenly(places: list[int], most: int) -> list[int]:
    """Return at most so many places, evenly spread."""
    if len(places) <= most:
        return places
    return [places[index * len(places) // most] for index in range(most)]
