"""The exams of all pairs: every unordered pair of test images, or only those within a group. Nothing is sampled.

B score values, C classes, G groups, K coarse bins, R replicates, T thresholds
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from omnitwin.answers.reliability import reliability_of
from omnitwin.answers.verifier import Verifier
from omnitwin.config import HARDEST_PAIRS, EvalConfig
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pictures import scored_pair
from omnitwin.errors import BadInput
from omnitwin.exams import measures
from omnitwin.exams.exam import Sitting, bootstrap_method
from omnitwin.exams.measures import Kind
from omnitwin.exams.per_class import worst_classes
from omnitwin.exams.scorer import Scorer
from omnitwin.exams.tally import MOST_COARSE, Tally, coarse_edges, tally_pairs
from omnitwin.metrics import calibration as calibrating
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.intervals import NO_NARROWER, bootstrap_interval, no_narrower
from omnitwin.metrics.resampling import class_replicates, group_replicates
from omnitwin.metrics.roc import balanced_accuracy, curve_figures, roc_curve
from omnitwin.reports.exams import CalibrationReport, Curves, ExamReport, Group, Measure
from omnitwin.reports.nouns import nouns_of
from omnitwin.reports.pictures import ScoredPair

AT_THRESHOLD = (measures.BALANCED, measures.FAR, measures.FRR)
KINDS = (
    *AT_THRESHOLD,
    measures.BALANCED_HALF,
    measures.AUC,
    measures.EER,
    measures.TAR_2,
    measures.TAR_3,
    measures.TAR_4,
    measures.AVERAGE_PRECISION,
)
ROC_POINTS = 400
SCORE_BINS = 80
PRIOR = "1:1 (similar and dissimilar pairs weigh the same in all)"

Replicates = tuple[Array, Array]  # similar and dissimilar counts, (R, K) each


def all_pairs(sitting: Sitting, most_coarse: int = MOST_COARSE) -> ExamReport:
    """Score all N (N - 1) / 2 pairs. Intervals come from resampling classes."""
    scorer, images = sitting.scorer, sitting.images
    prepared_N, edges, cuts = _prepare(scorer, most_coarse)
    nouns = nouns_of(images.name)
    classes, n = len(images.class_names), len(images) * (len(images) - 1) // 2
    with scorer.reporter.task("Comparing all pairs", n, "pairs") as advance:
        tally = tally_pairs(scorer, prepared_N, 0, classes, edges, HARDEST_PAIRS, advance)
    del prepared_N
    return ExamReport(
        exam="all-pairs",
        description=f"every pair of the {len(images):,} images, {int(tally.similar_B.sum()):,} of them similar",
        n=n,
        unit="pairs",
        threshold=sitting.threshold,
        measures=_of_classes(_kinds(sitting.threshold), tally, cuts, f"{classes} {nouns.kinds}", sitting.config.seed),
        curves=_curves(tally),
        colour="blue",
        calibration=_calibration(tally, scorer.verifier),
        hardest=_hardest(tally, images, sitting.threshold),
        worst=worst_classes(images.class_names, tally.similar_CK, tally.dissimilar_CCK, cuts[measures.BALANCED.name]),
        classes=classes,
    )


def same_group(sitting: Sitting, most_coarse: int = MOST_COARSE) -> ExamReport:
    """Score all pairs within each group. Intervals of the whole come from resampling groups.

    The report's name says what the set calls a group: `same-alphabet` for Omniglot.
    """
    scorer, images, seed = sitting.scorer, sitting.images, sitting.config.seed
    nouns = nouns_of(images.name)
    prepared_N, edges, cuts = _prepare(scorer, most_coarse)
    bounds = _group_bounds(images)
    sizes = [int(images.count_C[first:last].sum()) for first, last in bounds]
    n = sum(size * (size - 1) // 2 for size in sizes)
    tallies: list[Tally] = []
    groups: list[Group] = []
    with scorer.reporter.task(f"Comparing pairs within {nouns.groups}", n, "pairs") as advance:
        for name, (first, last) in zip(images.group_names, bounds, strict=True):
            tally = tally_pairs(scorer, prepared_N, first, last, edges, HARDEST_PAIRS, advance)
            if tally.similar_B.sum() + tally.dissimilar_B.sum():
                tallies.append(tally)
            if tally.similar_B.sum() and tally.dissimilar_B.sum():
                groups.append(Group(name=name, measures=_of_classes(KINDS, tally, cuts, f"its {nouns.kinds}", seed)))
    del prepared_N
    whole = _merge(tallies)
    return ExamReport(
        exam=f"same-{nouns.group}",
        description=f"every pair of images of one {nouns.group}, {int(whole.similar_B.sum()):,} of them similar",
        n=n,
        unit="pairs",
        threshold=sitting.threshold,
        measures=_of_groups(_kinds(sitting.threshold), whole, tallies, cuts, f"{len(tallies)} {nouns.groups}", seed),
        grouped_by=nouns.group,
        groups=tuple(groups),
        curves=_curves(whole),
        colour="orange",
        calibration=_calibration(whole, scorer.verifier),
        hardest=_hardest(whole, images, sitting.threshold),
    )


def check_groups(images: ImageSet, config: EvalConfig) -> None:
    """Raise BadInput if no group has two classes."""
    nouns = nouns_of(images.name)
    if images.group_C is None:
        raise BadInput(f"{images.name} has no groups of {nouns.kinds}", f"Leave same-{nouns.group} out.")
    if int(images.group_C.bincount().max()) < 2:
        raise BadInput(f"no {nouns.group} of {images.name} has two {nouns.kinds}", f"Leave same-{nouns.group} out.")


def _prepare(scorer: Scorer, most_coarse: int) -> tuple[torch.Tensor, torch.Tensor, dict[str, int]]:
    """Return prepared embeddings, coarse edges, and the coarse bin from which each threshold accepts."""
    prepared_N = scorer.prepared()
    logits = {
        measures.BALANCED.name: np.float32(calibrating.log_odds(scorer.verifier.threshold)),
        measures.BALANCED_HALF.name: np.float32(0),
    }
    edges = coarse_edges(scorer, prepared_N, tuple(float(logit) for logit in logits.values()), most_coarse)
    return prepared_N, edges, {name: int(np.searchsorted(edges.cpu().numpy(), at)) + 1 for name, at in logits.items()}


def _group_bounds(images: ImageSet) -> list[tuple[int, int]]:
    """Return each group's first class, and the class after its last. Classes of a group lie side by side."""
    assert images.group_C is not None  # check_groups
    group_C = images.group_C.cpu()
    assert bool((group_C.diff() >= 0).all())
    starts = [*torch.searchsorted(group_C, torch.arange(len(images.group_names))).tolist(), len(group_C)]
    return list(pairwise(starts))


# ---- figures ----


def _figures(similar_K: Array, dissimilar_K: Array, cuts: dict[str, int]) -> dict[str, float]:
    fixed = {name: balanced_accuracy(similar_K, dissimilar_K, first) for name, first in cuts.items()}
    first = cuts[measures.BALANCED.name]
    far, frr = dissimilar_K[first:].sum() / dissimilar_K.sum(), similar_K[:first].sum() / similar_K.sum()
    return {**fixed, "far": float(far), "frr": float(frr), **curve_figures(similar_K, dissimilar_K)}


def _kinds(threshold: float) -> tuple[Kind, ...]:
    """Return the kinds of figure of a whole exam, whose labels say its threshold."""
    return tuple(kind.at(threshold) if kind in AT_THRESHOLD else kind for kind in KINDS)


def _measures(
    kinds: Sequence[Kind],
    tally: Tally,
    coarse: tuple[Array, Array],
    cuts: dict[str, int],
    replicate: Callable[[], Replicates],
    groups: int,
    resampled: str,
    seed: int,
) -> tuple[Measure, ...]:
    """Return every figure. Those at thresholds are exact, those of the curve come from the fine bins.

    Intervals come from replicates of the coarse bins. groups: number of those resampled that have pairs of the kind
    that fewer of them have. resampled: the groups in words
    """
    rough = _figures(*coarse, cuts)
    values = rough | curve_figures(tally.similar_B, tally.dissimilar_B)
    replicates = [
        _figures(similar_K, dissimilar_K, cuts)
        for similar_K, dissimilar_K in zip(*replicate(), strict=True)
        if similar_K.any() and dissimilar_K.any()
    ]
    similar, dissimilar = int(tally.similar_B.sum()), int(tally.dissimilar_B.sum())
    rates = {measures.FAR.name: dissimilar, measures.FRR.name: similar}
    wilson = {**rates, measures.EER.name: similar}  # the pairs that a rate is a share of
    found = []
    for kind in kinds:
        value = values[kind.name]
        drawn_R = np.array([figures[kind.name] for figures in replicates])
        interval = bootstrap_interval(drawn_R, value, rough[kind.name], groups) if len(drawn_R) else None
        how = bootstrap_method(resampled, seed, value, groups)
        if interval is not None and kind.name in wilson:
            interval, how = no_narrower(interval, value, wilson[kind.name]), f"{how}, {NO_NARROWER} of the pairs"
        found.append(kind.of(dissimilar).measure(value, interval, rates.get(kind.name, similar + dissimilar), how))
    return tuple(found)


def _of_classes(
    kinds: Sequence[Kind], tally: Tally, cuts: dict[str, int], resampled: str, seed: int
) -> tuple[Measure, ...]:
    """Return the figures with intervals by resampling classes, in words: `resampled`."""
    return _measures(
        kinds,
        tally,
        (tally.similar_CK.sum(0), tally.dissimilar_CCK.sum((0, 1))),
        cuts,
        lambda: class_replicates(tally.similar_CK, tally.dissimilar_CCK, seed),
        int(tally.similar_CK.any(1).sum()),
        resampled,
        seed,
    )


def _of_groups(
    kinds: Sequence[Kind], whole: Tally, tallies: list[Tally], cuts: dict[str, int], resampled: str, seed: int
) -> tuple[Measure, ...]:
    """Return the figures of all groups together, with intervals by resampling groups, in words: `resampled`."""
    similar_GK = np.stack([tally.similar_CK.sum(0) for tally in tallies])
    dissimilar_GK = np.stack([tally.dissimilar_CCK.sum((0, 1)) for tally in tallies])
    groups = int(min(similar_GK.any(1).sum(), dissimilar_GK.any(1).sum()))
    return _measures(
        kinds,
        whole,
        (similar_GK.sum(0), dissimilar_GK.sum(0)),
        cuts,
        lambda: (group_replicates(similar_GK, seed), group_replicates(dissimilar_GK, seed)),
        groups,
        resampled,
        seed,
    )


def _merge(tallies: list[Tally]) -> Tally:
    """Return the counts of several tallies as one, without their coarse parts."""
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


# ---- curves, calibration, the hardest pairs ----


def _hardest(tally: Tally, images: ImageSet, threshold: float) -> tuple[ScoredPair, ...]:
    """Return the pairs with the surest scores that are wrong at the threshold, dissimilar ones first."""
    pairs = []
    for similar, candidates in ((False, tally.highest), (True, tally.lowest)):
        for score, left, right in candidates:
            probability = float(calibrating.sigmoid(np.array(score)))
            predicted = probability >= threshold
            if predicted != similar:
                pairs.append(scored_pair(images, left, right, similar, predicted, probability))
    return tuple(pairs)


def _curves(tally: Tally) -> Curves:
    far_T, tar_T = roc_curve(tally.similar_B, tally.dissimilar_B)
    wanted = np.concatenate([np.geomspace(1e-6, 1, ROC_POINTS // 2), 1 - np.geomspace(1e-4, 1, ROC_POINTS // 4)])
    kept = np.concatenate(
        [
            [0, len(far_T) - 1],
            np.searchsorted(far_T, wanted),
            np.searchsorted(tar_T, np.linspace(0, 1, ROC_POINTS // 4)),
        ]
    )
    kept = np.unique(np.minimum(kept, len(far_T) - 1))
    low, high = tally.values_B[0], tally.values_B[-1]
    edges = np.linspace(low, high if high > low else low + 1, SCORE_BINS + 1)
    similar, dissimilar = (
        np.histogram(tally.values_B, edges, weights=counts)[0] / counts.sum()
        for counts in (tally.similar_B, tally.dissimilar_B)
    )
    return Curves(
        far=tuple(far_T[kept].tolist()),
        tar=tuple(tar_T[kept].tolist()),
        edges=tuple(edges.tolist()),
        similar=tuple(similar.tolist()),
        dissimilar=tuple(dissimilar.tolist()),
    )


def _calibration(tally: Tally, verifier: Verifier) -> CalibrationReport | None:
    """Return how reliable the probabilities are, or None for a baseline: its raw scores are no logits."""
    if not verifier.probabilistic:
        return None
    fitted = verifier.calibration
    raw_B = tally.values_B if fitted is None else (tally.values_B - fitted["bias"]) * fitted["temperature"]
    counts = (tally.similar_B, tally.dissimilar_B)
    return CalibrationReport(
        prior=PRIOR,
        temperature=fitted["temperature"] if fitted else None,
        bias=fitted["bias"] if fitted else None,
        before=reliability_of(calibrating.sigmoid(raw_B), *counts),
        after=reliability_of(calibrating.sigmoid(tally.values_B), *counts) if fitted else None,
    )
