"""The exams of all pairs: every unordered pair of test images, or only those within an alphabet. Nothing is sampled.

A alphabets, C classes, K coarse bins, B score values, R replicates
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from omnitwin.config import HARDEST_PAIRS, EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.exams.exam_details import with_details
from omnitwin.exams.scorer import Scorer
from omnitwin.exams.tally import Tally, coarse_edges, tally_pairs
from omnitwin.metrics.intervals import bootstrap_interval
from omnitwin.metrics.resampling import REPLICATES, class_replicates, group_replicates
from omnitwin.metrics.roc import Array, balanced_accuracy, curve_figures
from omnitwin.reports.exams import ExamReport, Group, Measure

BALANCED, BALANCED_HALF = "balanced_accuracy", "balanced_accuracy_at_0.5"

Replicates = tuple[Array, Array]  # similar and dissimilar counts, (R, K) each


def all_pairs(scorer: Scorer, original: ImageSet, config: EvalConfig, threshold: float) -> ExamReport:
    """Every one of the N (N - 1) / 2 pairs; intervals by resampling characters."""
    prepared_N, edges, cuts = _prepare(scorer, threshold)
    classes, images = len(original.class_names), len(original)
    pairs = images * (images - 1) // 2
    with scorer.reporter.task("Comparing all pairs", pairs, "pairs") as advance:
        tally = tally_pairs(scorer, prepared_N, 0, classes, edges, HARDEST_PAIRS, advance)
    del prepared_N
    report = ExamReport(
        exam="all-pairs",
        description=f"every pair of the {images:,} images, {int(tally.similar_B.sum()):,} of them similar",
        seeds=(),
        n=pairs,
        unit="pairs",
        threshold=threshold,
        measures=_of_characters(tally, cuts, classes, config.seed, str(classes)),
        grouped_by="",
    )
    return with_details(report, tally, scorer, original, threshold)


def same_alphabet(scorer: Scorer, original: ImageSet, config: EvalConfig, threshold: float) -> ExamReport:
    """Every pair of images of one alphabet, alphabet by alphabet; intervals of the whole by resampling alphabets."""
    prepared_N, edges, cuts = _prepare(scorer, threshold)
    bounds = _alphabet_bounds(original)
    sizes = [int(original.count_C[first:last].sum()) for first, last in bounds]
    tallies: list[Tally] = []
    groups: list[Group] = []
    pairs = sum(size * (size - 1) // 2 for size in sizes)
    with scorer.reporter.task("Comparing pairs within alphabets", pairs, "pairs") as advance:
        for name, (first, last) in zip(original.group_names, bounds, strict=True):
            tally = tally_pairs(scorer, prepared_N, first, last, edges, HARDEST_PAIRS, advance)
            tallies.append(tally)
            if last - first > 1:
                groups.append(Group(name=name, measures=_of_characters(tally, cuts, last - first, config.seed, "its")))
    del prepared_N
    whole = _merge(tallies)
    similar_AK = np.stack([tally.similar_CK.sum(0) for tally in tallies])
    dissimilar_AK = np.stack([tally.dissimilar_CCK.sum((0, 1)) for tally in tallies])
    measures = _measures(
        whole,
        (similar_AK.sum(0), dissimilar_AK.sum(0)),
        cuts,
        lambda: (group_replicates(similar_AK, config.seed), group_replicates(dissimilar_AK, config.seed)),
        len(bounds),
        f"percentile bootstrap, {len(bounds)} alphabets resampled, {REPLICATES:,} replicates, seed {config.seed}",
    )
    report = ExamReport(
        exam="same-alphabet",
        description=f"every pair of images of one alphabet, {int(whole.similar_B.sum()):,} of them similar",
        seeds=(),
        n=pairs,
        unit="pairs",
        threshold=threshold,
        measures=measures,
        grouped_by="alphabet",
        groups=tuple(groups),
    )
    return with_details(report, whole, scorer, original, threshold)


def _prepare(scorer: Scorer, threshold: float) -> tuple[torch.Tensor, torch.Tensor, dict[str, int]]:
    """Prepared embeddings, coarse edges, and the coarse bin from which each threshold accepts."""
    prepared_N = scorer.prepared()
    logits = {BALANCED: np.float32(math.log(threshold / (1 - threshold))), BALANCED_HALF: np.float32(0)}
    edges = coarse_edges(scorer, prepared_N, tuple(float(logit) for logit in logits.values()))
    return prepared_N, edges, {name: int(np.searchsorted(edges.cpu().numpy(), at)) + 1 for name, at in logits.items()}


def _alphabet_bounds(packed: ImageSet) -> list[tuple[int, int]]:
    """First class of each alphabet and of the next: classes of an alphabet lie side by side."""
    assert packed.group_C is not None  # evaluation takes no exam of alphabets without them
    group_C = packed.group_C.cpu()
    assert bool((group_C.diff() >= 0).all())
    starts = [*torch.searchsorted(group_C, torch.arange(len(packed.group_names))).tolist(), len(group_C)]
    return list(pairwise(starts))


def _figures(similar_K: Array, dissimilar_K: Array, cuts: dict[str, int]) -> dict[str, float]:
    fixed = {name: balanced_accuracy(similar_K, dissimilar_K, first) for name, first in cuts.items()}
    return fixed | curve_figures(similar_K, dissimilar_K)


def _measures(
    tally: Tally,
    coarse: tuple[Array, Array],
    cuts: dict[str, int],
    replicate: Callable[[], Replicates],
    groups: int,
    method: str,
) -> tuple[Measure, ...]:
    """Every figure: those at thresholds exactly, those of the curve from the fine bins, intervals from the coarse."""
    rough = _figures(*coarse, cuts)
    values = rough | curve_figures(tally.similar_B, tally.dissimilar_B)
    replicates = [
        _figures(similar_K, dissimilar_K, cuts)
        for similar_K, dissimilar_K in zip(*replicate(), strict=True)
        if similar_K.any() and dissimilar_K.any()
    ]
    n = int(tally.similar_B.sum() + tally.dissimilar_B.sum())
    measures = []
    for name, value in values.items():
        drawn_R = np.array([one[name] for one in replicates])
        interval = bootstrap_interval(drawn_R, value, rough[name], groups) if len(drawn_R) else None
        measures.append(Measure(name=name, value=value, interval=interval, n=n, method=method))
    return tuple(measures)


def _of_characters(tally: Tally, cuts: dict[str, int], classes: int, seed: int, which: str) -> tuple[Measure, ...]:
    """Figures with intervals by resampling characters."""
    return _measures(
        tally,
        (tally.similar_CK.sum(0), tally.dissimilar_CCK.sum((0, 1))),
        cuts,
        lambda: class_replicates(tally.similar_CK, tally.dissimilar_CCK, seed),
        classes,
        f"percentile bootstrap, {which} characters resampled, {REPLICATES:,} replicates, seed {seed}",
    )


def _merge(tallies: list[Tally]) -> Tally:
    """The counts of several tallies as one, without their coarse parts."""
    values_B, place = np.unique(np.concatenate([tally.values_B for tally in tallies]), return_inverse=True)
    similar, dissimilar = (
        np.bincount(place, weights=np.concatenate(parts), minlength=len(values_B))
        for parts in ([tally.similar_B for tally in tallies], [tally.dissimilar_B for tally in tallies])
    )
    empty = np.zeros((0, 0))
    return Tally(
        values_B,
        similar,
        dissimilar,
        empty,
        empty,
        sorted(pair for tally in tallies for pair in tally.lowest)[:HARDEST_PAIRS],
        sorted((pair for tally in tallies for pair in tally.highest), reverse=True)[:HARDEST_PAIRS],
    )
