"""At the end of training, fit how a checkpoint knows images unlike those that its network was trained for.

    ground = ground_of(training, held_out, view)
    ground.novelty, ground.familiarity(network)  # records for images.novelty and model.familiarity

Drawings in black and white are taken in all variations that people's files have (images.variations); all others as they
are. Held-out classes set the limits, so that of no variation more than 1 % of the pairs are refused.

B images
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.data.packed import PackedSet
from omnitwin.images.framing import WHITE
from omnitwin.images.novelty import fit_novelty, novelty, statistics
from omnitwin.images.variations import VARIATIONS, two_level
from omnitwin.images.views import seen
from omnitwin.metrics.arrays import Array
from omnitwin.model.familiarity import Looked, fit_familiarity
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import View
from omnitwin.system.portions import images_at_once

DRAWINGS = 100  # in each variation; all variations take about 10 s
FEW_DRAWINGS = 25  # the same at the end of a training, which should not wait for it
MOST_IMAGES = 1000  # of those taken as they are, on each side
EMBED_AT_ONCE = 64  # images
REFUSED = 0.005  # share of the drawings of any variation beyond the limits: of the pairs 1 %
LEAST_ITERATIONS = 50  # a shorter training is a trial, whose network knows nothing


@dataclass(frozen=True, eq=False, kw_only=True)
class Taken:
    """Images as a network sees them (uint8), with the unrest of their paper, their class and their variation."""

    pixels_BCHW: Array
    unrest_B: Array
    class_B: Array
    kind_B: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """What is familiar: some images to train on and some held out, as a network sees them.

    novelty: the record for images.novelty; None: they are no drawings
    """

    training: Taken
    held_out: Taken
    novelty: dict[str, Any] | None

    def familiarity(self, network: TwinNetwork) -> dict[str, Any] | None:
        """Return a network's record for model.familiarity, or None if these images are too few."""
        looked = [
            Looked(
                features_BD=_features(network, side.pixels_BCHW),
                pixels_BCHW=side.pixels_BCHW,
                class_B=side.class_B,
                kind_B=side.kind_B,
            )
            for side in (self.training, self.held_out)
        ]
        return fit_familiarity(*looked)


def ground_of(
    training: ImageSet, held_out: ImageSet, view: View, seed: int = 0, drawings: int = FEW_DRAWINGS
) -> Ground | None:
    """Return what is familiar to networks with a view; None if its frame leaves images as they are.

    training, held_out: unframed drawings are varied; other images are taken as the network sees them
    drawings: in each variation
    """
    if view.frame not in ("ink", "photo"):
        return None
    both = (training, held_out)
    drawn = view.frame == "ink" and all(isinstance(each, PackedSet) and each.white == 1 for each in both)
    sides = [
        _varied(each, view, [seed, side], drawings) if drawn else _plain(each, view, [seed, side])
        for side, each in enumerate(both)
    ]
    return Ground(training=sides[0], held_out=sides[1], novelty=_novelty(*sides) if drawn else None)


def _novelty(training: Taken, held_out: Taken) -> dict[str, Any]:
    """Fit the record of the ink's statistics; its limits are widened until no variation is refused often."""
    known_BD, held_BD = (statistics(side.pixels_BCHW[:, 0], side.unrest_B) for side in (training, held_out))
    record = fit_novelty(known_BD, held_BD)
    ratio_B, kind_B = novelty(held_BD, record), held_out.kind_B
    times = max(1.0, *(float(np.quantile(ratio_B[kind_B == kind], 1 - REFUSED)) for kind in np.unique(kind_B)))
    return record | {name: record[name] * times for name in ("distance_limit", "unrest_limit")}


def _varied(packed: ImageSet, view: View, key: list[int], drawings: int) -> Taken:
    """Return random drawings in each variation, as a network sees files of them."""
    random = np.random.default_rng(key)
    found, rows, kinds = [], [], []
    for kind, vary in enumerate(VARIATIONS.values()):
        for row in random.integers(len(packed), size=drawings).tolist():
            found.append(seen(vary(two_level(packed.picture(row)), random), view))
            rows.append(row)
            kinds.append(kind)
    return Taken(
        pixels_BCHW=np.stack([image.pixels_CHW for image in found]),
        unrest_B=np.array([image.unrest for image in found]),
        class_B=packed.class_N.cpu().numpy()[rows],
        kind_B=np.array(kinds),
    )


def _plain(images: ImageSet, view: View, key: list[int]) -> Taken:
    """Return some images at random, as the network sees them."""
    framed = images.framed(view)
    rows_B = np.random.default_rng(key).permutation(len(framed))[:MOST_IMAGES]
    rows = torch.from_numpy(rows_B).to(framed.device)
    parts = [
        framed.gather(part).cpu() for part in torch.split(rows, images_at_once(EMBED_AT_ONCE, max(framed.shape[1:])))
    ]
    return Taken(
        pixels_BCHW=(torch.cat(parts).float() * WHITE).round().to(torch.uint8).numpy(),
        unrest_B=np.zeros(len(rows_B)),
        class_B=framed.class_N.cpu().numpy()[rows_B],
        kind_B=np.zeros(len(rows_B), np.int64),
    )


@torch.inference_mode()
def _features(network: TwinNetwork, pixels_BCHW: Array) -> Array:
    """Return a network's features (B, D) of images, before they are scaled; it is left in the mode it was in."""
    training, device = network.training, next(network.parameters()).device
    network.eval()
    images = torch.from_numpy(pixels_BCHW)
    parts = [
        network.features((part.float() / WHITE).to(device)).cpu()
        for part in torch.split(images, images_at_once(EMBED_AT_ONCE, max(images.shape[-2:])))
    ]
    network.train(training)
    features_BD: Array = torch.cat(parts).numpy()
    return features_BD
