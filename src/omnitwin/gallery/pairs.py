"""All pairs of embeddings, of one gallery or between two, that score at least as high as a limit.

    found = pairs_above(embedding_ND, line=line_of(verifier), limit=0.0)
    found.left_P, found.right_P, found.logit_P

Products of embeddings come block by block from matrix products in float32. Pairs that may reach the limit are scored
again in float64, one by one, so that neither the blocks nor the order of the images change a bit of any score.

Time is that of N * N / 2 products of D numbers; memory is that of one block and of the pairs found.

N images (A and B on two sides), D numbers in an embedding, P pairs
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from omnitwin.errors import BadInput
from omnitwin.gallery.gallery import Line
from omnitwin.metrics.arrays import Array
from omnitwin.reports.progress import SILENT, Reporter

MEMORY = 64 << 20  # bytes of products at a time
MOST_PAIRS = 10_000_000  # that are kept: 160 MB here, and about three times as much while groups are formed
SCORED_AT_ONCE = 4096  # pairs: 2 * 4096 * 256 numbers in float64 are 16 MB
NUMBER = 4  # bytes of a float32
LABEL = "Comparing all pairs"
FOLLOWED_FROM = 10_000_000  # pairs: fewer are compared before progress could be read


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Pairs at or above a limit, sorted by left, then by right.

    left_P, right_P: int32, places of both images; within one gallery left < right
    logit_P: float64
    compared: number of pairs that were looked at
    """

    left_P: Array
    right_P: Array
    logit_P: Array
    compared: int

    def __len__(self) -> int:
        return len(self.left_P)


def pairs_above(
    left_AD: Array,
    right_BD: Array | None = None,
    *,
    line: Line,
    limit: float,
    memory: int = MEMORY,
    most: int = MOST_PAIRS,
    reporter: Reporter = SILENT,
) -> Pairs:
    """Return the pairs whose logit is at least a limit, each once.

    right_BD: the other side; None: the pairs within left_AD
    line: from products to logits; its slope is above 0
    memory: bytes of products at a time
    most: pairs to keep

    Raises BadInput if more than `most` pairs reach the limit.
    """
    within = right_BD is None
    other_BD = left_AD if right_BD is None else right_BD
    compared = len(left_AD) * (len(left_AD) - 1) // 2 if within else len(left_AD) * len(other_BD)
    # the bound on the rounding of a product in float32 (Higham 2002, "Accuracy and stability", sec. 3.1), doubled
    least = np.float32(line.products(limit) - left_AD.shape[1] * float(np.finfo(np.float32).eps))
    left, right, logits, kept = [], [], [], 0
    with (reporter if compared >= FOLLOWED_FROM else SILENT).task(LABEL, compared, "pairs") as advance:
        for rows, columns, reached_AB in _blocks(left_AD, other_BD, within, least, memory):
            if kept + np.count_nonzero(reached_AB) > most:
                raise BadInput(
                    f"more than {most:,} of {compared:,} pairs reach the limit",
                    "Give a higher --min-probability, or fewer images.",
                )
            left_P, right_P = (place_P.astype(np.int32) for place_P in np.nonzero(reached_AB))
            left_P += np.int32(rows.start)
            right_P += np.int32(columns.start)
            logit_P = line.slope * products_of(left_AD, other_BD, left_P, right_P) + line.offset
            above_P = logit_P >= limit
            left.append(left_P[above_P])
            right.append(right_P[above_P])
            logits.append(logit_P[above_P])
            kept += int(above_P.sum())
            advance(_pairs_in(rows, columns, within))
    none = np.zeros(0, np.int32)
    left_P, right_P = np.concatenate([none, *left]), np.concatenate([none, *right])
    logit_P = np.concatenate([np.zeros(0), *logits])
    order = np.lexsort((right_P, left_P))
    return Pairs(left_P=left_P[order], right_P=right_P[order], logit_P=logit_P[order], compared=compared)


def products_of(left_AD: Array, right_BD: Array, left_P: Array, right_P: Array) -> Array:
    """Return the products, (P,) float64, of the embeddings at given places. Exchanging the sides changes no bit."""
    product_P = np.empty(len(left_P))
    for start in range(0, len(left_P), SCORED_AT_ONCE):
        part = slice(start, start + SCORED_AT_ONCE)
        both_PD = left_AD[left_P[part]].astype(np.float64)
        both_PD *= right_BD[right_P[part]]
        product_P[part] = both_PD.sum(1)
    return product_P


def _blocks(
    left_AD: Array, right_BD: Array, within: bool, least: np.float32, memory: int
) -> Iterator[tuple[range, range, Array]]:
    """Yield the rows and columns of each block, and which of its pairs may reach the limit."""
    side = max(1, math.isqrt(memory // NUMBER))
    left_AD, right_BD = (np.ascontiguousarray(side_ND, np.float32) for side_ND in (left_AD, right_BD))
    space = np.empty((min(side, len(left_AD)), min(side, len(right_BD))), np.float32)
    for top in range(0, len(left_AD), side):
        rows = range(top, min(top + side, len(left_AD)))
        for start in range(top if within else 0, len(right_BD), side):
            columns = range(start, min(start + side, len(right_BD)))
            product_AB = space.reshape(-1)[: len(rows) * len(columns)].reshape(len(rows), len(columns))
            np.matmul(left_AD[top : rows.stop], right_BD[start : columns.stop].T, out=product_AB)
            reached_AB = product_AB >= least
            if within and start == top:  # each pair once, and no image with itself
                reached_AB &= np.arange(len(rows))[:, None] < np.arange(len(columns))
            yield rows, columns, reached_AB


def _pairs_in(rows: range, columns: range, within: bool) -> int:
    if within and rows == columns:
        return len(rows) * (len(rows) - 1) // 2
    return len(rows) * len(columns)
