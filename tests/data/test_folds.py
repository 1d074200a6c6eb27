"""Folds of a listing: every class is a test class once, and chooses and trains nothing then."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import listing, names

from omnitwin.data.folds import folds
from omnitwin.errors import BadInput


def classes_of(counts, count, seed=0, groups=None):
    """The part of each class, for each fold."""
    found = listing(counts, groups)
    divisions = []
    for parts in folds(found, count, seed):
        of_class = {}
        for file, part in zip(found.files, parts.part_N, strict=True):
            assert of_class.setdefault(file.label, part) == part, "a class in two parts"
        divisions.append(of_class)
    return divisions


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=20, max_size=60), st.integers(2, 8), st.integers(0, 1000))
def test_each_class_is_tested_once_and_pairs_can_be_drawn_of_every_part(images, count, seed):
    counts = dict(zip(names(len(images)), images, strict=True))
    several = [name for name in counts if counts[name] > 1]
    if len(several) < 2 * count or len(several) < 8:
        return
    divisions = classes_of(counts, count, seed)
    assert Counter(name for parts in divisions for name, part in parts.items() if part == "test") == Counter(
        dict.fromkeys(counts, 1)
    )
    for parts in divisions:
        assert parts.keys() == counts.keys()
        pairable = Counter(parts[name] for name in several)
        assert min(pairable["test"], pairable["held-out"], pairable["training"]) >= 2
        assert pairable["test"] in (len(several) // count, -(-len(several) // count))
        assert abs(pairable["held-out"] - 0.15 / 0.8 * (len(several) - pairable["test"])) <= 1.5


def test_no_two_folds_hold_out_the_same_classes():
    divisions = classes_of(dict.fromkeys(names(50), 2), 5)
    held = [frozenset(name for name, part in parts.items() if part == "held-out") for parts in divisions]
    assert len(set(held)) == 5
    assert all(6 <= len(chosen) <= 9 for chosen in held)


@settings(max_examples=100, deadline=None)
@given(st.integers(10, 60), st.integers(2, 5), st.integers(0, 1000))
def test_adding_a_class_moves_at_most_one_class_from_a_fold_to_the_next(count, number, seed):
    def fold_of(total):
        divisions = classes_of(dict.fromkeys(names(total), 2), number, seed)
        return {name: fold for fold, parts in enumerate(divisions) for name, part in parts.items() if part == "test"}

    before, after = fold_of(count), fold_of(count + 1)
    moves = Counter(frozenset((before[name], after[name])) for name in before if before[name] != after[name])
    assert max(moves.values(), default=0) <= 1
    assert all(max(move) - min(move) == 1 for move in moves)


def test_groups_keep_their_classes_together_in_every_fold():
    groups = {name: f"group {index % 15}" for index, name in enumerate(names(60))}
    for parts in classes_of(dict.fromkeys(groups, 2), 5, groups=groups):
        assert len({(groups[name], part) for name, part in parts.items()}) == 15
        assert set(parts.values()) == {"test", "held-out", "training"}


def test_too_few_groups_are_divided_and_a_note_says_so():
    groups = {name: f"group {index % 3}" for index, name in enumerate(names(30))}
    found = listing(dict.fromkeys(groups, 2), groups)
    assert all("classes are divided, not groups" in parts.notes[0] for parts in folds(found, 5))
    assert classes_of(dict.fromkeys(groups, 2), 5, groups=groups) == classes_of(dict.fromkeys(groups, 2), 5)


def test_a_given_split_is_not_used_and_a_note_says_so():
    found = listing(
        dict.fromkeys(names(20), 2), splits=lambda label, index: "test" if label > "class 3" else "training"
    )
    bare = replace(found, files=tuple(replace(file, split=None) for file in found.files))
    for parts, same in zip(folds(found, 4), folds(bare, 4), strict=True):
        assert parts.part_N == same.part_N
        assert (len(parts.notes), same.notes) == (1, ())


@pytest.mark.parametrize(("count", "needed"), [(2, 8), (3, 6), (4, 8), (10, 20)])
def test_too_few_classes_are_refused_with_how_many_it_takes(count, needed):
    assert len(folds(listing(dict.fromkeys(names(needed), 2)), count)) == count
    few = {**dict.fromkeys(names(needed - 1), 2), "alone": 1}
    with pytest.raises(BadInput, match=f"{count} folds need at least {needed} classes with two images") as refused:
        folds(listing(few), count)
    hint = {2: "Use --folds 3", 3: "Add classes: 6 are the least", 4: "Use --folds 3", 10: "Use --folds 9"}[count]
    assert hint in refused.value.line()


@pytest.mark.parametrize("count", [1, 0, -3])
def test_fewer_than_two_folds_are_refused(count):
    with pytest.raises(BadInput, match="at least 2 folds are needed"):
        folds(listing(dict.fromkeys(names(20), 2)), count)
