"""Groups: those of the slow way over the whole matrix, the same in any order, and no chains."""

import numpy as np
import pytest
from points import LINE, arc, as_sets, bunches, logits, slow_groups

from omnitwin.errors import BadInput
from omnitwin.gallery.linkage import linked
from omnitwin.gallery.pairs import pairs_above

LINKAGES = ("average", "complete")
BOTH = pytest.mark.parametrize("linkage", LINKAGES)


def grouped(embedding_ND, limit, linkage):
    return linked(embedding_ND, pairs_above(embedding_ND, line=LINE, limit=limit), LINE, limit, linkage)


@BOTH
@pytest.mark.parametrize("spread", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_groups_are_those_of_greedy_agglomeration_over_the_whole_matrix(linkage, seed, spread):
    embedding_ND = bunches(seed, bunches=6, each=6, spread=spread, alone=6)
    for limit in (-6.0, -2.0, 0.0, 1.0):
        found = as_sets(grouped(embedding_ND, limit, linkage))
        assert found == slow_groups(embedding_ND, limit, linkage)


@BOTH
def test_the_groups_are_those_of_scipy(linkage):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    embedding_ND = bunches(11, bunches=40, each=8, spread=0.8, alone=60)
    logit_NN = logits(embedding_ND)
    apart_P = -logit_NN[np.triu_indices(len(embedding_ND), 1)]
    for limit in (-3.0, 0.0):
        tree = hierarchy.linkage(apart_P + 100, linkage)  # distances are above 0
        expected = as_sets(hierarchy.fcluster(tree, 100 - limit, "distance"))
        assert as_sets(grouped(embedding_ND, limit, linkage)) == expected
        assert 40 < len(expected) < 380


@BOTH
def test_the_order_of_the_images_does_not_matter(linkage):
    embedding_ND = bunches(12, spread=0.8)
    order = np.random.default_rng(1).permutation(len(embedding_ND))
    turned = {frozenset(order[list(group)].tolist()) for group in as_sets(grouped(embedding_ND[order], -1.0, linkage))}
    assert turned == as_sets(grouped(embedding_ND, -1.0, linkage))


@BOTH
def test_a_chain_of_50_look_alikes_is_not_one_group(linkage):
    """Each is at the limit with its neighbours; the ends are opposite each other."""
    embedding_ND = arc(50, logit=1.9)
    groups = as_sets(grouped(embedding_ND, 1.0, linkage))
    logit_NN = logits(embedding_ND)
    assert all(logit_NN[number, number + 1] > 1.0 for number in range(49))
    assert 5 < len(groups) < 50
    assert max(map(len, groups)) < 10


@BOTH
def test_every_group_is_as_similar_as_its_linkage_promises_and_no_two_could_still_be_joined(linkage):
    embedding_ND, limit = bunches(13, spread=0.9), -1.5
    logit_NN = logits(embedding_ND)
    joined = {"complete": np.min, "average": np.mean}[linkage]
    groups = [sorted(group) for group in as_sets(grouped(embedding_ND, limit, linkage))]
    assert 1 < len(groups) < len(embedding_ND)
    for group in groups:
        if linkage == "complete" and len(group) > 1:
            assert min(logit_NN[a, b] for a in group for b in group if a != b) >= limit
        assert all(joined(logit_NN[np.ix_(group, other)]) < limit for other in groups if other != group)


@BOTH
def test_equal_images_are_one_group_and_ties_are_broken_by_number(linkage):
    square = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    embedding_ND = np.concatenate([np.repeat(square, 3, axis=0)] * 2)
    assert {len(group) for group in as_sets(grouped(embedding_ND, 0.0, linkage))} == {6}
    # 0 is as near to 1 as to 3, and is joined with 1, the first of them; then 2 with 3
    assert grouped(square, -8.0, linkage).tolist() == [0, 0, 2, 2]


def test_a_group_has_the_number_of_its_first_image():
    group_N = grouped(bunches(14), 0.0, "complete")
    assert all(group_N[number] <= number for number in range(len(group_N)))
    assert (group_N[group_N] == group_N).all()


def test_without_a_pair_every_image_is_alone():
    assert grouped(bunches(15), 99.0, "average").tolist() == list(range(58))


def test_another_linkage_is_refused():
    with pytest.raises(BadInput, match="no linkage is called 'single'"):
        grouped(bunches(16), 0.0, "single")
