"""The exam beyond the set's own drawings: random pairs as photos, scans and other pens would show them.

B pairs, S pixels a side, V variations, C classes, R replicates
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from omnitwin.config import BEYOND_PAIRS, EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pairs import PairBatch, draw_pairs
from omnitwin.exams.scorer import Scorer
from omnitwin.images.framing import WHITE
from omnitwin.images.intake import take_in
from omnitwin.images.novelty import novelty, statistics
from omnitwin.images.variations import AS_DRAWN, VARIATIONS, two_level
from omnitwin.metrics.intervals import bootstrap_interval, clustered_wilson_interval
from omnitwin.metrics.resampling import REPLICATES, pair_figures, pair_replicates
from omnitwin.metrics.roc import Array
from omnitwin.reports.exams import ExamReport, Group, Measure
from omnitwin.system.randomness import Stream, random_generator

CPU = torch.device("cpu")
BLOCK = 100  # replicates at a time, which bounds memory


def beyond(scorer: Scorer, original: ImageSet, config: EvalConfig, threshold: float) -> ExamReport:
    """The same random pairs in each variation, both images varied by numbers of their own, taken in as files are.

    The figures over all leave out the pairs as they were drawn. Where the network knows novelty (metrics.novelty), the
    share of images that it warns of, all of them drawings, is told too.
    """
    seeds = tuple(range(config.seed, config.seed + config.seeds))
    drawn = [draw_pairs(original, BEYOND_PAIRS, random_generator(CPU, seed, Stream.BEYOND)) for seed in seeds]
    pairs = PairBatch(*(torch.cat(parts) for parts in zip(*(vars(one).values() for one in drawn), strict=True)))
    logits: dict[str, Array] = {}
    alarms: dict[str, Array] = {}
    images = 2 * len(pairs.left_B) * len(VARIATIONS)
    with scorer.reporter.task("Drawing and comparing variations", images, "images") as advance:
        for number, name in enumerate(VARIATIONS):
            sides = _taken_in(name, [config.seed, number], original, pairs, _side(scorer), scorer.frame, advance)
            squares = [torch.from_numpy(squares_BSS)[:, None].float() / WHITE for squares_BSS, _ in sides]
            logits[name] = scorer.score_images(*squares).double().numpy()
            if scorer.novelty is not None:
                known = np.concatenate([statistics(*side) for side in sides])
                alarms[name] = novelty(known, scorer.novelty) > 1
    figures = _Figures(original, pairs, threshold, config.seed)
    class_B = original.class_N[torch.cat([pairs.left_B, pairs.right_B])]
    groups = tuple(
        Group(name=name, measures=(*figures.of(logits[name]), *_false_alarms(alarms.get(name), class_B)))
        for name in VARIATIONS
    )
    varied = [logit_B for name, logit_B in logits.items() if name != AS_DRAWN]
    alarm_B = np.concatenate([alarms[name] for name in VARIATIONS if name != AS_DRAWN]) if alarms else None
    measures = (*figures.of(np.concatenate(varied)), *_false_alarms(alarm_B, class_B.repeat(len(varied))))
    return ExamReport(
        exam="beyond",
        description=(
            f"{len(pairs.left_B):,} random pairs of different images, similar with probability 1/2, in "
            f"{len(varied)} variations, both images of a pair varied apart"
        ),
        seeds=seeds,
        n=measures[0].n,
        unit="pairs",
        threshold=threshold,
        measures=measures,
        grouped_by="variation",
        groups=groups,
    )


def _side(scorer: Scorer) -> int:
    return scorer.packed.shape[-1]


def _taken_in(
    name: str,
    key: list[int],
    original: ImageSet,
    pairs: PairBatch,
    size: int,
    frame: str,
    advance: Callable[[int], None],
) -> list[tuple[Array, Array]]:
    """Left and right images (B, S, S) of all pairs in a variation as the intake makes them, and the unrest of paper."""
    sides = []
    for side, rows_B in enumerate((pairs.left_B, pairs.right_B)):
        squares_BSS, unrest_B = np.empty((len(rows_B), size, size), dtype=np.uint8), np.empty(len(rows_B))
        for place, row in enumerate(rows_B.tolist()):
            random = np.random.default_rng([abs(part) for part in (*key, side, place)])
            intake = take_in(VARIATIONS[name](two_level(original.picture(row)), random), size, frame)
            squares_BSS[place], unrest_B[place] = np.asarray(intake.image), intake.unrest
            advance(1)
        sides.append((squares_BSS, unrest_B))
    return sides


def _false_alarms(alarm_B: Array | None, class_B: torch.Tensor) -> tuple[Measure, ...]:
    """The share of images, each of a class, that a network warns of."""
    if alarm_B is None:
        return ()
    n_C = class_B.bincount().double().numpy()
    alarms_C = class_B.bincount(weights=torch.from_numpy(alarm_B).double()).numpy()
    interval = clustered_wilson_interval(alarms_C, n_C)
    method = "Wilson, variance between characters; n counts images"
    return (
        Measure(name="false_alarms", value=float(alarm_B.mean()), interval=interval, n=len(alarm_B), method=method),
    )


class _Figures:
    """Balanced accuracy at the threshold and AUC of the pairs' scores; intervals by resampling characters."""

    def __init__(self, original: ImageSet, pairs: PairBatch, threshold: float, seed: int) -> None:
        self.left_B, self.right_B = (original.class_N[rows].numpy() for rows in (pairs.left_B, pairs.right_B))
        self.similar_B = pairs.similar_B.numpy()
        self.classes, self.seed = len(original.class_names), seed
        self.weight_RB = pair_replicates(self.left_B, self.right_B, self.classes, seed)
        self.cut = float(np.float32(math.log(threshold / (1 - threshold))))

    def of(self, logit_B: Array) -> tuple[Measure, ...]:
        """Of one variation's pairs, or those of several after each other."""
        times = len(logit_B) // len(self.similar_B)
        similar_B = np.tile(self.similar_B, times)
        values = pair_figures(logit_B, similar_B, np.ones((1, len(logit_B))), self.cut)
        replicates: dict[str, list[Array]] = {name: [] for name in values}
        for start in range(0, len(self.weight_RB), BLOCK):
            weight_RB = np.tile(self.weight_RB[start : start + BLOCK], times)
            figures = pair_figures(logit_B, similar_B, weight_RB, self.cut)
            for name, figure_R in figures.items():
                replicates[name].append(figure_R)
        measures = []
        for name, (value,) in values.items():
            drawn_R = np.concatenate(replicates[name])
            drawn_R = drawn_R[np.isfinite(drawn_R)]
            interval = bootstrap_interval(drawn_R, value, value, self.classes) if len(drawn_R) else None
            method = f"percentile bootstrap, {self.classes} characters resampled, {REPLICATES:,} replicates"
            measures.append(
                Measure(
                    name=name,
                    value=float(value),
                    interval=interval,
                    n=len(logit_B),
                    method=f"{method}, seed {self.seed}",
                )
            )
        return tuple(measures)
