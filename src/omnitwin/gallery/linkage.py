"""Groups of images by average or complete linkage, from the pairs that reach a limit. No matrix of all pairs is made.

    group_N = linked(embedding_ND, pairs, line, limit, "complete")

Groups are joined, the most similar first, as long as their similarity is at least the limit.
    complete  the lowest logit of a pair between two groups: every pair of a group is at or above the limit
    average   the mean logit of all pairs between two groups, those below the limit included. As a logit is linear in
              the product of two embeddings, the mean is that of the product of both groups' sums

So a chain of images, each like the next one, does not become one group, as it would by single linkage.

Groups grow along chains of nearest neighbours until two groups are each other's nearest (Murtagh 1983, "A survey of
recent advances in hierarchical clustering algorithms"; Muellner 2011, "Modern hierarchical, agglomerative clustering
algorithms"). Both linkages are reducible: joining two groups brings neither nearer to a third. So this finds the groups
of the greedy order. Two groups without a pair at the limit have no similarity at the limit by either linkage, so only
neighbours in the graph of the P pairs are looked at. Memory is O(P + N D). Time is O(N d D), where d is the largest
number of neighbours of a group: at most the images that are connected with it, in practice P / N.

Equally near neighbours: the first image of a group decides, so the result depends on how images are numbered. Number
them by name, and it does not depend on the order of files.

N images, M of them in a pair, D numbers in an embedding, P pairs, K neighbours
"""

from dataclasses import dataclass

import numpy as np

from omnitwin.errors import BadInput
from omnitwin.gallery.gallery import Line
from omnitwin.gallery.pairs import Pairs
from omnitwin.metrics.arrays import Array

AVERAGE, COMPLETE = "average", "complete"
ROUNDING = 1e-9  # of a mean logit, by which it may miss the limit
SUMMED_AT_ONCE = 4096  # neighbours


def linked(embedding_ND: Array, pairs: Pairs, line: Line, limit: float, linkage: str) -> Array:
    """Return the group of each image, (N,): the lowest number of an image in it. An image alone is its own group.

    pairs: all pairs within the images that are at or above the limit
    linkage: `average` or `complete`

    Raises BadInput for another linkage.
    """
    group_N = np.arange(len(embedding_ND))
    if linkage not in (AVERAGE, COMPLETE):
        raise BadInput(f"no linkage is called {linkage!r}", f"Use {AVERAGE} or {COMPLETE}.")
    if not len(pairs):
        return group_N
    image_M, place_2P = np.unique(np.concatenate([pairs.left_P, pairs.right_P]), return_inverse=True)
    graph = _Graph.of(np.split(place_2P.reshape(-1), 2), pairs.logit_P, len(image_M))
    links = _Average(graph, embedding_ND[image_M], line, limit) if linkage == AVERAGE else _Complete(graph)
    for start in range(len(image_M)):
        if graph.parent_M[start] == start:
            _grow(links, start)
    group_N[image_M] = image_M[graph.now(np.arange(len(image_M)))]
    return group_N


@dataclass(eq=False)
class _Graph:
    """Groups and their neighbours; a group has the number of its first image.

    parent_M: the group that each group was joined to, itself if it still is one
    size_M: images of a group
    near: of each group the numbers of its neighbours, the lowest logit and the number of pairs at the limit. Numbers
        may be those of groups that were joined since: `neighbours` brings them up to date
    """

    parent_M: Array
    size_M: Array
    near: list[tuple[Array, Array, Array]]

    @classmethod
    def of(cls, ends: list[Array], logit_P: Array, count: int) -> "_Graph":
        left_P, right_P = ends
        from_2P, to_2P = np.concatenate([left_P, right_P]), np.concatenate([right_P, left_P])
        order = np.lexsort((to_2P, from_2P))
        starts = np.searchsorted(from_2P[order], np.arange(1, count))
        to_2P, logit_2P = to_2P[order].astype(np.int32), np.concatenate([logit_P, logit_P])[order]
        parts = (np.split(each, starts) for each in (to_2P, logit_2P, np.ones(len(to_2P), np.int64)))
        return cls(np.arange(count), np.ones(count, np.int64), list(zip(*parts, strict=True)))

    def now(self, group_K: Array) -> Array:
        """Return the groups that groups have become."""
        found_K = self.parent_M[group_K]
        while True:
            further_K = self.parent_M[found_K]
            if (further_K == found_K).all():
                break
            found_K = further_K
        self.parent_M[group_K] = found_K
        return found_K

    def neighbours(self, group: int) -> tuple[Array, Array, Array]:
        """Return the neighbours of a group in ascending order, each once, with lowest logit and number of pairs."""
        old_K, logit_K, count_K = self.near[group]
        now_K = self.now(old_K)
        order = np.argsort(now_K, kind="stable")
        order = order[now_K[order] != group]
        now_K = now_K[order]
        starts = np.flatnonzero(np.diff(now_K, prepend=-1))
        if not len(starts):
            self.near[group] = (now_K, logit_K[:0], count_K[:0])
        else:
            logits, counts = np.minimum.reduceat(logit_K[order], starts), np.add.reduceat(count_K[order], starts)
            self.near[group] = (now_K[starts].astype(np.int32), logits, counts)
        return self.near[group]

    def join(self, first: int, second: int) -> int:
        """Join two groups, and return the number of the result."""
        kept, gone = min(first, second), max(first, second)
        self.parent_M[gone] = kept
        self.size_M[kept] += self.size_M[gone]
        both = zip(self.near[kept], self.near[gone], strict=True)
        ids, logits, counts = (np.concatenate(parts) for parts in both)
        self.near[kept] = (ids, logits, counts)
        self.near[gone] = (ids[:0], logits[:0], counts[:0])
        return kept


class _Complete:
    """Similarity of groups by their least similar pair."""

    def __init__(self, graph: _Graph) -> None:
        self.graph = graph

    def similar(self, group: int) -> tuple[Array, Array]:
        """Return the groups that may join a group, and their similarity."""
        graph = self.graph
        near_K, logit_K, count_K = graph.neighbours(group)
        whole_K = count_K == graph.size_M[near_K] * graph.size_M[group]  # each pair between the two is at the limit
        graph.near[group] = (near_K[whole_K], logit_K[whole_K], count_K[whole_K])  # the others never will be
        return near_K[whole_K], logit_K[whole_K]

    def join(self, first: int, second: int) -> int:
        return self.graph.join(first, second)


class _Average:
    """Similarity of groups by the mean of all pairs between them."""

    def __init__(self, graph: _Graph, embedding_MD: Array, line: Line, limit: float) -> None:
        self.graph, self.line, self.limit = graph, line, limit - ROUNDING
        self.sum_MD = embedding_MD.astype(np.float64)

    def similar(self, group: int) -> tuple[Array, Array]:
        """Return the groups that may join a group, and their similarity, which is the same from both sides."""
        near_K, logit_K, count_K = self.graph.neighbours(group)
        product_K = np.empty(len(near_K))
        for start in range(0, len(near_K), SUMMED_AT_ONCE):
            part = slice(start, start + SUMMED_AT_ONCE)
            product_K[part] = (self.sum_MD[near_K[part]] * self.sum_MD[group]).sum(1)
        mean_K = product_K / (self.graph.size_M[near_K] * self.graph.size_M[group])
        mean_K = self.line.slope * mean_K + self.line.offset
        reached_K = mean_K >= self.limit
        # the others never will be, but for groups that another neighbour leads to
        self.graph.near[group] = (near_K[reached_K], logit_K[reached_K], count_K[reached_K])
        return near_K[reached_K], mean_K[reached_K]

    def join(self, first: int, second: int) -> int:
        kept = self.graph.join(first, second)
        self.sum_MD[kept] = self.sum_MD[min(first, second)] + self.sum_MD[max(first, second)]
        return kept


def _grow(links: _Average | _Complete, start: int) -> None:
    """Join a group, and those that it leads to, until none of them has a neighbour at the limit."""
    chain = [start]
    while chain:
        tip = chain[-1]
        near_K, similarity_K = links.similar(tip)
        if not len(near_K):
            chain.pop()
            continue
        best_K = near_K[similarity_K == similarity_K.max()]
        if len(chain) > 1 and chain[-2] in best_K:
            joined = links.join(tip, chain[-2])
            chain = chain[:-2] or [joined]
            continue
        best = int(best_K[0])
        # rounding may lead back into the chain: from its tip alone, similarities only rise
        chain = [tip, best] if best in chain else [*chain, best]
