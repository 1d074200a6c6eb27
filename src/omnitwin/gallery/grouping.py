"""Group the pictures of the same thing, where the things are not known before.

    report = group(GroupConfig(place=Path("photos"), labels=True))
    len(report.groups), report.agreement.rand

Groups are joined from single images by complete or average linkage, as long as their similarity is at the limit: the
verifier's threshold, unless another probability is given. Files with the same bytes count as one image.
"""

import time
from collections import Counter
from pathlib import PurePosixPath

import numpy as np

from omnitwin.config import GroupConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.contents import Contents, contents_of, doubtful_in
from omnitwin.gallery.gallery import Gallery, Line, line_of
from omnitwin.gallery.limits import Limit, limit_for
from omnitwin.gallery.linkage import linked
from omnitwin.gallery.opening import gallery_of, verifier_for
from omnitwin.gallery.pairs import Pairs, pairs_above
from omnitwin.metrics.agreement import agreement, method_of_agreement
from omnitwin.metrics.arrays import Array
from omnitwin.reports.gallery_groups import Agreement, GroupsReport, ImageGroup
from omnitwin.reports.progress import SILENT, Reporter

NO_GROUP = -1  # of an image that the verifier cannot judge


def group(config: GroupConfig, reporter: Reporter = SILENT) -> GroupsReport:
    """Return the groups of a folder's images, and with labels how well they agree with the classes of its folders.

    Raises BadInput, BadCheckpoint, DeviceMissing.
    """
    start = time.perf_counter()
    verifier = verifier_for(config.place, config.checkpoint, config.device)
    line, limit = line_of(verifier), limit_for(verifier, config.min_probability)
    gallery = gallery_of(config.place, verifier, reporter)
    labels = labels_of(gallery) if config.labels else None
    if labels is not None and len(set(labels)) < 2:
        raise BadInput(
            f"{config.place} has no class folders: all images lie in one folder", "Leave --labels-from-folders out."
        )
    group_N, pairs = groups_of(gallery, line, limit, config.linkage, reporter)
    found = named_groups(gallery, group_N)
    return GroupsReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=limit.probability,
        operating=limit.operating,
        place=config.place,
        linkage=config.linkage,
        images=len(gallery),
        groups=found,
        several=sum(len(each.files) > 1 for each in found),
        false_pairs=limit.false_pairs(pairs.compared, len(pairs)),
        agreement=None if labels is None else _agreement(labels, group_N),
        doubtful=doubtful_in(gallery),
        unread=gallery.unread,
        seconds=time.perf_counter() - start,
    )


def groups_of(
    gallery: Gallery, line: Line, limit: Limit, linkage: str, reporter: Reporter = SILENT
) -> tuple[Array, Pairs]:
    """Return the group of each image, (N,), NO_GROUP if it cannot be judged, and the pairs at the limit."""
    contents = contents_of(gallery)
    pairs = pairs_above(contents.embedding_JD, line=line, limit=limit.logit, reporter=reporter)
    group_J = linked(contents.embedding_JD, pairs, line, limit.logit, linkage)
    return _spread(contents, group_J, len(gallery)), pairs


def _spread(contents: Contents, group_J: Array, images: int) -> Array:
    """Return the groups of all files from those of the different images."""
    group_N = np.full(images, NO_GROUP)
    for number, group in zip(contents.judged_J.tolist(), group_J.tolist(), strict=True):
        group_N[contents.files[number]] = group
    return group_N


def named_groups(gallery: Gallery, group_N: Array) -> tuple[ImageGroup, ...]:
    """Return the groups with their files, the largest first, of equal ones the first by name."""
    members: dict[int, list[int]] = {}
    for place in sorted(range(len(gallery)), key=lambda place: gallery.items[place].name):
        if group_N[place] != NO_GROUP:
            members.setdefault(int(group_N[place]), []).append(place)
    ordered = sorted(members.values(), key=len, reverse=True)  # stable: by the first name
    return tuple(
        ImageGroup(number=number, files=tuple(gallery.path(place) for place in places))
        for number, places in enumerate(ordered, start=1)
    )


def labels_of(gallery: Gallery) -> list[str]:
    """Return the folder of each image below the gallery's root; `.` for the root itself."""
    return [str(PurePosixPath(item.name).parent) for item in gallery.items]


def _agreement(labels: list[str], group_N: Array) -> Agreement:
    grouped = group_N != NO_GROUP
    class_N = np.unique(np.array(labels, dtype=object), return_inverse=True)[1][grouped]
    classes = len(Counter(class_N.tolist()))
    rand, interval = agreement(class_N, group_N[grouped])
    return Agreement(
        classes=classes,
        images=int(grouped.sum()),
        rand=rand,
        interval=interval,
        method=method_of_agreement(classes),
    )
