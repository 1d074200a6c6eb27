"""Why an image is not judged: what is unlike all that a network knows, and pages without one drawing."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnitwin import load
from omnitwin.answers.comparison import compare
from omnitwin.answers.doubts import doubts_about
from omnitwin.config import CompareConfig
from omnitwin.images.views import Seen
from omnitwin.reports.answers import UNFAMILIAR
from omnitwin.reports.pages import BLANK, DIRT, EMPTY_FORM, FINDINGS, REASONS, SEVERAL, TEXT


def image(*findings):
    return Seen(pixels_CHW=np.full((1, 28, 28), 255, np.uint8), findings=findings)


def test_every_finding_has_a_reason_in_words():
    assert REASONS.keys() == set(FINDINGS)
    assert len(set(REASONS.values())) == len(FINDINGS)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_network_of_drawings_judges_no_page_without_one_drawing(finding):
    assert doubts_about("a.png", image(finding), None, of_drawings=True) == (f"a.png: {REASONS[finding]}",)


@pytest.mark.parametrize("finding", [TEXT, SEVERAL, DIRT])
def test_another_network_may_have_been_trained_on_words_or_parts(finding):
    assert doubts_about("a.png", image(finding), 0.9, of_drawings=False) == ()
    assert doubts_about("a.png", image(finding), 1.1, of_drawings=False) == (f"a.png: {UNFAMILIAR}",)


@pytest.mark.parametrize("finding", [BLANK, EMPTY_FORM])
def test_an_empty_page_is_judged_by_no_network_and_needs_no_other_reason(finding):
    for of_drawings in (False, True):
        assert doubts_about("a.png", image(finding), 3.0, of_drawings) == (f"a.png: {REASONS[finding]}",)


def test_novelty_at_the_limit_or_unknown_is_no_reason():
    assert doubts_about("a.png", image(), 1.0, of_drawings=True) == doubts_about("a", image(), None, True) == ()


def test_two_files_of_one_name_with_the_same_reason_are_told_of_once(tmp_path):
    form = Image.new("L", (300, 300), 240)
    ImageDraw.Draw(form).rectangle((40, 60, 250, 250), outline=40, width=4)
    files = [tmp_path / place / "form.png" for place in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        form.save(file)
    report = compare(CompareConfig(first=files[0], second=files[1]))
    assert report.reasons == (f"form.png: {REASONS[EMPTY_FORM]}",)
    assert load().compare(*files).reasons == tuple(
        f"the {which} image: {REASONS[EMPTY_FORM]}" for which in ("first", "second")
    )
