"""A verifier is opened once, answers alike in either order and from either engine, and holds a baseline as well."""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from omnitwin.answers.engines import open_baseline, torch_network
from omnitwin.answers.verifier import open_verifier
from omnitwin.errors import BadCheckpoint
from omnitwin.images.views import seen
from omnitwin.model.baselines import BASELINES
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import square

SIZE = 28  # pixels a side of what the bundled network sees
ENGINES = ("numpy", "torch")


@pytest.fixture(scope="module")
def intakes():
    """Twenty pictures of blots."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8)
    return [seen(Image.fromarray(blots).resize((60, 60)), square(SIZE, "ink")) for blots in noise]


@pytest.fixture(params=ENGINES)
def verifier(request):
    return open_verifier("bundled", engine=request.param)


def test_opening_reads_the_record_once():
    for engine in ENGINES:
        open_verifier("bundled", engine=engine)  # imports what it needs
        called = Counter()
        sys.setprofile(lambda frame, event, _: called.update([frame.f_code.co_name] if event == "call" else ()))  # noqa: B023
        open_verifier("bundled", engine=engine)
        sys.setprofile(None)
        assert (called["read_record"], called["describe"], called["read_tensors"]) == (1, 1, 1)


def test_exchanging_the_images_changes_no_bit(verifier, intakes):
    embeddings = verifier.embed(intakes)
    left, right = embeddings[:10], embeddings[10:]
    assert np.array_equal(verifier.probability(left, right), verifier.probability(right, left))


def test_both_engines_answer_alike(intakes):
    numpy, torchs = (open_verifier("bundled", engine=engine) for engine in ENGINES)
    ours, theirs = (verifier.embed(intakes) for verifier in (numpy, torchs))
    np.testing.assert_allclose(numpy.probability(ours[:1], ours), torchs.probability(theirs[:1], theirs), atol=1e-5)


def test_probability_is_that_of_the_calibrated_logit(verifier, intakes):
    embeddings = verifier.embed(intakes)
    logits = verifier.network.score(embeddings[:1], embeddings).astype(float)
    fitted = read_description(BUNDLED_WEIGHTS).calibration
    expected = 1 / (1 + np.exp(-(logits / fitted["temperature"] + fitted["bias"])))
    np.testing.assert_allclose(verifier.probability(embeddings[:1], embeddings), expected, atol=1e-6)


def test_what_a_verifier_says_of_itself_is_what_its_file_says(verifier):
    known = read_description(BUNDLED_WEIGHTS)
    assert verifier.description == known
    assert (verifier.threshold, verifier.calibration, verifier.novelty) == (
        known.threshold,
        known.calibration,
        known.novelty,
    )
    assert (verifier.path, verifier.bundled, verifier.trained().checkpoint) == (BUNDLED_WEIGHTS, True, BUNDLED_WEIGHTS)


def test_a_threshold_that_is_given_takes_the_place_of_the_checkpoints():
    assert open_verifier("bundled", threshold=0.9).threshold == 0.9


def test_novelty_of_no_record_is_not_known_of_any_image(verifier, intakes):
    assert all(value > 0 for value in verifier.novelties(intakes))
    knowing_nothing = replace(verifier, novelty=None, familiarity=None)
    assert knowing_nothing.novelties(intakes) == [None] * len(intakes)


def test_an_exam_gets_the_model_that_torch_trained():
    model = torch_network(open_verifier("bundled", engine="torch")).model
    images = torch.rand(3, 1, SIZE, SIZE)
    with torch.inference_mode():
        assert torch.equal(model.embed(images), load_checkpoint(BUNDLED_WEIGHTS)[0].embed(images))


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_a_verifier_whose_scores_become_probabilities_by_a_calibration(name):
    baseline = open_baseline(name)
    images = np.random.default_rng(1).random((2, 1, 20, 20), dtype=np.float32)
    images[:, :, 5:15, 5:15] = 0
    embeddings = baseline.network.embed(images)
    left, right = embeddings[:1], embeddings[1:]
    distance = torch_network(baseline).model.score(torch.from_numpy(left), torch.from_numpy(right)).item()
    calibrated = replace(baseline, calibration={"temperature": 0.5, "bias": 1.0})
    expected = 1 / (1 + np.exp(-(distance / 0.5 + 1)))
    assert calibrated.probability(left, right).item() == pytest.approx(expected, abs=1e-6)
    assert (baseline.path, baseline.description, baseline.probabilistic) == (None, None, False)


def test_a_name_that_stands_for_nothing_is_refused():
    with pytest.raises(BadCheckpoint, match="nobody"):
        open_verifier("nobody")
