"""Random pairs as the example draws them, by batched integer arithmetic on the device of the images.

B pairs, C classes
"""

from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of rows."""

    left_B: torch.Tensor  # row of each pair's first image, (B,) int64
    right_B: torch.Tensor  # row of its second image, (B,) int64
    similar_B: torch.Tensor  # whether both show the same class, (B,) bool


def draw_pairs(images: ImageSet, count: int, generator: torch.Generator) -> PairBatch:
    """Draw pairs, each similar with probability 1/2.

    A similar pair has two different images of a class drawn uniformly from those with two or more. A dissimilar pair
    has an image of each of two different classes drawn uniformly from all. (MathWorks, "Train a Twin Neural Network to
    Compare Images", getTwinBatch.) The set must pass check_pairable.
    """
    classes = len(images.class_names)
    numbers_6B = torch.randint(2**31, (6, count), generator=generator, device=images.device)
    coin_B, class_B, class_step_B, image_B, image_step_B, other_image_B = numbers_6B
    similar_B = coin_B % 2 == 0
    several_C = images.count_C > 1
    order_C = (~several_C).to(torch.uint8).argsort(stable=True)  # classes that make similar pairs come first
    left_class_B = torch.where(similar_B, order_C[class_B % several_C.sum()], class_B % classes)
    # a step of 1 to C - 1 around the circle of classes reaches each other class equally often, and never the same
    right_class_B = torch.where(similar_B, left_class_B, (left_class_B + 1 + class_step_B % (classes - 1)) % classes)
    left_count_B, right_count_B = images.count_C[left_class_B], images.count_C[right_class_B]
    left_image_B = image_B % left_count_B
    another_image_B = (left_image_B + 1 + image_step_B % (left_count_B - 1).clamp(min=1)) % left_count_B
    right_image_B = torch.where(similar_B, another_image_B, other_image_B % right_count_B)
    return PairBatch(
        images.first_C[left_class_B] + left_image_B, images.first_C[right_class_B] + right_image_B, similar_B
    )
