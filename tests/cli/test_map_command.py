"""`omnitwin map`: a figure, a page that runs no program but its own, and transcripts with exit codes."""

import base64
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys

import pytest
from drawn_things import THINGS, drawing, folder_of_things
from hostile import EVERYTHING, HOSTILE, as_file_name, assert_harmless, spelt
from PIL import Image

from omnitwin.view.gallery_maps import SIDE, colours_of


@pytest.fixture
def things(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder_of_things(tmp_path / "things", variants=2)


def parts_of(page):
    """Policy, data and program of a page."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.S)
    (program,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    return policy, json.loads(data), program


def test_without_a_file_the_places_are_printed(run, things):
    outcome = run("map", "things")
    assert outcome.code == 0
    head, *rows = outcome.out.splitlines()
    assert re.fullmatch(r"8 images of things by pca, \d+ % of the variance; 4 folders", head)
    report = json.loads(run("map", "things", "--json").out)
    for point, row in zip(report["points"], rows, strict=False):
        assert row.split() == [f"{point['x']:.4f}", f"{point['y']:.4f}", point["file"], f"({point['kind']})"]
    assert "picture" not in json.dumps(report)


def test_the_page_holds_every_picture_and_place_and_allows_its_own_program_alone(run, things, tmp_path):
    outcome = run("map", things, "--html", tmp_path / "map.html")
    assert f"Map: {tmp_path / 'map.html'}" in outcome.out
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    policy, data, program = parts_of(page)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"https?://|fetch\(|XMLHttp|import\(|\bsrc=[^ ]*http", page)
    assert len(data["points"]) == 8
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y, *_ in data["points"])
    assert all(source.startswith("data:image/jpeg;base64,") for *_, source in data["points"])
    assert [name for name, _ in data["kinds"]] == ["", *sorted(THINGS)]
    assert len({colour for _, colour in data["kinds"]}) == 5


def test_the_figure_has_the_colours_of_the_folders_and_their_names(run, things, tmp_path):
    assert run("map", things, "--figure", tmp_path / "map.png", "--quiet").code == 0
    with Image.open(tmp_path / "map.png") as image:
        assert image.width == SIDE < image.height
        colours = {f"#{red:02x}{green:02x}{blue:02x}" for _, (red, green, blue) in image.getcolors(1 << 24)}
    expected = colours_of(tuple(sorted(THINGS)))
    assert {expected[thing] for thing in THINGS} <= colours


def test_no_figure_takes_the_place_of_an_image_that_it_shows(run, things):
    image = things / "bow" / "0.png"
    before = image.read_bytes()
    outcome = run("map", things, "--figure", image, "--quiet")
    assert (outcome.code, image.read_bytes()) == (2, before)
    assert "is one of the images of" in outcome.complaint()
    assert run("index", things, "--quiet").code == 0
    assert run("map", things.name, "--figure", image, "--quiet").code == 2
    assert image.read_bytes() == before


def test_many_kinds_have_as_many_colours():
    kinds = tuple(f"kind {number}" for number in range(100))
    assert len(set(colours_of(kinds).values())) == 101


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 2, "nowhere is no folder"),
        (("things", "--method", "tsne"), 2, "no way to draw a map is called 'tsne'. Use pca or umap."),
        (("things", "--html", "map.png"), 2, "map.png does not end like a page"),
        (("things", "--figure", "map.html"), 2, "map.html does not end like a figure"),
        (("things", "--method", "umap"), 3, "Run: pip install 'omnitwin[map]'"),
    ],
)
@pytest.mark.usefixtures("things")
def test_what_cannot_be_done_exits_with_one_line_and_a_next_step(run, monkeypatch, words, code, said):
    monkeypatch.setitem(sys.modules, "umap", None)
    outcome = run("map", *words, "--quiet")
    assert outcome.code == code
    assert said in outcome.complaint()


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize("text", [*HOSTILE.values(), EVERYTHING], ids=[*HOSTILE, "everything"])
def test_names_that_mean_harm_end_no_element_and_start_no_program(run, tmp_path, text):
    folder, name = tmp_path / "all", as_file_name(text)
    for place in (folder / name / "a.png", folder / "b" / "b.png"):
        place.parent.mkdir(parents=True)
        drawing("bow", 0).save(place)
    outcome = run("map", folder, "--html", tmp_path / "map.html", "--figure", tmp_path / "map.png")
    assert outcome.code == 0
    assert_harmless(outcome.out + outcome.err)
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert_harmless(page)
    assert page.count("<script") == page.count("</script>") == 2
    _, data, _ = parts_of(page)
    assert spelt(str(folder / name / "a.png")) in [point[3] for point in data["points"]]
    assert spelt(name) in [kind for kind, _ in data["kinds"]]


BROWSER = r"""
const listeners = {}, drawn = [], made = [];
function element(name) {
  return {
    name, textContent: "", style: {}, clientWidth: 800, clientHeight: 600, width: 0, height: 0, children: [],
    classList: { on: new Set(), toggle(word, on) { on ? this.on.add(word) : this.on.delete(word); } },
    append(...parts) { this.children.push(...parts); },
    addEventListener(kind, act, how) { (listeners[name] ??= {})[kind] = act; this[kind] = act; this.how = how; },
    setPointerCapture() {},
    getContext: () => ({
      setTransform() {}, clearRect() { drawn.length = 0; }, fillRect() {}, beginPath() {}, fill() {},
      arc(x, y) { drawn.push([x, y]); }, drawImage(image, x, y, w, h) { drawn.push([x + w / 2, y + h / 2]); },
    }),
  };
}
const parts = { map: element("map"), name: element("name"), kinds: element("kinds"), data: element("data") };
parts.data.textContent = DATA;
globalThis.document = {
  getElementById: (id) => parts[id],
  createElement(tag) { const found = element(tag + made.length); made.push(found); return found; },
};
globalThis.window = { devicePixelRatio: 2, addEventListener() {} };
globalThis.requestAnimationFrame = (act) => act();
globalThis.Image = class { constructor() { this.width = 40; this.height = 20; } set src(uri) { this.onload(); } };
require("vm").runInThisContext(PROGRAM);
const seen = () => drawn.map((place) => [...place]);
const result = { start: seen() };
let stopped = 0;
const [x, y] = drawn[0];
parts.map.wheel({ preventDefault() { stopped += 1; }, deltaY: -100, deltaMode: 0, offsetX: x, offsetY: y });
result.zoomed = seen();
parts.map.pointermove({ buttons: 1, movementX: 30, movementY: -20, offsetX: 0, offsetY: 0 });
result.dragged = seen();
parts.map.pointermove({ buttons: 0, offsetX: result.dragged[0][0] + 3, offsetY: result.dragged[0][1] });
result.named = parts.name.textContent;
parts.map.dblclick();
result.home = seen();
const [button] = parts.kinds.children[0].children;
button.click();
result.hidden = seen();
result.stopped = stopped;
console.log(JSON.stringify(result));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_wheel_zooms_about_the_pointer_dragging_moves_and_a_click_hides_a_colour(run, things, tmp_path):
    """The page's own program, in node with the little of a browser that it uses."""
    run("map", things, "--html", tmp_path / "map.html", "--quiet")
    _, data, program = parts_of((tmp_path / "map.html").read_text(encoding="utf-8"))
    script = BROWSER.replace("DATA", json.dumps(json.dumps(data)), 1).replace("PROGRAM", json.dumps(program), 1)
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    start, zoomed, dragged = found["start"], found["zoomed"], found["dragged"]
    assert len(start) == 8
    assert zoomed[0] == pytest.approx(start[0])
    factor = math.exp(100 * 0.0015)
    for before, after in zip(start, zoomed, strict=True):
        expected = [middle + factor * (place - middle) for place, middle in zip(before, start[0], strict=True)]
        assert after == pytest.approx(expected, abs=1e-6)
    assert dragged == [pytest.approx([x + 30, y - 20]) for x, y in zoomed]
    assert found["named"] == f"{data['points'][0][3]} ({data['kinds'][data['points'][0][2]][0]})"
    assert found["home"] == [pytest.approx(place) for place in start]
    assert len(found["hidden"]) == 6
    assert found["stopped"] == 1
