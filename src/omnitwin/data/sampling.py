"""Draw the batches of training, by the name in the recipe: random pairs, or classes with several images each.

B images, P pairs, C classes, K images of each, S classes of one image
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from omnitwin.data.augment import vary
from omnitwin.data.batches import (
    WAYS,
    check_batches,
    classes_of_batch,
    colourings_of_batch,
    colourless,
    draw_batch,
    recoloured,
    ways_round,
)
from omnitwin.data.imageset import ImageSet, check_pairable, single_classes
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.photo_augment import vary_photos
from omnitwin.recipes import ClassSampling, InkAugmentation, NoAugmentation, PairSampling, Part, PhotoAugmentation


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """The images that a step takes together, and their labels.

    In a batch of classes, the K images of a class are adjacent, and those that are alone in their class come last. In a
    batch of pairs, images i and P + i are pair i.
    """

    images: torch.Tensor  # (B, C, H, W)
    label_B: torch.Tensor  # class of each image, each way round by itself, (B,) int64; below the sampler's `labels`
    similar_P: torch.Tensor | None = None  # whether each pair shows one class, (P,) bool; None: not a batch of pairs
    alone: int = 0  # images that are alone in their class, of a batch of classes

    def first(self, size: int) -> "Batch":
        """Return a batch of the first `size` pairs, or of the first `size` images if there are no pairs."""
        if self.similar_P is None:
            alone = max(0, self.alone - max(0, len(self.images) - size))
            return Batch(images=self.images[:size], label_B=self.label_B[:size], alone=alone)
        left, right = (torch.cat([half[:size] for half in part.chunk(2)]) for part in (self.images, self.label_B))
        return Batch(images=left, label_B=right, similar_P=self.similar_P[:size])


class Sampler(Protocol):
    """Draw batches from a set."""

    unit: str  # what size, least and step count: `pairs` or `images`
    size: int  # of a batch; a small set can make it less than the recipe's, and classes without colour less than this
    classes: int | None  # in a batch, with several images; None: the number varies
    colourings: int  # orders of colours in which each of them comes
    notes: tuple[str, ...]  # what a user should know of classes with few images
    labels: int  # that images can have: the set's classes, each as often as there are ways round
    pairs: int  # that a step learns from
    least: int  # size of the smallest batch
    step: int  # the size is a multiple of it

    def draw(self, generator: torch.Generator) -> Batch:
        """Return a batch, a function of the generator's state."""


class PairSampler:
    """Draw random pairs, as the example does (data.pairs)."""

    unit = "pairs"
    classes: int | None = None
    least = step = colourings = 1

    def __init__(self, images: ImageSet, sampling: PairSampling, augmentation: Part) -> None:
        check_pairable(images)
        self.images, self.augment = images, AUGMENTATIONS[augmentation.name](augmentation)
        self.labels, self.notes = len(images.class_names), _notes(images, 2)
        self.size = self.pairs = sampling.batch_size

    def draw(self, generator: torch.Generator) -> Batch:
        pairs = draw_pairs(self.images, self.size, generator)
        row_B = torch.cat([pairs.left_B, pairs.right_B])
        images = self.augment(self.images.gather(row_B), torch.zeros_like(row_B), generator)
        return Batch(images=images, label_B=self.images.class_N[row_B], similar_P=pairs.similar_B)


class ClassSampler:
    """Draw classes with several images each (data.batches)."""

    unit = "images"

    def __init__(self, images: ImageSet, sampling: ClassSampling, augmentation: Part) -> None:
        check_pairable(images)
        check_batches(images, sampling, varied=not isinstance(augmentation, NoAugmentation))
        self.images, self.sampling = images, sampling
        self.augment = AUGMENTATIONS[augmentation.name](augmentation)
        self.taken, self.singles = classes_of_batch(images, sampling)
        self.colourings = colourings_of_batch(images, sampling, self.taken, self.singles)
        self.colourless_C = colourless(images) if self.colourings > 1 else None
        if self.colourless_C is not None and self.colourless_C.all():
            self.colourings, self.colourless_C = 1, None
        self.classes: int | None = self.taken
        self.notes = _notes(images, sampling.drawings)
        self.ways = ways_round(sampling, images.shape[0])
        self.labels = len(images.class_names) * len(self.ways)
        self.step = sampling.drawings
        self.least = 2 * sampling.drawings
        self.size = self.taken * self.colourings * sampling.drawings + self.singles
        self.pairs = self.size * (self.size - 1) // 2

    def draw(self, generator: torch.Generator) -> Batch:
        batch = draw_batch(
            self.images, self.sampling, self.taken, generator, self.singles, self.colourings, self.colourless_C
        )
        row_B = torch.cat([batch.row_CK.flatten(), batch.row_S])
        way_B = torch.cat([batch.way_C.repeat_interleave(self.sampling.drawings), batch.way_S])
        images = self.augment(recoloured(self.images.gather(row_B), way_B), way_B % WAYS, generator)
        place_B = torch.searchsorted(torch.tensor(self.ways, device=way_B.device), way_B)  # ways ascend
        label_B = (
            self.images.class_N[row_B] * len(self.ways) + place_B
        )  # each turn, mirror image or colouring by itself
        return Batch(images=images, label_B=label_B, alone=len(batch.row_S))


def _notes(images: ImageSet, drawings: int) -> tuple[str, ...]:
    """Say how many classes have one image, and how many others fewer than a batch takes of each."""
    alone = single_classes(images)
    few = int((images.count_C < drawings).sum()) - alone
    of = f"of {len(images.class_names):,} classes to train on"
    return (
        *((f"{alone:,} {of} have a single image: it makes dissimilar pairs only.",) if alone else ()),
        *((f"{few:,} {of} have fewer than {drawings} images: batches repeat some, varied anew.",) if few else ()),
    )


Augment = Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]


def _as_they_are(part: Part) -> Augment:
    return lambda images, way_B, generator: images


def _varied(part: Part) -> Augment:
    assert isinstance(part, InkAugmentation)
    return lambda images, way_B, generator: vary(1 - images, way_B, part, generator)


def _varied_photos(part: Part) -> Augment:
    assert isinstance(part, PhotoAugmentation)
    return lambda images, way_B, generator: vary_photos(images, way_B, part, generator)


AUGMENTATIONS: dict[str, Callable[[Part], Augment]] = {"none": _as_they_are, "ink": _varied, "photo": _varied_photos}
SAMPLERS: dict[str, Callable[[ImageSet, Any, Part], Sampler]] = {"pairs": PairSampler, "classes": ClassSampler}
