"""Find what is there twice: exact copies, and images that show the same. Nothing is ever deleted or moved.

    report = duplicates(DuplicatesConfig(place=Path("photos")))
    [file.file for file in report.groups[0].files if file.role != "keep"]

Exact copies have the same SHA-256. Look-alikes have other bytes, and a probability at or above the limit; within a
folder they are groups by linkage, between two folders each file stands with the most similar one of the first.

U different images of the first folder, V of the second that are not in the first
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier
from omnitwin.config import PAGE_GROUPS, DuplicatesConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.contents import Contents, contents_of, doubtful_in
from omnitwin.gallery.gallery import Gallery, Item, Line, line_of
from omnitwin.gallery.limits import Limit, limit_for
from omnitwin.gallery.linkage import linked
from omnitwin.gallery.opening import gallery_of, verifier_for
from omnitwin.gallery.pairs import Pairs, pairs_above, products_of
from omnitwin.gallery.thumbnails import thumbnail
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.gallery_groups import COPY, KEEP, LOOK_ALIKE, DuplicateFile, DuplicateGroup, DuplicatesReport
from omnitwin.reports.progress import SILENT, Reporter


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file of a gallery, and whether it is of the first folder, which is asked what it has already."""

    gallery: Gallery
    place: int
    first: bool = True

    @property
    def item(self) -> Item:
        return self.gallery.items[self.place]

    @property
    def path(self) -> Path:
        return self.gallery.path(self.place)

    @property
    def worth(self) -> tuple[bool, int, int, str]:
        """The least is kept: of the first folder, largest in pixels, oldest, first by name."""
        item = self.item
        return not self.first, -item.width * item.height, item.mtime_ns, item.name


Group = list[list[_File]]  # the files of each different image


def duplicates(config: DuplicatesConfig, reporter: Reporter = SILENT) -> DuplicatesReport:
    """Return what is there twice in a folder; with another one, what of it the first one has already.

    Raises BadInput if there is nothing to compare or no honest limit, BadCheckpoint, DeviceMissing.
    """
    start = time.perf_counter()
    verifier = verifier_for(config.place, config.checkpoint, config.device)
    line, limit = line_of(verifier), limit_for(verifier, config.min_probability, config.far)
    places = (config.place,) if config.other is None else (config.place, config.other)
    if config.other is not None:
        check_apart(config.place, config.other)
    galleries = [gallery_of(place, verifier, reporter) for place in places]
    if config.other is None:
        groups, pairs = _within(galleries[0], line, limit, config.linked_by, reporter)
    else:
        groups, pairs = _across(galleries[0], galleries[1], line, limit, reporter)
    found = [_group(group, verifier, line) for group in groups if sum(map(len, group)) > 1]
    found.sort(key=lambda group: group.files[0].file)
    if config.pictures:
        found = [_pictured(group, verifier) for group in found[:PAGE_GROUPS]] + found[PAGE_GROUPS:]
    roles = [file.role for group in found for file in group.files]
    return DuplicatesReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=limit.probability,
        operating=limit.operating,
        places=places,
        linkage=config.linked_by if config.other is None else None,
        images=sum(map(len, galleries)),
        contents=len({item.sha256 for gallery in galleries for item in gallery.items}),
        groups=tuple(found),
        copies=roles.count(COPY),
        look_alikes=roles.count(LOOK_ALIKE),
        false_pairs=limit.false_pairs(pairs.compared, len(pairs)),
        doubtful=tuple(doubt for gallery in galleries for doubt in doubtful_in(gallery)),
        unread=_unread(galleries),
        seconds=time.perf_counter() - start,
    )


def check_apart(place: Path, other: Path) -> None:
    """Raise BadInput if one folder is, or lies in, the other: every file would be a copy of itself."""
    roots = [os.path.realpath(root) for root in (place, other)]
    for (outer, inner), (whole, part) in zip((roots, roots[::-1]), ((place, other), (other, place)), strict=True):
        if Path(inner).is_relative_to(outer):
            raise BadInput(f"{part} is, or lies in, {whole}", "Give one folder, or two that lie apart.")


def _unread(galleries: Sequence[Gallery]) -> tuple[UnreadImage, ...]:
    return tuple(unread for gallery in galleries for unread in gallery.unread)


def _within(
    gallery: Gallery, line: Line, limit: Limit, linkage: str, reporter: Reporter
) -> tuple[Iterable[Group], Pairs]:
    """Return the groups of one folder."""
    contents = contents_of(gallery)
    pairs = pairs_above(contents.embedding_JD, line=line, limit=limit.logit, reporter=reporter)
    group_J = linked(contents.embedding_JD, pairs, line, limit.logit, linkage)
    group_of = dict(zip(contents.judged_J.tolist(), contents.judged_J[group_J].tolist(), strict=True))
    groups: dict[int, Group] = {}
    for number, places in enumerate(contents.files):
        files = [_File(gallery=gallery, place=place) for place in places]
        groups.setdefault(group_of.get(number, number), []).append(files)
    return groups.values(), pairs


def _across(
    first: Gallery, other: Gallery, line: Line, limit: Limit, reporter: Reporter
) -> tuple[Iterable[Group], Pairs]:
    """Return a group for each image of the first folder that the other one has, too: one file of the first."""
    ours = contents_of(first)
    known = {first.items[places[0]].sha256: number for number, places in enumerate(ours.files)}
    theirs = contents_of(other, without=known)
    groups: dict[int, Group] = {}

    def group_at(number: int) -> Group:
        kept = min((_File(gallery=first, place=place) for place in ours.files[number]), key=lambda file: file.worth)
        return groups.setdefault(number, [[kept]])

    for place in sorted(range(len(other)), key=lambda place: other.items[place].name):
        number = known.get(other.items[place].sha256)
        if number is not None:
            group_at(number)[0].append(_File(gallery=other, place=place, first=False))
    pairs = pairs_above(ours.embedding_JD, theirs.embedding_JD, line=line, limit=limit.logit, reporter=reporter)
    for left, right in _most_similar(pairs):
        files = [_File(gallery=other, place=place, first=False) for place in _files(theirs, right)]
        group_at(int(ours.judged_J[left])).append(files)
    return groups.values(), pairs


def _files(contents: Contents, judged: int) -> list[int]:
    return contents.files[int(contents.judged_J[judged])]


def _most_similar(pairs: Pairs) -> list[tuple[int, int]]:
    """Return the most similar left image of each right one, of equals the first, by the right."""
    order = np.lexsort((pairs.left_P, -pairs.logit_P, pairs.right_P))
    left_P, right_P = pairs.left_P[order], pairs.right_P[order]
    starts = np.flatnonzero(np.diff(right_P, prepend=-1))
    return list(zip(left_P[starts].tolist(), right_P[starts].tolist(), strict=True))


def _group(contents: Group, verifier: Verifier, line: Line) -> DuplicateGroup:
    """Return the record of a group: the file to keep, its copies, then look-alikes with their copies."""
    contents = [sorted(files, key=lambda file: file.worth) for files in contents]
    kept, *others = sorted(contents, key=lambda files: files[0].worth)
    probability = _probabilities(kept[0], [files[0] for files in others], verifier, line)
    likeliest = sorted(range(len(others)), key=lambda number: (-probability[number], others[number][0].item.name))
    found = [_record(kept[0], KEEP, None, None)]
    found += [_record(copy, COPY, kept[0], 1.0) for copy in kept[1:]]
    for number in likeliest:
        shown, *copies = others[number]
        found.append(_record(shown, LOOK_ALIKE, None, probability[number]))
        found += [_record(copy, COPY, shown, probability[number]) for copy in copies]
    return DuplicateGroup(exact=not others, files=tuple(found))


def _probabilities(kept: _File, others: Sequence[_File], verifier: Verifier, line: Line) -> list[float]:
    """Return the probability of each other file that it shows what the kept one shows."""
    if not others:
        return []
    kept_1D = kept.gallery.embedding_ND[[kept.place]]
    other_KD = np.stack([file.gallery.embedding_ND[file.place] for file in others])
    product_K = products_of(kept_1D, other_KD, np.zeros(len(others), np.int64), np.arange(len(others)))
    return [float(each) for each in verifier.probability_of(line.slope * product_K + line.offset)]


def _record(file: _File, role: str, copy_of: _File | None, probability: float | None) -> DuplicateFile:
    item = file.item
    return DuplicateFile(
        file=file.path,
        role=role,
        copy_of=None if copy_of is None else copy_of.path,
        probability=probability,
        width=item.width,
        height=item.height,
        size=item.size,
        modified=item.mtime_ns / 1e9,
        sha256=item.sha256,
    )


def _pictured(group: DuplicateGroup, verifier: Verifier) -> DuplicateGroup:
    """Return a group with thumbnails."""
    channels = view_of(verifier).channels
    return replace(group, files=tuple(replace(file, picture=thumbnail(file.file, channels)) for file in group.files))
