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
from omnitwin.exams.measures import AUC, BALANCED, FALSE_ALARMS, MARKED, REFUSED, RIGHTLY_REFUSED, Kind
from omnitwin.images.framing import WHITE
from omnitwin.images.marks import MARKS, NO_DRAWING
from omnitwin.images.variations import AS_DRAWN, VARIATIONS, Variation, two_level
from omnitwin.images.views import Seen, seen
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.calibration import log_odds
from omnitwin.metrics.intervals import bootstrap_interval, clustered_wilson_interval, wilson_interval
from omnitwin.metrics.resampling import natural, pair_figures, pair_replicates
from omnitwin.recipes import View
from omnitwin.reports.exams import ExamReport, Group, Measure
from omnitwin.reports.nouns import nouns_of
from omnitwin.system.portions import portions
from omnitwin.system.randomness import Stream, random_generator

REPLICATES_AT_ONCE = 100  # bounds memory
FIRST_MARK, FIRST_EMPTY = 100, 200  # in the random keys: kinds of page, so that new ones change no other's figures
MARKED_SHARE = 0.4  # of the pairs are put on pages with foreign marks, too, whose reading takes longest
EMPTY_PAIRS = 100  # pairs of pages without a drawing, of each kind
MOST_GLYPHS = 8  # drawings from which a page without one may take some


def check_drawn(images: ImageSet, config: EvalConfig) -> None:
    """Raise BadInput unless the images are ink on paper: only that is varied."""
    check_ink(images, "the variations are", "Leave beyond out.")


def beyond(sitting: Sitting) -> ExamReport:
    """Score the same random pairs in each variation. Each image is varied by itself and preprocessed as a file is.

    The figures over all leave out the pairs as they were drawn, and those with foreign marks, which have a figure of
    their own. If the network knows what is unlike its images, its false alarms are counted too: the share of images
    that it would not judge (answers.doubts), and of pairs that it refuses for that. All are drawings, and can be
    answered; the other figures count the answers that it would give. Of pages without a drawing it should refuse all.
    """
    pages = _Pages(sitting)
    images, nouns, seed = sitting.images, nouns_of(sitting.images.name), sitting.config.seed
    marked = _first(pages.pairs, round(MARKED_SHARE * len(pages.pairs.left_B)))
    figures = dict.fromkeys(VARIATIONS, _Figures(images, pages.pairs, sitting.threshold, seed))
    figures |= dict.fromkeys(MARKS, _Figures(images, marked, sitting.threshold, seed))
    drawings = 2 * (len(pages.pairs.left_B) * len(VARIATIONS) + len(marked.left_B) * len(MARKS))
    logits, alarms = {}, {}
    with sitting.scorer.reporter.task("Drawing and comparing variations", drawings, "images") as advance:
        for number, (name, vary) in enumerate(VARIATIONS.items()):
            logits[name], alarms[name] = pages.scored(vary, number, pages.pairs, advance)
        for number, (name, vary) in enumerate(MARKS.items()):
            logits[name], alarms[name] = pages.scored(vary, FIRST_MARK + number, marked, advance)

    def false_alarms(names: Sequence[str]) -> tuple[Measure, ...]:
        if not pages.knows:
            return ()
        class_2B = np.concatenate([figures[name].class_2B for name in names], axis=1)
        return _false_alarms(np.concatenate([alarms[name] for name in names], axis=1), class_2B, nouns.kinds)

    groups = [Group(name=name, measures=(*figures[name].of(logits[name]), *false_alarms([name]))) for name in logits]
    varied = [name for name in VARIATIONS if name != AS_DRAWN]
    varied_logits, marked_logits = (np.concatenate([logits[name] for name in names]) for names in (varied, MARKS))
    whole = figures[AS_DRAWN].of(varied_logits, BALANCED.at(sitting.threshold))
    beside = figures[next(iter(MARKS))].of(marked_logits, MARKED)[:1]
    return ExamReport(
        exam="beyond",
        description=(
            f"{len(pages.pairs.left_B):,} random pairs of different images, similar with probability 1/2, in "
            f"{len(varied)} variations, both images of a pair varied apart; {len(marked.left_B):,} of them on "
            f"{len(MARKS)} kinds of page with foreign marks, too"
        ),
        seeds=sitting.seeds,
        n=whole[0].n,
        unit="pairs",
        threshold=sitting.threshold,
        measures=(*whole, *beside, *false_alarms(varied), *(pages.rightly_refused() if pages.knows else ())),
        grouped_by="variation",
        groups=tuple(groups),
    )


class _Pages:
    """Random pairs of a set, and how its network answers for them on pages of every kind."""

    def __init__(self, sitting: Sitting) -> None:
        self.scorer, self.images, self.key = sitting.scorer, sitting.images, natural(sitting.config.seed)
        self.pairs = joined(
            draw_pairs(self.images, BEYOND_PAIRS, random_generator(CPU, seed, Stream.BEYOND)) for seed in sitting.seeds
        )
        height, width = self.scorer.packed.shape[1:]
        self.view = self.scorer.verifier.view or View(height=height, width=width)
        self.knows = self.scorer.verifier.knows

    def scored(
        self, vary: Variation, number: int, pairs: PairBatch, advance: Callable[[int], None]
    ) -> tuple[Array, Array]:
        """Return the scores (B,) of pairs in a variation, and which images the network would not judge, (2, B) bool.

        number: of the variation, in the random keys
        """
        scores: list[Array] = []
        alarms: tuple[list[bool], list[bool]] = ([], [])  # left and right
        for part in portions(len(pairs.left_B), len(pairs.left_B), max(self.view.height, self.view.width)):
            sides: list[list[Seen]] = []
            for number_of_side, rows_B in enumerate((pairs.left_B, pairs.right_B)):
                taken = []
                for place in range(len(rows_B))[part]:
                    random = np.random.default_rng([self.key, number, number_of_side, place])
                    taken.append(seen(vary(self._drawing(int(rows_B[place])), random), self.view))
                    advance(1)
                sides.append(taken)
            pixels = [torch.from_numpy(pixels_of(side)).float() / WHITE for side in sides]
            scores.append(self.scorer.score_images(*pixels).double().numpy())
            for found, side in zip(alarms, sides, strict=True):
                found += self._doubted(side)
        return np.concatenate(scores), np.array(alarms)

    def rightly_refused(self) -> list[Measure]:
        """Return the share of pairs of pages without a drawing that are refused: of all kinds, and of each."""
        refused: dict[str, Array] = {}
        for number, (name, page) in enumerate(NO_DRAWING.items()):
            taken = []
            for place in range(2 * EMPTY_PAIRS):
                random = np.random.default_rng([self.key, FIRST_EMPTY + number, place])
                rows = random.integers(len(self.images), size=MOST_GLYPHS).tolist()
                taken.append(seen(page([self._drawing(row) for row in rows], random), self.view))
            refused[name] = np.logical_or(*np.array(self._doubted(taken)).reshape(2, EMPTY_PAIRS))
        told = {RIGHTLY_REFUSED: np.concatenate(list(refused.values()))}
        told |= {RIGHTLY_REFUSED.of_page(name): refused_P for name, refused_P in refused.items()}
        return [
            kind.measure(float(each_P.mean()), wilson_interval(int(each_P.sum()), each_P.size), each_P.size, "Wilson")
            for kind, each_P in told.items()
        ]

    def _drawing(self, row: int) -> Array:
        return two_level(self.images.picture(row))

    def _doubted(self, images: Sequence[Seen]) -> list[bool]:
        verifier = self.scorer.verifier
        novelties = verifier.novelties(images) if self.knows else [None] * len(images)
        return [bool(doubts_about("", *each, verifier.of_drawings)) for each in zip(images, novelties, strict=True)]


def _first(pairs: PairBatch, count: int) -> PairBatch:
    return PairBatch(left_B=pairs.left_B[:count], right_B=pairs.right_B[:count], similar_B=pairs.similar_B[:count])


def _false_alarms(alarm_2B: Array, class_2B: Array, kinds: str) -> tuple[Measure, ...]:
    """Return the share of images that a network would not judge, and of pairs that it refuses."""
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
        self.class_2B = np.stack([images.class_N[rows].numpy() for rows in (pairs.left_B, pairs.right_B)])
        self.similar_B = pairs.similar_B.numpy()
        self.classes = len(images.class_names)
        self.weight_RB = pair_replicates(self.class_2B[0], self.class_2B[1], self.classes, seed)
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
        for name, kind in ((BALANCED.name, balanced), (AUC.name, AUC)):
            value = float(values[name][0])
            drawn_R = np.concatenate(replicates[name])
            drawn_R = drawn_R[np.isfinite(drawn_R)]
            interval = bootstrap_interval(drawn_R, value, value, self.classes) if len(drawn_R) else None
            method = bootstrap_method(self.resampled, self.seed, value)
            measures.append(kind.measure(value, interval, len(logit_B), method))
        return tuple(measures)
