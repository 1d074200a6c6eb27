import pytest

from omnitwin.reports.nouns import counted
from omnitwin.view.words import bytes_in_words, curve, percent, time_in_words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_464_212, "9.5 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_999, "1.0 MB"),
        (999_950_000, "1.0 GB"),
        (80 * 10**9, "80.0 GB"),
        (5 * 10**13, "50000.0 GB"),
    ],
)
def test_bytes_are_told_in_decimal_units(count, words):
    assert bytes_in_words(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00"),
        (7.4, "0:07"),
        (59.6, "1:00"),
        (750, "12:30"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (11_045, "3:04:05"),
        (100 * 3600, "100:00:00"),
    ],
)
def test_times_are_told_in_minutes_and_hours(seconds, words):
    assert time_in_words(seconds) == words


@pytest.mark.parametrize(("share", "words"), [(0, "0.0 %"), (0.5, "50.0 %"), (0.98765, "98.8 %"), (1, "100.0 %")])
def test_shares_are_told_in_percent_with_one_decimal(share, words):
    assert percent(share) == words


def test_curve_of_nothing_is_empty():
    assert curve([], 10) == ""


def test_curve_has_a_character_a_value_while_there_is_room():
    assert len(curve([3, 1, 2], 10)) == 3


@pytest.mark.parametrize("count", [10, 11, 99, 1000])
def test_curve_is_never_longer_than_its_columns(count):
    assert len(curve(list(range(count)), 10)) == 10


def test_curve_spans_from_the_lowest_to_the_highest_mark():
    assert curve(range(8), 8) == "▁▂▃▄▅▆▇█"


def test_curve_of_a_constant_is_flat():
    assert len(set(curve([0.5] * 20, 8))) == 1


def test_curve_of_a_constant_that_is_no_binary_fraction_is_flat_too():
    assert len(set(curve([0.7] * 20, 8))) == 1


def test_curve_draws_the_mean_of_what_falls_into_a_column():
    assert curve([0, 10, 0, 10, 5, 5], 3) == curve([5, 5, 5], 3)


def test_curve_can_do_with_ascii():
    marks = curve(range(6), 6, unicode=False)
    assert marks.isascii()
    assert len(set(marks)) == 6


@pytest.mark.parametrize(
    ("count", "name", "words"),
    [
        (0, "image", "0 images"),
        (1, "random pair", "1 random pair"),
        (1000, "image", "1,000 images"),
        (1, "class", "1 class"),
        (64, "class", "64 classes"),
        (2, "entry", "2 entries"),
        (3, "day", "3 days"),
    ],
)
def test_what_is_counted_is_singular_for_one_alone(count, name, words):
    assert counted(count, name) == words
