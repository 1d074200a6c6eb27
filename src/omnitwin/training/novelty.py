"""Fit the statistics by which a checkpoint can tell drawings from other images, on drawings in all variations."""

from typing import Any

import numpy as np

from omnitwin.data.imageset import ImageSet
from omnitwin.images.novelty import fit_novelty, statistics
from omnitwin.images.variations import VARIATIONS, two_level
from omnitwin.images.views import seen
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import square

DRAWINGS = 100  # in each variation; all variations take about 10 s


def fit_on_variations(
    training: ImageSet, held_out: ImageSet, size: int, seed: int = 0, drawings: int = DRAWINGS
) -> dict[str, Any]:
    """Return the record for images.novelty, for networks whose frame is `ink`. Held-out drawings set its limits."""
    return fit_novelty(_varied(training, size, [seed, 0], drawings), _varied(held_out, size, [seed, 1], drawings))


def _varied(packed: ImageSet, size: int, key: list[int], drawings: int) -> Array:
    """Return the statistics of random drawings in each variation."""
    random = np.random.default_rng(key)
    found = [
        seen(vary(two_level(packed.picture(row)), random), square(size, "ink"))
        for vary in VARIATIONS.values()
        for row in random.integers(len(packed), size=drawings).tolist()
    ]
    squares = np.stack([image.pixels_CHW[0] for image in found])
    return statistics(squares, np.array([image.unrest for image in found]))
