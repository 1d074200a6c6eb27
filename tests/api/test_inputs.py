"""What is no image, path, name, device or data set gets one line of a refusal, before anything is written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import omnitwin
from omnitwin.config import SourceConfig, TrainConfig, check_run_name
from omnitwin.errors import BadCheckpoint, BadImage, BadInput

EMBEDDED = 256


@pytest.fixture(scope="module")
def twin():
    return omnitwin.load("bundled")


@pytest.fixture
def drawing(tmp_path):
    values = np.full((60, 60), 255, np.uint8)
    values[10:50, 28:33] = 0
    Image.fromarray(values).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def refused(act, *args, kind=BadInput, **options):
    with pytest.raises(kind) as error:
        act(*args, **options)
    assert "\n" not in error.value.line()
    return error.value.line()


def test_one_path_to_rank_is_one_place(twin, drawing):
    other = drawing.with_name("b.png")
    other.write_bytes(drawing.read_bytes())
    for others in (str(other), other, [other], (path for path in [other])):
        assert [image.file for image in twin.rank(str(drawing), others).ranked] == [other]


@pytest.mark.parametrize("others", [None, 3, np.zeros(3), [None], [3], ["a\0"], [""], [b"a"]])
def test_what_is_no_path_is_not_ranked(twin, drawing, others):
    refused(twin.rank, drawing, others)


@pytest.mark.parametrize("query", [None, 3, "", "a\0", np.zeros((9, 9))])
def test_what_is_no_path_is_no_query(twin, drawing, query):
    refused(twin.rank, query, [drawing])


@pytest.mark.parametrize("images", ["a.png", Path("a.png"), Image.new("L", (9, 9)), np.zeros((9, 9)), b"a"])
def test_one_image_to_embed_is_refused_with_the_advice_to_give_a_list(twin, images):
    assert "list" in refused(twin.embed, images)


@pytest.mark.parametrize("images", [None, 3])
def test_nothing_to_iterate_is_not_embedded(twin, images):
    assert "list" in refused(twin.embed, images)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.ones((2, EMBEDDED)), np.ones((3, EMBEDDED))),
        (np.ones((2, EMBEDDED)), np.ones((2, EMBEDDED - 1))),
        (np.ones((2, 3)), np.ones((2, 3))),
        (np.ones((2, 1)), np.ones((2, 1))),
        (np.ones(EMBEDDED), np.ones(EMBEDDED)),
        (np.ones((1, 0)), np.ones((1, 0))),
        (np.full((1, EMBEDDED), np.nan), np.ones((1, EMBEDDED))),
        (np.full((1, EMBEDDED), 1e300), np.ones((1, EMBEDDED))),
        (np.full((1, EMBEDDED), "a"), np.ones((1, EMBEDDED))),
        (None, np.ones((1, EMBEDDED))),
        ([[1.0], [1.0, 2.0]], np.ones((1, EMBEDDED))),
        (torch.ones(1, EMBEDDED, requires_grad=True), np.ones((1, EMBEDDED))),
    ],
    ids=["B", "D", "other D", "D of 1", "1 dimension", "empty", "nan", "huge", "words", "none", "ragged", "gradient"],
)
def test_what_is_no_embedding_has_no_probability(twin, left, right):
    refused(twin.probability, left, right)
    refused(twin.probability, right, left)


def test_embeddings_in_double_precision_and_lists_have_a_probability(twin, drawing):
    embedded = twin.embed([drawing])
    wanted = twin.probability(embedded, embedded)
    assert twin.probability(embedded.astype(np.float64), embedded.tolist()) == wanted


def closed():
    image = Image.new("L", (9, 9))
    image.close()
    return image


def truncated(path):
    Image.effect_noise((200, 200), 90).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    return Image.open(path)


def test_a_picture_that_pillow_cannot_decode_is_a_bad_image(twin, drawing, tmp_path):
    with truncated(tmp_path / "half.png") as half:
        for picture in (closed(), half, Image.new("La", (9, 9))):
            refused(twin.compare, drawing, picture, kind=BadImage)


@pytest.mark.parametrize(
    "array",
    [
        torch.ones(9, 9, requires_grad=True),
        np.full((9, 9), 1e300),
        np.array([[0, np.inf], [1, 2]]),
        np.zeros((9, 9, 3)),
        np.zeros((9, 9), complex),
        3,
        {},
    ],
    ids=["gradient", "huge", "infinite", "colours of doubles", "complex", "a number", "a mapping"],
)
def test_an_array_that_is_no_image_is_a_bad_image_whose_line_names_only_its_own_type(twin, drawing, array):
    line = refused(twin.compare, drawing, array, kind=BadImage)
    assert "float32" not in line
    assert "f4" not in line
    assert "object" not in line


def test_a_source_may_be_a_path(tmp_path):
    assert SourceConfig(source=tmp_path).source == str(tmp_path)
    assert len(omnitwin.open_images("synthetic", source=tmp_path)) == 2
    refused(omnitwin.open_images, "omniglot", source=3)


def test_a_device_may_be_that_of_torch(drawing):
    assert TrainConfig(device=torch.device("cuda", 1)).device == "cuda:1"
    assert omnitwin.EvalConfig(device=torch.device("cpu")).device == "cpu"
    twin = omnitwin.load("bundled", device=torch.device("cpu"))
    assert twin.compare(drawing, drawing).verdict == "same"


@pytest.mark.parametrize("device", [None, 3, "tpu", torch.device("meta")])
def test_what_is_no_device_is_refused(device):
    refused(omnitwin.load, "bundled", device=device)
    refused(omnitwin.train, "synthetic", recipe="fast", device=device)


@pytest.mark.parametrize("threshold", ["0.5", True, 0, 1, float("nan"), [0.5]])
def test_what_is_no_probability_is_no_threshold(threshold):
    refused(omnitwin.load, "bundled", threshold=threshold)


def test_no_empty_word_means_the_current_folder():
    refused(omnitwin.load, "")
    refused(omnitwin.load, 3)
    refused(omnitwin.train, resume="")
    refused(omnitwin.train, resume=3)


@pytest.mark.parametrize(
    "images",
    [
        3,
        None,
        np.zeros((9, 9)),
        {"training": None},
        {"training": "synthetic"},
        torch.utils.data.TensorDataset(torch.zeros(3)),
    ],
    ids=["3", "none", "array", "part of none", "part of a word", "TensorDataset"],
)
def test_what_is_no_image_set_is_refused_before_a_folder_is_made(tmp_path, images):
    assert "ImageSet" in refused(omnitwin.train, images, recipe="fast", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


NAMES = ["", ".", "..", "a/b", "/a", "a\\b", "a\nb", "a\x7f", "a\0", ".x", "newest", "bundled", "pixels", "hausdorff"]


@pytest.mark.parametrize(
    "name", [*NAMES, "x" * 256, "é" * 128, "nul", "a.", 3], ids=lambda name: f"{len(str(name))} characters"
)
def test_a_run_cannot_have_a_name_that_is_lost_or_means_something_else(home, name):
    refused(check_run_name, name)
    refused(omnitwin.train, "synthetic", recipe="fast", name=name)
    assert not (home / "data").exists()


def test_a_run_has_a_name_or_a_folder(tmp_path):
    refused(omnitwin.train, "synthetic", recipe="fast", name="a", output=tmp_path / "b")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "9"])
def test_the_time_of_a_run_is_a_positive_number_of_seconds(seconds):
    refused(TrainConfig, max_seconds=seconds)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_run_whose_config_is_a_pipe_is_listed_with_its_problem(home):
    folder = home / "data" / "runs" / "a"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "config.json")
    listed = subprocess.run(
        [sys.executable, "-m", "omnitwin", "runs", "--json"], capture_output=True, text=True, timeout=100, check=True
    )
    assert "config.json cannot be used: it is a pipe" in listed.stdout
    assert "pipe" in refused(omnitwin.train, resume="a", kind=BadCheckpoint)
