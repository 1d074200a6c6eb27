"""Networks that see colours, and pictures that are not square: files, PIL images and arrays, by both engines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from omnitwin.answers.comparison import compare, rank
from omnitwin.answers.engines import open_baseline
from omnitwin.answers.files import read
from omnitwin.answers.twin import Twin
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import CompareConfig, RankConfig
from omnitwin.data.own import open_place
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.views import read_image
from omnitwin.model.checkpoint import save_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.twin import build_twin
from omnitwin.recipes import FAST

RED, BLUE = (220, 30, 30), (30, 30, 220)
ENGINES = ("numpy", "torch")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """checkpoint(channels, frame) is the file of an untrained network that sees 16 x 24 pixels."""
    folder = tmp_path_factory.mktemp("networks")

    def made(channels, frame):
        path = folder / f"{frame} {channels}.safetensors"
        if not path.exists():
            torch.manual_seed(0)
            recipe = FAST.changed(encoder="strong", image_size=16, image_width=24, channels=channels, frame=frame)
            facts = {"iteration": 1, "precision": "fp32", "dataset": "things/training", "fingerprint": "f" * 64}
            described = Description.of_recipe(recipe, metrics={}, **facts)
            save_checkpoint(path, build_twin(described.network).eval(), described)
        return path

    return made


def thing(colour, size=(90, 60)):
    image = Image.new("RGB", size, (240, 240, 235))
    ImageDraw.Draw(image).ellipse((20, 10, 60, 40), fill=colour)
    return image


@pytest.fixture
def files(tmp_path):
    """A red disc, a blue one, a grey one, and the red one smaller and stored on its side."""
    folder = tmp_path / "things"
    folder.mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    thing(RED).save(folder / "red.png")
    thing((102, 102, 102)).save(folder / "grey.png")
    thing(BLUE).save(folder / "blue.jpg", quality=95)
    thing(RED).resize((45, 30)).rotate(90, expand=True).save(folder / "red turned.png", exif=turned)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("channels", "frame"), [(3, "photo"), (1, "photo"), (1, "ink"), (3, "ink"), (3, "whole")])
def test_a_file_a_pil_image_and_an_array_have_the_same_embedding(checkpoint, files, channels, frame, engine):
    twin = Twin(open_verifier(str(checkpoint(channels, frame)), engine=engine))
    with Image.open(files / "red.png") as image:
        path, lazy, array = (twin.embed([each]) for each in (files / "red.png", image, np.asarray(image)))
    assert np.array_equal(path, lazy)
    assert np.array_equal(path, array)
    assert path.shape == (1, twin._features)


@pytest.mark.parametrize(("channels", "frame"), [(3, "photo"), (1, "ink"), (3, "whole")])
def test_both_engines_see_the_same_picture(checkpoint, files, channels, frame):
    twins = [Twin(open_verifier(str(checkpoint(channels, frame)), engine=engine)) for engine in ENGINES]
    ours, theirs = (twin.embed(sorted(files.iterdir())) for twin in twins)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("channels", "frame"), [(3, "photo"), (1, "photo"), (1, "ink"), (3, "ink"), (3, "whole")])
def test_an_answer_sees_of_a_file_what_training_sees_of_it(checkpoint, files, channels, frame):
    """To the bit, in every format and orientation: a set of images and a comparison go the same way."""
    verifier = open_verifier(str(checkpoint(channels, frame)))
    images = open_place(files, verifier.view, processes=0)["all"]
    pixels = images.gather(torch.arange(len(images))).numpy()
    assert len(images) == 4
    for row in range(len(images)):
        seen = read(files / images.file_of(row).path, verifier)
        assert np.array_equal(pixels[row], seen.pixels_CHW / np.float32(255))


def test_colour_matters_to_a_network_that_sees_colours_alone(checkpoint, files):
    red, grey = thing(RED), thing(RED).convert("L").convert("RGB")
    colours, greys = (Twin(open_verifier(str(checkpoint(channels, "photo")))) for channels in (3, 1))
    assert np.array_equal(*greys.embed([red, grey]))
    assert not np.allclose(*colours.embed([red, grey]), atol=1e-3)


def test_exchanging_two_photos_changes_no_bit(checkpoint, files):
    twin = Twin(open_verifier(str(checkpoint(3, "photo"))))
    first, second = files / "red.png", files / "blue.jpg"
    assert twin.compare(first, second).probability == twin.compare(second, first).probability


def test_a_comparison_shows_a_photo_to_a_person_whole_and_as_the_network_saw_it(checkpoint, files):
    path = checkpoint(3, "photo")
    report = compare(CompareConfig(first=files / "red.png", second=files / "red turned.png", checkpoint=str(path)))
    assert report.first_picture.size == (90, 60)
    assert report.second_picture.size == (45, 30)  # upright
    seen = read_image(files / "red.png", open_verifier(str(path)).view)
    assert report.first_input.pixels == seen.pixels_CHW.transpose(1, 2, 0).tobytes()
    assert (report.first_input.size, report.first_input.channels) == ((24, 16), 3)
    assert (report.first_novelty, report.second_novelty, report.notes) == (None, None, ())


def test_a_ranking_of_photos_is_that_of_its_pairs(checkpoint, files):
    verifier = open_verifier(str(checkpoint(3, "photo")))
    report = rank(RankConfig(query=files / "red.png", others=(files,)), verifier=verifier)
    answers = {image.file: Twin(verifier).compare(files / "red.png", image.file).probability for image in report.ranked}
    assert len(answers) == 3
    assert [image.probability for image in report.ranked] == pytest.approx(sorted(answers.values(), reverse=True))
    assert all((picture.size, picture.channels) == ((24, 16), 3) for picture in report.pictures)


def test_a_photo_of_a_single_colour_gets_no_verdict(checkpoint, files):
    twin = Twin(open_verifier(str(checkpoint(3, "photo"))))
    with pytest.raises(BadImage, match="single colour"):
        twin.compare(Image.new("RGB", (30, 30), RED), files / "red.png")
    Image.new("RGB", (30, 30), RED).save(files / "plain.png")
    report = twin.rank(files / "red.png", files)
    assert [unread.file.name for unread in report.unread] == ["plain.png"]


def test_what_takes_no_pictures_says_so(files):
    with pytest.raises(BadInput, match="takes exams"):
        Twin(open_baseline("pixels")).compare(files / "red.png", files / "red.png")


def test_a_network_of_five_channels_takes_no_files(checkpoint, files):
    verifier = open_verifier(str(checkpoint(3, "photo")))
    five = replace(verifier, view=replace(verifier.view, channels=5))
    with pytest.raises(BadInput, match="5 channels, not files"):
        Twin(five).embed([files / "red.png"])


def test_a_record_of_novelty_says_nothing_of_photos(checkpoint, files):
    verifier = open_verifier("bundled")
    of_photos = replace(open_verifier(str(checkpoint(3, "photo"))), novelty=verifier.novelty)
    assert of_photos.novelties([read_image(files / "red.png", of_photos.view)]) == [None]
