"""Episodes are drawn by a fixed key, so these counts are the same on each run; the bounds are those of fair dice."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sitters import CPU, uneven_set

from omnitwin.data import synthetic
from omnitwin.data.episodes import draw_episodes, drawing_rows
from omnitwin.errors import BadInput
from omnitwin.system.randomness import random_generator

DRAWN = 3000
CASES = [(2, 1, "group"), (4, 1, "group"), (3, 3, "group"), (4, 5, "group"), (8, 1, "any"), (5, 2, "any")]


def draw(packed, way, shot, scope, count=DRAWN, key=(0, 1)):
    return draw_episodes(packed, way, shot, count, scope, random_generator(CPU, *key))


@pytest.fixture(scope="module", params=CASES, ids=str)
def drawn(request, tiny_set):
    """2 alphabets of 4 characters by 6 drawers, and many episodes of them."""
    return tiny_set, *request.param, draw(tiny_set, *request.param)


def assert_uniform(counts):
    """Pearson's chi-square below what fair dice exceed about 3 times in 100,000 (Wilson and Hilferty 1931)."""
    counts = np.asarray(counts)
    freedom = counts.size - 1
    bound = freedom * (1 - 2 / (9 * freedom) + 4 * math.sqrt(2 / (9 * freedom))) ** 3
    expected = counts.sum() / counts.size
    assert ((counts - expected) ** 2 / expected).sum() < bound


def test_there_are_as_many_episodes_ways_and_shots_as_asked_for(drawn):
    _, way, shot, _, episodes = drawn
    assert len(episodes) == DRAWN
    assert episodes.query_E.shape == episodes.answer_E.shape == (DRAWN,)
    assert episodes.support_EWK.shape == (DRAWN, way, shot)


def test_ways_are_distinct_classes_and_all_shots_of_a_way_show_its_class(drawn):
    packed, way, _, _, episodes = drawn
    class_EWK = packed.class_N[episodes.support_EWK]
    assert (class_EWK == class_EWK[:, :, :1]).all()
    assert all(len(set(classes)) == way for classes in class_EWK[:, :, 0].tolist())


def test_each_shot_is_by_one_drawer_and_the_query_by_none_of_them(drawn):
    packed, _, shot, _, episodes = drawn
    drawer_EWK = packed.source_N[episodes.support_EWK]
    assert (drawer_EWK == drawer_EWK[:, :1]).all()
    hands = torch.cat([drawer_EWK[:, 0], packed.source_N[episodes.query_E][:, None]], 1)
    assert all(len(set(drawers)) == shot + 1 for drawers in hands.tolist())


def test_the_answer_is_the_one_way_that_shows_the_class_of_the_query(drawn):
    packed, _, _, _, episodes = drawn
    shows_EW = packed.class_N[episodes.support_EWK[:, :, 0]] == packed.class_N[episodes.query_E][:, None]
    assert (shows_EW.sum(1) == 1).all()
    assert torch.equal(shows_EW.int().argmax(1), episodes.answer_E)


def test_the_query_is_never_among_the_supports(drawn):
    episodes = drawn[-1]
    assert not (episodes.support_EWK == episodes.query_E[:, None, None]).any()


def test_scope_alphabet_stays_within_one_alphabet_and_scope_any_does_not(drawn):
    packed, _, _, scope, episodes = drawn
    alphabet_EW = packed.group_C[packed.class_N[episodes.support_EWK[:, :, 0]]]
    within = (alphabet_EW == alphabet_EW[:, :1]).all(1)
    assert bool(within.all()) == (scope == "group")


def test_the_answer_the_class_and_the_drawers_are_drawn_uniformly(drawn):
    packed, way, shot, _, episodes = drawn
    assert_uniform(episodes.answer_E.bincount(minlength=way))
    assert_uniform(packed.class_N[episodes.query_E].bincount(minlength=8))
    assert_uniform(packed.source_N[episodes.query_E].bincount(minlength=7)[1:])
    for one in range(shot):
        assert_uniform(packed.source_N[episodes.support_EWK[:, 0, one]].bincount(minlength=7)[1:])
    for place in range(way):
        assert_uniform(packed.class_N[episodes.support_EWK[:, place, 0]].bincount(minlength=8))


def test_the_place_of_the_answer_tells_nothing_of_the_class(drawn):
    packed, way, _, _, episodes = drawn
    assert_uniform((packed.class_N[episodes.query_E] * way + episodes.answer_E).bincount(minlength=8 * way))


def test_alphabets_are_drawn_uniformly_however_many_characters_they_have():
    packed = uneven_set(((3,) * 9, (3,) * 2, (3,) * 4))
    episodes = draw(packed, 2, 1, "group")
    assert_uniform(packed.group_C[packed.class_N[episodes.query_E]].bincount(minlength=3))


def test_an_alphabet_with_too_few_characters_is_left_out():
    packed = uneven_set(((3,) * 9, (3,) * 2, (3,) * 4))
    episodes = draw(packed, 4, 1, "group")
    assert packed.group_C[packed.class_N[episodes.query_E]].unique().tolist() == [0, 2]


@pytest.mark.parametrize("scope", ["group", "any"])
def test_the_same_key_draws_the_same_episodes_and_another_others(tiny_set, scope):
    first, again, other = (draw(tiny_set, 3, 2, scope, 200, key) for key in ((3, 7), (3, 7), (4, 7)))
    assert torch.equal(first.query_E, again.query_E)
    assert torch.equal(first.support_EWK, again.support_EWK)
    assert torch.equal(first.answer_E, again.answer_E)
    assert (first.query_E == other.query_E).float().mean() < 0.2  # by chance, 1 row in 48 is the same


@pytest.mark.parametrize(
    ("way", "scope", "named"),
    [
        (5, "group", "no alphabet of 5 characters"),
        (9, "group", "no alphabet of 9 characters"),
        (9, "any", "8 characters, fewer than 9 ways"),
    ],
)
def test_more_ways_than_characters_are_refused_with_what_to_do(tiny_set, way, scope, named):
    with pytest.raises(BadInput, match=named) as caught:
        draw(tiny_set, way, 1, scope, 1)
    assert "--way" in caught.value.line()


def test_as_many_ways_as_characters_and_shots_as_other_drawers_are_the_most(tiny_set):
    episodes = draw(tiny_set, 8, 5, "any", 50)
    assert {len(set(rows)) for rows in episodes.support_EWK.flatten(1).tolist()} == {40}
    with pytest.raises(BadInput, match="6 drawers; 6 shots and a query need 7"):
        draw(tiny_set, 2, 6, "any", 1)


def test_the_row_of_each_drawing_is_found_by_its_character_and_drawer():
    packed = synthetic.draw_set("test", alphabets=2, characters=2, drawers=3, size=28)
    shuffled = replace(packed, source_N=torch.tensor([2, 9, 5, 5, 2, 9, 9, 5, 2, 2, 5, 9]))
    row_CH = drawing_rows(shuffled)
    assert shuffled.class_N[row_CH].tolist() == [[one] * 3 for one in range(4)]
    assert shuffled.source_N[row_CH].tolist() == [[2, 5, 9]] * 4


@pytest.mark.parametrize(
    "counts", [((2, 3), (3, 3)), ((3, 3), (3, 4)), ((3, 3), (2, 4))], ids=["one missing", "one more", "another class's"]
)
def test_unless_each_source_has_one_image_of_each_class_any_other_image_is_the_query(counts):
    packed = uneven_set(counts)
    assert drawing_rows(packed) is None
    episodes = draw(packed, 2, 1, "any")
    assert set(episodes.query_E.tolist()) == set(range(len(packed)))
    assert not (episodes.support_EWK == episodes.query_E[:, None, None]).any()


def test_an_image_there_twice_and_another_missing_are_no_full_table_of_sources():
    assert drawing_rows(replace(uneven_set(((3, 3),)), source_N=torch.tensor([1, 2, 2, 1, 2, 3]))) is None


@pytest.mark.parametrize("scope", ["group", "any"])
@pytest.mark.parametrize("shot", [1, 2])
def test_queries_and_examples_come_from_classes_with_enough_images_each_as_often(shot, scope):
    packed = replace(uneven_set(((1, 3, 1, 4), (3, 2, 5, 1))), source_N=None)
    able = {1: [1, 3, 4, 5, 6], 2: [1, 3, 4, 6]}[shot]
    episodes = draw(packed, 2, shot, scope)
    class_EWK = packed.class_N[episodes.support_EWK]
    assert class_EWK.unique().tolist() == able
    assert torch.equal(class_EWK[torch.arange(DRAWN), episodes.answer_E, 0], packed.class_N[episodes.query_E])
    if scope == "any":
        assert_uniform(packed.class_N[episodes.query_E].bincount(minlength=8)[able])


def test_too_few_classes_with_enough_images_are_counted():
    packed = replace(uneven_set(((1, 3, 1, 4), (3, 2, 5, 1))), source_N=None)
    with pytest.raises(BadInput, match="has 5 classes with 2 images, fewer than 6 ways"):
        draw(packed, 6, 1, "any", 1)
    with pytest.raises(BadInput, match="no group of 3 classes with 3 images"):
        draw(packed, 3, 2, "group", 1)


@pytest.mark.parametrize(("way", "taken"), [(None, 5), (20, None)])
def test_twenty_ways_are_as_many_as_there_are_where_nobody_asked_for_twenty(way, taken):
    packed = replace(uneven_set(((3,) * 5, (3,) * 2)), source_N=None)
    if taken is None:
        with pytest.raises(BadInput, match="no group of 20 classes"):
            draw(packed, way, 1, "group", 1)
    else:
        assert draw(packed, way, 1, "group", 10).support_EWK.shape[1] == taken
        assert draw(packed, way, 1, "any", 10).support_EWK.shape[1] == 7


def test_of_more_than_twenty_classes_twenty_are_the_ways():
    assert draw(uneven_set(((2,) * 23,)), None, 1, "any", 5).support_EWK.shape[1] == 20
