"""The exams of trials: random pairs as in the example, N-way k-shot episodes, and Lake's official runs.

E episodes, W ways, K shots, B pairs
"""

from collections.abc import Sequence

import numpy as np
import torch

from omnitwin.answers.engines import EVEN
from omnitwin.config import EvalConfig
from omnitwin.data.acquire import load_official
from omnitwin.data.episodes import Episodes, choices, draw_episodes
from omnitwin.data.imageset import ImageSet
from omnitwin.data.official import OfficialRuns
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.pictures import scored_pair
from omnitwin.errors import BadInput
from omnitwin.exams.exam import CPU, Sitting, joined
from omnitwin.exams.measures import ACCURACY, ERROR, Kind
from omnitwin.exams.scorer import Scorer
from omnitwin.metrics.intervals import clustered_wilson_interval, wilson_interval
from omnitwin.reports.exams import ExamReport, Group, Measure, PublishedFigure
from omnitwin.reports.nouns import nouns_of
from omnitwin.reports.progress import Reporter
from omnitwin.system.randomness import Stream, random_generator

OFFICIAL_SET = "omniglot/test"  # the official runs are drawings of this set and of no other
WILSON = "Wilson, trials taken as independent"
BACKGROUND = "30 background alphabets"
PUBLISHED = (
    PublishedFigure(name="ARC", error=0.015, source="Shyam et al. 2017", trained_on="see the source"),
    PublishedFigure(name="BPL", error=0.033, source="Lake et al. 2015", trained_on=f"{BACKGROUND}, with strokes"),
    PublishedFigure(name="humans", error=0.045, source="Lake et al. 2015", trained_on="-"),
    PublishedFigure(name="deep Siamese network", error=0.080, source="Koch et al. 2015", trained_on="40 alphabets"),
    PublishedFigure(name="simple convnet", error=0.135, source="Lake et al. 2015", trained_on=BACKGROUND),
    PublishedFigure(
        name="modified Hausdorff distance", error=0.388, source="Lake's demo of the official runs", trained_on="-"
    ),
)


def random_pairs(sitting: Sitting) -> ExamReport:
    """Take the example's exam: batches of random pairs, similar with probability 1/2, called similar from 0.5 on.

    The probability is the one that compare gives: the calibrated one, if the network is calibrated.
    """
    scorer, images, config, seeds = sitting.scorer, sitting.images, sitting.config, sitting.seeds
    pairs = joined(
        draw_pairs(images, config.batch_size, random_generator(CPU, seed, Stream.EXAM, batch))
        for seed in seeds
        for batch in range(config.batches)
    )
    probability_B = scorer.score_pairs(pairs.left_B, pairs.right_B).double().sigmoid()
    predicted_B = probability_B >= EVEN
    right_B = predicted_B == pairs.similar_B
    if config.seeds > 1:
        grouped_by, names = "seed", [f"seed {seed}" for seed in seeds]
    else:
        grouped_by, names = "batch", [str(number) for number in range(1, config.batches + 1)]
    calibrated = "; called similar from a calibrated probability of 0.5 on" if scorer.verifier.calibration else ""
    columns = (pairs.left_B, pairs.right_B, pairs.similar_B, predicted_B, probability_B)
    rows = zip(*(column[: config.show].tolist() for column in columns), strict=True)
    return ExamReport(
        exam="pairs",
        description=f"{len(right_B):,} random pairs of different images, similar with probability 1/2{calibrated}",
        seeds=seeds,
        n=len(right_B),
        unit="pairs",
        threshold=EVEN,
        measures=(_share(ACCURACY, right_B),),
        grouped_by=grouped_by,
        groups=tuple(
            Group(name=name, measures=(_share(ACCURACY, part_B),))
            for name, part_B in zip(names, right_B.view(len(names), -1), strict=True)
        ),
        shown=tuple(scored_pair(images, *row) for row in rows),
    )


def check_episodes(images: ImageSet, config: EvalConfig) -> None:
    """Raise BadInput if the images make no episodes with this number of ways and shots."""
    choices(images, config.way, config.shot, config.scope)


def one_shot(sitting: Sitting) -> ExamReport:
    """Take N-way k-shot episodes. Intervals use the variance between groups (for scope `any`, classes)."""
    images, config, seeds = sitting.images, sitting.config, sitting.seeds
    nouns, shot = nouns_of(images.name), config.shot
    chosen = choices(images, config.way, shot, config.scope)
    drawn = [
        draw_episodes(
            images, chosen.way, shot, config.episodes, config.scope, random_generator(CPU, seed, Stream.EPISODES)
        )
        for seed in seeds
    ]
    right_E = torch.cat([_answered(sitting.scorer, episodes) for episodes in drawn])
    class_E = images.class_N[torch.cat([episodes.query_E for episodes in drawn])]
    group_of_E = class_E if images.group_C is None else images.group_C[class_E]
    within_groups = config.scope == "group" and images.group_C is not None
    cluster_E, kind = (group_of_E, nouns.groups) if within_groups else (class_E, nouns.kinds)
    if config.seeds > 1:
        grouped_by, names = "seed", [f"seed {seed}" for seed in seeds]
        group_E = torch.arange(config.seeds).repeat_interleave(config.episodes)
        within_E, within = cluster_E, kind
    else:  # without groups of classes there are no names, so no parts
        grouped_by, names, group_E = nouns.group, list(images.group_names), group_of_E
        within_E, within = class_E, nouns.kinds
    drawers = f"one {nouns.source}" if shot == 1 else f"{shot} {nouns.sources}"
    rows_by_source = chosen.row_CH is not None
    apart = f"examples by {drawers}, query by another" if rows_by_source else "other images than the query"
    poor = 0 if rows_by_source else int((images.count_C <= shot).sum())
    without = f"; {poor:,} {nouns.kinds} with fewer than {shot + 1} images are left out" if poor else ""
    mean = f", mean score of {shot} examples each" if shot > 1 else ""
    return ExamReport(
        exam="one-shot",
        description=(
            f"{len(right_E):,} episodes, {chosen.way}-way {shot}-shot, {nouns.kinds} from "
            f"{'one' if within_groups else 'any'} {nouns.group}, {apart}{mean}{without}; a tie is wrong"
        ),
        seeds=seeds,
        n=len(right_E),
        unit="episodes",
        measures=(_clustered(ACCURACY, right_E, cluster_E, kind),),
        grouped_by=grouped_by,
        groups=_groups(ACCURACY, right_E, group_E, names, within_E, within),
    )


def check_official(images: ImageSet, config: EvalConfig) -> None:
    """Raise BadInput if the images are not those of the official runs."""
    if images.name != OFFICIAL_SET:
        raise BadInput(f"the official runs belong to {OFFICIAL_SET}, not to {images.name}", "Leave them out.")


def fetch_runs(images: ImageSet, config: EvalConfig, reporter: Reporter) -> OfficialRuns:
    """Return the official runs, downloaded if needed."""
    return load_official(images, config.source, reporter)


def official(sitting: Sitting) -> ExamReport:
    """Take Lake's 20 runs of 20 trials, by error rate. The interval accounts for two runs sharing an alphabet."""
    images, runs = sitting.images, sitting.material
    assert isinstance(runs, OfficialRuns)
    assert images.group_C is not None  # they are drawings of Omniglot's test set
    episodes = runs.episodes()
    wrong_E = ~_answered(sitting.scorer, episodes)
    alphabet_E = images.group_C[images.class_N[episodes.query_E]]
    run_E = torch.arange(len(runs.query_RT)).repeat_interleave(runs.query_RT.shape[1])
    names = [
        f"run {run + 1:02d}, {images.group_names[int(alphabet)]}"
        for run, alphabet in enumerate(alphabet_E[:: runs.query_RT.shape[1]])
    ]
    return ExamReport(
        exam="official",
        description=f"{len(runs.query_RT)} official one-shot runs, {len(wrong_E)} trials in all; a tie is wrong",
        n=len(wrong_E),
        unit="trials",
        measures=(_clustered(ERROR, wrong_E, alphabet_E, "alphabets"),),
        grouped_by="run",
        groups=_groups(ERROR, wrong_E, run_E, names),
        published=PUBLISHED,
    )


def _answered(scorer: Scorer, episodes: Episodes) -> torch.Tensor:
    """Return whether the right way scores above every other, (E,) bool. A way's score is the mean over its shots."""
    ways, shots = episodes.support_EWK.shape[1:]
    query_EWK = episodes.query_E[:, None, None].expand(-1, ways, shots)
    scores = scorer.score_pairs(query_EWK.flatten(), episodes.support_EWK.flatten())
    score_EW = scores.view(-1, ways, shots).double().mean(2)
    right_E1 = score_EW.gather(1, episodes.answer_E[:, None])
    others_EW = score_EW.scatter(1, episodes.answer_E[:, None], -torch.inf)
    return right_E1[:, 0] > others_EW.amax(1)


def _share(kind: Kind, hit_B: torch.Tensor) -> Measure:
    hits, n = int(hit_B.sum()), len(hit_B)
    return kind.measure(hits / n, wilson_interval(hits, n), n, WILSON)


def _clustered(kind: Kind, hit_E: torch.Tensor, cluster_E: torch.Tensor, named: str, counted: bool = True) -> Measure:
    """Return the share of hits with an interval by the variance between clusters. named: the clusters, in words"""
    n_G = cluster_E.bincount().double().numpy()
    hits_G = cluster_E.bincount(weights=hit_E.double()).numpy()
    count = f"{int(np.count_nonzero(n_G))} " if counted else ""
    return kind.measure(
        float(hits_G.sum() / n_G.sum()),
        clustered_wilson_interval(hits_G, n_G),
        len(hit_E),
        f"Wilson, variance between {count}{named}",
    )


def _groups(
    kind: Kind,
    hit_E: torch.Tensor,
    group_E: torch.Tensor,
    names: Sequence[str],
    cluster_E: torch.Tensor | None = None,
    named: str = "",
) -> tuple[Group, ...]:
    """Return the parts of an exam. Trials of one cluster (such as a class) are not taken as independent."""
    groups = []
    for group, label in enumerate(names):
        there_E = group_E == group
        if there_E.any():
            part = hit_E[there_E]
            if cluster_E is None:
                measure = _share(kind, part)
            else:
                measure = _clustered(kind, part, cluster_E[there_E], named, counted=False)
            groups.append(Group(name=label, measures=(measure,)))
    return tuple(groups)
