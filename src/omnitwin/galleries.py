"""The Python functions for folders of many images, without torch where NumPy answers. api has those that train.

import omnitwin

omnitwin.duplicates("photos").groups        # what is there twice
omnitwin.group("photos").groups             # pictures of the same thing together
omnitwin.map_of("photos", html="map.html")  # two dimensions
"""

from os import PathLike
from pathlib import Path

from omnitwin.config import MAP_PICTURES, DuplicatesConfig, GroupConfig, MapConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.duplicates import duplicates as find_duplicates
from omnitwin.gallery.grouping import group as find_groups
from omnitwin.gallery.mapping import map_gallery
from omnitwin.reports.gallery_groups import DuplicatesReport, GroupsReport, MapReport
from omnitwin.reports.progress import SILENT, Reporter

Place = str | PathLike[str]


def duplicates(
    place: Place,
    other: Place | None = None,
    *,
    checkpoint: Place | None = None,
    min_probability: float | None = None,
    far: float | None = None,
    linkage: str | None = None,
    html: Place | None = None,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> DuplicatesReport:
    """Find images that are there twice in a folder. Nothing is deleted or moved.

    place: a folder, with its subfolders
    other: another folder; then the report says what of it the first one has already
    checkpoint: the network, as load takes it; None: the default network
    min_probability: the limit, from which a pair counts as the same; None: the network's threshold
    far: in its place, the share of pairs of different things that the limit may accept
    linkage: `complete`: every pair of a group is at or above the limit; `average`: their mean is; None: `complete`.
        Between two folders there is none: each file stands with the most similar one of the first folder
    html: a page to write, with the pictures

    Of the files of a group the first is proposed to be kept: the largest picture, then the oldest file, then by name.
    Raises BadInput, also if the network's threshold is not known to keep `far`; BadCheckpoint, DeviceMissing,
    CannotWrite.

    >>> report = omnitwin.duplicates("photos")
    >>> [(file.role, file.file.name) for file in report.groups[0].files]
    [('keep', 'beach.jpg'), ('copy', 'beach (1).jpg'), ('look-alike', 'beach-small.jpg')]
    >>> report.false_pairs.expected, report.false_pairs.compared
    (12.5, 124750)
    """
    from omnitwin.view.page import check_page

    config = DuplicatesConfig(
        place=_path(place),
        other=None if other is None else _path(other),
        checkpoint=None if checkpoint is None else str(checkpoint),
        min_probability=min_probability,
        far=far,
        linkage=linkage,
        device=device,
        pictures=html is not None,
    )
    page = None if html is None else _path(html)
    check_page(page)
    report = find_duplicates(config, reporter)
    if page is not None:
        from omnitwin.view.gallery_pages import write_duplicates_page

        write_duplicates_page(report, page)
    return report


def group(
    place: Place,
    *,
    checkpoint: Place | None = None,
    min_probability: float | None = None,
    linkage: str = GroupConfig.linkage,
    labels_from_folders: bool = False,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> GroupsReport:
    """Group the images of a folder that show the same thing, where the things are not known before.

    checkpoint, min_probability, linkage: as of duplicates
    labels_from_folders: whether to tell how well the groups agree with the folders of the images, by the adjusted Rand
        index (1: the same groups, 0: groups at random)

    Raises BadInput, BadCheckpoint, DeviceMissing.

    >>> report = omnitwin.group("photos", labels_from_folders=True)
    >>> len(report.groups), report.groups[0].files[:2]
    (31, (PosixPath('photos/a/1.jpg'), PosixPath('photos/a/2.jpg')))
    >>> report.agreement.rand, report.agreement.interval
    (0.874, (0.791, 0.934))
    """
    config = GroupConfig(
        place=_path(place),
        checkpoint=None if checkpoint is None else str(checkpoint),
        min_probability=min_probability,
        linkage=linkage,
        labels=labels_from_folders,
        device=device,
    )
    return find_groups(config, reporter)


def map_of(
    place: Place,
    *,
    method: str = MapConfig.method,
    checkpoint: Place | None = None,
    min_probability: float | None = None,
    figure: Place | None = None,
    html: Place | None = None,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> MapReport:
    """Lay the images of a folder out in two dimensions, so that similar ones lie near each other.

    method: `pca`, or `umap` with omnitwin[map]
    min_probability: of the groups that colours stand for if all images lie in one folder; None: the network's threshold
    figure: an image file to write
    html: a page to write, to zoom and drag in

    Raises BadInput, BadCheckpoint, DeviceMissing, CannotWrite; CannotRun if umap-learn is not installed.

    >>> point = omnitwin.map_of("photos", html="map.html").points[0]
    >>> point.file, point.x, point.y, point.kind
    (PosixPath('photos/a/1.jpg'), -0.412, 0.087, 'a')
    """
    from omnitwin.view.figures import check_figure
    from omnitwin.view.page import check_page

    config = MapConfig(
        place=_path(place),
        checkpoint=None if checkpoint is None else str(checkpoint),
        min_probability=min_probability,
        device=device,
        method=method,
        pictures=0 if html is None and figure is None else MAP_PICTURES,
    )
    page, drawing = (None if each is None else _path(each) for each in (html, figure))
    check_page(page)
    check_figure(drawing, (config.place,))
    report = map_gallery(config, reporter)
    if drawing is not None:
        from omnitwin.view.gallery_maps import map_figure

        map_figure(report, drawing)
    if page is not None:
        from omnitwin.view.gallery_pages import write_map_page

        write_map_page(report, page)
    return report


def _path(place: Place) -> Path:
    """Return a path. Raises BadInput for what is none, and for an empty one, which would be the working folder."""
    if not isinstance(place, str | PathLike) or not str(place):
        raise BadInput(f"{place!r} is no path", "Give a folder of images.")
    return Path(place)
