"""Images that are no drawings are found to be none; drawings, however seen, hardly ever are."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from omnitwin.config import SourceConfig
from omnitwin.data import synthetic
from omnitwin.data.catalogue import open_own
from omnitwin.images.novelty import CLIP, novelty, score, statistics_of
from omnitwin.images.things import draw_thing
from omnitwin.images.variations import VARIATIONS
from omnitwin.images.views import seen
from omnitwin.recipes import square
from omnitwin.training.novelty import fit_novelty, ground_of

SIZE = 20


def refused(images, record):
    """The share of images that are novel, or of which intake says that they show no one drawing."""
    intakes = [seen(image, square(SIZE, "ink")) for image in images]
    known = zip(novelties(images, record).tolist(), intakes, strict=True)
    return np.mean([value > 1 or bool(intake.findings) for value, intake in known])


def novelties(images, record):
    return novelty(statistics_of([seen(image, square(SIZE, "ink")) for image in images]), record)


@pytest.fixture(scope="module")
def record():
    sets = (synthetic.draw_set(name, alphabets=4, characters=5, drawers=4, seed=1) for name in ("training", "test"))
    return ground_of(*sets, square(SIZE, "ink"), drawings=25).novelty


def test_a_record_is_plain_json(record):
    assert json.loads(json.dumps(record)) == record


def test_few_drawings_of_other_characters_are_called_novel(record):
    other = synthetic.draw_set("test", alphabets=3, characters=10, drawers=4, seed=2).images_NHW.numpy()
    drawn = novelties([VARIATIONS["as drawn"](image, np.random.default_rng(0)) for image in other], record)
    assert (drawn > 1).mean() <= 0.03
    for name in ("photo", "ruled paper", "light on dark", "thick pen"):
        varied = [VARIATIONS[name](image, np.random.default_rng(row)) for row, image in enumerate(other[:40])]
        assert (novelties(varied, record) > 1).mean() <= 0.15, name


def test_clouds_noise_and_a_page_of_marks_are_refused(record):
    random = np.random.default_rng(0)
    noise = [Image.fromarray(random.integers(0, 256, (200, 200)).astype(np.uint8)) for _ in range(10)]
    clouds = [image.filter(ImageFilter.GaussianBlur(8)) for image in noise]
    page = np.full((300, 300), 255, np.uint8)
    page[10:290:12, 10:290] = np.where(random.random((24, 280)) < 0.6, 0, 255)
    page[11:291:12] = page[10:290:12]
    assert refused(clouds, record) > 0.7
    assert refused(noise, record) > 0.7
    assert refused([Image.fromarray(page)], record) == 1


def test_things_are_refused_that_nobody_saw_while_it_was_fitted(record):
    random = np.random.default_rng(9)
    assert refused([draw_thing(random) for _ in range(60)], record) > 0.35  # flat shapes pass


def test_photos_of_shaded_things_are_refused(record):
    down, across = np.mgrid[-1:1:120j, -1:1:120j]
    inside = (down**2 + across**2 < 0.5)[..., None]
    balls = []
    for tone in np.random.default_rng(3).uniform(0.2, 1, (10, 3)):
        shade = (0.5 - 0.4 * across - 0.2 * down)[..., None] * tone
        balls.append(Image.fromarray((np.where(inside, shade, 0.9).clip(0, 1) * 255).astype(np.uint8)))
    assert refused(balls, record) >= 0.7


def test_no_variation_of_the_held_out_drawings_is_refused_often():
    sets = [synthetic.draw_set(name, alphabets=4, characters=5, drawers=4, seed=1) for name in ("training", "test")]
    ground = ground_of(*sets, square(SIZE, "ink"), drawings=10)
    novel_B = novelty(ground.held_out.statistics_BD, ground.novelty) > 1
    assert novel_B.mean() <= 0.05  # one of ten that a quantile of ten lies between
    assert ground.familiarity(None) is None  # needs no network


def test_drawings_of_a_folder_are_told_from_things_by_their_files(tmp_path):
    drawn = synthetic.draw_set("training", alphabets=4, characters=5, drawers=4, seed=1)
    for row in range(len(drawn)):
        folder = tmp_path / "signs" / f"{int(drawn.class_N[row]):02}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.images_NHW[row].numpy() * 255).save(folder / f"{row}.png")
    view = square(SIZE, "ink")
    own = open_own(tmp_path / "signs", SourceConfig(), view=view)
    ground = ground_of(own["training"], own["held-out"], view)
    random = np.random.default_rng(9)
    assert refused([draw_thing(random) for _ in range(40)], ground.novelty) > 0.3
    held_out = [own["held-out"].as_read(row, view) for row in range(len(own["held-out"]))]
    assert (novelty(statistics_of(held_out), ground.novelty) > 1).mean() == 0
    (tmp_path / "signs").rename(tmp_path / "moved")  # read once, and gone
    assert ground_of(own["training"], own["held-out"], view).novelty is None


def test_a_record_tells_two_clouds_of_numbers_apart_and_weighs_both_the_same():
    random = np.random.default_rng(0)
    drawings, things = random.normal(0, 1, (2000, 12)), random.normal(2, 1, (100, 12))
    drawings[:, 8], things[:, 8] = np.abs(drawings[:, 8]), np.abs(things[:, 8])  # unrest is never negative
    record = fit_novelty(drawings, things, seed=0)
    assert (score(drawings, record) < 0).mean() > 0.97
    assert (score(things, record) > 0).mean() > 0.97
    assert json.dumps(fit_novelty(drawings, things, seed=0)) == json.dumps(record)


def test_the_score_is_that_of_a_network_with_one_hidden_layer():
    random = np.random.default_rng(1)
    record = {
        "mean": random.normal(size=12),
        "spread": random.uniform(0.5, 2, 12),
        "weights": random.normal(size=(16, 12)),
    }
    record |= {"biases": random.normal(size=16), "head": random.normal(size=16), "bias": 0.3, "limit": 0.7}
    statistics = random.uniform(0, 3, 12)
    wanted = 0.3
    for unit in range(16):
        inner = record["biases"][unit]
        for place, value in enumerate(statistics):
            value = np.log(value + 1e-3) if place == 8 else value
            inner += record["weights"][unit, place] * np.clip(
                (value - record["mean"][place]) / record["spread"][place], -CLIP, CLIP
            )
        wanted += record["head"][unit] * np.tanh(inner)
    assert score(statistics[None], record)[0] == pytest.approx(wanted)
    assert novelty(statistics[None], record)[0] == pytest.approx(np.exp(wanted - 0.7))


def test_records_of_older_checkpoints_still_give_the_distance_of_mahalanobis():
    record = {"mean": [0.0] * 8, "precision": np.eye(8).tolist(), "distance_limit": 2.0, "unrest_limit": 0.5}
    rows = np.zeros((2, 12))
    rows[0, :2], rows[1, 8] = (3, 4), 0.75
    assert novelty(rows, record).tolist() == [2.5, 1.5]
