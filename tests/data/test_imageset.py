"""Images that are not Omniglot's: in colour, not square, without alphabets and drawers, of a class of the user's."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest
import torch
from photos import photos

from omnitwin.config import EvalConfig, ShowConfig, TrainConfig
from omnitwin.data.batches import draw_batch
from omnitwin.data.episodes import draw_episodes
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.sampling import SAMPLERS
from omnitwin.data.show import show
from omnitwin.data.split import hold_out, only, part_names
from omnitwin.errors import BadInput
from omnitwin.exams.evaluation import evaluate
from omnitwin.recipes import FAST, ClassSampling, InkAugmentation
from omnitwin.training.runs import training_images

THINGS = photos(3, 4, 2, 5, 3, 6)


def key(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def plain_set(tiny_set):
    """The characters of the tiny set, with nothing known of alphabets and drawers."""
    return replace(tiny_set, group_C=None, group_names=(), source_N=None)


# ---- the held-out part ----


@pytest.mark.parametrize("count", [2, 3, 4])
def test_without_groups_classes_are_held_out(count):
    kept, held = hold_out(THINGS, count, key())
    assert len(held.class_names) == count
    assert sorted(kept.class_names + held.class_names) == sorted(THINGS.class_names)
    assert held.count_C.tolist() == [THINGS.count_C[THINGS.class_names.index(name)] for name in held.class_names]
    rows = {image.numpy().tobytes() for part in (kept, held) for image in part.images}
    assert rows == {image.numpy().tobytes() for image in THINGS.images}


@pytest.mark.parametrize("count", [1, 5, 6, 7])
def test_no_part_is_left_without_two_classes(count):
    with pytest.raises(BadInput, match="things has 6 classes") as refused:
        hold_out(THINGS, count, key())
    assert "--holdout from 2 to 4" in refused.value.line()


def test_held_out_classes_are_found_again_by_their_names():
    _, held = hold_out(THINGS, 2, key())
    again = only(THINGS, part_names(held))
    assert again.class_names == held.class_names
    assert torch.equal(again.images, held.images)
    with pytest.raises(BadInput, match="things has no class thing 9"):
        only(THINGS, ("thing 9",))


def test_training_holds_classes_out_of_a_set_given_as_an_object():
    training, held_out = training_images(TrainConfig(recipe=replace(FAST, holdout=2), dataset=THINGS))
    assert len(part_names(held_out)) == 2
    assert not set(part_names(held_out)) & set(training.class_names)


# ---- pairs and episodes ----


def test_pairs_are_of_one_class_or_of_two_and_never_of_one_image():
    pairs = draw_pairs(THINGS, 2000, key())
    same_B = THINGS.class_N[pairs.left_B] == THINGS.class_N[pairs.right_B]
    assert torch.equal(same_B, pairs.similar_B)
    assert (pairs.left_B != pairs.right_B).all()
    assert len(torch.unique(torch.cat([pairs.left_B, pairs.right_B]))) == len(THINGS)


@pytest.mark.parametrize("scope", ["any", "alphabet"])
@pytest.mark.parametrize("shot", [1, 2])
def test_an_episode_without_sources_takes_different_images_of_each_class(scope, shot):
    many = photos(3, 4, 3, 5, 3, 6)
    episodes = draw_episodes(many, 4, shot, 500, scope, key())
    assert episodes.support_EWK.shape == (500, 4, shot)
    class_EWK = many.class_N[episodes.support_EWK]
    assert (class_EWK == class_EWK[:, :, :1]).all()  # a way is of one class
    assert all(len(set(ways)) == 4 for ways in class_EWK[:, :, 0].tolist())
    answer_EK = class_EWK[torch.arange(500), episodes.answer_E]
    assert (answer_EK == many.class_N[episodes.query_E][:, None]).all()
    for query, supports in zip(episodes.query_E.tolist(), episodes.support_EWK.flatten(1).tolist(), strict=True):
        assert len({query, *supports}) == 4 * shot + 1


def test_every_choice_of_different_images_is_as_likely():
    """Of 3 images, a query and 2 examples come in 3! orders."""
    episodes = draw_episodes(photos(3, 3), 2, 2, 6000, "any", key())
    answered = episodes.support_EWK[torch.arange(6000), episodes.answer_E]
    found = Counter(zip(*(column.tolist() for column in (episodes.query_E % 3, *(answered % 3).T)), strict=True))
    assert set(found) == set(permutations(range(3)))
    assert all(abs(count - 1000) < 5 * (6000 * 1 / 6 * 5 / 6) ** 0.5 for count in found.values())


def test_too_few_classes_for_the_ways_are_refused_with_their_number():
    with pytest.raises(BadInput, match="things has 5 classes with 3 images, fewer than 6 ways"):
        draw_episodes(THINGS, 6, 2, 1, "any", key())
    with pytest.raises(BadInput, match="things has 6 classes, fewer than 7 ways"):
        draw_episodes(THINGS, 7, 1, 1, "alphabet", key())


# ---- whole commands ----


def test_photos_are_shown_in_colour():
    report = show(ShowConfig(dataset=THINGS, images=3, pairs=2))
    assert {(one.picture.width, one.picture.height, one.picture.channels) for one in report.images} == {(10, 6, 3)}
    shown = {one.picture.pixels for one in report.images}
    assert shown <= {THINGS.picture(row).pixels for row in range(len(THINGS))}


def test_exams_that_need_no_groups_are_taken_without_them(plain_set):
    images = {"training": plain_set, "test": plain_set}
    exams = ("pairs", "all-pairs", "one-shot")
    config = EvalConfig(exams=exams, baseline="pixels", dataset=images, way=5, episodes=50, device="cpu")
    report = evaluate(config)
    assert tuple(exam.exam for exam in report.exams) == exams
    one_shot = report.exams[-1]
    assert one_shot.n == 50
    assert "drawer" not in one_shot.description
    assert one_shot.groups == ()


def test_the_exam_within_alphabets_says_that_it_needs_them(plain_set):
    images = {"training": plain_set, "test": plain_set}
    with pytest.raises(BadInput, match="synthetic/training has no"):
        evaluate(EvalConfig(exams=("same-alphabet",), baseline="pixels", dataset=images, device="cpu"))


def test_rows_without_sources_are_named_by_their_place(plain_set):
    assert plain_set.label(6) == f"{plain_set.class_names[1]}, image 1"


# ---- batches ----


def test_a_batch_without_groups_takes_every_class_as_often_and_different_images_of_each():
    many = photos(3, 4, 3, 5, 3, 6)
    sampling = ClassSampling(drawings=3, batch_size=6)
    found = Counter()
    for seed in range(600):
        batch = draw_batch(many, sampling, 2, key(seed))
        class_CK = many.class_N[batch.row_CK]
        assert (class_CK == class_CK[:, :1]).all()
        assert all(len(set(rows)) == 3 for rows in batch.row_CK.tolist())
        found.update(class_CK[:, 0].tolist())
    assert sum(found.values()) == 1200
    assert all(abs(found[kind] - 200) < 5 * (600 * 1 / 3 * 2 / 3) ** 0.5 for kind in range(6))


def test_a_batch_of_photos_reaches_the_network_in_colour():
    many = photos(4, 4, 4)
    sampler = SAMPLERS["classes"](many, ClassSampling(drawings=2, batch_size=6), InkAugmentation())
    images = sampler.draw(key()).images
    assert images.shape == (6, 3, 6, 10)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
