"""Find pictures that are there twice: the same pixels, and nearly the same picture.

    found = find_duplicates(facts, class_N, part_N)
    found.exact  # groups of indices whose pixels are the same

Two different pictures are nearly the same if their perceptual hashes (images.facts) differ in at most NEAR_BITS of 64
bits, their aspects by at most NEAR_ASPECT, and their thumbnails, but for a shift of all values, by NEAR_SHARE of their
contrast. Of 60 pictures each of six sets, 355 of 360 are found again after JPEG at quality 60, 351 after halving
and 324 after 8 % more light; cropped by 4 %, most are other pictures. By the hash alone, 18 pairs of signatures by
different people would be nearly the same; with the thumbnails, none.

All pairs are looked at, without building them: if two hashes differ in at most 7 bits, one of their 8 bytes is equal,
so only pairs that share a byte are compared (M. Norouzi, A. Punjani, D. Fleet, "Fast search in Hamming space with
multi-index hashing", CVPR 2012). Memory stays bounded: comparisons are made block by block, and at most MOST_PAIRS are
kept.

    N pictures, U different ones
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from omnitwin.data.listing import HELD_OUT, TEST, TRAINING
from omnitwin.images.facts import ImageFacts
from omnitwin.metrics.arrays import Array

NEAR_BITS = 6  # of 64; at most 7, see above
NEAR_SHARE = 0.12  # mean difference of the thumbnails' values, by the mean distance of one's values from their mean
NEAR_ASPECT = 0.05  # of the logarithm of width by height
BLOCK = 1 << 20  # comparisons at once: 8 MB of hashes
LEAST_CONTRAST = 1.5  # levels: below it, a picture is blank, and like every other blank one
MOST_PAIRS = 10_000  # kept; all are counted


@dataclass(kw_only=True)
class Duplicates:
    """Pictures of a set that are there twice. Pictures are named by their index.

    exact: groups of pictures with the same pixels
    near: pairs of nearly the same pictures, those across classes first; a group of same ones counts as one picture
    near_within, near_across: number of such pairs within a class and across classes
    leaking: test pictures that are, exactly or nearly, also in another part
    trained: held-out pictures that are, exactly or nearly, also trained on
    """

    exact: list[list[int]] = field(default_factory=list)
    near: list[tuple[int, int]] = field(default_factory=list)
    near_within: int = 0
    near_across: int = 0
    leaking: list[int] = field(default_factory=list)
    trained: list[int] = field(default_factory=list)


def find_duplicates(facts: Sequence[ImageFacts], class_N: Sequence[object], part_N: Sequence[str]) -> Duplicates:
    """Return what is there twice among pictures without problems."""
    groups: dict[bytes, list[int]] = {}
    for index, each in enumerate(facts):
        groups.setdefault(each.digest, []).append(index)
    members = list(groups.values())
    found = Duplicates(exact=[group for group in members if len(group) > 1])
    parts_U = [{part_N[index] for index in group} for group in members]  # of each picture
    near_U = [set(parts) for parts in parts_U]  # of it and of nearly the same ones
    within: list[tuple[int, int]] = []
    across: list[tuple[int, int]] = []
    for left, right in near_pairs([facts[group[0]] for group in members]):
        near_U[left] |= parts_U[right]
        near_U[right] |= parts_U[left]
        pair = members[left][0], members[right][0]
        same = class_N[pair[0]] == class_N[pair[1]]
        found.near_within += same
        found.near_across += not same
        kept = within if same else across
        if len(kept) < MOST_PAIRS:
            kept.append(pair)
    found.near = (sorted(across) + sorted(within))[:MOST_PAIRS]
    for group, parts in zip(members, near_U, strict=True):
        if parts - {TEST}:
            found.leaking += [index for index in group if part_N[index] == TEST]
        if TRAINING in parts:
            found.trained += [index for index in group if part_N[index] == HELD_OUT]
    found.leaking.sort()
    found.trained.sort()
    return found


def near_pairs(facts: Sequence[ImageFacts]) -> Iterator[tuple[int, int]]:
    """Yield each pair of indices of nearly the same pictures once, the lower index first; never a blank one."""
    if not facts:
        return
    hash_U = np.array([each.hash for each in facts], dtype=np.uint64)
    thumb_UT = np.frombuffer(b"".join(each.thumb for each in facts), np.uint8).reshape(len(facts), -1)
    mean_U = thumb_UT.mean(1)  # light and dark copies have other means, and the same shapes
    contrast_U = np.array([np.abs(thumb_T - mean).mean() for thumb_T, mean in zip(thumb_UT, mean_U, strict=True)])
    aspect_U = np.log([each.width / each.height for each in facts])
    shaped = np.flatnonzero(contrast_U >= LEAST_CONTRAST)
    for pair in _close_hashes(hash_U[shaped]):
        left_P, right_P = (shaped[place_P] for place_P in pair)
        near_P = np.abs(aspect_U[left_P] - aspect_U[right_P]) <= NEAR_ASPECT
        left_P, right_P = left_P[near_P], right_P[near_P]
        difference_PT = thumb_UT[left_P].astype(np.float32) - thumb_UT[right_P]
        difference_PT -= (mean_U[left_P] - mean_U[right_P])[:, None].astype(np.float32)
        contrast_P = np.minimum(contrast_U[left_P], contrast_U[right_P])
        near_P = np.abs(difference_PT).mean(1) <= NEAR_SHARE * contrast_P
        yield from zip(left_P[near_P].tolist(), right_P[near_P].tolist(), strict=True)


def _close_hashes(hash_U: Array) -> Iterator[tuple[Array, Array]]:
    """Yield blocks of pairs of places, the lower first, whose hashes differ in at most NEAR_BITS bits: each once."""
    bytes_U8 = hash_U.astype(">u8").view(np.uint8).reshape(-1, 8)
    for byte in range(8):
        order_U = np.argsort(bytes_U8[:, byte], kind="stable")
        values_U = bytes_U8[order_U, byte]
        edges = np.flatnonzero(np.diff(values_U)) + 1
        for place_B in np.split(order_U, edges):
            for left_P, right_P in _close_within(hash_U[place_B]):
                pair = place_B[left_P], place_B[right_P]
                earlier_P8 = bytes_U8[pair[0], :byte] == bytes_U8[pair[1], :byte]  # found by an earlier byte
                new_P = ~earlier_P8.any(1)
                if new_P.any():
                    yield pair[0][new_P], pair[1][new_P]


def _close_within(hash_B: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the close pairs among hashes, by comparing each to all later ones, in blocks."""
    count = len(hash_B)
    rows = max(1, BLOCK // max(1, count))
    for start in range(0, count - 1, rows):
        end = min(start + rows, count)
        apart = np.bitwise_count(hash_B[start:end, None] ^ hash_B[None, start:])
        left_P, right_P = np.nonzero(apart <= NEAR_BITS)
        later_P = right_P > left_P
        if later_P.any():
            yield left_P[later_P] + start, right_P[later_P] + start
