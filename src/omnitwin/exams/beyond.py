"""The exam beyond the set's own drawings: random pairs as photos, scans and other pens would show them.

B pairs, V variations, C classes, R replicates; images are (B, D, H, W), D channels of H x W pixels
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from omnitwin.config import BEYOND_PAIRS, EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pairs import PairBatch, draw_pairs
from omnitwin.exams.exam import CPU, Sitting, bootstrap_method, joined
from omnitwin.exams.ink import check_ink
from omnitwin.exams.measures import AUC, BALANCED, FALSE_ALARMS, Kind
from omnitwin.images.framing import WHITE
from omnitwin.images.novelty import novelty, statistics
from omnitwin.images.variations import AS_DRAWN, VARIATIONS, two_level
from omnitwin.images.views import seen
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import log_odds
from omnitwin.metrics.intervals import bootstrap_interval, clustered_wilson_interval
from omnitwin.metrics.resampling import natural, pair_figures, pair_replicates
from omnitwin.recipes import View
from omnitwin.reports.exams import ExamReport, Group, Measure
from omnitwin.reports.nouns import nouns_of
from omnitwin.system.portions import portions
from omnitwin.system.randomness import Stream, random_generator

REPLICATES_AT_ONCE = 100  # bounds memory


def check_drawn(images: ImageSet, config: EvalConfig) -> None:
    """Raise BadInput unless the images are ink on paper: only that is varied."""
    check_ink(images, "the variations are", "Leave beyond out.")


def beyond(sitting: Sitting) -> ExamReport:
    """Score the same random pairs in each variation. Each image is varied by itself and preprocessed as a file is.

    The figures over all leave out the pairs as they were drawn. If the network knows novelty (images.novelty), its
    false alarms are counted too: the share of images that it warns of, all of which are drawings.
    """
    scorer, images, config = sitting.scorer, sitting.images, sitting.config
    pairs = joined(
        draw_pairs(images, BEYOND_PAIRS, random_generator(CPU, seed, Stream.BEYOND)) for seed in sitting.seeds
    )
    height, width = scorer.packed.shape[1:]
    view, known = scorer.verifier.view or View(height=height, width=width), scorer.verifier.novelty
    logits: dict[str, Array] = {}
    alarms: dict[str, Array] = {}
    drawings = 2 * len(pairs.left_B) * len(VARIATIONS)
    with scorer.reporter.task("Drawing and comparing variations", drawings, "images") as advance:
        for number, name in enumerate(VARIATIONS):
            key = [natural(config.seed), number]
            scores: list[Array] = []
            left: list[Array] = []  # statistics
            right: list[Array] = []
            for part in portions(len(pairs.left_B), len(pairs.left_B), max(height, width)):
                places = range(len(pairs.left_B))[part]
                sides = _taken_in(name, key, images, pairs, places, view, advance)
                pixels = [torch.from_numpy(pixels_BDHW).float() / WHITE for pixels_BDHW, _ in sides]
                scores.append(scorer.score_images(*pixels).double().numpy())
                if known is not None:
                    left.append(statistics(sides[0][0][:, 0], sides[0][1]))
                    right.append(statistics(sides[1][0][:, 0], sides[1][1]))
            logits[name] = np.concatenate(scores)
            if known is not None:
                alarms[name] = novelty(np.concatenate(left + right), known) > 1
    nouns = nouns_of(images.name)
    figures = _Figures(images, pairs, sitting.threshold, config.seed)
    class_B = images.class_N[torch.cat([pairs.left_B, pairs.right_B])]
    groups = tuple(
        Group(name=name, measures=(*figures.of(logits[name]), *_false_alarms(alarms.get(name), class_B, nouns.kinds)))
        for name in VARIATIONS
    )
    varied = [name for name in VARIATIONS if name != AS_DRAWN]
    alarm_B = np.concatenate([alarms[name] for name in varied]) if alarms else None
    whole = figures.of(np.concatenate([logits[name] for name in varied]), BALANCED.at(sitting.threshold))
    return ExamReport(
        exam="beyond",
        description=(
            f"{len(pairs.left_B):,} random pairs of different images, similar with probability 1/2, in "
            f"{len(varied)} variations, both images of a pair varied apart"
        ),
        seeds=sitting.seeds,
        n=whole[0].n,
        unit="pairs",
        threshold=sitting.threshold,
        measures=(*whole, *_false_alarms(alarm_B, class_B.repeat(len(varied)), nouns.kinds)),
        grouped_by="variation",
        groups=groups,
    )


def _taken_in(
    name: str,
    key: list[int],
    images: ImageSet,
    pairs: PairBatch,
    places: Sequence[int],
    view: View,
    advance: Callable[[int], None],
) -> list[tuple[Array, Array]]:
    """Return the left and the right images of some pairs in a variation, and the unrest of their paper (B,).

    places: of the pairs

    The images are varied, then taken in as files are. key: the first parts of each image's random key.
    """
    sides = []
    for side, rows_B in enumerate((pairs.left_B, pairs.right_B)):
        shape = (len(places), view.channels, view.height, view.width)
        pixels_BDHW, unrest_B = np.empty(shape, dtype=np.uint8), np.empty(len(places))
        for at, place in enumerate(places):
            random = np.random.default_rng([*key, side, place])
            found = seen(VARIATIONS[name](two_level(images.picture(int(rows_B[place]))), random), view)
            pixels_BDHW[at], unrest_B[at] = found.pixels_CHW, found.unrest
            advance(1)
        sides.append((pixels_BDHW, unrest_B))
    return sides


def _false_alarms(alarm_B: Array | None, class_B: torch.Tensor, kinds: str) -> tuple[Measure, ...]:
    """Return the share of images, each of a class, that a network warns of; nothing if it never warns."""
    if alarm_B is None:
        return ()
    n_C = class_B.bincount().double().numpy()
    alarms_C = class_B.bincount(weights=torch.from_numpy(alarm_B).double()).numpy()
    interval = clustered_wilson_interval(alarms_C, n_C)
    method = f"Wilson, variance between {kinds}; n counts images"
    return (FALSE_ALARMS.measure(float(alarm_B.mean()), interval, len(alarm_B), method),)


class _Figures:
    """Balanced accuracy at the threshold and AUC of the pairs' scores; intervals by resampling classes."""

    def __init__(self, images: ImageSet, pairs: PairBatch, threshold: float, seed: int) -> None:
        left_B, right_B = (images.class_N[rows].numpy() for rows in (pairs.left_B, pairs.right_B))
        self.similar_B = pairs.similar_B.numpy()
        self.classes = len(images.class_names)
        self.weight_RB = pair_replicates(left_B, right_B, self.classes, seed)
        self.cut = float(np.float32(log_odds(threshold)))
        self.resampled, self.seed = f"{self.classes} {nouns_of(images.name).kinds}", seed

    def of(self, logit_B: Array, balanced: Kind = BALANCED) -> tuple[Measure, ...]:
        """Return the figures of the scores of a variation, or of several, one after the other."""
        times = len(logit_B) // len(self.similar_B)
        similar_B = np.tile(self.similar_B, times)
        values = pair_figures(logit_B, similar_B, np.ones((1, len(logit_B))), self.cut)
        replicates: dict[str, list[Array]] = {name: [] for name in values}
        for start in range(0, len(self.weight_RB), REPLICATES_AT_ONCE):
            weight_RB = np.tile(self.weight_RB[start : start + REPLICATES_AT_ONCE], times)
            figures = pair_figures(logit_B, similar_B, weight_RB, self.cut)
            for name, figure_R in figures.items():
                replicates[name].append(figure_R)
        measures = []
        for kind in (balanced, AUC):
            value = float(values[kind.name][0])
            drawn_R = np.concatenate(replicates[kind.name])
            drawn_R = drawn_R[np.isfinite(drawn_R)]
            interval = bootstrap_interval(drawn_R, value, value, self.classes) if len(drawn_R) else None
            method = bootstrap_method(self.resampled, self.seed, value)
            measures.append(kind.measure(value, interval, len(logit_B), method))
        return tuple(measures)
