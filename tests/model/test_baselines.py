"""The baselines are what their papers say, pair by pair and from their maps."""

import numpy as np
import pytest
import torch

from omnitwin import config
from omnitwin.data import omniglot, synthetic
from omnitwin.model.baselines import BASELINES, NODES, HausdorffBaseline, PixelBaseline

BOTH = [PixelBaseline, HausdorffBaseline]
ids = {"ids": lambda baseline: getattr(baseline, "name", str(baseline))}


@pytest.fixture(scope="module")
def drawings():
    """6 drawings of 3 characters, (6, 1, 105, 105), ink 0 and paper 1."""
    packed = synthetic.draw_set("test", alphabets=1, characters=3, drawers=2)
    return packed.gather(torch.arange(6))


def all_pairs(baseline, images):
    """Scores of every image with every other, pair by pair."""
    embeddings = baseline.embed(images)
    rows, columns = torch.meshgrid(*[torch.arange(len(images))] * 2, indexing="ij")
    return baseline.score(embeddings[rows.flatten()], embeddings[columns.flatten()]).view(rows.shape)


def all_at_once(baseline, images):
    prepared = baseline.prepare(baseline.embed(images))
    return baseline.score_all(prepared, prepared)


def ink(rows):
    """An image (1, 1, H, W) from rows of text, # for ink."""
    return torch.tensor([[0.0 if mark == "#" else 1.0 for mark in row] for row in rows])[None, None]


def modified_hausdorff(one, other):
    """Dubuisson and Jain 1994, eq. 6 and 12 (d_6 with f_2), of the points of ink about their mean; (H, W) arrays."""
    first, second = (np.argwhere(image < 0.5).astype(np.float64) for image in (one, other))
    first, second = first - first.mean(0), second - second.mean(0)
    there = np.mean([min(np.hypot(*(a - b)) for b in second) for a in first])
    back = np.mean([min(np.hypot(*(a - b)) for a in first) for b in second])
    return max(there, back)


def test_baselines_are_known_by_their_names():
    assert {"pixels": PixelBaseline, "hausdorff": HausdorffBaseline} == BASELINES
    assert (*BASELINES, "frozen") == config.BASELINES  # for the command line, without torch


def test_the_pixel_score_is_minus_the_share_of_pixels_that_differ(drawings):
    images = drawings[:, 0].numpy()
    wanted = [[-np.mean(one != other) for other in images] for one in images]
    np.testing.assert_allclose(all_pairs(PixelBaseline(), drawings), wanted, rtol=1e-6)
    np.testing.assert_allclose(all_at_once(PixelBaseline(), drawings), wanted, rtol=1e-5, atol=1e-7)


def test_the_pixel_score_of_grey_images_is_minus_their_mean_squared_difference():
    images = torch.rand(5, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    pixels = images[:, 0].numpy().astype(np.float64)
    wanted = [[-((one - other) ** 2).mean() for other in pixels] for one in pixels]
    np.testing.assert_allclose(all_pairs(PixelBaseline(), images), wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(all_at_once(PixelBaseline(), images), wanted, rtol=1e-4, atol=1e-6)


def test_the_hausdorff_score_is_that_of_the_paper_by_brute_force():
    packed = synthetic.draw_set("test", alphabets=1, characters=2, drawers=2, size=40)
    images = packed.gather(torch.arange(4))
    wanted = [[-modified_hausdorff(one[0].numpy(), other[0].numpy()) for other in images] for one in images]
    np.testing.assert_allclose(all_pairs(HausdorffBaseline(), images), wanted, rtol=1e-5, atol=1e-5)


def test_the_hausdorff_score_of_two_small_drawings_is_that_computed_by_hand():
    """Points at -1 and 1 against points at -2, 0 and 2 of one row: distances 1 and 1, and 1, 1 and 1."""
    pair = torch.cat([ink(["#.#.....", "........"]), ink(["........", "..#.#.#."])])
    assert all_pairs(HausdorffBaseline(), pair)[0, 1] == -1
    # a column of two about its middle against a single point: 0.5 each way
    pair = torch.cat([ink(["#...", "#...", "...."]), ink(["....", "....", "...#"])])
    assert all_pairs(HausdorffBaseline(), pair)[0, 1] == -0.5
    # the two directions differ and the larger one counts: 3 points to 1 at their mean, (3 + 0 + 3) / 3 against 0
    pair = torch.cat([ink(["#..#..#"]), ink([".#....."])])
    assert all_pairs(HausdorffBaseline(), pair)[0].tolist() == [0, -2]


def test_a_moved_drawing_is_the_same_to_hausdorff_and_not_to_pixels(drawings):
    image = torch.ones(1, 1, 105, 105)
    image[:, :, 10:85, 10:85] = drawings[:1, :, 15:90, 15:90]
    moved = image.roll((9, 4), (2, 3))
    pair = torch.cat([image, moved])
    assert all_pairs(HausdorffBaseline(), pair)[0, 1] == pytest.approx(0, abs=1e-4)
    assert all_pairs(PixelBaseline(), pair)[0, 1] < -0.01
    others = torch.cat([drawings[1:], image]), torch.cat([drawings[1:], moved])
    whole = [all_at_once(HausdorffBaseline(), images)[-1, :-1] for images in others]
    torch.testing.assert_close(*whole, rtol=0, atol=0.02)


def test_the_maps_tell_the_hausdorff_distance_of_two_drawings_within_0_3_pixels(drawings):
    exact, mapped = (way(HausdorffBaseline(), drawings) for way in (all_pairs, all_at_once))
    different = ~torch.eye(6, dtype=torch.bool)
    error = (mapped - exact)[different]
    assert error.abs().max() < 0.3
    assert error.abs().mean() < 0.1
    assert exact[different].std() > 1  # pixels: what the error is to be compared with


def test_the_maps_hold_all_ink_of_a_drawing_that_reaches_71_pixels_from_its_centre():
    """As one of the real training set does: thick in one corner, and a line towards the opposite one."""
    images = torch.ones(2, 1, 105, 105)
    images[0, 0, 5:25, 5:25] = 0
    images[0, 0, torch.arange(5, 93), torch.arange(5, 93)] = 0
    images[1, 0, 40:60, 40:60] = 0
    rows = (images[0, 0] == 0).nonzero()[:, 0].float()
    assert 71 < rows.max() - rows.mean() < 72
    exact, mapped = (way(HausdorffBaseline(), images)[0, 1] for way in (all_pairs, all_at_once))
    assert abs(float(mapped - exact)) < 0.3


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("name", ["training", "test"])
def test_no_real_drawing_reaches_beyond_the_map(real_data, name):
    packed = omniglot.decode(real_data / f"{omniglot.SETS[name].stem}.zip", omniglot.SETS[name], lambda count: None)
    ink = packed.images_NHW == 0
    along = torch.arange(105.0)
    for lines in (ink.sum(2).float(), ink.sum(1).float()):
        centre = lines @ along / lines.sum(1)
        reach = ((along - centre[:, None]).abs() * (lines > 0)).amax(1)
        assert reach.max() <= (int(105 * NODES) | 1) // 2


@pytest.mark.parametrize("baseline", BOTH, **ids)
def test_scores_are_symmetric(baseline, drawings):
    scores = all_pairs(baseline(), drawings)
    assert torch.equal(scores, scores.T)
    table = all_at_once(baseline(), drawings)
    torch.testing.assert_close(table, table.T, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("baseline", BOTH, **ids)
def test_no_drawing_is_nearer_than_an_image_to_itself(baseline, drawings):
    scores = all_pairs(baseline(), drawings)
    assert (scores.diag() == 0).all()
    assert (scores[~torch.eye(6, dtype=torch.bool)] < 0).all()


@pytest.mark.parametrize("way", [all_pairs, all_at_once])
@pytest.mark.parametrize("baseline", BOTH, **ids)
def test_blank_and_black_images_have_finite_scores(baseline, way, drawings):
    images = torch.cat([drawings[:2], torch.ones(1, 1, 105, 105), torch.zeros(1, 1, 105, 105)])
    assert way(baseline(), images).isfinite().all()


def test_a_blank_image_is_a_point_in_its_middle_to_hausdorff():
    blank, point = torch.ones(1, 1, 9, 9), torch.ones(1, 1, 9, 9)
    point[0, 0, 2, 7] = 0
    line = ink(["........."] * 4 + [".#..#..#."] + ["........."] * 4)
    scores = all_pairs(HausdorffBaseline(), torch.cat([blank, point, line]))
    assert scores[0].tolist() == [0, 0, -2]
    assert blank.min() == 1  # and the image itself is left alone


@pytest.mark.parametrize("baseline", BOTH, **ids)
def test_a_score_does_not_depend_on_what_else_is_in_the_batch(baseline, drawings):
    model = baseline()
    many = all_pairs(model, drawings)
    alone = model.score(model.embed(drawings[2:3]), model.embed(drawings[4:5]))
    assert alone[0] == many[2, 4]
    prepared = model.prepare(model.embed(drawings))
    part = model.score_all(prepared[2:4], prepared[1:5])
    torch.testing.assert_close(part, all_at_once(model, drawings)[2:4, 1:5], rtol=1e-6, atol=1e-5)


def test_more_images_than_are_mapped_at_once_are_mapped_alike(drawings):
    baseline = HausdorffBaseline()
    whole = baseline.prepare(baseline.embed(drawings))
    parts = baseline.prepare(baseline.embed(drawings), at_once=4)
    torch.testing.assert_close(parts.float(), whole.float(), rtol=1e-3, atol=1e-3)
