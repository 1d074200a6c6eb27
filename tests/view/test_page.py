"""The page about a run: every text is escaped, every picture is there, well-formed for any browser."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from omnitwin.errors import BadInput
from omnitwin.reports.data import LeftOutFile, PartFacts, PlaceFacts
from omnitwin.reports.exams import ClassErrors, EvalReport, ExamReport, Group, Measure, NetworkReport, RunReport
from omnitwin.reports.pictures import Picture, ScoredPair
from omnitwin.reports.training import StepReport
from omnitwin.view.page import check_page, headline, lead, page, write_page

EVIL = '<script>alert("x")</script> & \'"'
VOID = {"meta", "img", "br", "source"}


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    measure = Measure(name="accuracy", value=0.8, interval=(0.7, 0.9), n=10, method=f"method {EVIL}")
    picture = Picture(width=2, height=2, pixels=bytes([0, 255, 255, 0]))
    pair = ScoredPair(
        left=picture, right=picture, left_label=f"left {EVIL}", right_label=f"right {EVIL}",
        similar=True, predicted=False, score=0.25,
    )  # fmt: skip
    exam = ExamReport(
        exam="pairs",
        description=f"exam {EVIL}",
        seeds=(0,),
        n=10,
        unit="pairs",
        threshold=0.5,
        measures=(measure,),
        grouped_by="batch",
        groups=(Group(name=f"group {EVIL}", measures=(measure,)),),
        shown=(pair,),
    )
    network = NetworkReport(
        checkpoint=f"/home/{EVIL}/weights.safetensors",
        weights_sha256="f" * 64,
        recipe=f"recipe {EVIL}",
        iteration=3,
        iterations=5,
        trained_on=f"set {EVIL}",
        held_out=(f"alphabet {EVIL}",),
        threshold=0.5,
        temperature=1.5,
        bias=-0.25,
    )
    evaluation = EvalReport(
        network=network,
        baseline=None,
        dataset=f"data {EVIL}",
        subset="test",
        seen="never",
        images=4,
        classes=2,
        alphabets=1,
        device="cpu",
        precision="fp32",
        exams=(exam,),
        embedded=4,
        embed_seconds=0.1,
        seconds=0.2,
        peak_bytes=None,
    )
    steps = tuple(
        StepReport(iteration=one, loss=1 / one, pairs_per_second=5.0, elapsed_seconds=float(one)) for one in (1, 2, 3)
    )
    recipe = {"name": f"name {EVIL}", "seed": 0}
    versions = {"torch": f"9 {EVIL}"}
    return RunReport(
        evaluation=evaluation, recipe=recipe, steps=steps, versions=versions, page=tmp_path / "folder" / "page.html"
    )


class Balance(HTMLParser):
    """Finds the tags of a page and whether each that opens is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sound = True

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.sound = self.sound and bool(self.open) and self.open.pop() == tag


def test_every_tag_that_opens_is_closed_in_its_turn(report):
    seen = Balance()
    seen.feed(page(report))
    assert seen.sound
    assert seen.open == []


def test_no_text_from_outside_becomes_markup(report):
    text = page(report)
    seen = Balance()
    seen.feed(text)
    assert "script" not in seen.tags
    assert EVIL not in text
    for kind in ("exam", "group", "left", "right", "alphabet", "name", "method", "data", "set", "9"):
        assert f"{kind} &lt;script&gt;" in text, kind


def test_pictures_are_data_of_the_page(report):
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page(report))
    assert len(sources) == 2
    for source in sources:
        with Image.open(io.BytesIO(base64.b64decode(source))) as image:
            assert list(image.convert("L").tobytes()) == [0, 255, 255, 0]


def test_pictures_in_colour_are_on_the_page_in_their_colours_and_only_grey_ones_are_pixelated(report):
    colour = Picture(width=3, height=1, pixels=bytes([200, 0, 0, 0, 200, 0, 0, 0, 200]), channels=3)
    exam = report.evaluation.exams[0]
    shown = (replace(exam.shown[0], left=colour),)
    text = page(replace(report, evaluation=replace(report.evaluation, exams=(replace(exam, shown=shown),))))
    (kind,) = re.findall(r'<img( class="grey")? alt="left ', text)
    assert kind == ""
    assert re.findall(r'<img( class="grey")? alt="right ', text) == [' class="grey"']
    first = re.findall(r'src="data:image/png;base64,([^"]+)"', text)[0]
    with Image.open(io.BytesIO(base64.b64decode(first))) as image:
        assert (image.mode, image.size, image.tobytes()) == ("RGB", (3, 1), colour.pixels)


def test_each_figure_comes_in_light_and_dark(report):
    text = page(report)
    light = re.findall(r'<img alt="training" src="data:image/svg\+xml;base64,([^"]+)"', text)
    dark = re.findall(r'prefers-color-scheme: dark\)" srcset="data:image/svg\+xml;base64,([^"]+)"', text)
    assert len(light) == len(dark) == 1
    assert light != dark
    assert base64.b64decode(light[0]).startswith(b"<?xml")


def test_a_wrong_answer_is_said_to_be_one(report):
    assert '<span class="wrong">wrong</span>; target similar, predicted dissimilar, score 0.2500' in page(report)


def exam_after(iteration, error):
    return StepReport(iteration=iteration, loss=1.0, pairs_per_second=5.0, elapsed_seconds=1.0, held_out_eer=error)


def test_a_page_begins_with_the_figure_of_the_test_and_says_after_it_what_training_found(report):
    """The network that sat the exams is the one after 3 of 5 iterations."""
    best = replace(report, steps=(exam_after(2, 0.3), exam_after(3, 0.125), exam_after(4, 0.2)))
    assert lead(best) == "Best at 3 of 5 iterations: equal error rate 12.5 % on held-out classes."
    worse = replace(report, steps=(exam_after(2, 0.125), exam_after(3, 0.2)))
    assert lead(worse) == "After 3 of 5 iterations; the best were at 2: equal error rate 12.5 % on held-out classes."
    assert lead(report) == "After 3 of 5 iterations."
    slack = replace(worse, recipe={**report.recipe, "slack": 1.0})
    assert lead(slack) == "After 3 of 5 iterations: equal error rate 20.0 % on held-out classes."
    text = page(best)
    assert text.index(headline(best.evaluation)) < text.index("<table>") < text.index(lead(best))


def exam_with(name, *measures):
    measures = tuple(Measure(name=one, value=0.2, interval=(0.1, 0.3), n=9, method="", label=one) for one in measures)
    return ExamReport(exam=name, description="", n=9, unit="pairs", measures=measures)


@pytest.mark.parametrize(
    ("seen", "images"),
    [
        ("never", "2 classes that the network never saw"),
        ("held-out", "classes kept out of training, which chose its best checkpoint"),
        (
            "closed",
            "other images of the 2 classes that it was trained on: a closed set, which says nothing about new classes",
        ),
        ("training", "images that the network was TRAINED on: no measure of how it does on others"),
    ],
)
def test_the_first_line_of_a_page_tells_the_equal_error_rate_of_the_examined_images_and_what_they_are(
    report, seen, images
):
    exams = (exam_with("pairs", "accuracy"), exam_with("all-pairs", "auc", "eer"))
    evaluation = replace(report.evaluation, seen=seen, exams=exams)
    assert headline(evaluation) == f"Eer 20.0 % (10.0 to 30.0 %) on {images}"
    without = replace(evaluation, exams=exams[:1])
    assert headline(without) == f"Accuracy 20.0 % (10.0 to 30.0 %) on {images}"


def test_hyper_parameters_are_folded_and_named_with_their_part(report):
    text = page(replace(report, recipe={"name": "fast", "optimiser": {"learning_rate": 0.003}}))
    folded = re.search(r"<details><summary>Hyper-parameters</summary>(.*?)</details>", text, re.DOTALL)[1]
    assert "<td>optimiser: learning rate</td><td>0.003</td>" in folded
    assert text.count("0.003") == 1


def test_a_run_without_metrics_has_a_page_without_a_curve(report):
    assert 'alt="training"' not in page(replace(report, steps=()))


def test_the_same_report_is_the_same_page(report):
    assert page(report) == page(report)


def test_page_is_written_into_a_new_folder(report):
    write_page(report)
    assert report.page.read_text(encoding="utf-8") == page(report)


def test_a_page_is_named_like_one(tmp_path):
    check_page(tmp_path / "page.HTML")
    check_page(None)
    with pytest.raises(BadInput, match="does not end like a page"):
        check_page(tmp_path / "page.png")


def test_the_classes_with_the_highest_error_are_all_on_the_page(report):
    worst = tuple(
        ClassErrors(name=f"class {number} {EVIL}", error=0.5, similar=4, rejected=3, dissimilar=8, accepted=2)
        for number in range(20)
    )
    [exam] = report.evaluation.exams
    evaluation = replace(report.evaluation, exams=(replace(exam, worst=worst, classes=1234),))
    text = page(replace(report, evaluation=evaluation))
    assert EVIL not in text
    assert "worst of 1,234 classes" in text
    assert all(f"class {number} &lt;script&gt;" in text for number in range(20))
    assert text.count("<td>3 of 4 (75.0 %)</td><td>2 of 8 (25.0 %)</td>") == 20
    assert "Classes with the highest error" not in page(report)


def own_place(**fields):
    known = {
        "place": Path("/home/me") / EVIL.replace("/", "-"),
        "images": 1234,
        "classes": 31,
        "broken": (LeftOutFile(path=f"file {EVIL}", reason="is no image"),),
        "broken_in_all": 21,
        "split": "classes",
        "seed": 7,
        "parts": (PartFacts(name="training", classes=22, images=900), PartFacts(name="test", classes=9, images=334)),
        "leaks": 2,
        "shared": 0,
        "notes": (f"note {EVIL}", "figures of 9 test classes have wide intervals"),
    }
    return PlaceFacts(**{**known, **fields})


def test_a_page_about_own_images_says_where_they_are_how_they_are_split_and_what_is_left_out(report):
    text = page(replace(report, evaluation=replace(report.evaluation, place=own_place())))
    assert EVIL not in text
    for words in (
        "1,234 images of 31 classes",
        "made by the names of the classes, seed 7: no class is in two parts",
        "<td>test</td><td>9 classes, 334 images</td>",
        "2 images left out of the test",
        "21, left out",
        "and 20 more",
        "Figures of 9 test classes have wide intervals.",
    ):
        assert words in text, words
    assert "<h2>Images</h2>" not in page(report)


@pytest.mark.parametrize(
    ("seen", "shared", "warned"),
    [
        ("closed", 0, "say nothing about new classes"),
        ("never", 3, "3 test classes of the place are trained on, too"),
        ("training", 0, "was TRAINED on these images"),
        ("never", 0, None),
    ],
)
def test_a_test_whose_classes_were_trained_on_is_warned_of_before_its_figures(report, seen, shared, warned):
    evaluation = replace(report.evaluation, seen=seen, place=own_place(shared=shared))
    text = page(replace(report, evaluation=evaluation))
    assert ('<p class="warning">' in text) == (warned is not None)
    assert warned is None or text.index(warned) < text.index("<table")
