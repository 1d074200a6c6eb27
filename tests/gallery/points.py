"""Embeddings at random, and slow ways to the same pairs and groups, for tests of galleries."""

import numpy as np

from omnitwin.gallery.gallery import Line

LINE = Line(slope=10.0, offset=-8.0)  # a product of 0.8 has the logit 0


def bunches(seed, bunches=8, each=6, features=16, spread=0.45, alone=10):
    """Embeddings (N, D) of length 1, float32: images around some middles, and images alone, in a random order."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(bunches, 1, features))
    middles /= np.linalg.norm(middles, axis=2, keepdims=True)
    noise = random.normal(size=(bunches, each, features)) / np.sqrt(features)
    points = np.concatenate([(middles + spread * noise).reshape(-1, features), random.normal(size=(alone, features))])
    points = points[random.permutation(len(points))]
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def arc(count, logit):
    """Embeddings along an arc: each has that logit with the next one, and less with the others."""
    angle = np.arccos(LINE.products(logit)) * np.arange(count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def logits(embedding_ND):
    exact_ND = embedding_ND.astype(np.float64)
    return LINE.slope * (exact_ND @ exact_ND.T) + LINE.offset


def slow_pairs(embedding_ND, limit):
    """The pairs at or above a limit, {(left, right): logit}, from the whole matrix."""
    logit_NN = logits(embedding_ND)
    count = len(embedding_ND)
    pairs = ((left, right) for left in range(count) for right in range(left + 1, count))
    return {pair: logit_NN[pair] for pair in pairs if logit_NN[pair] >= limit}


def slow_groups(embedding_ND, limit, linkage):
    """The groups of greedy agglomeration over the whole matrix, as a set of frozen sets, in O(N^3)."""
    logit_NN = logits(embedding_ND)
    joined = {"complete": np.min, "average": np.mean}[linkage]
    groups = [[number] for number in range(len(embedding_ND))]
    while len(groups) > 1:
        similar = {
            (first, second): joined(logit_NN[np.ix_(groups[first], groups[second])])
            for first in range(len(groups))
            for second in range(first + 1, len(groups))
        }
        first, second = max(similar, key=similar.get)
        if similar[first, second] < limit:
            break
        groups[first] += groups.pop(second)
    return {frozenset(group) for group in groups}


def as_sets(group_N):
    """Groups as a set of frozen sets."""
    found = {}
    for number, group in enumerate(group_N.tolist()):
        found.setdefault(group, set()).add(number)
    return {frozenset(members) for members in found.values()}
