"""The weights that come with omnitwin, and what their model card says of them."""

import re
from dataclasses import replace

import pytest

from omnitwin.config import EvalConfig, SourceConfig
from omnitwin.exams.evaluation import evaluate
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.model.numpy_twin import runs_in_numpy
from omnitwin.recipes import RECIPES
from omnitwin.system.files import digest

CARD = BUNDLED_WEIGHTS.with_name("README.md").read_text(encoding="utf-8")
LARGEST = 4_000_000  # bytes that the wheel may carry


def test_the_card_is_that_of_the_file():
    assert f"SHA-256 {digest(BUNDLED_WEIGHTS, 'sha256')}" in CARD
    assert f"{BUNDLED_WEIGHTS.stat().st_size:,} bytes" in CARD


def test_the_file_is_small_runs_without_torch_and_knows_novelty():
    description = read_description(BUNDLED_WEIGHTS)
    assert BUNDLED_WEIGHTS.stat().st_size <= LARGEST
    assert runs_in_numpy(description.network)
    assert description.novelty is not None
    assert description.calibration is not None


def test_they_were_made_with_the_published_recipe_on_all_alphabets():
    description = read_description(BUNDLED_WEIGHTS)
    assert description.whole_recipe() == replace(RECIPES[description.recipe_name], holdout=0)
    assert description.held_out == ()
    assert description.operating is not None  # of a network trained alike, by its held-out alphabets


@pytest.mark.realdata
def test_the_official_error_is_the_one_on_the_card(real_data):
    source = SourceConfig(source=str(real_data))
    report = evaluate(EvalConfig(exams=("official",), checkpoint="bundled", source=source, device="cpu"))
    (row,) = re.findall(r"\| official \| error \| ([0-9.]+) ", CARD)
    assert report.exams[0].measure("error").value == pytest.approx(float(row), abs=0.0051)  # two trials in 400
