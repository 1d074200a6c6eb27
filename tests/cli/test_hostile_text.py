"""Whatever a file, a set, a network, a variable or a word is called, what omnitwin says of it is plain text."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from checkpoints import record_of, written_anew
from conftest import failing
from drawn_places import photo
from hostile import (
    EVERYTHING,
    HOSTILE,
    MARKUP,
    SEQUENCES,
    as_file_name,
    assert_harmless,
    in_one_line,
    place_named,
    spelt,
)
from omniglot_like import FakeOmniglot, write_fake_omniglot, write_zip
from PIL import Image, ImageDraw

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data import acquire, official, omniglot
from omnitwin.images.things import draw_thing
from omnitwin.recipes import SMALL
from omnitwin.training import training

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such file names")

NAMES = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
ALPHABETS = ("Alpha_(first)", "Beta", "Gamma")  # as they are in the zips
UNICODE = EVERYTHING.replace(HOSTILE["no text"], "")
RUN = as_file_name("".join(SEQUENCES.values()).replace(HOSTILE["no text"], ""))
COMPLETIONS = Path(__file__).parents[2] / "completions"


def drawing(path: Path, width: int = 15) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).line((10, 5, 15 + width, 55, 50, 10), fill=0, width=4)
    image.save(path, format="PNG")
    return path


@dataclass(frozen=True)
class World:
    """A home with packed sets and a network of which nothing is named as it should be; not to be changed."""

    home: Path
    fake: FakeOmniglot

    @property
    def run(self) -> Path:
        return self.home / "data" / "runs" / RUN


def patch_sets(patch: pytest.MonkeyPatch, fake: FakeOmniglot, home: Path) -> None:
    patch.setattr(omniglot, "SETS", fake.sets)
    patch.setattr(official, "ARCHIVE", fake.runs)
    patch.setenv("OMNITWIN_HOME", str(home))


@pytest.fixture(scope="module")
def made_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    characters = tuple(f"{alphabet}/character{number:02d}" for alphabet in ALPHABETS for number in (1, 2))
    fake = write_fake_omniglot(folder, characters, characters)
    with pytest.MonkeyPatch.context() as patch:
        world = World(folder / "home", fake)
        patch_sets(patch, fake, world.home)
        acquire.download(SourceConfig(source=str(fake.zips)))
        for one in fake.sets.values():
            packed = acquire.packed_path(one)
            names = {"name": f"omniglot/{one.name}{EVERYTHING}", "alphabet_names": renamed(ALPHABETS)}
            written_anew(packed, packed, record={**names, "class_names": renamed(record_of(packed)["class_names"])})
        recipe = SMALL.changed(iterations=2, batch_size=8, holdout=1)
        training.train(TrainConfig(recipe=recipe, precision="fp32", output=world.run))
        for file in world.run.glob("*.safetensors"):
            written_anew(file, file, record={"recipe": {**record_of(file)["recipe"], "name": EVERYTHING}})
    return world


def renamed(names):
    """Names with all hostile texts in those of the alphabets, a share in each."""
    share = -(-len(EVERYTHING) // len(ALPHABETS))
    for number, alphabet in enumerate(ALPHABETS):
        names = [name.replace(alphabet, EVERYTHING[number * share :][:share] + alphabet[:1]) for name in names]
    return names


@pytest.fixture
def world(made_world, home, monkeypatch):
    """The test's own copy."""
    shutil.copytree(made_world.home, home)
    patch_sets(monkeypatch, made_world.fake, home)
    return replace(made_world, home=home)


def harmless(outcome, code=0):
    assert outcome.code == code, outcome.err
    assert_harmless(outcome.out)
    assert_harmless(outcome.err)
    return outcome


def texts_of(record):
    """All texts of a JSON value, keys and values."""
    if isinstance(record, dict):
        return [text for pair in record.items() for part in pair for text in texts_of(part)]
    if isinstance(record, list):
        return [text for part in record for text in texts_of(part)]
    return [record] if isinstance(record, str) else []


@NAMES
def test_two_images_are_compared_by_names_that_are_only_text(run, tmp_path, text):
    first, second = (drawing(tmp_path / folder / as_file_name(text + ".png")) for folder in "ab")
    figure = tmp_path / "figure.png"
    outcome = harmless(run("compare", first, second, "--show-input", "--figure", figure))
    assert spelt(first.name)[:40] in outcome.out
    with Image.open(figure) as image:
        assert image.width <= 4100
    outcome = harmless(run("compare", first, second, "--json"))
    assert json.loads(outcome.out)["first"] == str(first)


@pytest.fixture
def crowd(tmp_path):
    """A folder whose images have hostile names, with one that cannot be read by such a name as well."""
    folder = place_named(tmp_path, EVERYTHING)
    for number, text in enumerate(HOSTILE.values()):
        drawing(folder / as_file_name(f"{text}.png"), 5 + number)
    (folder / as_file_name(f"{EVERYTHING[:200]}no.png")).write_text("no image")
    return folder


def test_a_ranking_tells_names_as_text_and_json_gives_them_back(run, tmp_path, crowd):
    query = drawing(place_named(tmp_path, EVERYTHING[::-1], ".png"))
    figure = place_named(tmp_path / "figures", EVERYTHING, ".png")
    outcome = harmless(run("compare", query, crowd, "--show-input", "--figure", figure))
    for file in crowd.iterdir():
        assert in_one_line(str(file)) in outcome.err if "no.png" in file.name else spelt(str(file)) in outcome.out
    assert figure.exists()
    report = json.loads(harmless(run("compare", query, crowd, "--json")).out)
    told = [one["file"] for one in report["ranked"] + report["unread"]]
    assert sorted(told) == sorted(str(file) for file in crowd.iterdir())
    assert report["query"] == str(query)


def test_warnings_and_notes_name_files_as_text(run, tmp_path, world):
    """A photograph on a network that scales it and turns it round; things, of which the bundled cannot tell."""
    files = [place_named(tmp_path / name, EVERYTHING, ".png") for name in "ab"]
    for file in files:
        file.parent.mkdir(parents=True)
    for others in (files[1:], [files[1], drawing(tmp_path / as_file_name(RUN[:200] + ".png"))]):
        for file in files:
            draw_thing(np.random.default_rng(2)).save(file)
        outcome = run("compare", files[0], *others, "--exit-zero")
        assert "cannot tell" in harmless(outcome).out
        for file in files:
            photo(file.parent.name, (90, 70)).save(file)
        outcome = run("compare", files[0], *others, "--exit-zero", "--checkpoint", world.run)
        assert "Note: " in harmless(outcome).out
        assert spelt(files[1].name) in outcome.out


def test_images_of_a_set_are_shown_with_labels_that_are_only_text(run, tmp_path, world):
    figure = tmp_path / "figure.png"
    outcome = harmless(run("show", "--images", "12", "--figure", figure))
    assert spelt(EVERYTHING) in outcome.out  # the set's own name
    with Image.open(figure) as image:
        assert image.width <= 4100
    report = json.loads(harmless(run("show", "--json")).out)
    assert report["dataset"] == f"omniglot/training{EVERYTHING}"
    labels = "\n".join(texts_of(report))
    assert all(name in labels for name in renamed(ALPHABETS))


def test_a_training_tells_the_names_of_sets_alphabets_and_recipes_as_text(run, tmp_path, world):
    start = ("train", "--recipe", "small", "--holdout", "1", "--batch-size", "8", "--precision", "fp32")
    output = place_named(tmp_path, UNICODE)
    plan = harmless(run(*start, "--dry-run", "--output", output))
    assert spelt(as_file_name(EVERYTHING[-90:])) in plan.out
    assert any(spelt(name) in plan.out for name in renamed(ALPHABETS))  # the one that is held out
    done = harmless(run(*start, "--iterations", "1", "--output", output))
    assert spelt(EVERYTHING) in done.err
    gone_on = run("train", "--resume", RUN, "--iterations", "3")
    assert f"Training {spelt(EVERYTHING)} on cpu" in harmless(gone_on).err
    planned = json.loads(harmless(run("train", "--resume", RUN, "--iterations", "4", "--dry-run", "--json")).out)
    assert (planned["recipe"], Path(planned["output"]).name) == (EVERYTHING, RUN)


def test_exams_tell_alphabets_and_networks_as_text_and_their_figures_are_drawn(run, tmp_path, world):
    exams = [word for exam in ("pairs", "all-pairs", "same-alphabet", "one-shot") for word in ("--exam", exam)]
    figures = place_named(tmp_path, EVERYTHING)
    small = (*exams, "--way", "2", "--episodes", "20", "--batches", "1", "--show", "2")
    outcome = harmless(run("eval", *small, "--checkpoint", RUN, "--figures", figures))
    shown = re.sub(r"[\u2502\s\u2503]|\d\S* \(\d\S* to \d\S*\)", "", outcome.out)
    assert spelt(f"omniglot/test{EVERYTHING}").replace(" ", "") in shown
    assert {path.name for path in figures.iterdir()} > {"roc.png", "alphabets-same-alphabet.png", "pairs.png"}
    report = json.loads(harmless(run("eval", *small, "--checkpoint", RUN, "--json")).out)
    told = texts_of(report)
    assert {*renamed(ALPHABETS), EVERYTHING} <= set(told)


class Parts(HTMLParser):
    """The elements of a page with the names of their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[tuple[str, ...]] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.elements.add((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def test_the_page_about_a_run_has_hostile_names_as_its_text_alone(run, world):
    outcome = harmless(run("report", RUN, "--exam", "pairs", "--exam", "same-alphabet"))
    assert spelt(RUN) in outcome.out
    page = (world.run / "report.html").read_text(encoding="utf-8")
    assert_harmless(page)
    seen = Parts()
    seen.feed(page)
    for name in (EVERYTHING, f"omniglot/test{EVERYTHING}", RUN, *renamed(ALPHABETS)):
        assert spelt(name) in seen.text
    assert {element for element, *_ in seen.elements}.isdisjoint({"script", "svg", "link", "iframe", "object"})
    attributes = {name for _, *names in seen.elements for name in names}
    assert not {name for name in attributes if name.startswith("on")}
    found = {element[1:] for element in seen.elements if element[0] in ("img", "td", "h1")}
    assert found == {("alt", "src"), ("class", "alt", "src"), ()}  # the class of grey pictures


def test_networks_are_chosen_and_told_by_names_that_are_only_text(run, world):
    for words in (("use", RUN), ("use",), ("env",)):
        outcome = harmless(run(*words))
        assert spelt(RUN) in outcome.out
        assert spelt(EVERYTHING) in outcome.out  # its recipe
    assert json.loads(harmless(run("use", "--json")).out)["name"] == RUN
    shutil.rmtree(world.run)
    assert in_one_line(RUN) in harmless(run("use"), 3).err
    assert in_one_line(RUN) in harmless(run("env")).out
    choice = {"format": EVERYTHING, "format_version": EVERYTHING}
    (world.home / "data" / "default.json").write_text(json.dumps(choice), encoding="utf-8")
    harmless(run("compare", "a.png", "b.png"), 3)


def test_a_missing_network_is_told_with_those_that_are_there(run, world):
    outcome = harmless(run("use", as_file_name("".join(MARKUP.values()))), 3)
    assert in_one_line(RUN) in outcome.err


def test_variables_are_told_as_text(run, tmp_path, monkeypatch):
    home = place_named(tmp_path, EVERYTHING)
    variables = {"OMNITWIN_HOME": str(home), "OMNITWIN_MIRROR": EVERYTHING, "NO_COLOR": EVERYTHING}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    outcome = harmless(run("env"))
    assert spelt(EVERYTHING) in outcome.out
    report = json.loads(harmless(run("env", "--json")).out)
    assert report["variables"] == variables
    monkeypatch.setenv("OMNITWIN_HOME", str(place_named(tmp_path, UNICODE)))
    assert in_one_line(EVERYTHING[:20]) in harmless(run("download"), 2).err  # no such mirror; its name is cut short


def test_a_home_that_is_not_named_in_unicode_is_refused_before_the_work(run, world, tmp_path):
    """safetensors writes there, but could not read it again."""
    place = tmp_path / as_file_name(HOSTILE["no text"])
    for words in (("download", "--from", world.fake.zips), ("train", "--data", "synthetic")):
        outcome = harmless(run("--home", place, *words), 3)
        assert f"{spelt(str(place))}" in outcome.err
        assert "is not UTF-8" in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ("TEXT",),
        ("compare", "TEXT", "TEXT"),
        ("compare", "--TEXT"),
        ("compare", "a.png", "b.png", "--figure", "TEXT"),
        ("compare", "a.png", "b.png", "--threshold", "TEXT"),
        ("compare", "a.png", "b.png", "--checkpoint", "TEXT"),
        ("show", "--set", "TEXT"),
        ("show", "--data", "TEXT"),
        ("show", "--seed", "TEXT"),
        ("train", "--recipe", "TEXT"),
        ("train", "--override", "TEXT=TEXT"),
        ("train", "--override", "frame=TEXT"),
        ("train", "--encoder", "TEXT", "--data", "synthetic"),
        ("train", "--data", "TEXT"),
        ("train", "--device", "TEXT", "--data", "synthetic"),
        ("train", "--precision", "TEXT", "--data", "synthetic"),
        ("train", "--max-time", "TEXT"),
        ("train", "--name", "TEXT"),
        ("train", "--resume", "TEXT"),
        ("eval", "--exam", "TEXT"),
        ("eval", "--scope", "TEXT"),
        ("eval", "--baseline", "TEXT"),
        ("report", "TEXT"),
        ("report", "--output", "TEXT"),
        ("use", "TEXT"),
        ("download", "--from", "TEXT"),
        ("download", "--from", "TEXT://TEXT"),
        ("download", "--from", "https://TEXT"),
        ("download", "--from", "http://localhost:1/TEXT"),
    ],
    ids=" ".join,
)
def test_words_of_the_command_line_are_told_as_text(run, words, monkeypatch):
    for debug in ("0", "1"):
        monkeypatch.setenv("OMNITWIN_DEBUG", debug)
        outcome = run(*(word.replace("TEXT", EVERYTHING) for word in words))
        assert outcome.code in (2, 3)
        assert_harmless(outcome.out)
        assert_harmless(outcome.err)


@NAMES
def test_what_is_wrong_with_a_zip_is_told_as_text(run, tmp_path, fake_omniglot, text):
    inside = text.encode(errors="replace").decode()  # a zip's names are Unicode
    for name in (f"{inside}/character01/0001_01.png", "Alpha/character01/" + inside + ".png", f"../{inside}.png"):
        members = {**fake_omniglot.files["training"], f"images_background/{name}": b"no image"}
        path = write_zip(tmp_path / as_file_name(text) / "images_background.zip", members)
        outcome = harmless(run("download", "--from", path.parent), 3)
        assert in_one_line(str(path)) in outcome.err


def test_tracebacks_are_told_as_text(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_DEBUG", "1")
    outcome = harmless(run(program=failing(RuntimeError(EVERYTHING))), 70)
    assert "Traceback" in outcome.err


@pytest.fixture
def watched(run, monkeypatch):
    """watched("train") runs the program with a terminal as its output; what that was sent comes back."""
    import pty

    def watched(*words):
        leader, follower = pty.openpty()
        said = bytearray()

        def listen():
            while chunk := _read(leader):
                said.extend(chunk)

        listener = threading.Thread(target=listen)
        listener.start()
        with open(follower, "w", encoding="utf-8", closefd=True) as terminal, monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm-256color")
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            code = run(*words).code
        listener.join()
        os.close(leader)
        return code, said.decode()

    return watched


def _read(leader):
    try:
        return os.read(leader, 4096)
    except OSError:  # nobody has the other end any more
        return b""


def test_a_terminal_is_sent_nothing_but_what_rich_sends_while_training(watched, world):
    code, said = watched("train", "--resume", RUN, "--iterations", "5")
    assert code == 0
    assert "\x1b[" in said  # live, and in colours
    assert "5 / 5" in said
    assert_harmless(said, by_rich=True)
    assert said.count(spelt(EVERYTHING)) >= 2  # recipe and set


def test_a_terminal_is_sent_nothing_but_what_rich_sends_otherwise(watched, world, tmp_path, crowd):
    source = place_named(tmp_path / "zips", EVERYTHING)
    source.parent.mkdir(parents=True)
    shutil.copytree(world.fake.zips, source)
    for words in (
        ("compare", crowd / as_file_name(f"{HOSTILE['link']}.png"), crowd),
        ("show",),
        ("eval", "--exam", "same-alphabet", "--checkpoint", RUN),
        ("download", "--force", "--from", source),
        ("use", RUN),
        ("env",),
        ("use", EVERYTHING),
    ):
        code, said = watched(*words)
        assert code in (0, 3)
        assert_harmless(said, by_rich=True)


@pytest.fixture
def runs(home):
    """Runs of hostile names, and two that are not."""
    names = {as_file_name(text) for text in HOSTILE.values()} | {"-rf", "~root", "=ls", "a b", "plain", "fast-2026.b_c"}
    for name in names:
        folder = home / "data" / "runs" / name
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"")
    return ["fast-2026.b_c", "plain", HOSTILE["long"]]


def test_only_names_that_mean_themselves_are_offered_for_completion(run, runs, monkeypatch):
    for name, value in (("_OMNITWIN_COMPLETE", "complete_bash"), ("COMP_WORDS", "omnitwin use "), ("COMP_CWORD", "2")):
        monkeypatch.setenv(name, value)
    outcome = run()
    assert outcome.out.splitlines() == ["bundled", "newest", *runs]


SHELLS = {
    "bash": 'source {scripts}/omnitwin.bash; COMP_WORDS=(omnitwin use ""); COMP_CWORD=2; '
    'IFS=" "; _omnitwin_completion omnitwin; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "zsh": 'compdef() {{ :; }}; _arguments() {{ print -r -- "$@" }}; source {scripts}/_omnitwin; '
    'words=(omnitwin use ""); CURRENT=3; _omnitwin_completion',
    "fish": 'function omnitwin; env {program} $argv; end; source {scripts}/omnitwin.fish; complete -C "omnitwin use "',
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_completes_runs_nothing_and_offers_plain_names(shell, runs, tmp_path, monkeypatch):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    program = tmp_path / "bin" / "omnitwin"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m omnitwin "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cwd").mkdir()
    script = SHELLS[shell].format(scripts=COMPLETIONS, program=program)
    done = subprocess.run([shell, "-c", script], cwd=tmp_path / "cwd", capture_output=True, text=True, check=False)
    offered = re.sub(r"^-O ending|\*: :", "", done.stdout)
    assert set(re.findall(r"[^\s'\"():]+", offered)) == {"bundled", "newest", *runs}, done.stderr
    assert list((tmp_path / "cwd").iterdir()) == []
