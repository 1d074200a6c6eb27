"""Images that are no drawings are found to be none; drawings, however seen, hardly ever are."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from omnitwin.data import synthetic
from omnitwin.images.novelty import fit_novelty, novelty, statistics
from omnitwin.images.variations import VARIATIONS
from omnitwin.images.views import seen
from omnitwin.recipes import square
from omnitwin.training.novelty import ground_of

SIZE = 20


def refused(images, record):
    """The share of images that are novel, or of which intake says that they show no one drawing."""
    intakes = [seen(image, square(SIZE, "ink")) for image in images]
    known = zip(score(images, record).tolist(), intakes, strict=True)
    return np.mean([value > 1 or bool(intake.findings) for value, intake in known])


def score(images, record):
    intakes = [seen(image, square(SIZE, "ink")) for image in images]
    squares = np.stack([np.asarray(intake.image) for intake in intakes])
    return novelty(statistics(squares, np.array([intake.unrest for intake in intakes])), record)


@pytest.fixture(scope="module")
def record():
    sets = (synthetic.draw_set(name, alphabets=4, characters=5, drawers=4, seed=1) for name in ("training", "test"))
    return ground_of(*sets, square(SIZE, "ink"), drawings=25).novelty


def test_a_record_is_plain_json(record):
    assert json.loads(json.dumps(record)) == record


def test_few_drawings_of_other_characters_are_called_novel(record):
    other = synthetic.draw_set("test", alphabets=3, characters=10, drawers=4, seed=2).images_NHW.numpy()
    drawn = score([VARIATIONS["as drawn"](image, np.random.default_rng(0)) for image in other], record)
    assert (drawn > 1).mean() <= 0.03
    for name in ("photo", "ruled paper", "light on dark", "thick pen"):
        varied = [VARIATIONS[name](image, np.random.default_rng(row)) for row, image in enumerate(other[:40])]
        assert (score(varied, record) > 1).mean() <= 0.15, name


def test_clouds_noise_and_a_page_of_marks_are_refused(record):
    random = np.random.default_rng(0)
    noise = [Image.fromarray(random.integers(0, 256, (200, 200)).astype(np.uint8)) for _ in range(10)]
    clouds = [image.filter(ImageFilter.GaussianBlur(8)) for image in noise]
    page = np.full((300, 300), 255, np.uint8)
    page[10:290:12, 10:290] = np.where(random.random((24, 280)) < 0.6, 0, 255)
    page[11:291:12] = page[10:290:12]
    assert (score(clouds, record) > 1).mean() > 0.7
    assert refused(noise, record) > 0.7
    assert refused([Image.fromarray(page)], record) == 1


def test_the_distance_is_mahalanobis_and_limits_are_quantiles_of_the_held_out():
    random = np.random.default_rng(0)
    training, held_out = random.normal(2, 3, (5000, 4)), random.normal(2, 3, (5000, 4))
    record = fit_novelty(training, held_out)
    assert record["distance_limit"] == pytest.approx(np.sqrt(11.97), rel=0.05)  # chi-squared of 3, 99.25 %
    point = np.array([[2.0 + 3 * 6, 2, 2, -9]])
    assert novelty(point, record)[0] == pytest.approx(6 / record["distance_limit"], rel=0.05)
    assert (novelty(held_out, record) > 1).mean() <= 0.02
