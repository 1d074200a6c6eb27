"""The words of a target, the record of an operating point, and what a run does with them."""

import dataclasses
import json

import pytest

from omnitwin.config import Target, TrainConfig, parse_target
from omnitwin.errors import BadInput
from omnitwin.reports.operating import OperatingPoint

POINT = OperatingPoint(
    target="far=0.01",
    far=0.0,
    far_interval=(0.0, 0.02),
    frr=0.25,
    frr_interval=(0.125, 0.5),
    similar=40,
    dissimilar=800,
    classes=12,
    chosen_on="held-out",
    data="drawn",
    method="by hand",
)


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("balanced", Target()),
        ("far=0.01", Target("far", 0.01)),
        ("far=1e-3", Target("far", 0.001)),
        ("precision=0.95", Target("precision", 0.95)),
    ],
)
def test_words_of_a_target_are_read_and_spelled_again(words, target):
    assert parse_target(words) == target
    assert parse_target(str(target)) == target
    assert TrainConfig(target=words).target == target


@pytest.mark.parametrize(
    "words",
    [
        *("", "far", "far=", "far=0", "far=1", "far=-0.1", "far=nan", "far=inf", "far=a", "far=0.1=2", "FAR=0.1"),
        *("precision=0.5", "precision=1", "balanced=0.5", "balanced=", "frr=0.1", "0.01", 0.01, None, ("far", 0.1)),
    ],
)
def test_other_words_are_refused_with_the_right_ones(words):
    with pytest.raises(BadInput, match="target") as caught:
        parse_target(words)
    assert "far=0.01" in caught.value.line()


def test_an_operating_point_is_the_same_after_json():
    assert OperatingPoint.from_json(json.loads(json.dumps(dataclasses.asdict(POINT)))) == POINT


@pytest.mark.parametrize(
    "change",
    [
        {"far": 0.03},  # outside its interval
        {"far": float("nan")},
        {"far": 0},  # no float
        {"far_interval": [0.0]},
        {"far_interval": None},
        {"frr_interval": [0.125, 1.5]},
        {"frr_interval": [0.125, True]},
        {"similar": 0},
        {"similar": True},
        {"dissimilar": 10**30},
        {"classes": 1.0},
        {"chosen_on": "test"},
        {"data": 3},
        {"data": "d" * 501},
        {"method": None},
        {"other": 1},
    ],
)
def test_a_damaged_record_of_an_operating_point_is_refused(change):
    record = json.loads(json.dumps(dataclasses.asdict(POINT))) | change
    with pytest.raises((TypeError, KeyError, ValueError)):
        OperatingPoint.from_json(record)


def test_a_record_that_lacks_a_field_is_refused():
    record = dataclasses.asdict(POINT)
    del record["frr"]
    with pytest.raises(KeyError):
        OperatingPoint.from_json(record)
