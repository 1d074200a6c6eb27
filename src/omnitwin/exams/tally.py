"""Count the scores of all pairs of some images: fine histograms, and coarse ones for each pair of characters.

    N images, C classes, K coarse bins, F fine bins, a x b scores of some rows with others

Nothing of the size of all pairs is ever held: scores stream through in blocks of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from omnitwin.exams.scorer import Scorer
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.curves import SIMILAR_EDGES, TAIL_EDGES, score_edges
from omnitwin.system.randomness import Stream, random_generator

FINE_BITS = 20  # of a score's 32 that name its bin, sign and exponent first: bins are 1/2048 of the score wide, or less
FINE_SHIFT = 32 - FINE_BITS
NEGATED = 0x7FFFFFFF  # all bits but the sign: inverted in a negative float, they count upwards
ANCHORS = 64  # images whose scores with all others show where the coarse edges should lie
MOST_COARSE = 100_000_000  # cells of the coarse counts

Candidate = tuple[float, int, int]  # score and the rows of a pair


@dataclass(eq=False)
class Tally:
    """The pairs by their scores. Pairs of one fine bin tie."""

    values_B: Array  # scores, ascending
    similar_B: Array  # similar pairs with each score
    dissimilar_B: Array  # dissimilar pairs with each score
    similar_CK: Array  # similar pairs by class and coarse bin
    dissimilar_CCK: Array  # dissimilar pairs by their two classes, c < d, and coarse bin
    lowest: list[Candidate] = field(default_factory=list)  # similar pairs with the lowest scores, lowest first
    highest: list[Candidate] = field(default_factory=list)  # dissimilar pairs with the highest scores, highest first


def coarse_edges(
    scorer: Scorer, prepared_N: torch.Tensor, fixed: tuple[float, ...], most_coarse: int = MOST_COARSE
) -> torch.Tensor:
    """Return ascending edges of coarse bins: the fixed ones, and others where the scores of ANCHORS images lie.

    The anchors are of classes with two images or more, so that similar pairs are among their scores.
    most_coarse: fewer bins if the coarse counts would have more cells than this.
    """
    class_N = scorer.packed.class_N
    generator = random_generator(torch.device("cpu"), 0, Stream.PILOT)
    order_N = torch.randperm(len(class_N), generator=generator).to(class_N.device)
    rows = order_N[scorer.packed.count_C[class_N[order_N]] > 1][:ANCHORS]
    scores_AN = scorer.score_all(prepared_N[rows], prepared_N)
    same_AN = class_N[rows][:, None] == class_N
    similar = scores_AN[same_AN & (rows[:, None] != torch.arange(len(class_N), device=rows.device))].cpu().numpy()
    dissimilar = scores_AN[~same_AN].cpu().numpy()
    classes = len(scorer.packed.class_names)
    thin = min(1.0, most_coarse / (SIMILAR_EDGES + TAIL_EDGES) / classes**2)
    edges = score_edges(similar, dissimilar, fixed, thin)
    return torch.from_numpy(edges.astype(np.float32)).to(prepared_N.device)


def tally_pairs(
    scorer: Scorer,
    prepared_N: torch.Tensor,
    first: int,
    last: int,
    edges: torch.Tensor,
    keep: int,
    advance: Callable[[int], None],
) -> Tally:
    """Count every unordered pair of different images among the rows of classes first to last - 1.

    keep: how many of the most wrong pairs of each kind to remember.
    """
    counting = _Counting(scorer, first, last, edges, keep)
    starts = [*scorer.packed.first_C.tolist(), len(scorer.packed)]
    end = starts[last]
    begin = first
    with torch.inference_mode():
        while begin < last:
            stop = begin + 1
            while stop < last and starts[stop + 1] - starts[begin] <= scorer.rows_at_once:
                stop += 1
            scores_ab = scorer.score_all(prepared_N[starts[begin] : starts[stop]], prepared_N[starts[begin] : end])
            for number in range(begin, stop):
                offset, size = starts[number] - starts[begin], starts[number + 1] - starts[number]
                counting.add(number, scores_ab[offset : offset + size, offset:])
                advance(size * (size - 1) // 2 + size * (end - starts[number + 1]))
            begin = stop
    return counting.tally()


class _Counting:
    """The counts so far of the classes first to last - 1."""

    def __init__(self, scorer: Scorer, first: int, last: int, edges: torch.Tensor, keep: int) -> None:
        self.starts = scorer.packed.first_C.tolist()
        self.class_N, self.first, self.last = scorer.packed.class_N, first, last
        self.edges, self.keep = edges, keep
        self.classes, self.bins = last - first, len(edges) + 1
        self.similar, self.dissimilar = _FineCounts(edges.device), _FineCounts(edges.device)
        self.similar_CK = np.zeros((self.classes, self.bins), dtype=np.int32)
        most = int(scorer.packed.count_C[first:last].max()) ** 2  # pairs of two classes
        cells = (self.classes, self.classes, self.bins)
        self.dissimilar_CCK = np.zeros(cells, dtype=np.min_scalar_type(most))  # of many small classes, bytes
        self.lowest: list[Candidate] = []
        self.highest: list[Candidate] = []

    def add(self, number: int, scores_ab: torch.Tensor) -> None:
        """Count the scores of a class's a images with themselves and, from column a on, with those of later classes."""
        size = len(scores_ab)
        row, column = torch.triu_indices(size, size, 1, device=scores_ab.device)
        own = scores_ab[row, column]
        self.similar.add(own)
        place = number - self.first
        self.similar_CK[place] = self._coarse(own).bincount(minlength=self.bins).cpu().numpy()
        start = self.starts[number]
        self._remember(self.lowest, -own, row + start, column + start)
        others = scores_ab[:, size:]
        if not others.numel():
            return
        flat = others.flatten()
        self.dissimilar.add(flat)
        class_b = self.class_N[start + size : start + scores_ab.shape[1]] - self.first
        cells = (class_b * self.bins + self._coarse(others)).flatten().bincount(minlength=self.classes * self.bins)
        self.dissimilar_CCK[place] = cells.view(self.classes, self.bins).cpu().numpy()
        if self.keep and (len(self.highest) < self.keep or float(flat.max()) > self.highest[-1][0]):
            best = flat.topk(min(self.keep, len(flat)))
            width = others.shape[1]
            self._remember(
                self.highest, best.values, best.indices // width + start, best.indices % width + start + size
            )

    def _coarse(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.bucketize(scores.contiguous(), self.edges, right=True)

    def _remember(self, kept: list[Candidate], wrong: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        """Keep the pairs with the highest `wrong`."""
        best = wrong.topk(min(self.keep, len(wrong)))
        kept += zip(best.values.tolist(), left[best.indices].tolist(), right[best.indices].tolist(), strict=True)
        kept.sort(key=lambda candidate: (-candidate[0], candidate[1:]))
        del kept[self.keep :]

    def tally(self) -> Tally:
        similar_F, dissimilar_F = self.similar.counts(), self.dissimilar.counts()
        there = (similar_F + dissimilar_F).nonzero().flatten()
        return Tally(
            values_B=_fine_values(there.cpu()).numpy(),
            similar_B=similar_F[there].cpu().numpy(),
            dissimilar_B=dissimilar_F[there].cpu().numpy(),
            similar_CK=self.similar_CK,
            dissimilar_CCK=self.dissimilar_CCK,
            lowest=[(-wrong, left, right) for wrong, left, right in self.lowest],
            highest=self.highest,
        )


class _FineCounts:
    """Counts of scores by fine bin. Scores wait until they are worth a pass over all bins: classes can be many."""

    def __init__(self, device: torch.device) -> None:
        self.counts_F = torch.zeros(1 << FINE_BITS, dtype=torch.int64, device=device)
        self.waiting: list[torch.Tensor] = []
        self.number = 0  # of scores that wait

    def add(self, scores: torch.Tensor) -> None:
        self.waiting.append(scores)
        self.number += len(scores)
        if self.number >= len(self.counts_F):
            self.counts()

    def counts(self) -> torch.Tensor:
        """Return the counts of all scores so far, (F,) int64."""
        if self.waiting:
            self.counts_F += _fine_counts(torch.cat(self.waiting))
            self.waiting.clear()
            self.number = 0
        return self.counts_F


def _fine_counts(scores: torch.Tensor) -> torch.Tensor:
    """Return how many float32 scores lie in each of 2 ** FINE_BITS bins. A score's first bits name its bin.

    Bins are in the order of the numbers.
    """
    bits = (scores.float() + 0.0).contiguous().view(torch.int32)  # + 0.0 makes -0.0 the other zero
    ordered = torch.where(bits < 0, bits ^ NEGATED, bits)  # int32 in the order of the floats
    places = (ordered >> FINE_SHIFT).long() + (1 << (FINE_BITS - 1))
    return places.bincount(minlength=1 << FINE_BITS)


def _fine_values(places: torch.Tensor) -> torch.Tensor:
    """Return the float64 score in the middle of each bin."""
    ordered = ((places - (1 << (FINE_BITS - 1))) << FINE_SHIFT).int() + (1 << (FINE_SHIFT - 1))
    bits = torch.where(ordered < 0, ordered ^ NEGATED, ordered)
    return bits.view(torch.float32).double()
