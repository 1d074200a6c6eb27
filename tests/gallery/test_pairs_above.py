"""All pairs above a limit: those of the whole matrix, whatever the blocks, the order and the sides."""

import tracemalloc

import numpy as np
import pytest
from points import LINE, bunches, slow_pairs

from omnitwin.errors import BadInput
from omnitwin.gallery.pairs import pairs_above

LIMITS = (-20.0, -5.0, 0.0, 1.9)


def as_dict(found):
    places = zip(found.left_P.tolist(), found.right_P.tolist(), strict=True)
    return dict(zip(places, found.logit_P.tolist(), strict=True))


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("side", [1, 7, 16, 1000])
def test_the_pairs_are_those_of_the_whole_matrix_whatever_the_blocks(limit, side):
    embedding_ND = bunches(1)
    found = pairs_above(embedding_ND, line=LINE, limit=limit, memory=4 * side * side)
    expected = slow_pairs(embedding_ND, limit)
    assert as_dict(found).keys() == expected.keys()
    assert len(found) == len(expected)
    assert list(as_dict(found).values()) == pytest.approx([expected[pair] for pair in as_dict(found)], abs=1e-12)
    assert found.compared == len(embedding_ND) * (len(embedding_ND) - 1) // 2


def test_blocks_and_order_change_no_bit_of_a_logit():
    embedding_ND = bunches(2)
    order = np.random.default_rng(0).permutation(len(embedding_ND))
    whole = as_dict(pairs_above(embedding_ND, line=LINE, limit=-2.0))
    turned = as_dict(pairs_above(embedding_ND[order], line=LINE, limit=-2.0, memory=4 * 5 * 5))
    back = {tuple(sorted((order[left].item(), order[right].item()))): logit for (left, right), logit in turned.items()}
    assert back == whole


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("side", [3, 1000])
def test_pairs_between_two_galleries_are_those_of_both_in_one_that_lie_across(limit, side):
    embedding_ND = bunches(3)
    left_AD, right_BD = embedding_ND[:20], embedding_ND[20:]
    found = pairs_above(left_AD, right_BD, line=LINE, limit=limit, memory=4 * side * side)
    whole = as_dict(pairs_above(embedding_ND, line=LINE, limit=limit))
    across = {(left, right - 20): logit for (left, right), logit in whole.items() if left < 20 <= right}
    assert as_dict(found) == across
    assert found.compared == len(left_AD) * len(right_BD)


def test_pairs_come_sorted_and_a_pair_exactly_at_the_limit_counts():
    embedding_ND = bunches(4)
    found = pairs_above(embedding_ND, line=LINE, limit=-5.0)
    places = list(zip(found.left_P.tolist(), found.right_P.tolist(), strict=True))
    assert places == sorted(places)
    lowest = float(found.logit_P.min())
    assert len(pairs_above(embedding_ND, line=LINE, limit=lowest)) == len(found)
    assert len(pairs_above(embedding_ND, line=LINE, limit=np.nextafter(lowest, 9))) == len(found) - 1


def test_no_image_and_one_image_make_no_pair():
    for count in (0, 1):
        assert len(pairs_above(bunches(5)[:count], line=LINE, limit=-99.0)) == 0


def test_too_many_pairs_are_refused_before_they_fill_the_memory():
    embedding_ND = np.repeat(bunches(6)[:1], 300, axis=0)
    with pytest.raises(BadInput, match="more than 1,000 of 44,850 pairs reach the limit"):
        pairs_above(embedding_ND, line=LINE, limit=0.0, most=1000, memory=4 * 10 * 10)


@pytest.mark.parametrize("memory", [1 << 16, 1 << 20])
def test_products_take_no_more_memory_than_was_allowed(memory):
    """The whole matrix would take 36 MB, and half of it 18 MB."""
    embedding_ND = bunches(7, bunches=300, each=10, alone=0)
    tracemalloc.start()
    pairs_above(embedding_ND, line=LINE, limit=1.9, memory=memory)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * memory + (2 << 20)  # the products, which of them reach the limit, and the pairs found
