"""The split of a listing: by a hash of the class's name, so that classes keep their parts."""

import unicodedata
from collections import Counter
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import listing, names

from omnitwin.data.listing import HELD_OUT, TEST, TRAINING
from omnitwin.data.parts import check_trainable, divided, note_on_few, number_of, why_untrainable
from omnitwin.errors import BadInput


def part_of(found, parts):
    """The parts of each class."""
    of_class = {}
    for file, part in zip(found.files, parts.part_N, strict=True):
        of_class.setdefault(file.label, set()).add(part)
    return of_class


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


def by_hash(seed, name):
    number = number_of(seed, name)
    return TEST if number < 0.20 else HELD_OUT if number < 0.35 else TRAINING


@pytest.mark.parametrize("seed", range(5))
def test_adding_classes_moves_no_other_once_the_hash_gives_each_part_its_share_of_a_hundred(seed):
    count = 100
    while any(
        Counter(by_hash(seed, name) for name in names(count))[part] < least
        for part, least in ((TEST, 20), (HELD_OUT, 15), (TRAINING, 65))
    ):
        count += 1
    assert count < 250
    for more in (count, count + 1, count + 50, 2 * count, 1000):
        assert parts_by_class(dict.fromkeys(names(more), 2), seed) == {
            name: by_hash(seed, name) for name in names(more)
        }


@settings(max_examples=300, deadline=None)
@given(st.integers(6, 250), st.integers(0, 10**6))
def test_adding_a_class_to_a_small_set_moves_at_most_one_class_across_each_boundary(count, seed):
    before = parts_by_class(dict.fromkeys(names(count), 2), seed)
    after = parts_by_class(dict.fromkeys(names(count + 1), 2), seed)
    moves = Counter((before[name], after[name]) for name in before if before[name] != after[name])
    assert max(moves.values(), default=0) <= 1
    assert moves.keys() <= {(TEST, HELD_OUT), (HELD_OUT, TEST), (HELD_OUT, TRAINING), (TRAINING, HELD_OUT)}
    assert not {(TEST, HELD_OUT), (HELD_OUT, TEST)} <= moves.keys()
    assert not {(TRAINING, HELD_OUT), (HELD_OUT, TRAINING)} <= moves.keys()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "tested", "held"), [(20, 4, 3), (30, 6, 4), (31, 6, 5), (40, 8, 6), (100, 20, 15)])
def test_in_a_small_set_the_shares_are_exact(count, tested, held, seed):
    shares = Counter(parts_by_class(dict.fromkeys(names(count), 2), seed).values())
    assert shares == {TEST: tested, HELD_OUT: held, TRAINING: count - tested - held}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=12, max_size=60), st.integers(0, 1000))
def test_classes_with_one_image_move_no_other_and_are_never_moved(several, seed):
    counts = {name: 2 if each else 1 for name, each in zip(names(len(several)), several, strict=True)}
    alone = {name: count for name, count in counts.items() if count == 2}
    parts = parts_by_class(counts, seed)
    if alone:
        assert parts_by_class(alone, seed) == {name: parts[name] for name in alone}
    if len(alone) >= 6:
        assert all(parts[name] == by_hash(seed, name) for name, count in counts.items() if count == 1)


def test_two_names_with_the_same_number_are_two_classes():
    twins = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    for seed in range(100):
        shares = Counter(parts_by_class(dict.fromkeys([*names(4), *twins], 2), seed).values())
        assert shares == {TEST: 2, HELD_OUT: 2, TRAINING: 2}


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
    joined = {**groups, "newcomer": "group 7"}
    assert parts_by_class(dict.fromkeys(joined, 2), groups=joined) == {**parts, "newcomer": parts["class 7"]}


@settings(max_examples=50, deadline=None)
@given(st.integers(12, 60), st.integers(0, 1000))
def test_adding_a_group_moves_at_most_one_group_across_each_boundary(count, seed):
    groups = {f"{group}/{label}": f"group {group}" for group in range(count + 1) for label in "abc"}
    fewer = {label: group for label, group in groups.items() if group != f"group {count}"}
    before = parts_by_class(dict.fromkeys(fewer, 2), seed, fewer)
    after = parts_by_class(dict.fromkeys(groups, 2), seed, groups)
    moves = Counter((before[label], after[label]) for label in before if before[label] != after[label])
    assert max(moves.values(), default=0) <= 3
    assert (TRAINING, TEST) not in moves
    assert (TEST, TRAINING) not in moves


@pytest.mark.parametrize("groups", [4, 5, 6])
@pytest.mark.parametrize("seed", range(10))
def test_four_groups_of_the_same_size_are_enough_to_keep_them_together(groups, seed):
    of_class = {label: f"group {index % groups}" for index, label in enumerate(names(10 * groups))}
    found = listing(dict.fromkeys(of_class, 2), of_class)
    parts = divided(found, seed)
    in_parts = {(file.group, part) for file, part in zip(found.files, parts.part_N, strict=True)}
    assert len(in_parts) == groups
    assert set(parts.part_N) == {TEST, HELD_OUT, TRAINING}
    assert parts.notes == ()


@pytest.mark.parametrize("sizes", [(10, 10), (10, 10, 10), (60, 2, 2, 2, 2, 2)])
@pytest.mark.parametrize("seed", range(10))
def test_if_groups_are_too_few_or_too_uneven_classes_are_divided_and_a_note_says_so(sizes, seed):
    of_class = {f"{group}/{index}": f"group {group}" for group, size in enumerate(sizes) for index in range(size)}
    found = listing(dict.fromkeys(of_class, 2), of_class)
    parts = divided(found, seed)
    assert parts_by_class(dict.fromkeys(of_class, 2), seed, of_class) == parts_by_class(
        dict.fromkeys(of_class, 2), seed
    )
    (note,) = parts.notes
    assert "classes are divided, not groups" in note


def test_classes_without_a_group_are_no_group():
    of_class = {name: f"group {index % 10}" if index < 20 else None for index, name in enumerate(names(60))}
    parts = parts_by_class(dict.fromkeys(of_class, 2), groups=of_class)
    assert {parts[name] for name in names(60)[20:]} == {TEST, HELD_OUT, TRAINING}
    assert all(parts[f"class {index}"] == parts[f"class {index + 10}"] for index in range(10))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=25), st.integers(0, 1000))
def test_of_every_part_but_one_alone_two_classes_make_similar_pairs(counts, seed):
    of_class = dict(zip(names(len(counts)), counts, strict=True))
    parts = parts_by_class(of_class, seed)
    assert TRAINING in parts.values()
    if len(set(parts.values())) > 1:
        several = Counter(parts[label] for label in parts if of_class[label] > 1)
        assert all(several[part] >= 2 for part in set(parts.values()))


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


def parts_by_image(counts, seed=0):
    found = listing(counts)
    parts = divided(found, seed, "images")
    return {file.path: part for file, part in zip(found.files, parts.part_N, strict=True)}, parts


@pytest.mark.parametrize("seed", range(5))
def test_by_images_every_class_is_divided_and_the_set_is_called_closed(seed):
    of_image, parts = parts_by_image(dict.fromkeys(names(10), 20), seed)
    for name in names(10):
        shares = Counter(part for path, part in of_image.items() if path.startswith(f"{name}/"))
        assert shares == {TEST: 4, HELD_OUT: 3, TRAINING: 13}
    assert parts.shared == 10
    assert parts.notes == (
        "closed set: 10 test classes are trained on, too, so the test says nothing about new classes",
    )


def test_by_images_other_classes_move_no_image():
    few, _ = parts_by_image(dict.fromkeys(names(10), 9))
    many, _ = parts_by_image(dict.fromkeys(names(30), 9))
    assert few == {path: many[path] for path in few}


def test_by_images_a_class_of_few_images_is_trained_on():
    of_image, parts = parts_by_image({"three": 3, "alone": 1, **dict.fromkeys(names(20), 4)})
    assert {part for path, part in of_image.items() if path.startswith(("three/", "alone/"))} == {TRAINING}
    for name in names(20):
        shares = Counter(part for path, part in of_image.items() if path.startswith(f"{name}/"))
        assert sorted(shares.values()) == [2, 2]
        assert shares[TRAINING] == 2
    assert set(of_image.values()) == {TEST, HELD_OUT, TRAINING}
    assert 0 < parts.shared < 20


def test_by_images_too_few_images_in_each_class_make_no_test():
    of_image, parts = parts_by_image(dict.fromkeys(names(20), 3))
    assert set(of_image.values()) == {TRAINING}
    assert parts.notes == ("there are too few images in each class for a test part",)


def test_a_split_by_images_of_a_place_with_a_split_is_refused():
    found = listing(dict.fromkeys(names(9), 3), splits=lambda label, index: ("training", "held-out", "test")[index])
    with pytest.raises(BadInput, match="names its parts"):
        divided(found, split="images")


def test_an_unknown_way_to_split_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match="no split is called 'drawer'") as refusal:
        divided(listing(dict.fromkeys(names(9), 3)), split="drawer")
    assert "classes or images" in str(refusal.value.hint)


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


def test_only_few_test_classes_are_worth_a_note():
    assert note_on_few(1).startswith("figures of 1 test class have wide intervals")
    assert note_on_few(19).startswith("figures of 19 test classes")
    assert note_on_few(20) is None
