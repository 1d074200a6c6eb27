"""Pictures that are there twice are found: the same pixels, and nearly the same picture; within classes and across."""

import io
from itertools import combinations
from random import Random

import numpy as np
import pytest
from drawn_places import photo, signature
from PIL import Image

from omnitwin.data.duplicates import NEAR_BITS, _close_hashes, find_duplicates, near_pairs
from omnitwin.images.facts import facts_of


def compressed(image, quality=60):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def found(pictures, labels=None, parts=None):
    count = len(pictures)
    return find_duplicates(
        [facts_of(picture) for picture in pictures], labels or [0] * count, parts or ["training"] * count
    )


@pytest.mark.parametrize("seed", range(3))
def test_all_close_hashes_are_found_once_as_by_comparing_every_pair(seed):
    random = Random(seed)
    hashes = [random.getrandbits(64) for _ in range(100)]
    for _ in range(300):  # relatives that differ in up to 12 bits
        relative = random.choice(hashes)
        for bit in random.sample(range(64), random.randrange(13)):
            relative ^= 1 << bit
        hashes.append(relative)
    expected = {
        (left, right)
        for left, right in combinations(range(len(hashes)), 2)
        if (hashes[left] ^ hashes[right]).bit_count() <= NEAR_BITS
    }
    blocks = list(_close_hashes(np.array(hashes, dtype=np.uint64)))
    pairs = [tuple(sorted(pair)) for left, right in blocks for pair in zip(left.tolist(), right.tolist(), strict=True)]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected


def test_the_same_pixels_are_one_group_and_no_near_pair():
    outcome = found([photo(1), photo(2), photo(1), photo(1)])
    assert outcome.exact == [[0, 2, 3]]
    assert (outcome.near, outcome.near_within, outcome.near_across) == ([], 0, 0)


@pytest.mark.parametrize("draw", [photo, signature])
@pytest.mark.parametrize(
    "change",
    [
        lambda image: compressed(image, 60),
        lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC),
        lambda image: image.convert("RGB").point(lambda value: min(255, value + 3)),
    ],
    ids=["compressed", "enlarged", "a little lighter"],
)
def test_a_picture_that_is_hardly_changed_is_nearly_the_same_and_no_other(draw, change):
    pictures = [draw((draw.__name__, seed), (120, 80)) for seed in range(20)]
    outcome = found([*pictures, *(change(picture) for picture in pictures)])
    copies = {(index, index + 20) for index in range(20)}
    assert set(outcome.near) <= copies
    assert len(outcome.near) >= 19  # the hash of few strokes is less steady


def test_red_and_blue_copies_of_a_shape_are_two_pictures():
    shape = photo(1).convert("L")
    dark = Image.new("L", shape.size, 60)
    assert found([Image.merge("RGB", [shape, dark, dark]), Image.merge("RGB", [dark, dark, shape])]).near == []


def test_a_mirrored_or_turned_picture_is_another():
    image = photo(1, (64, 64))
    turned = [image.transpose(way) for way in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90)]
    assert found([image, *turned]).near == []


def test_blank_pictures_are_not_nearly_the_same():
    assert found([Image.new("L", (20, 20), level) for level in (0, 128, 130, 255)]).near == []


def test_duplicates_across_classes_are_counted_apart_and_come_first():
    images = [photo(1), compressed(photo(1)), photo(2), compressed(photo(2))]
    outcome = found(images, labels=["a", "a", "b", "c"])
    assert (outcome.near_within, outcome.near_across) == (1, 1)
    assert outcome.near == [(2, 3), (0, 1)]


@pytest.mark.parametrize("copy", [lambda image: image.copy(), compressed], ids=["same", "nearly the same"])
@pytest.mark.parametrize("part", ["training", "held-out"])
def test_a_test_picture_that_is_also_trained_or_chosen_on_leaks(copy, part):
    outcome = found([photo(1), photo(2), copy(photo(1)), photo(3)], parts=["test", "test", part, part])
    assert outcome.leaking == [0]


@pytest.mark.parametrize("copy", [lambda image: image.copy(), compressed], ids=["same", "nearly the same"])
def test_a_held_out_picture_that_is_also_trained_on_is_found(copy):
    images = [photo(1), photo(2), copy(photo(1)), copy(photo(2)), photo(3), copy(photo(3))]
    outcome = found(images, parts=["held-out", "held-out", "training", "test", "held-out", "held-out"])
    assert (outcome.trained, outcome.leaking) == ([0], [3])


def test_duplicates_within_the_test_do_not_leak():
    assert found([photo(1), photo(1), compressed(photo(1))], parts=["test"] * 3).leaking == []


def test_no_pictures_have_no_duplicates():
    assert found([]).exact == []
    assert list(near_pairs([])) == []
