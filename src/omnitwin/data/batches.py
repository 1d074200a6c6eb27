"""Batches of classes with several drawings each, of which training takes all pairs.

C classes, K drawings, A alphabets, P classes of each, B = C * K images
"""

from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.recipes import ClassSampling

TURNS, WAYS = 4, 8  # ways round: 0 to 3 are quarter turns, 4 to 7 the mirror images of those


@dataclass(frozen=True, eq=False)
class ClassBatch:
    """Rows (C, K) of the drawings of C different classes, and which way round each class is, (C,)."""

    row_CK: torch.Tensor
    way_C: torch.Tensor


def check_batches(packed: ImageSet, sampling: ClassSampling) -> None:
    """BadInput where a set has too few drawings of a class, or too few classes."""
    if len(packed.class_names) < 2:
        raise BadInput(f"{packed.name} has one class alone; a batch takes 2 or more", "Add images of another class.")
    fewest = int(packed.count_C.min())
    if fewest < sampling.drawings:
        poor = packed.class_names[int(packed.count_C.argmin())]
        raise BadInput(
            f"{packed.name} has {fewest} images of {poor}; a batch takes {sampling.drawings} of each class",
            f"Use --override drawings={fewest}." if fewest > 1 else "Add images of it.",
        )


def draw_batch(packed: ImageSet, sampling: ClassSampling, classes: int, generator: torch.Generator) -> ClassBatch:
    """Draw so many different classes (fewer where the set has fewer), and K different drawings of each.

    P classes each come from A alphabets drawn without replacement, all the same way round, so that a batch holds the
    pairs that are hardest to tell apart; the rest come from anywhere, each its own way round.
    """
    device, total = packed.device, len(packed.class_names)
    group_C, alphabets = packed.group_C, len(packed.group_names)
    if group_C is None:  # then each class is a group by itself
        group_C, alphabets = torch.arange(total, device=device), total
    key_C = torch.rand(total, generator=generator, device=device) * 0.99  # never as far as the next alphabet
    chosen_A = torch.zeros(alphabets, dtype=torch.bool, device=device)
    chosen_A[torch.randperm(alphabets, generator=generator, device=device)[: sampling.alphabets]] = True
    # classes of an alphabet lie side by side, so sorting within alphabets leaves group_C as it is
    rank_C = torch.empty_like(group_C)
    start_A = torch.searchsorted(group_C, torch.arange(alphabets, device=device))
    rank_C[(group_C + key_C).argsort()] = torch.arange(total, device=device) - start_A[group_C]
    together_C = chosen_A[group_C] & (rank_C < sampling.per_alphabet)
    class_C = (key_C - together_C.float()).argsort()[: min(classes, total)]
    ways = torch.arange(WAYS, device=device)[: None if sampling.mirrors else TURNS : 1 if sampling.turns else TURNS]
    way_A = ways[torch.randint(len(ways), (alphabets,), generator=generator, device=device)]
    way_C = ways[torch.randint(len(ways), (total,), generator=generator, device=device)]
    way_C = torch.where(together_C, way_A[group_C], way_C)[class_C]
    most = int(packed.count_C.max())
    key_CN = torch.rand((len(class_C), most), generator=generator, device=device)
    key_CN.masked_fill_(torch.arange(most, device=device) >= packed.count_C[class_C, None], -1)
    drawing_CK = key_CN.topk(sampling.drawings, dim=1).indices
    return ClassBatch(packed.first_C[class_C, None] + drawing_CK, way_C)
