import hashlib

import numpy as np
import pytest
import torch

from omnitwin.data import synthetic
from omnitwin.data.imageset import check_pairable
from omnitwin.recipes import square


def draw(subset="training", **changes):
    return synthetic.draw_set(subset, **{"alphabets": 2, "characters": 3, "drawers": 4, "size": 40, **changes})


def test_the_same_seed_draws_the_same_pixels():
    assert torch.equal(draw(seed=5).images_NHW, draw(seed=5).images_NHW)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"subset": "test"}])
def test_another_seed_and_the_other_set_share_no_image(changes):
    one, other = ({image.tobytes() for image in part.images_NHW.numpy()} for part in (draw(), draw(**changes)))
    assert not one & other


def test_ids_count_drawers_within_characters_within_alphabets():
    drawn = draw()
    assert drawn.images_NHW.shape == (2 * 3 * 4, 40, 40)
    assert drawn.class_N.tolist() == [row // 4 for row in range(24)]
    assert drawn.source_N.tolist() == [row % 4 + 1 for row in range(24)]
    assert drawn.group_C.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(drawn.group_names) == 2
    assert len(set(drawn.class_names)) == 6
    assert drawn.class_names[3] == "Synthetic 02/character01"


@pytest.mark.parametrize("size", [28, 105])
def test_images_are_ink_on_paper_and_nothing_between(size):
    drawn = draw(size=size)
    assert drawn.white == 1
    assert drawn.images_NHW.dtype == torch.uint8
    ink_N = 1 - drawn.images_NHW.float().mean(dim=(1, 2))
    assert drawn.images_NHW.unique().tolist() == [0, 1]
    assert ink_N.min() > 0.005  # something is written
    assert ink_N.max() < 0.5  # on paper, not the other way round


def test_no_two_drawings_are_the_same():
    drawn = draw(size=105)
    assert len({image.tobytes() for image in drawn.images_NHW.numpy()}) == 24


def test_two_drawings_of_a_character_are_more_alike_than_two_characters():
    drawn = draw(alphabets=4, drawers=6, size=105).framed(square(15))
    flat_ND = drawn.gather(torch.arange(len(drawn))).flatten(1)
    distance_NN = torch.cdist(flat_ND, flat_ND)
    same_NN = drawn.class_N[:, None] == drawn.class_N
    different_NN = ~torch.eye(len(drawn), dtype=torch.bool)
    assert distance_NN[same_NN & different_NN].mean() < 0.9 * distance_NN[~same_NN].mean()


def test_more_alphabets_begin_with_the_fewer():
    assert torch.equal(draw(alphabets=3).images_NHW[:24], draw(alphabets=2).images_NHW)


def test_the_fingerprint_is_the_sha256_of_the_pixels():
    drawn = draw()
    assert drawn.fingerprint == hashlib.sha256(drawn.images_NHW.numpy().astype(np.uint8).tobytes()).hexdigest()


def test_pairs_can_be_drawn_of_it():
    check_pairable(draw())
    check_pairable(draw("test"))


def test_a_whole_set_has_omniglots_format():
    drawn = synthetic.draw_set("test")
    assert drawn.images_NHW.shape[1:] == (105, 105)
    assert drawn.count_C.unique().tolist() == [20]
