"""Images unlike those that a network was trained for are found by its features and their pixels; others hardly ever."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from omnitwin.model.description import _is_familiarity
from omnitwin.model.familiarity import FALSE_ALARMS, Looked, _student, fit_familiarity, limit_of, novelty_of, traits

FEATURES, SIDE = 32, 12


def looked(classes, each, seed, channels=1, scale=1.0):
    """Features that vary in six directions most, and smooth pixels."""
    random = np.random.default_rng(seed)
    basis = np.random.default_rng(0).normal(size=(6, FEATURES))
    class_B = np.arange(classes).repeat(each)
    centre = 3 * np.eye(6)[0] + random.normal(size=(classes, 6))[class_B]  # features of a network have a mean
    features = (centre + 0.3 * random.normal(size=(len(class_B), 6))) @ basis + 0.2 * random.normal(
        size=(len(class_B), FEATURES)
    )
    ramps = np.linspace(0, 1, SIDE) * random.uniform(0.5, 1, (len(class_B), channels, SIDE, 1))
    pixels = (255 * np.clip(ramps + 0.02 * random.normal(size=ramps.shape), 0, 1)).astype(np.uint8)
    kinds = np.zeros(len(class_B), np.int64)
    return Looked(features_BD=scale * features.astype(np.float32), pixels_BCHW=pixels, class_B=class_B, kind_B=kinds)


def novel(images, record):
    return novelty_of(traits(images.features_BD, images.pixels_BCHW, record), record)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_record_is_plain_json_that_a_checkpoint_takes(channels):
    record = fit_familiarity(looked(20, 5, 1, channels), looked(10, 5, 2, channels))
    assert json.loads(json.dumps(record)) == record
    assert _is_familiarity(record, channels)
    assert not _is_familiarity(record, 4 - channels)
    for damage in ({"limit": 0.0}, {"mean": [0.0]}, {"middle": []}, {"directions": [["x"]]}, {"length": math.nan}):
        assert not _is_familiarity(record | damage, channels)


def test_of_the_pairs_of_new_classes_at_most_one_in_a_hundred_is_refused():
    refused = []
    for seed in range(10):
        record = fit_familiarity(looked(40, 6, 3 * seed), looked(12, 6, 3 * seed + 1))
        refused.append((novel(looked(50, 4, 3 * seed + 2), record) > 1).mean())
    assert 1 - (1 - np.mean(refused)) ** 2 <= 0.01


def test_features_off_the_directions_too_short_or_not_finite_and_noise_are_novel():
    record = fit_familiarity(looked(40, 6, 0), looked(20, 6, 1))
    own = looked(10, 2, 2)
    random = np.random.default_rng(0)
    other = random.normal(size=own.features_BD.shape).astype(np.float32)
    noise = random.integers(0, 256, own.pixels_BCHW.shape).astype(np.uint8)
    for features, pixels in (
        (other, own.pixels_BCHW),
        (own.features_BD / 100, own.pixels_BCHW),
        (own.features_BD, noise),
    ):
        changed = Looked(features_BD=features, pixels_BCHW=pixels, class_B=own.class_B, kind_B=own.kind_B)
        assert (novel(changed, record) > 1).mean() > 0.9
    broken = Looked(features_BD=np.full_like(other, np.nan), pixels_BCHW=noise, class_B=own.class_B, kind_B=own.kind_B)
    assert (novel(broken, record) > 1).all()


def test_a_longer_unit_of_features_changes_no_distance():
    plain, scaled = (fit_familiarity(looked(20, 5, 1, scale=s), looked(10, 5, 2, scale=s)) for s in (1.0, 8.0))
    assert novel(looked(5, 4, 3), plain) == pytest.approx(novel(looked(5, 4, 3, scale=8.0), scaled), rel=1e-3)


def test_a_limit_is_the_prediction_bound_of_the_kind_with_the_largest_distances():
    random = np.random.default_rng(0)
    logs = [random.normal(mean, 0.2, 40) for mean in (0.0, 1.0)]
    kinds = np.arange(2).repeat(40)
    quantile = stats.t.ppf(1 - FALSE_ALARMS, 39)  # each image is of a class of its own
    bound = logs[1].mean() + quantile * logs[1].std(ddof=1) * math.sqrt(1 + 1 / 40)
    limit = limit_of(np.exp(np.concatenate(logs)), kinds, np.arange(80))
    assert math.log(limit) == pytest.approx(max(bound, np.quantile(logs[1], 1 - FALSE_ALARMS)), abs=0.02)


@pytest.mark.parametrize("degrees", [6, 14, 50])
def test_the_quantile_is_students(degrees):
    assert _student(1 - FALSE_ALARMS, degrees) == pytest.approx(stats.t.ppf(1 - FALSE_ALARMS, degrees), rel=0.04)


def test_too_few_classes_or_numbers_that_are_not_finite_give_no_record():
    assert fit_familiarity(looked(20, 5, 1), looked(3, 5, 2)) is None
    broken = looked(20, 5, 1)
    broken.features_BD[0, 0] = np.inf
    assert fit_familiarity(broken, looked(10, 5, 2)) is None
