"""N-way k-shot episodes: a drawing, and which of N characters is it, given k other drawings of each?

    E episodes, W ways (N), K shots, C classes, H hands (drawers)

As in Lake's official runs (Lake et al. 2015, supplement sec. 5.1), the examples of an episode are by one drawer and the
query is by another; with several shots, each shot is by one drawer.
"""

from dataclasses import dataclass

import torch

from omnitwin.data.packed import PackedSet
from omnitwin.errors import BadInput


@dataclass(frozen=True, eq=False)
class Episodes:
    """Rows of the queries (E,) and of the examples (E, W, K); answer_E: the way that shows the query's character."""

    query_E: torch.Tensor
    support_EWK: torch.Tensor
    answer_E: torch.Tensor

    def __len__(self) -> int:
        return len(self.query_E)


def draw_episodes(
    packed: PackedSet, way: int, shot: int, count: int, scope: str, generator: torch.Generator
) -> Episodes:
    """Draw count episodes; scope `alphabet` takes all ways from one alphabet, drawn uniformly, `any` from all classes.

    Drawers are told apart by number; across alphabets one number need not be one person.
    """
    row_CH, groups = choices(packed, way, shot, scope)
    hands = row_CH.shape[1]
    group_E = torch.randint(len(groups), (count,), generator=generator)
    class_EW = torch.stack([groups[group][_pick(len(groups[group]), way, generator)] for group in group_E.tolist()])
    hand_EK = torch.stack([_pick(hands, shot + 1, generator) for _ in range(count)])
    answer_E = torch.randint(way, (count,), generator=generator)
    query_E = row_CH[class_EW.gather(1, answer_E[:, None])[:, 0], hand_EK[:, -1]]
    return Episodes(query_E, row_CH[class_EW[:, :, None], hand_EK[:, None, :-1]], answer_E)


def choices(packed: PackedSet, way: int, shot: int, scope: str) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Drawing rows (C, H), and the groups of classes that an episode's ways may come from; BadInput where none may."""
    row_CH = drawing_rows(packed)
    classes, hands = row_CH.shape
    if shot + 1 > hands:
        raise BadInput(
            f"{packed.name} has {hands} drawers; {shot} shots and a query need {shot + 1}", "Use a smaller --shot."
        )
    group_C = packed.alphabet_C.cpu() if scope == "alphabet" else torch.zeros(classes, dtype=torch.int64)
    groups = [members for members in _members(group_C) if len(members) >= way]
    if not groups:
        raise BadInput(f"{packed.name} has no {scope} of {way} characters", "Use a smaller --way, or --scope any.")
    return row_CH, groups


def drawing_rows(packed: PackedSet) -> torch.Tensor:
    """Row of each class's drawing by each drawer, (C, H); BadInput where somebody did not draw something."""
    class_N, drawer_N = packed.class_N.cpu(), packed.drawer_N.cpu()
    hands, place_N = torch.unique(drawer_N, return_inverse=True)
    row_CH = torch.full((len(packed.class_names), len(hands)), -1)
    row_CH[class_N, place_N] = torch.arange(len(packed))
    if (row_CH < 0).any() or row_CH.numel() != len(packed):
        raise BadInput(f"{packed.name}: not every drawer drew every character once, as one-shot episodes need", "")
    return row_CH


def _members(group_C: torch.Tensor) -> list[torch.Tensor]:
    return [(group_C == group).nonzero().flatten() for group in torch.unique(group_C).tolist()]


def _pick(total: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(total, generator=generator)[:count]
