"""Search a gallery exactly: every image is compared with every query, a block at a time.

    found = search(gallery, query_QD, top=10)
    found.place_QK[0]    # the most similar images of the first query, the most similar first

Q queries, N images, B images of a block, K images that are found, D numbers in an embedding

Products of a block come from one multiplication of matrices in 32 bits. Its last bits depend on the library, the number
of threads and an image's place in the block. So it only chooses candidates, with room for its rounding; their products
are then computed one by one in 64 bits. The result is the same for every size of the blocks, and images of equal
embeddings are found in the order of their names.
"""

from dataclasses import dataclass

import numpy as np

from omnitwin.gallery.gallery import Gallery
from omnitwin.metrics.arrays import Array

BLOCK = 1 << 14  # images of a block: 16 MB of products with QUERIES queries
QUERIES = 256  # that are multiplied at once
ROUNDING = 2.0**-23  # of a product of numbers of length 1 in 32 bits, for each of its D steps, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Nearest:
    """The most similar images of each query, the most similar first; of equal ones the first by name.

    place_QK: places among the gallery's items
    product_QK: products of the embeddings, float64
    """

    place_QK: Array
    product_QK: Array


def search(gallery: Gallery, query_QD: Array, top: int, block: int = BLOCK) -> Nearest:
    """Return the `top` most similar images of each query; all if the gallery has fewer.

    query_QD: float32, each of length 1
    block: images that are compared at once; another number changes memory and time only
    """
    count = min(top, len(gallery))
    places, products = [], []
    for start in range(0, len(query_QD), QUERIES):
        best = [_Best(query_D, count) for query_D in query_QD[start : start + QUERIES]]
        _compare(gallery.embedding_ND, query_QD[start : start + QUERIES], best, block)
        places += [each.place_K for each in best]
        products += [each.product_K for each in best]
    shape = (len(query_QD), count)
    return Nearest(
        place_QK=np.array(places, np.int64).reshape(shape),
        product_QK=np.array(products, np.float64).reshape(shape),
    )


def products(left_ND: Array, right_D: Array) -> Array:
    """Return the product of each embedding with another one, (N,) float64. Equal rows have equal products."""
    product_ND = np.multiply(left_ND, right_D, dtype=np.float64)
    product_N: Array = product_ND.sum(axis=1)
    return product_N


def _compare(embedding_ND: Array, query_QD: Array, best: "list[_Best]", block: int) -> None:
    for start in range(0, len(embedding_ND), block):
        embedding_BD = embedding_ND[start : start + block]
        rough_QB = query_QD @ embedding_BD.T
        for each, rough_B in zip(best, rough_QB, strict=True):
            each.take(rough_B, embedding_BD, start)


class _Best:
    """The best images so far of one query."""

    def __init__(self, query_D: Array, count: int) -> None:
        self.query_D, self.count = query_D, count
        self.room = 2 * len(query_D) * ROUNDING
        self.place_K = np.zeros(0, np.int64)
        self.product_K = np.zeros(0, np.float64)

    def take(self, rough_B: Array, embedding_BD: Array, start: int) -> None:
        """Take those of a block that belong to the best. start: the place of its first image"""
        least = self.product_K[-1] if len(self.product_K) == self.count else -np.inf
        chosen_C = np.flatnonzero(rough_B >= least - self.room)
        if len(chosen_C) > self.count:
            rough_C = rough_B[chosen_C]
            at = len(rough_C) - self.count
            chosen_C = chosen_C[rough_C >= np.partition(rough_C, at)[at] - self.room]
        if not len(chosen_C):
            return
        place_C = np.concatenate([self.place_K, chosen_C + start])
        product_C = np.concatenate([self.product_K, products(embedding_BD[chosen_C], self.query_D)])
        order_K = np.lexsort((place_C, -product_C))[: self.count]
        self.place_K, self.product_K = place_C[order_K], product_C[order_K]
