"""Pages and figures of reports that name nothing as it should be are those of harmless ones, but for the text."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest
from hand_built import PICTURE, drawn_pair, evaluation, network, one_shot_exam, pairs_exam, ranking, same_alphabet_exam
from hostile import EVERYTHING, HOSTILE, assert_harmless, spelt
from PIL import Image

from omnitwin.reports.data import ShowReport
from omnitwin.reports.exams import RunReport
from omnitwin.reports.pictures import LabelledPicture
from omnitwin.view.figures import browse_figure, hardest_figure, pairs_figure, ranking_figure
from omnitwin.view.page import page
from omnitwin.view.plots import as_svg, plots

HARMLESS = "harmless"
NAMES = pytest.mark.parametrize("text", [*HOSTILE.values(), EVERYTHING], ids=[*HOSTILE, "everything"])


def examined(text):
    """A report of exams in which all that comes from outside is this text."""
    pair = replace(drawn_pair(True, False, 0.25), left_label=f"{text}, drawing 1", right_label=f"{text}, drawing 2")
    known = {"checkpoint": f"runs/{text}", "recipe": text, "trained_on": text, "held_out": (text, f"{text}2")}
    exams = (
        pairs_exam(shown=(pair,)),
        same_alphabet_exam(text, f"{text}2", hardest=(pair,)),
        one_shot_exam(text, f"{text}2"),
    )
    return evaluation(*exams, network=network(**known), dataset=f"omniglot/{text}", device=f"cuda:0 ({text})")


class Skeleton(HTMLParser):
    """A page without its text and its pictures: every tag, with the attributes that no name is in."""

    def __init__(self, text):
        super().__init__()
        self.parts, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.parts.append((tag, [(name, None if name in ("alt", "src", "srcset") else value) for name, value in attrs]))

    def handle_endtag(self, tag):
        self.parts.append(("/", tag))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.parts.append(("comment", data))


def paged(text):
    recipe = {"name": text, "seed": 0, "batches": {"rotation": text}}
    return page(
        RunReport(evaluation=examined(text), recipe=recipe, steps=(), versions={text: text}, page=Path("a.html")),
        draw=lambda report, dark=False: {},  # plots take seconds; see below
    )


@NAMES
def test_a_page_has_the_elements_of_a_harmless_one_and_the_name_as_its_text(text):
    hostile, harmless = Skeleton(paged(text)), Skeleton(paged(HARMLESS))
    assert hostile.parts == harmless.parts
    assert hostile.text == harmless.text.replace(HARMLESS, spelt(text))
    assert_harmless(paged(text))


@pytest.fixture(params=[False, True], ids=["", "tex"])
def settings(request):
    """Of matplotlib, as a user may have them."""
    with mpl.rc_context({"text.usetex": request.param, "text.parse_math": request.param}):
        yield


@pytest.mark.usefixtures("settings")
def test_a_plot_has_the_elements_of_a_harmless_one_and_needs_no_letter_that_its_font_lacks(tmp_path):
    """pytest makes errors of matplotlib's warnings of missing glyphs and of axes without room."""
    kinds = []
    for names in (HOSTILE.values(), [f"{HARMLESS}{number}" for number in range(len(HOSTILE))]):
        exam = same_alphabet_exam(*names, curves=None, calibration=None)
        who = network(recipe="".join(names))
        figure = plots(evaluation(exam, network=who, dataset=who.recipe))["alphabets-same-alphabet"]
        kinds.append({part.tag for part in ElementTree.fromstring(as_svg(figure)).iter()})
        figure.savefig(tmp_path / "figure.png")
        assert figure.axes[0].get_position().width > 0.3
    assert kinds[0] == kinds[1]


@NAMES
def test_sheets_of_pictures_take_any_name_in_one_line_of_a_bounded_width(text, tmp_path):
    image = LabelledPicture(picture=PICTURE, label=f"{text * 40}/{text}, drawing 3")
    shown = ShowReport(dataset=text * 40, subset="test", seed=0, images=(image,), pairs=())
    exam = pairs_exam(shown=(drawn_pair(True, False, 0.25),), hardest=(drawn_pair(True, False, 0.25),))
    one = ranking(1)
    ranked = replace(one, query=Path(text), ranked=(replace(one.ranked[0], file=Path(text)),))
    browse_figure(shown, tmp_path / "browse.png")
    pairs_figure(exam, text * 40, tmp_path / "pairs.png")
    hardest_figure(exam, text * 40, tmp_path / "hardest.png")
    ranking_figure(ranked, tmp_path / "ranking.png")
    heights = []
    for path in sorted(tmp_path.glob("*.png")):
        with Image.open(path) as drawn:
            assert drawn.width <= 4100
            heights.append(drawn.height)
    assert len(heights) == 4
    browse_figure(replace(shown, dataset="a", images=(replace(image, label="a/b, c"),)), tmp_path / "harmless.png")
    with Image.open(tmp_path / "harmless.png") as drawn:
        assert drawn.height == heights[0] or "/" in text
