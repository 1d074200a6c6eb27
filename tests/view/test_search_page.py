"""The page of a search: every text is escaped, every picture is there, and nothing leads outside."""

import base64
import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile import HOSTILE, assert_harmless
from PIL import Image

from omnitwin.reports.answers import TrainedNetwork
from omnitwin.reports.galleries import FoundImage, QueryReport, SearchReport
from omnitwin.reports.pictures import Picture
from omnitwin.view.galleries import search_table
from omnitwin.view.search_page import search_page, write_search_page

GREY = Picture(width=3, height=2, pixels=bytes([0, 128, 255, 255, 128, 0]))
RED = Picture(width=8, height=8, pixels=bytes([200, 0, 0] * 64), channels=3)
VOID = {"meta", "img", "br"}


def report(name="a.png", picture=GREY, found=True):
    facts = {"file": Path("/photos") / name, "probability": 0.75}
    images = (
        FoundImage(rank=1, same=True, picture=picture, **facts),
        FoundImage(rank=2, same=False, **facts),
        FoundImage(rank=3, same=False, reasons=(f"{name}: unlike any image",), picture=RED, **facts),
    )
    network = TrainedNetwork(checkpoint=Path("w"), bundled=True, recipe="strong", iteration=1, iterations=1)
    return SearchReport(
        network=network,
        engine="numpy",
        calibrated=True,
        threshold=0.5,
        gallery=Path("/index"),
        images=7,
        least=0.5,
        queries=(QueryReport(query=Path(name), found=images if found else (), picture=picture),),
        seconds=0.1,
    )


class Parsed(HTMLParser):
    """Fails for elements that are not closed, and keeps texts and attributes."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts, self.attributes = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *each) for each in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def pictures(page):
    for kind, data in re.findall(r'src="data:image/(\w+);base64,([^"]+)"', page):
        yield kind, Image.open(io.BytesIO(base64.b64decode(data)))


def test_the_page_shows_each_picture_and_a_box_where_there_is_none(tmp_path):
    write_search_page(report(), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    (query_kind, query), (first_kind, first), (third_kind, third) = pictures(page)
    assert (query_kind, first_kind, third_kind) == ("png", "png", "jpeg")
    assert query.tobytes() == first.tobytes() == GREY.pixels
    red, green, _ = third.getpixel((4, 4))
    assert (third.size, red > 190, green < 10) == ((8, 8), True, True)
    assert page.count('<div class="gone">') == 1
    text = " ".join("".join(Parsed(page).texts).split())
    assert "3 images for a.png" in text
    assert re.search(r"1\. same, 0\.7500 .*2\. different, 0\.7500 .*3\. cannot tell, 0\.7500", text)
    assert "unlike any image" in text


def test_a_search_without_result_says_so():
    assert "Nothing was found." in search_page(report(found=False))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_is_more_than_text(name):
    name = name.replace("/", "")
    page = search_page(report(name))
    parsed = Parsed(page)
    assert_harmless(page)
    assert {tag for tag, *_ in parsed.attributes} == {"html", "meta", "div", "img", "ol", "span", "p"}
    assert {name for _, name, _ in parsed.attributes} <= {
        "lang", "charset", "name", "content", "http-equiv", "class", "alt", "src",
    }  # fmt: skip
    assert all(value.startswith("data:image/") for _, name, value in parsed.attributes if name == "src")


def test_csv_keeps_every_name_as_it_is():
    for name in HOSTILE.values():
        name = name.replace("/", "")
        rows = list(csv.DictReader(io.StringIO(search_table(report(name)), newline="")))
        assert [row["path"] for row in rows] == [f"/photos/{name}"] * 3
        assert rows[2]["verdict"] == "cannot tell"
