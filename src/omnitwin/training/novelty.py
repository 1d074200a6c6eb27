"""What a checkpoint may keep to tell drawings from other images: fitted on drawings in all variations."""

from typing import Any

import numpy as np

from omnitwin.data.packed import PackedSet
from omnitwin.images.intake import take_in
from omnitwin.images.novelty import Array, fit_novelty, statistics
from omnitwin.images.variations import VARIATIONS

DRAWINGS = 100  # in each variation: about ten seconds in all


def fit_on_variations(training: PackedSet, held_out: PackedSet, size: int, seed: int = 0) -> dict[str, Any]:
    """The record for metrics.novelty, for networks whose frame is `ink`; the limits come from held-out drawings."""
    return fit_novelty(_varied(training, size, [seed, 0]), _varied(held_out, size, [seed, 1]))


def _varied(packed: PackedSet, size: int, key: list[int]) -> Array:
    """Statistics of DRAWINGS random drawings in each variation."""
    random = np.random.default_rng(key)
    drawings = packed.images_NHW.numpy()
    intakes = [
        take_in(vary(drawings[row], random), size, "ink")
        for vary in VARIATIONS.values()
        for row in random.integers(len(drawings), size=DRAWINGS)
    ]
    squares = np.stack([np.asarray(intake.image) for intake in intakes])
    return statistics(squares, np.array([intake.unrest for intake in intakes]))
