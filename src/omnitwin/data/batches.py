"""Batches of classes with several images each; training takes all their pairs.

C classes, K images of each, A groups, P classes of each group, B = C * K images
"""

from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.recipes import ClassSampling

TURNS, WAYS = 4, 8  # ways round: 0 to 3 are quarter turns, 4 to 7 their mirror images


@dataclass(frozen=True, eq=False)
class ClassBatch:
    """Images of different classes."""

    row_CK: torch.Tensor  # rows of the images of each class
    way_C: torch.Tensor  # which way round each class is


def check_batches(packed: ImageSet, sampling: ClassSampling) -> None:
    """Raise BadInput if a class of a set that is pairable has too few images for a batch."""
    fewest = int(packed.count_C.min())
    if fewest < sampling.drawings:
        poor = packed.class_names[int(packed.count_C.argmin())]
        raise BadInput(
            f"{packed.name} has {fewest} images of {poor}; a batch takes {sampling.drawings} of each class",
            f"Use --override drawings={fewest}.",
        )


def ways_round(sampling: ClassSampling) -> range:
    """Return the ways round that are classes of their own."""
    return range(0, WAYS if sampling.mirrors else TURNS, 1 if sampling.turns else TURNS)


def draw_batch(packed: ImageSet, sampling: ClassSampling, classes: int, generator: torch.Generator) -> ClassBatch:
    """Draw different classes (fewer if the set has fewer), and K different images of each.

    A groups are drawn without replacement, and P classes from each, all the same way round, so that a batch holds the
    pairs that are hardest to tell apart. The other classes come from anywhere, each its own way round.
    """
    device, total = packed.device, len(packed.class_names)
    group_C, alphabets = packed.group_C, len(packed.group_names)
    if group_C is None:  # each class is a group by itself
        group_C, alphabets = torch.arange(total, device=device), total
    key_C = torch.rand(total, generator=generator, device=device) * 0.99  # never as far as the next group
    chosen_A = torch.zeros(alphabets, dtype=torch.bool, device=device)
    chosen_A[torch.randperm(alphabets, generator=generator, device=device)[: sampling.alphabets]] = True
    # classes of a group lie side by side, so sorting within groups leaves group_C as it is
    rank_C = torch.empty_like(group_C)
    start_A = torch.searchsorted(group_C, torch.arange(alphabets, device=device))
    rank_C[(group_C + key_C).argsort()] = torch.arange(total, device=device) - start_A[group_C]
    together_C = chosen_A[group_C] & (rank_C < sampling.per_alphabet)
    class_C = (key_C - together_C.float()).argsort()[: min(classes, total)]
    ways = torch.tensor(ways_round(sampling), device=device)
    way_A = ways[torch.randint(len(ways), (alphabets,), generator=generator, device=device)]
    way_C = ways[torch.randint(len(ways), (total,), generator=generator, device=device)]
    way_C = torch.where(together_C, way_A[group_C], way_C)[class_C]
    most = int(packed.count_C.max())
    key_CN = torch.rand((len(class_C), most), generator=generator, device=device)
    key_CN.masked_fill_(torch.arange(most, device=device) >= packed.count_C[class_C, None], -1)
    drawing_CK = key_CN.topk(sampling.drawings, dim=1).indices
    return ClassBatch(packed.first_C[class_C, None] + drawing_CK, way_C)
