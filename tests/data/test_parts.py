"""The split of a listing: by a hash of the class's name, so that classes keep their parts."""

import unicodedata
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnitwin.data.listing import HELD_OUT, TEST, TRAINING, ListedFile, Listing, in_order
from omnitwin.data.parts import check_trainable, divided, number_of, why_untrainable
from omnitwin.errors import BadInput


def listing(counts, groups=None, splits=None):
    """So many files of each class."""
    files = [
        ListedFile(
            path=f"{label}/{index}.jpg",
            label=label,
            group=(groups or {}).get(label),
            split=splits and splits(label, index),
        )
        for label, count in counts.items()
        for index in range(count)
    ]
    return Listing(place=Path("place"), root=Path("place"), files=in_order(files))


def part_of(found, parts):
    """The parts of each class."""
    of_class = {}
    for file, part in zip(found.files, parts.part_N, strict=True):
        of_class.setdefault(file.label, set()).add(part)
    return of_class


def names(count):
    return [f"class {index}" for index in range(count)]


def parts_by_class(counts, seed=0, groups=None):
    found = listing(counts, groups)
    of_class = part_of(found, divided(found, seed))
    assert all(len(parts) == 1 for parts in of_class.values()), "a class in two parts"
    return {label: next(iter(parts)) for label, parts in of_class.items()}


def test_the_number_of_a_class_is_a_hash_of_seed_and_name():
    digest = blake2b(b"7\0milk", digest_size=8).hexdigest()
    assert number_of(7, "milk") == int(digest, 16) / 2**64
    assert number_of(7, "milk") != number_of(8, "milk")


def test_a_name_in_another_unicode_form_has_the_same_number():
    assert number_of(0, unicodedata.normalize("NFD", "café")) == number_of(0, unicodedata.normalize("NFC", "café"))


def test_a_name_of_no_encoding_has_a_number():
    assert 0 <= number_of(0, "latin\udce9") < 1


def test_adding_or_removing_classes_moves_no_other():
    all_of_them = parts_by_class(dict.fromkeys(names(300), 2))
    for kept in (names(300)[:150], names(300)[100:], names(300)[::2]):
        few = parts_by_class(dict.fromkeys(kept, 2))
        assert few == {label: all_of_them[label] for label in kept}


def test_adding_images_moves_no_class():
    assert parts_by_class(dict.fromkeys(names(100), 2)) == parts_by_class(dict.fromkeys(names(100), 5))


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_the_classes_is_tested_and_fifteen_in_a_hundred_are_held_out(seed):
    count = 4000
    shares = Counter(parts_by_class(dict.fromkeys(names(count), 2), seed).values())
    for part, share in ((TEST, 0.20), (HELD_OUT, 0.15), (TRAINING, 0.65)):
        deviation = (share * (1 - share) / count) ** 0.5  # of a binomial share
        assert abs(shares[part] / count - share) < 4 * deviation


def test_another_seed_makes_another_split():
    assert parts_by_class(dict.fromkeys(names(50), 2), 0) != parts_by_class(dict.fromkeys(names(50), 2), 1)


def test_a_group_keeps_its_classes_together_and_its_part():
    groups = {label: f"group {index % 40}" for index, label in enumerate(names(200))}
    parts = parts_by_class(dict.fromkeys(names(200), 2), groups=groups)
    of_group = {}
    for label, part in parts.items():
        of_group.setdefault(groups[label], set()).add(part)
    assert all(len(found) == 1 for found in of_group.values())
    assert {part for found in of_group.values() for part in found} == {TEST, HELD_OUT, TRAINING}
    fewer = {label: group for label, group in groups.items() if group != "group 7"}
    assert parts_by_class(dict.fromkeys(fewer, 2), groups=fewer) == {label: parts[label] for label in fewer}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=25), st.integers(0, 1000))
def test_pairs_can_be_drawn_of_every_part_there_is(counts, seed):
    of_class = dict(zip(names(len(counts)), counts, strict=True))
    parts = parts_by_class(of_class, seed)
    for part in set(parts.values()):
        inside = [of_class[label] for label in parts if parts[label] == part]
        if len(set(parts.values())) > 1:
            assert len(inside) >= 2
            assert max(inside) >= 2
    assert TRAINING in parts.values()


@pytest.mark.parametrize(
    ("classes", "there"),
    [
        (1, {TRAINING}),
        (3, {TRAINING}),
        (4, {TRAINING, HELD_OUT}),
        (5, {TRAINING, HELD_OUT}),
        (6, {TRAINING, HELD_OUT, TEST}),
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_small_sets_have_as_many_parts_as_two_classes_each_allow(classes, there, seed):
    found = listing(dict.fromkeys(names(classes), 2))
    parts = divided(found, seed)
    assert set(parts.part_N) == there
    assert bool(parts.notes) == (len(there) < 3)


@pytest.mark.parametrize("seed", range(30))
def test_as_soon_as_chance_gives_every_part_enough_the_hash_alone_decides(seed):
    for count in range(6, 60):
        alone = {
            label: TEST if number_of(seed, label) < 0.20 else HELD_OUT if number_of(seed, label) < 0.35 else TRAINING
            for label in names(count)
        }
        if min(Counter(alone.values())[part] for part in (TEST, HELD_OUT, TRAINING)) >= 2:
            assert parts_by_class(dict.fromkeys(names(count), 2), seed) == alone


def test_a_given_split_is_taken_as_it_is():
    found = listing(
        dict.fromkeys(names(9), 3),
        splits=lambda label, index: ("training", "held-out", "test")[int(label[-1]) % 3],
    )
    parts = divided(found)
    assert parts.part_N == tuple(file.split for file in found.files)
    assert (parts.given, parts.shared, parts.notes) == (True, 0, ())


def test_a_split_by_images_is_called_a_closed_set():
    found = listing(dict.fromkeys(names(9), 3), splits=lambda label, index: ("training", "held-out", "test")[index])
    parts = divided(found)
    assert parts.shared == 9
    assert "closed set" in parts.notes[0]


def test_of_a_split_of_two_parts_the_second_is_the_test_and_held_out_classes_come_from_training():
    def split(label, index):
        return "held-out" if int(label.split()[1]) < 10 else "training"

    found = listing(dict.fromkeys(names(50), 2), splits=split)
    of_class = part_of(found, divided(found))
    assert all(of_class[label] == {TEST} for label in names(10))
    assert {part for label in names(50)[10:] for part in of_class[label]} == {TRAINING, HELD_OUT}


def test_a_split_that_names_only_training_is_none():
    found = listing(dict.fromkeys(names(50), 2), splits=lambda label, index: "training")
    assert divided(found) == divided(listing(dict.fromkeys(names(50), 2)))


@pytest.mark.parametrize(
    ("counts", "lack"),
    [
        ((5,), "it has 1 class, and training needs at least 4"),
        ((5, 5, 5), "it has 3 classes, and training needs at least 4"),
        ((1, 1, 1, 1), "no class has two images, and training needs similar pairs"),
        ((1, 1, 1, 2), None),
    ],
)
def test_a_set_that_cannot_be_trained_on_says_what_is_missing(counts, lack):
    found = listing(dict(zip(names(len(counts)), counts, strict=True)))
    assert why_untrainable(file.label for file in found.files) == lack
    if lack:
        with pytest.raises(BadInput, match=lack):
            check_trainable(found)
    else:
        check_trainable(found)
