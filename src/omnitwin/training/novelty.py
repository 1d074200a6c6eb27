"""At the end of training, fit how a checkpoint knows images unlike those that its network was trained for.

    ground = ground_of(training, held_out, view)
    ground.novelty, ground.familiarity(network)  # records for images.novelty and model.familiarity

Drawings in black and white are taken in all variations that people's files have (images.variations, images.marks);
all others as they are. Of drawings, also of somebody's own, the network learns to tell pictures of things
(images.things). Held-out classes set the limits, so that of no variation more than 1 % of the pairs are refused.

B images, D statistics
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.data.imageset import ImageSet
from omnitwin.data.own import FolderSet
from omnitwin.data.packed import PackedSet
from omnitwin.errors import BadImage
from omnitwin.images.framing import WHITE
from omnitwin.images.marks import MARKS
from omnitwin.images.novelty import logged, score, standardised, statistics_of
from omnitwin.images.things import draw_thing
from omnitwin.images.variations import VARIATIONS, two_level
from omnitwin.images.views import seen
from omnitwin.metrics.arrays import Array, rounded
from omnitwin.model.familiarity import Looked, fit_familiarity, limit_of
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import View
from omnitwin.system.portions import images_at_once

DRAWINGS = 200  # held out, in each variation; of those trained on half as many
FEW_DRAWINGS = 20  # the same at the end of a training, which should not wait for it
MOST_IMAGES = 1000  # of those taken as they are, on each side
EMBED_AT_ONCE = 64  # images
THINGS = 16  # times as many pictures of things as drawings in each variation
HIDDEN, STEPS, RATE, DECAY = 16, 600, 0.02, 1.0  # of the network that tells things: units, AdamW's steps, and its rates
REFUSED = 0.003  # share of the drawings of any variation beyond the limit: of the pairs less than 1 %
TINY = 1e-6  # the least spread
LEAST_OWN = 20  # drawings of somebody's own from which it is learnt what they are
LEAST_ITERATIONS = 50  # a shorter training is a trial, whose network knows nothing


@dataclass(frozen=True, eq=False, kw_only=True)
class Taken:
    """Images as a network sees them (uint8), with the statistics of drawings, their class and their variation."""

    pixels_BCHW: Array
    statistics_BD: Array  # of images.novelty; D is 0 for images taken as they are
    class_B: Array
    kind_B: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """What is familiar: some images to train on and some held out, as a network sees them.

    novelty: the record for images.novelty; None: they are no drawings
    varied: whether they are drawings in all variations
    """

    training: Taken
    held_out: Taken
    novelty: dict[str, Any] | None
    varied: bool

    def familiarity(self, network: TwinNetwork) -> dict[str, Any] | None:
        """Return a network's record for model.familiarity, or None if these images are too few.

        Drawings in all variations need none: the network's features say nothing that the ink does not (docs/LOG.md).
        """
        if self.varied:
            return None
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
    drawings: held out, in each variation
    """
    if view.frame not in ("ink", "photo"):
        return None
    both = (training, held_out)
    drawn = view.frame == "ink" and all(isinstance(each, PackedSet) and each.white == 1 for each in both)
    known, judged = (
        _varied(each, view, [seed, side], many) if drawn else _plain(each, view, [seed, side])
        for side, (each, many) in enumerate(zip(both, (drawings // 2, drawings), strict=True))
    )
    if drawn:
        novelty: dict[str, Any] | None = _told_from_things(known, judged, THINGS * drawings, view, seed)
    else:
        novelty = _of_own(training, held_out, view, [seed], THINGS * drawings) if view.frame == "ink" else None
    return Ground(training=known, held_out=judged, novelty=novelty, varied=drawn)


def _told_from_things(training: Taken, held_out: Taken, things: int, view: View, seed: int) -> dict[str, Any]:
    """Return the record of a network that tells drawings from things, with a limit that few drawings pass.

    The drawings that it was fitted to count, too: twelve statistics are too few to know them by heart, and few held-out
    alphabets are often simple ones, whose drawings stay plain in few pixels.
    """
    record = fit_novelty(training.statistics_BD, _things(things, view, seed), seed)
    score_B = np.concatenate([score(side.statistics_BD, record) for side in (training, held_out)])
    kind_B = np.concatenate([side.kind_B for side in (training, held_out)])
    limit = max(float(np.quantile(score_B[kind_B == kind], 1 - REFUSED)) for kind in np.unique(kind_B))
    return record | {"limit": rounded(limit)}


def _of_own(training: ImageSet, held_out: ImageSet, view: View, key: list[int], things: int) -> dict[str, Any] | None:
    """Return such a record of somebody's own drawings, read from their files; None if they are too few, or gone.

    They are few, so the limit is that of model.familiarity: a prediction interval with a random effect of the class.
    """
    if not isinstance(training, FolderSet) or not isinstance(held_out, FolderSet):
        return None
    (known_BD, _), (judged_BD, class_B) = (_as_read(each, view, key, things) for each in (training, held_out))
    if len(known_BD) < LEAST_OWN or len(np.unique(class_B)) < 2:
        return None
    record = fit_novelty(known_BD, _things(things, view, key[0]), key[0])
    odds_B = np.exp(score(judged_BD, record))
    return record | {"limit": rounded(np.log(limit_of(odds_B, np.zeros(len(odds_B)), class_B)))}


def _as_read(images: FolderSet, view: View, key: list[int], most: int) -> tuple[Array, Array]:
    """Return the statistics (B, D) of some images at random, read from their files, and their classes (B,)."""
    found, classes = [], []
    for row in np.random.default_rng(key).permutation(len(images))[:most].tolist():
        with suppress(BadImage):
            found.append(images.as_read(row, view))
            classes.append(int(images.class_N[row]))
    return (statistics_of(found) if found else np.zeros((0, 0))), np.array(classes)


def _things(count: int, view: View, seed: int) -> Array:
    """Return the statistics (T, D) of pictures of things. Those without one drawing are left out: they are refused."""
    random = np.random.default_rng([seed, *b"things"])
    pictures = [seen(draw_thing(random), view) for _ in range(count)]
    return statistics_of([picture for picture in pictures if not picture.findings])


def fit_novelty(drawing_BD: Array, thing_BD: Array, seed: int) -> dict[str, Any]:
    """Return the record of images.novelty, without its limit: of a network that tells things from drawings.

    drawing_BD, thing_BD: statistics of both, which weigh the same, however many there are of each
    """
    drawing_BD, thing_BD = logged(drawing_BD), logged(thing_BD)
    scale = {"mean": rounded(drawing_BD.mean(0)), "spread": rounded(drawing_BD.std(0) + TINY)}
    input_BD = torch.from_numpy(standardised(np.concatenate([drawing_BD, thing_BD]), scale)).float()
    thing_B = (torch.arange(len(input_BD)) >= len(drawing_BD)).float()
    weight_B = torch.where(thing_B > 0, 0.5 / len(thing_BD), 0.5 / len(drawing_BD))
    generator = torch.Generator().manual_seed(seed)
    first, head = nn.Linear(input_BD.shape[1], HIDDEN), nn.Linear(HIDDEN, 1)
    parameters = [*first.parameters(), *head.parameters()]
    for parameter in parameters:
        nn.init.uniform_(parameter, -(HIDDEN**-0.5), HIDDEN**-0.5, generator=generator)
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        logit_B = head(first(input_BD).tanh())[:, 0]
        loss = (weight_B * F.binary_cross_entropy_with_logits(logit_B, thing_B, reduction="none")).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    found = {"weights": first.weight, "biases": first.bias, "head": head.weight[0], "bias": head.bias[0]}
    return scale | {name: rounded(values.detach().double().numpy()) for name, values in found.items()}


def _varied(packed: ImageSet, view: View, key: list[int], drawings: int) -> Taken:
    """Return random drawings in each variation, as a network sees files of them."""
    random = np.random.default_rng(key)
    found, rows, kinds = [], [], []
    for kind, vary in enumerate((VARIATIONS | MARKS).values()):
        for row in random.integers(len(packed), size=drawings).tolist():
            found.append(seen(vary(two_level(packed.picture(row)), random), view))
            rows.append(row)
            kinds.append(kind)
    return Taken(
        pixels_BCHW=np.stack([image.pixels_CHW for image in found]),
        statistics_BD=statistics_of(found),
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
        statistics_BD=np.zeros((len(rows_B), 0)),
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
