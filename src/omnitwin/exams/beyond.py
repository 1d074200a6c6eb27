"""The exam beyond the set's own drawings: random pairs as photos, scans and other pens would show them.

B pairs, V variations, C classes, R replicates; images are (B, D, H, W), D channels of H x W pixels
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from omnitwin.answers.doubts import doubts_about
from omnitwin.answers.verifier import pixels_of
from omnitwin.config import BEYOND_PAIRS, EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pairs import PairBatch, draw_pairs
from omnitwin.exams.exam import CPU, Sitting, bootstrap_method, joined
from omnitwin.exams.ink import check_ink
from omnitwin.exams.measures import AUC, BALANCED, FALSE_ALARMS, REFUSED, Kind
from omnitwin.images.framing import WHITE
from omnitwin.images.variations import AS_DRAWN, VARIATIONS, two_level
from omnitwin.images.views import Seen, seen
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

    The figures over all leave out the pairs as they were drawn. If the network knows what is unlike its images, its
    false alarms are counted too: the share of images that it would not judge (answers.doubts), and of pairs that it
    refuses for that. All are drawings, and can be answered; the other figures count the answers that it would give.
    """
    scorer, images, config = sitting.scorer, sitting.images, sitting.config
    pairs = joined(
        draw_pairs(images, BEYOND_PAIRS, random_generator(CPU, seed, Stream.BEYOND)) for seed in sitting.seeds
    )
    height, width = scorer.packed.shape[1:]
    view, knows = scorer.verifier.view or View(height=height, width=width), scorer.verifier.knows
    logits: dict[str, Array] = {}
    alarms: dict[str, Array] = {}  # (2, B) bool: of the left and the right images
    drawings = 2 * len(pairs.left_B) * len(VARIATIONS)
    with scorer.reporter.task("Drawing and comparing variations", drawings, "images") as advance:
        for number, name in enumerate(VARIATIONS):
            key = [natural(config.seed), number]
            scores: list[Array] = []
            novel: tuple[list[bool], list[bool]] = ([], [])  # left and right
            for part in portions(len(pairs.left_B), len(pairs.left_B), max(height, width)):
                places = range(len(pairs.left_B))[part]
                sides = _taken_in(name, key, images, pairs, places, view, advance)
                pixels = [torch.from_numpy(pixels_of(side)).float() / WHITE for side in sides]
                scores.append(scorer.score_images(*pixels).double().numpy())
                for found, side in zip(novel, sides if knows else (), strict=False):
                    values = scorer.verifier.novelties(side)
                    told = scorer.verifier.of_drawings
                    found += [bool(doubts_about("", *each, told)) for each in zip(side, values, strict=True)]
            logits[name] = np.concatenate(scores)
            if knows:
                alarms[name] = np.array(novel)
    nouns = nouns_of(images.name)
    figures = _Figures(images, pairs, sitting.threshold, config.seed)
    class_2B = torch.stack([images.class_N[rows] for rows in (pairs.left_B, pairs.right_B)]).cpu().numpy()
    groups = tuple(
        Group(name=name, measures=(*figures.of(logits[name]), *_false_alarms(alarms.get(name), class_2B, nouns.kinds)))
        for name in VARIATIONS
    )
    varied = [name for name in VARIATIONS if name != AS_DRAWN]
    alarm_2B = np.concatenate([alarms[name] for name in varied], axis=1) if alarms else None
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
        measures=(*whole, *_false_alarms(alarm_2B, np.tile(class_2B, len(varied)), nouns.kinds)),
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
) -> list[list[Seen]]:
    """Return the left and the right images of some pairs in a variation.

    places: of the pairs

    The images are varied, then taken in as files are. key: the first parts of each image's random key.
    """
    sides = []
    for side, rows_B in enumerate((pairs.left_B, pairs.right_B)):
        found = []
        for place in places:
            random = np.random.default_rng([*key, side, place])
            found.append(seen(VARIATIONS[name](two_level(images.picture(int(rows_B[place]))), random), view))
            advance(1)
        sides.append(found)
    return sides


def _false_alarms(alarm_2B: Array | None, class_2B: Array, kinds: str) -> tuple[Measure, ...]:
    """Return the share of images that a network finds novel, and of pairs that it refuses; nothing if it never does."""
    if alarm_2B is None:
        return ()
    either_B, left_B = np.logical_or(alarm_2B[0], alarm_2B[1]), class_2B[0]
    return (
        _share(REFUSED, either_B, left_B, f"variance between {kinds} of the left image; n counts pairs"),
        _share(FALSE_ALARMS, alarm_2B.reshape(-1), class_2B.reshape(-1), f"variance between {kinds}; n counts images"),
    )


def _share(kind: Kind, alarm_B: Array, class_B: Array, method: str) -> Measure:
    right_C: Array = np.bincount(class_B, weights=alarm_B.astype(np.float64))
    interval = clustered_wilson_interval(right_C, np.bincount(class_B).astype(np.float64))
    return kind.measure(float(alarm_B.mean()), interval, len(alarm_B), f"Wilson, {method}")


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
