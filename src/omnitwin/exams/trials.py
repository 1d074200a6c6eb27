"""The exams of trials: random pairs as in the example, N-way k-shot episodes, and Lake's official runs.

E episodes, W ways, K shots, B pairs
"""

from collections.abc import Sequence

import numpy as np
import torch

from omnitwin.config import EvalConfig
from omnitwin.data.episodes import Episodes, draw_episodes
from omnitwin.data.imageset import ImageSet
from omnitwin.data.official import OfficialRuns
from omnitwin.data.pairs import PairBatch, draw_pairs
from omnitwin.data.pictures import scored_pair
from omnitwin.exams.scorer import Scorer
from omnitwin.metrics.intervals import clustered_wilson_interval, wilson_interval
from omnitwin.reports.exams import ExamReport, Group, Measure, PublishedFigure
from omnitwin.system.randomness import Stream, random_generator

CPU = torch.device("cpu")  # where exams are drawn, whatever the device: a seed names the same exam on every machine
EXAMPLE_THRESHOLD = 0.5  # of the example's exam
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


def random_pairs(scorer: Scorer, original: ImageSet, config: EvalConfig) -> ExamReport:
    """The example's exam: batches of random pairs, similar with probability 1/2, called similar from 0.5 on.

    The probability is the one that compare tells: where a network is calibrated, the calibrated one.
    """
    drawn = [
        draw_pairs(original, config.batch_size, random_generator(CPU, seed, Stream.EXAM, batch))
        for seed in _seeds(config)
        for batch in range(config.batches)
    ]
    pairs = PairBatch(*(torch.cat(parts) for parts in zip(*(vars(batch).values() for batch in drawn), strict=True)))
    probability_B = scorer.score_pairs(pairs.left_B, pairs.right_B).double().sigmoid()
    predicted_B = probability_B >= EXAMPLE_THRESHOLD
    right_B = predicted_B == pairs.similar_B
    many = config.seeds > 1
    parts = right_B.view(config.seeds if many else config.batches, -1)
    names = [f"seed {seed}" for seed in _seeds(config)] if many else [str(one + 1) for one in range(config.batches)]
    calibrated = "; called similar from a calibrated probability of 0.5 on" if scorer.calibration else ""
    columns = (pairs.left_B, pairs.right_B, pairs.similar_B, predicted_B, probability_B)
    rows = zip(*(column[: config.show].tolist() for column in columns), strict=True)
    return ExamReport(
        exam="pairs",
        description=f"{len(right_B):,} random pairs of different images, similar with probability 1/2{calibrated}",
        seeds=_seeds(config),
        n=len(right_B),
        unit="pairs",
        threshold=EXAMPLE_THRESHOLD,
        measures=(_share("accuracy", right_B),),
        grouped_by="seed" if many else "batch",
        groups=tuple(
            Group(name=name, measures=(_share("accuracy", part),)) for name, part in zip(names, parts, strict=True)
        ),
        shown=tuple(scored_pair(original, *row) for row in rows),
    )


def one_shot(scorer: Scorer, original: ImageSet, config: EvalConfig) -> ExamReport:
    """N-way k-shot episodes; intervals by the variance between alphabets, or between characters for scope `any`."""
    drawn = [
        draw_episodes(
            original,
            config.way,
            config.shot,
            config.episodes,
            config.scope,
            random_generator(CPU, seed, Stream.EPISODES),
        )
        for seed in _seeds(config)
    ]
    right_E = torch.cat([_answered(scorer, episodes) for episodes in drawn])
    class_E = original.class_N[torch.cat([episodes.query_E for episodes in drawn])]
    alphabet_E = class_E if original.group_C is None else original.group_C[class_E]
    within_alphabets = config.scope == "alphabet" and original.group_C is not None
    cluster_E, kind = (alphabet_E, "alphabets") if within_alphabets else (class_E, "characters")
    if config.seeds > 1:
        grouped_by, names = "seed", [f"seed {seed}" for seed in _seeds(config)]
        group_E = torch.arange(config.seeds).repeat_interleave(config.episodes)
        within_E, within = cluster_E, kind
    else:  # without alphabets there are no names, so no groups
        grouped_by, names, group_E = "alphabet", list(original.group_names), alphabet_E
        within_E, within = class_E, "characters"
    drawers = "one drawer" if config.shot == 1 else f"{config.shot} drawers"
    apart = "other images than the query" if original.source_N is None else f"examples by {drawers}, query by another"
    mean = f", mean score of {config.shot} examples each" if config.shot > 1 else ""
    return ExamReport(
        exam="one-shot",
        description=(
            f"{len(right_E):,} episodes, {config.way}-way {config.shot}-shot, characters from "
            f"{'one alphabet' if within_alphabets else 'any alphabet'}, "
            f"{apart}{mean}; a tie is wrong"
        ),
        seeds=_seeds(config),
        n=len(right_E),
        unit="episodes",
        threshold=None,
        measures=(_clustered("accuracy", right_E, cluster_E, kind),),
        grouped_by=grouped_by,
        groups=_groups("accuracy", right_E, group_E, names, within_E, within),
    )


def official(scorer: Scorer, original: ImageSet, runs: OfficialRuns) -> ExamReport:
    """Lake's 20 runs of 20 trials, by error rate; runs come two to an alphabet, and the interval knows."""
    episodes = runs.episodes()
    wrong_E = ~_answered(scorer, episodes)
    assert original.group_C is not None  # they are drawings of Omniglot's test set
    alphabet_E = original.group_C[original.class_N[episodes.query_E]]
    run_E = torch.arange(len(runs.query_RT)).repeat_interleave(runs.query_RT.shape[1])
    names = [
        f"run {run + 1:02d}, {original.group_names[int(alphabet)]}"
        for run, alphabet in enumerate(alphabet_E[:: runs.query_RT.shape[1]])
    ]
    return ExamReport(
        exam="official",
        description=f"{len(runs.query_RT)} official one-shot runs, {len(wrong_E)} trials in all; a tie is wrong",
        seeds=(),
        n=len(wrong_E),
        unit="trials",
        threshold=None,
        measures=(_clustered("error", wrong_E, alphabet_E, "alphabets"),),
        grouped_by="run",
        groups=_groups("error", wrong_E, run_E, names),
        published=PUBLISHED,
    )


def _answered(scorer: Scorer, episodes: Episodes) -> torch.Tensor:
    """Whether the right way scores above each other one, (E,) bool; a way's score is the mean over its shots."""
    ways, shots = episodes.support_EWK.shape[1:]
    query_EWK = episodes.query_E[:, None, None].expand(-1, ways, shots)
    scores = scorer.score_pairs(query_EWK.flatten(), episodes.support_EWK.flatten())
    score_EW = scores.view(-1, ways, shots).double().mean(2)
    right_E1 = score_EW.gather(1, episodes.answer_E[:, None])
    others_EW = score_EW.scatter(1, episodes.answer_E[:, None], -torch.inf)
    return right_E1[:, 0] > others_EW.amax(1)


def _seeds(config: EvalConfig) -> tuple[int, ...]:
    return tuple(range(config.seed, config.seed + config.seeds))


def _share(name: str, hit_B: torch.Tensor) -> Measure:
    hits, n = int(hit_B.sum()), len(hit_B)
    return Measure(name=name, value=hits / n, interval=wilson_interval(hits, n), n=n, method=WILSON)


def _clustered(name: str, hit_E: torch.Tensor, cluster_E: torch.Tensor, kind: str, counted: bool = True) -> Measure:
    n_G = cluster_E.bincount().double().numpy()
    hits_G = cluster_E.bincount(weights=hit_E.double()).numpy()
    there = int(np.count_nonzero(n_G))
    return Measure(
        name=name,
        value=float(hits_G.sum() / n_G.sum()),
        interval=clustered_wilson_interval(hits_G, n_G),
        n=len(hit_E),
        method=f"Wilson, variance between {f'{there} ' if counted else ''}{kind}",
    )


def _groups(
    name: str,
    hit_E: torch.Tensor,
    group_E: torch.Tensor,
    names: Sequence[str],
    cluster_E: torch.Tensor | None = None,
    kind: str = "",
) -> tuple[Group, ...]:
    """The parts of an exam; trials of one cluster (such as a character) hang together, without clusters none do."""
    groups = []
    for group, label in enumerate(names):
        there_E = group_E == group
        if there_E.any():
            part = hit_E[there_E]
            if cluster_E is None:
                measure = _share(name, part)
            else:
                measure = _clustered(name, part, cluster_E[there_E], kind, counted=False)
            groups.append(Group(name=label, measures=(measure,)))
    return tuple(groups)
