"""Batches of classes with several images each; training takes all their pairs.

A class with fewer images than a batch takes of each gives some of them twice. That is allowed only if images are
varied: the copies then differ, as two photos of one thing do, while an image and itself would teach nothing. A class
with one image has no similar pair to give. It comes with that image only, and makes dissimilar pairs.

C classes, K images of each, A groups, P classes of each group, S classes of one image, B = C * K + S images (in
images_BCHW, C channels)
"""

import math
from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.recipes import ClassSampling

ALONE = 1 / 4  # of a batch: with more of them, there would be too few similar pairs
LAST = 0.99  # the largest random number
MANY = 2**62  # more images than a class can have
TURNS, WAYS = 4, 8  # ways round: 0 to 3 are quarter turns, 4 to 7 their mirror images
COLOURS = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0))  # orders of red, green and blue
RED_GREEN_BLUE = 3  # channels
PROBED = 4  # pictures of a class that tell whether it has colours
COLOURLESS = 0.04  # mean of the largest less the smallest of red, green and blue, below which all orders look alike


@dataclass(frozen=True, eq=False)
class ClassBatch:
    """Images of different classes."""

    row_CK: torch.Tensor  # rows of the images of each class
    way_C: torch.Tensor  # which way each class comes
    row_S: torch.Tensor  # rows of the images that are alone in their class
    way_S: torch.Tensor  # which way round each of them is


def check_batches(packed: ImageSet, sampling: ClassSampling, varied: bool) -> None:
    """Raise BadInput if a class of a set that is pairable has too few images for a batch.

    varied: whether images are varied at random, so that a class may give an image twice
    """
    several_C = packed.count_C.masked_fill(packed.count_C < 2, MANY)
    fewest = int(several_C.min())
    if fewest < sampling.drawings and not varied:
        poor = packed.class_names[int(several_C.argmin())]
        raise BadInput(
            f"{packed.name} has {fewest} images of {poor}; a batch takes {sampling.drawings} of each class",
            f"Use --override drawings={fewest}.",
        )


def classes_of_batch(packed: ImageSet, sampling: ClassSampling) -> tuple[int, int]:
    """Return how many classes with several images, and how many with one, a batch takes.

    Classes with one image come as often as others, but never fill more than a share of the batch, ALONE.
    """
    several = int((packed.count_C > 1).sum())
    alone = len(packed.class_names) - several
    most = sampling.batch_size // sampling.drawings
    singles = min(math.ceil(alone * min(1.0, most / several)), int(sampling.batch_size * ALONE))
    return min((sampling.batch_size - singles) // sampling.drawings, several), singles


def colourings_of_batch(packed: ImageSet, sampling: ClassSampling, classes: int, singles: int) -> int:
    """Return in how many orders of colours each class comes: more than one if the classes do not fill a batch.

    classes, singles: as of classes_of_batch
    """
    if not sampling.colours or packed.shape[0] != RED_GREEN_BLUE:
        return 1
    room = (sampling.batch_size - singles) // sampling.drawings
    return max(1, min(sampling.colourings, room // max(1, classes)))


def colourless(packed: ImageSet) -> torch.Tensor:
    """Return which classes have pictures without colour, (C,) bool, by the first PROBED pictures of each."""
    found = []
    for first, count in zip(packed.first_C.tolist(), packed.count_C.tolist(), strict=True):
        rows_B = torch.arange(first, first + min(count, PROBED), device=packed.device)
        images_BCHW = packed.gather(rows_B)
        spread_BHW = images_BCHW.amax(1) - images_BCHW.amin(1)
        found.append(bool(spread_BHW.mean() < COLOURLESS))
    return torch.tensor(found, device=packed.device)


def ways_round(sampling: ClassSampling, channels: int) -> tuple[int, ...]:
    """Return the ways that are classes of their own, ascending. Grey images have no other colours.

    A way is a way round + WAYS * the number of the order of colours.
    """
    ways = range(0, WAYS if sampling.mirrors else TURNS, 1 if sampling.turns else TURNS)
    colours = len(COLOURS) if sampling.colours and channels == RED_GREEN_BLUE else 1
    return tuple(way + WAYS * colour for colour in range(colours) for way in ways)


def recoloured(images_BCHW: torch.Tensor, way_B: torch.Tensor) -> torch.Tensor:
    """Return the images with red, green and blue in the order that their way says."""
    if images_BCHW.shape[1] != RED_GREEN_BLUE:
        return images_BCHW
    order_BC = torch.tensor(COLOURS, device=images_BCHW.device)[way_B // WAYS]
    return images_BCHW.gather(1, order_BC[:, :, None, None].expand_as(images_BCHW))


def draw_batch(
    packed: ImageSet,
    sampling: ClassSampling,
    classes: int,
    generator: torch.Generator,
    singles: int = 0,
    colourings: int = 1,
    colourless_C: torch.Tensor | None = None,
) -> ClassBatch:
    """Draw different classes (fewer if the set has fewer), and K images of each, different ones if there are K.

    A groups are drawn without replacement, and P classes from each, all the same way round, so that a batch holds the
    pairs that are hardest to tell apart. The other classes come from anywhere, each its own way round.

    classes: to draw of those with several images; singles: to draw of those with one
    colourings: orders of colours in which each class with several images comes; the images are drawn for each order
    colourless_C: classes that come in one order only, as all orders look the same
    """
    device, total = packed.device, len(packed.class_names)
    group_C, alphabets, alone_C = packed.group_C, len(packed.group_names), packed.count_C < 2
    if group_C is None:  # each class is a group by itself
        group_C, alphabets = torch.arange(total, device=device), total
    key_C = torch.rand(total, generator=generator, device=device) * LAST  # never as far as the next group
    key_C = key_C.masked_fill(alone_C, LAST)
    chosen_A = torch.zeros(alphabets, dtype=torch.bool, device=device)
    chosen_A[torch.randperm(alphabets, generator=generator, device=device)[: sampling.alphabets]] = True
    # classes of a group lie side by side, so sorting within groups leaves group_C as it is
    rank_C = torch.empty_like(group_C)
    start_A = torch.searchsorted(group_C, torch.arange(alphabets, device=device))
    rank_C[(group_C + key_C).argsort()] = torch.arange(total, device=device) - start_A[group_C]
    together_C = chosen_A[group_C] & (rank_C < sampling.per_alphabet) & ~alone_C
    class_C = (key_C - together_C.float()).argsort()[: min(classes, total - int(alone_C.sum()))]
    ways = torch.tensor(ways_round(sampling, packed.shape[0]), device=device)
    way_A, way_C = (_ways(ways, count, sampling.colours, generator) for count in (alphabets, total))
    way_C = torch.where(together_C, way_A[group_C], way_C)[class_C]
    if colourings > 1:  # else no random numbers
        class_C, way_C = _in_other_colours(class_C, way_C, colourings, generator)
        if colourless_C is not None:
            kept_C = ~colourless_C[class_C] | (torch.arange(len(class_C), device=device) % colourings == 0)
            class_C, way_C = class_C[kept_C], way_C[kept_C]
    most = int(packed.count_C.max())
    key_CN = torch.rand((len(class_C), most), generator=generator, device=device)
    key_CN.masked_fill_(torch.arange(most, device=device) >= packed.count_C[class_C, None], -1)
    drawing_CK = key_CN.topk(min(sampling.drawings, most), dim=1).indices
    turn_CK = torch.arange(sampling.drawings, device=device) % packed.count_C[class_C, None].clamp(
        max=sampling.drawings
    )
    row_CK = packed.first_C[class_C, None] + drawing_CK.gather(1, turn_CK)
    alone_S = alone_C.nonzero().flatten()
    if singles:  # else no random numbers
        alone_S = alone_S[torch.randperm(len(alone_S), generator=generator, device=device)]
    row_S = packed.first_C[alone_S[:singles]]
    way_S = _ways(ways, len(row_S), sampling.colours, generator)
    return ClassBatch(row_CK, way_C, row_S, way_S)


def _in_other_colours(
    class_C: torch.Tensor, way_C: torch.Tensor, colourings: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each class `colourings` times, side by side: in its own order of colours, then in others at random."""
    key_CO = torch.rand((len(class_C), len(COLOURS)), generator=generator, device=class_C.device)
    order_CO = key_CO.scatter(1, way_C[:, None] // WAYS, -1.0).argsort(1)[:, :colourings]
    way_CO = way_C[:, None] % WAYS + WAYS * order_CO
    return class_C.repeat_interleave(colourings), way_CO.flatten()


def _ways(ways: torch.Tensor, count: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """Draw ways, each way round as probable as the others; a share of them has other colours if there are any."""
    plain = ways[ways < WAYS]
    way_N = plain[torch.randint(len(plain), (count,), generator=generator, device=ways.device)]
    if len(plain) == len(ways):  # else no random numbers
        return way_N
    other_N = torch.randint(1, len(COLOURS), (count,), generator=generator, device=ways.device)
    changed_N = torch.rand(count, generator=generator, device=ways.device) < share
    return way_N + WAYS * other_N * changed_N
