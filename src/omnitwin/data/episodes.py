"""N-way k-shot episodes: which of N classes does a query show, given k other images of each?

    E episodes, W ways (N), K shots, C classes, H hands (sources of images)

As in Lake's official runs (Lake et al. 2015, supplement sec. 5.1), the examples of an episode come from one source and
the query comes from another; with several shots, each shot comes from one source. In Omniglot a source is a drawer.
"""

from dataclasses import dataclass

import torch

from omnitwin.config import WAYS
from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.reports.nouns import nouns_of


@dataclass(frozen=True, eq=False)
class Episodes:
    """Questions with their examples and answers."""

    query_E: torch.Tensor  # row of each query
    support_EWK: torch.Tensor  # rows of the examples
    answer_E: torch.Tensor  # the way that shows the query's class

    def __len__(self) -> int:
        return len(self.query_E)


@dataclass(frozen=True, eq=False)
class Choices:
    """What the images of episodes are drawn from."""

    way: int
    row_CH: torch.Tensor | None  # the rows by source; None: sources do not matter
    groups: list[torch.Tensor]  # classes that the ways of an episode come from


def draw_episodes(
    images: ImageSet, way: int | None, shot: int, count: int, scope: str, generator: torch.Generator
) -> Episodes:
    """Draw episodes; scope `group` takes all ways from one group, drawn uniformly, `any` from all classes.

    Sources are told apart by number; across groups one number need not be one person. Without sources, or if not each
    source has one image of each class, the examples and the query are any different images of their classes. Without
    groups every scope is `any`.
    """
    chosen = choices(images, way, shot, scope)
    way, row_CH, groups = chosen.way, chosen.row_CH, chosen.groups
    group_E = torch.randint(len(groups), (count,), generator=generator)
    class_EW = torch.stack([groups[group][_pick(len(groups[group]), way, generator)] for group in group_E.tolist()])
    if row_CH is None:
        place_EWK = _different(images.count_C.cpu()[class_EW], shot + 1, generator)
        row_EWK = images.first_C.cpu()[class_EW][:, :, None] + place_EWK
        answer_E = torch.randint(way, (count,), generator=generator)
        return Episodes(row_EWK[torch.arange(count), answer_E, -1], row_EWK[:, :, :-1], answer_E)
    hand_EK = torch.stack([_pick(row_CH.shape[1], shot + 1, generator) for _ in range(count)])
    answer_E = torch.randint(way, (count,), generator=generator)
    query_E = row_CH[class_EW.gather(1, answer_E[:, None])[:, 0], hand_EK[:, -1]]
    return Episodes(query_E, row_CH[class_EW[:, :, None], hand_EK[:, None, :-1]], answer_E)


def choices(images: ImageSet, way: int | None, shot: int, scope: str) -> Choices:
    """Return what episodes are drawn from.

    way: None: WAYS, or as many as the largest group has. Unless rows come by source, a class needs an image for each
    shot and one for the query. Raises BadInput if the set has too few sources, or no group with enough classes.
    """
    nouns, row_CH = nouns_of(images.name), drawing_rows(images)
    if row_CH is not None and shot + 1 > row_CH.shape[1]:
        raise BadInput(
            f"{images.name} has {row_CH.shape[1]} {nouns.sources}; {shot} shots and a query need {shot + 1}",
            "Use a smaller --shot.",
        )
    able_C = images.count_C.cpu() > (0 if row_CH is not None else shot)
    group_C = images.group_C if scope == "group" else None
    groups = _members(torch.zeros_like(able_C, dtype=torch.int64) if group_C is None else group_C.cpu(), able_C)
    if way is None:
        way = max(2, min(WAYS, max(map(len, groups))))
    groups = [members for members in groups if len(members) >= way]
    if groups:
        return Choices(way, row_CH, groups)
    enough = "" if able_C.all() else f" with {shot + 1} images"
    if group_C is None:
        smaller = "Use a smaller --way." if able_C.all() else "Use a smaller --way or --shot."
        raise BadInput(f"{images.name} has {int(able_C.sum())} {nouns.kinds}{enough}, fewer than {way} ways", smaller)
    raise BadInput(
        f"{images.name} has no {nouns.group} of {way} {nouns.kinds}{enough}", "Use a smaller --way, or --scope any."
    )


def drawing_rows(images: ImageSet) -> torch.Tensor | None:
    """Return the row of each class's image by each source, (C, H); None unless each source has one of each class."""
    if images.source_N is None:
        return None
    class_N, source_N = images.class_N.cpu(), images.source_N.cpu()
    hands, place_N = torch.unique(source_N, return_inverse=True)
    if len(images.class_names) * len(hands) != len(images):
        return None
    row_CH = torch.full((len(images.class_names), len(hands)), -1)
    row_CH[class_N, place_N] = torch.arange(len(images))
    return row_CH if bool((row_CH >= 0).all()) else None


def _different(count_EW: torch.Tensor, picks: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `picks` different numbers from 0 to count - 1 for each count, in random order: (E, W, picks).

    The number k is drawn among the count - k that are left; each smaller one drawn before moves it up by one.
    """
    picked_EWK = torch.empty((*count_EW.shape, 0), dtype=torch.int64)
    for taken in range(picks):
        number_EW = torch.randint(2**31, count_EW.shape, generator=generator) % (count_EW - taken)
        for before_EW in picked_EWK.sort(dim=2).values.unbind(2):
            number_EW = number_EW + (number_EW >= before_EW)
        picked_EWK = torch.cat([picked_EWK, number_EW[:, :, None]], dim=2)
    return picked_EWK


def _members(group_C: torch.Tensor, able_C: torch.Tensor) -> list[torch.Tensor]:
    return [((group_C == group) & able_C).nonzero().flatten() for group in torch.unique(group_C).tolist()]


def _pick(total: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(total, generator=generator)[:count]
