"""Tell what a folder or table of images holds, before anybody trains on it (`omnitwin show --data PATH`).

Every file is decoded once, in several processes (images.facts), so that a broken one is found now. No torch is needed.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

from omnitwin.config import ShowConfig
from omnitwin.data.duplicates import Duplicates, find_duplicates
from omnitwin.data.listing import PARTS, TEST, LeftOut, ListedFile, Listing
from omnitwin.data.parts import Parts, divided, note_on_few, why_untrainable, without_leaks
from omnitwin.data.pictures import name_of_file, picture_of_file
from omnitwin.data.places import check_readable, list_images
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.facts import ImageFacts, examine_record, facts_of_record
from omnitwin.reports.data import (
    DataReport,
    DuplicateFacts,
    LeftOutFile,
    NearPair,
    PartFacts,
    SamePixels,
    Spread,
)
from omnitwin.reports.pictures import LabelledPicture, Picture, ScoredPair
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.workers import Died, work_through

INK_SHARE = 0.8  # of the images: from then on a set is ink on paper
COLOURED_SHARE = 0.05  # of the images: from then on a set is in colour
INK, COLOUR, GREY = "ink on paper", "photos in colour", "grey photos"


def describe(config: ShowConfig, reporter: Reporter = SILENT, processes: int | None = None) -> DataReport:
    """Return what is known of the folder or table config.dataset.

    processes: that decode side by side; None: as many as processors

    Raises BadInput if the place is neither, or none of its images can be read.
    """
    listing = list_images(Path(config.dataset), config.source.pattern)
    found = list(examined(listing, reporter, processes))
    broken = [
        LeftOut(path=file.path, reason=facts.problem)
        for file, facts in zip(listing.files, found, strict=True)
        if facts.problem is not None
    ]
    pairs = [(file, facts) for file, facts in zip(listing.files, found, strict=True) if facts.problem is None]
    check_readable(listing, broken)
    whole = replace(listing, files=tuple(file for file, _ in pairs))
    facts = [facts for _, facts in pairs]
    parts = divided(whole, config.seed, config.source.divided)
    duplicates = find_duplicates(facts, [file.label for file in whole.files], parts.part_N)
    return _report(config, whole, facts, without_leaks(parts, duplicates), duplicates, broken)


def examined(listing: Listing, reporter: Reporter = SILENT, processes: int | None = None) -> Iterator[ImageFacts]:
    """Yield what decoding each file shows, in order."""
    tasks = ((str(listing.location(file)), file.box) for file in listing.files)
    with (
        closing(work_through(examine_record, tasks, processes)) as results,
        reporter.task("Reading images", len(listing.files), "images") as advance,
    ):
        for found in results:
            yield ImageFacts(problem=found.reason) if isinstance(found, Died) else facts_of_record(found)
            advance(1)


def look_of(facts: Sequence[ImageFacts]) -> str:
    """Return what most images look like: INK, COLOUR or GREY."""
    if sum(each.ink for each in facts) >= INK_SHARE * len(facts):
        return INK
    return COLOUR if sum(each.coloured for each in facts) >= COLOURED_SHARE * len(facts) else GREY


def _report(
    config: ShowConfig,
    listing: Listing,
    facts: Sequence[ImageFacts],
    parts: Parts,
    duplicates: Duplicates,
    broken: Sequence[LeftOut],
) -> DataReport:
    files = listing.files
    counts = Counter(file.label for file in files)
    problem = why_untrainable(file.label for file in files)
    look = look_of(facts)
    inside = [file for file, part in zip(files, parts.part_N, strict=True) if part == config.subset]
    if not inside and config.subset != ShowConfig.subset:
        raise BadInput(f"{listing.place} has no {config.subset} part", "Leave out --set to show all images.")
    tested = {file.label for file, part in zip(files, parts.part_N, strict=True) if part == TEST}
    few = note_on_few(len(tested)) if tested else None
    sampler = _Sampler(listing, inside or files, config.seed, channels=3 if look == COLOUR else 1)
    return DataReport(
        place=listing.place,
        images=len(files),
        classes=len(counts),
        groups=len({file.group for file in files}) if listing.has_groups else 0,
        images_per_class=_spread(list(counts.values())),
        single_classes=sum(count == 1 for count in counts.values()),
        width=_spread([each.width for each in facts]),
        height=_spread([each.height for each in facts]),
        aspect=_spread([each.width / each.height for each in facts]),
        look=look,
        coloured=sum(each.coloured for each in facts) / len(facts),
        ink=sum(each.ink for each in facts) / len(facts),
        blank=tuple(file.path for file, each in zip(files, facts, strict=True) if each.blank),
        broken=_left_out(broken),
        left_out=_left_out(listing.left_out),
        others=listing.others,
        duplicates=_duplicates(files, duplicates),
        split="given" if parts.given else config.source.divided,
        seed=config.seed,
        parts=tuple(_part(name, files, parts.part_N) for name in PARTS),
        notes=(*listing.notes, *parts.notes, *([few] if few else [])),
        problem=problem,
        shown=config.subset,
        pictures=tuple(sampler.pictures(config.images)),
        pairs=tuple(sampler.pairs(config.pairs)),
    )


def _spread(numbers: Sequence[float]) -> Spread:
    return Spread(least=min(numbers), median=statistics.median(numbers), most=max(numbers))


def _left_out(found: Sequence[LeftOut]) -> tuple[LeftOutFile, ...]:
    return tuple(LeftOutFile(path=each.path, reason=each.reason) for each in found)


def _part(name: str, files: Sequence[ListedFile], part_N: Sequence[str]) -> PartFacts:
    labels = [file.label for file, part in zip(files, part_N, strict=True) if part == name]
    return PartFacts(name=name, classes=len(set(labels)), images=len(labels))


def _duplicates(files: Sequence[ListedFile], found: Duplicates) -> DuplicateFacts:
    same = [
        SamePixels(
            paths=tuple(files[index].path for index in group),
            classes=tuple(sorted({files[index].label for index in group})),
        )
        for group in found.exact
    ]
    return DuplicateFacts(
        same=tuple(sorted(same, key=lambda group: len(group.classes) == 1)),
        same_across_classes=sum(len(group.classes) > 1 for group in same),
        near=tuple(
            NearPair(
                left=files[left].path,
                right=files[right].path,
                left_class=files[left].label,
                right_class=files[right].label,
            )
            for left, right in found.near
        ),
        near_within_classes=found.near_within,
        near_across_classes=found.near_across,
        leaks=tuple(files[index].path for index in found.leaking),
    )


class _Sampler:
    """Draws pictures and pairs of a part; the same seed draws the same."""

    def __init__(self, listing: Listing, files: Sequence[ListedFile], seed: int, channels: int) -> None:
        self.listing, self.files, self.seed, self.channels = listing, files, seed, channels
        self.of_class: dict[str, list[ListedFile]] = {}
        for file in files:
            self.of_class.setdefault(file.label, []).append(file)

    def pictures(self, count: int) -> Iterator[LabelledPicture]:
        """Yield different pictures with their labels, at most `count`."""
        for file in Random(f"images {self.seed}").sample(self.files, min(count, len(self.files))):
            if (picture := self._picture(file)) is not None:
                yield LabelledPicture(picture=picture, label=name_of_file(file))

    def pairs(self, count: int) -> Iterator[ScoredPair]:
        """Yield random pairs, half of them similar; none of a kind that cannot be drawn."""
        random = Random(f"pairs {self.seed}")
        several = [files for files in self.of_class.values() if len(files) > 1]
        for _ in range(count if several or len(self.of_class) > 1 else 0):
            similar = random.random() < 0.5 if several and len(self.of_class) > 1 else bool(several)
            if similar:
                left, right = random.sample(random.choice(several), 2)
            else:
                left, right = (random.choice(files) for files in random.sample(list(self.of_class.values()), 2))
            first, second = self._picture(left), self._picture(right)
            if first is not None and second is not None:
                yield ScoredPair(
                    left=first,
                    right=second,
                    left_label=name_of_file(left),
                    right_label=name_of_file(right),
                    similar=similar,
                )

    def _picture(self, file: ListedFile) -> Picture | None:
        """Return a file's picture, small, or None if it has changed since it was read."""
        try:
            return picture_of_file(self.listing, file, self.channels)
        except BadImage:
            return None
