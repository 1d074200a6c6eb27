"""Random pairs as the example draws them: batched integer arithmetic on the device the images live on.

B pairs, C classes
"""

from dataclasses import dataclass

import torch

from omnitwin.data.imageset import ImageSet


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Rows of the two images of each pair, (B,) int64, and whether they show the same class, (B,) bool."""

    left_B: torch.Tensor
    right_B: torch.Tensor
    similar_B: torch.Tensor


def draw_pairs(packed: ImageSet, count: int, generator: torch.Generator) -> PairBatch:
    """Draw count pairs, each similar with probability 1/2.

    Similar: a class drawn uniformly, two different images of it. Dissimilar: two different classes drawn uniformly,
    one image of each. (MathWorks, "Train a Twin Neural Network to Compare Images", getTwinBatch.)
    """
    classes = len(packed.class_names)
    numbers_6B = torch.randint(2**31, (6, count), generator=generator, device=packed.device)
    coin_B, class_B, class_step_B, image_B, image_step_B, other_image_B = numbers_6B
    similar_B = coin_B % 2 == 0
    left_class_B = class_B % classes
    # a step of 1 to C - 1 around the circle of classes reaches each other class equally often, and never the same
    right_class_B = torch.where(similar_B, left_class_B, (left_class_B + 1 + class_step_B % (classes - 1)) % classes)
    left_count_B, right_count_B = packed.count_C[left_class_B], packed.count_C[right_class_B]
    left_image_B = image_B % left_count_B
    another_image_B = (left_image_B + 1 + image_step_B % (left_count_B - 1)) % left_count_B
    right_image_B = torch.where(similar_B, another_image_B, other_image_B % right_count_B)
    return PairBatch(
        packed.first_C[left_class_B] + left_image_B, packed.first_C[right_class_B] + right_image_B, similar_B
    )
