"""Every example of README.md and of the pages in docs/ is run, word for word, and prints what they say.

Data sets are small (fake Omniglot), recipes short and narrow, devices that are absent are said to be; the words are
never others, but for what stands for a name (NAME, RUN, FOLDER, COMMAND).
"""

import csv
import importlib.util
import io
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import do_little_work
from drawn_places import draw_place, photo, signature, write
from drawn_things import copied, drawing, folder_of_things
from omniglot_like import write_fake_omniglot
from PIL import Image
from scripts import load_script

import omnitwin
from omnitwin.cli import COMMANDS, app
from omnitwin.cli.demo import demo
from omnitwin.config import EXAMS, TrainConfig
from omnitwin.data import official, omniglot
from omnitwin.exams import reporting
from omnitwin.exams.evaluation import evaluate
from omnitwin.recipes import CLASSIC, FAST, RECIPES, Recipe
from omnitwin.system import device

TAKEN = ["same-alphabet" if exam == "same-group" else exam for exam in EXAMS]  # on a set that has alphabets
ROOT = Path(__file__).parent.parent.parent
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/REFERENCE.md", "docs/EXAMPLE.md")
}
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
RUN = "classic-20261123-191500"  # as in README.md
TRAINING = tuple(f"Alphabet{one}/character{two:02d}" for one in range(7) for two in range(1, 5))  # 5 are held out
TEST = tuple(f"{alphabet}/character{two:02d}" for alphabet in ("Alpha_(first)", "Beta") for two in range(1, 21))
SHORT = {  # by recipe: trained within a second
    "classic": {"encoder": "small", "image_size": 28, "batch_size": 8},
    "fast": {"batch_size": 32, "alphabets": 2, "per_alphabet": 2},
}
# lines that no test runs, and where they are run instead
ELSEWHERE = {
    "find . -name '*.jpg' -print0 | omnitwin index --from - --name all": "tests/gallery/test_finding.py: lists",
    "python3 -m venv .venv && .venv/bin/pip install .": "make smoke: a new environment",
    "python3 -m venv .venv-test && .venv-test/bin/pip install --upgrade pip && .venv-test/bin/pip install --editable . "
    "--group dev && .venv-test/bin/pytest": ".ci/run, word for word: it is what runs this test",
}
# words within a sentence that are no line to type: the program's name, and what other lines begin with
NO_LINES = {"omnitwin", "omnitwin use"}
COVERED: dict[str, str] = {}  # line of a page: the test that runs it


def example(*lines: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test gets the words of each of these lines, but for the program's name."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        COVERED.update(dict.fromkeys(lines, test.__name__))
        return pytest.mark.parametrize("words", [shlex.split(line)[1:] for line in lines], ids=lines)(test)

    return mark


def blocks(language: str) -> list[str]:
    return [
        found for page in PAGES.values() for found in re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.M | re.S)
    ]


def shell_lines() -> list[str]:
    return [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]


def console_examples() -> dict[str, list[str]]:
    """What each `$ line` of a console block is said to print."""
    return {block.splitlines()[0].removeprefix("$ "): block.splitlines()[1:] for block in blocks("console")}


def lines_within_sentences() -> set[str]:
    prose = [re.sub(r"^```.*?^```", "", page, flags=re.M | re.S) for page in PAGES.values()]
    spans = {" ".join(span.split()) for page in prose for span in re.findall(r"`([^`]+)`", page)}
    return {span for span in spans if re.match(r"(python|omnitwin)( |$)", span)} - NO_LINES


def shortened(name: str, iterations: int) -> Recipe:
    return {"classic": CLASSIC, "fast": FAST}[name].changed(iterations=iterations, **SHORT[name])


@pytest.fixture(scope="session")
def known_omniglot(tmp_path_factory):
    """Sets in Omniglot's layout, large enough for every exam of the pages; not to be changed."""
    return write_fake_omniglot(tmp_path_factory.mktemp("readme-omniglot"), TRAINING, TEST)


def take_for_omniglot(fake, patch):
    patch.setattr(omniglot, "SETS", fake.sets)
    patch.setattr(official, "ARCHIVE", fake.runs)
    patch.setenv("OMNITWIN_MIRROR", str(fake.zips))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, known_omniglot):
    """Everything downloaded, and a run of `fast` that was stopped after the first of its 3 iterations."""
    from omnitwin.config import SourceConfig
    from omnitwin.data import acquire
    from omnitwin.training import training

    home = tmp_path_factory.mktemp("readme-home")
    with pytest.MonkeyPatch.context() as patch:
        do_little_work(patch)
        patch.setenv("OMNITWIN_HOME", str(home))
        take_for_omniglot(known_omniglot, patch)
        source = SourceConfig(source=str(known_omniglot.zips))
        acquire.download(source)
        recipe = shortened("fast", 3)
        training.train(TrainConfig(recipe=recipe, source=source, device="cpu", max_seconds=1e-9, name="started"))
    return home


@pytest.fixture(autouse=True)
def reader(home, prepared, known_omniglot, monkeypatch, tmp_path):
    """A user who has done everything once, in a folder with the drawings that the pages ask about."""
    shutil.copytree(prepared, home)
    take_for_omniglot(known_omniglot, monkeypatch)
    for name in SHORT:
        monkeypatch.setitem(RECIPES, name, shortened(name, 2))
    monkeypatch.setattr(demo, "__defaults__", (2, *(demo.__defaults__ or ())[1:]))
    load_script("docs/drawings.py").write_all(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return home


def runs_in(home):
    return sorted(path.name for path in (home / "data" / "runs").iterdir())


def without_figures(line):
    """A line with each number as N, whatever its length, and what rules and fills a table gone."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d,]*(\.\d+)?", "N", re.sub(r"[━┏┳┓┡╇┩└┴┘─]+", "-", line))).strip()


def numbers_in(line):
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", line)]


# that every example is here


def test_every_line_of_a_shell_block_is_run_here_or_known_to_be_run_elsewhere():
    ours = [line for line in shell_lines() if re.match(r"(\S*/)?omnitwin ", line)]
    assert len(ours) > 5
    assert [line for line in ours if line not in COVERED] == []
    assert sorted(set(shell_lines()) - set(ours)) == sorted(ELSEWHERE)


def test_every_console_block_and_every_line_within_a_sentence_is_run_here():
    assert [line for line in {*console_examples(), *lines_within_sentences()} if line not in COVERED] == []


def test_nothing_is_run_here_that_no_page_says():
    assert set(COVERED) - {*shell_lines(), *console_examples(), *lines_within_sentences()} == set()


def test_the_line_that_ci_is_said_to_run_is_run_there():
    lines = [line for line, where in ELSEWHERE.items() if where.startswith(".ci/run")]
    assert len(lines) == 1
    assert [line for line in lines if line not in CI] == []


# the examples


def short_photo():
    return RECIPES["photo"].changed(iterations=2, batch_size=16, image_size=32)


def draw_products():
    """Draw photos of 24 products and of 12 others in the current folder, and two new ones."""

    def in_other_light(seed):
        kind, number = seed
        return photo(kind).point([min(255, level + 4 * number) for level in range(256)] * 3)

    for place, count in (("products", 24), ("others", 12)):
        draw_place(Path(place), {f"{place} {number:02}": 5 for number in range(count)}, in_other_light)
    for name in ("a.jpg", "b.jpg"):
        write(Path(name), photo(("new", name)))


@pytest.fixture
def products(monkeypatch):
    """Photos in the reader's folder, and a recipe of two iterations."""
    draw_products()
    monkeypatch.setitem(RECIPES, "photo", short_photo())


@pytest.fixture(scope="session")
def taught_place(tmp_path_factory, prepared):
    """A folder of products, and the home that the line of README.md which trains on them leaves; not to be changed."""
    place = tmp_path_factory.mktemp("readme-products")
    with pytest.MonkeyPatch.context() as patch:
        do_little_work(patch)
        patch.setenv("OMNITWIN_HOME", str(place / "home"))
        patch.chdir(place)
        shutil.copytree(prepared, place / "home")
        draw_products()
        patch.setitem(RECIPES, "photo", short_photo())
        omnitwin.train(Path("products"), name="products")
    return place


@pytest.fixture
def taught(taught_place, home, monkeypatch):
    """The reader is in that folder, with a home of the same content."""
    shutil.rmtree(home)
    shutil.copytree(taught_place / "home", home)
    monkeypatch.chdir(taught_place)
    monkeypatch.setitem(RECIPES, "photo", short_photo())


@example("omnitwin train --data products --name products")
def test_a_folder_of_own_photos_is_trained_on(run, words, home, products):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "recipe photo" in outcome.err
    assert "Done: 2 iterations" in outcome.out
    assert "products" in runs_in(home)


@example(
    "omnitwin eval --checkpoint products --exam all-pairs",
    "omnitwin eval --checkpoint products --exam all-pairs --exam retrieval",
)
def test_the_network_is_examined_on_products_that_it_never_saw(run, words, taught):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert re.search(r"^On products/test: .* never saw", outcome.out, flags=re.M), outcome.out
    assert ("R@1" in outcome.out) == ("retrieval" in words)


@example("omnitwin report products")
def test_a_page_tells_of_the_products(run, words, home, taught):
    assert run(*words).code == 0
    assert "products/test" in (home / "data" / "runs" / "products" / "report.html").read_text(encoding="utf-8")


@example("omnitwin compare --checkpoint products a.jpg b.jpg")
def test_two_new_photos_get_a_verdict(run, words, taught):
    outcome = run(*words)
    assert outcome.code in (0, 1), outcome.err
    assert re.search(r"\b(same|different)\b", outcome.out)


@example(
    "omnitwin train --data products --encoder mobilenet_v2 --weights default",
    "omnitwin train --data products --encoder mobilenet_v2 --weights default --freeze",
)
def test_weights_of_others_that_are_not_here_are_told_where_to_get(run, words, products, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", "nowhere")
    outcome = run(*words, "--quiet")
    assert outcome.code == 3, outcome.err
    assert re.search(r"mobilenet_v2-[0-9a-f]{8}\.pth", outcome.complaint())


@example("omnitwin train --data signatures --recipe strong --from bundled")
def test_a_training_on_own_signatures_starts_from_the_bundled_network(run, words, monkeypatch):
    draw_place(Path("signatures"), {f"writer {number}": 4 for number in range(12)}, signature)
    monkeypatch.setitem(RECIPES, "strong", RECIPES["strong"].changed(iterations=2, batch_size=32))
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "Done: 2 iterations" in outcome.out


@example(
    "omnitwin calibrate --checkpoint products --data others --target far=0.01 --name strict",
    "omnitwin compare --checkpoint strict a.jpg b.jpg",
)
def test_a_network_is_calibrated_for_own_images(run, words, home, taught):
    ready = ("calibrate", "--checkpoint", "products", "--data", "others", "--target", "far=0.01", "--name", "strict")
    outcome = run(*ready)
    assert outcome.code == 0, outcome.err
    assert "strict" in runs_in(home)
    if words[0] == "compare":
        assert "FAR" in run(*words).out


@example("omnitwin download")
def test_download_fetches_all_sets_and_checks_them(run, words, home):
    shutil.rmtree(home)
    outcome = run(*words)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["training", "test", "official runs"]
    assert all("fetched" in line and "verified" in line for line in lines)


@example("omnitwin show --pairs 10")
def test_show_draws_pairs_of_both_kinds_by_a_seed(run, words):
    outcome = run(*words)
    assert outcome.code == 0
    assert "10 random pairs of omniglot/training, seed 0" in outcome.out
    kinds = re.findall(r"\b(?:dis)?similar\b", outcome.out)
    assert len(kinds) == 10
    assert set(kinds) == {"similar", "dissimilar"}


@example(
    "omnitwin train --recipe fast",
    "omnitwin train --recipe fast --data synthetic",
    "omnitwin train --recipe fast --override rotation=15 --override erase=0.2",
)
def test_a_training_leaves_a_run(run, words, home):
    before = runs_in(home)
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "Done: 2 iterations" in outcome.out
    (name,) = set(runs_in(home)) - set(before)
    assert name.startswith("fast-")
    config = (home / "data" / "runs" / name / "config.json").read_text(encoding="utf-8")
    assert ('"rotation": 15' in config) == ("rotation=15" in words)


@example("omnitwin train --iterations 60")
def test_a_training_can_be_shorter(run, words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "Done: 60 iterations" in outcome.out


@example("omnitwin train --device cuda")
def test_a_training_on_a_gpu_runs_or_says_in_one_line_that_there_is_none(run, words):
    outcome = run(*words)
    if torch.cuda.is_available():
        assert outcome.code == 0, outcome.err
    else:
        assert outcome.code == 3
        assert outcome.complaint().startswith("omnitwin: the device cuda is not here; found: cpu")
        outcome = run(*(word.replace("cuda", "cpu") for word in words))  # the same on what is here
    assert "Done: 2 iterations" in outcome.out


@example("omnitwin train --dry-run")
def test_a_dry_run_tells_parameters_memory_and_time_and_leaves_nothing(run, words, home):
    before = runs_in(home)
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    for told in (r"\d parameters", r"memory\b.* \d", r"time\b.* \d"):
        assert re.search(rf"^.*{told}", outcome.out, flags=re.M), told
    assert runs_in(home) == before


@example("omnitwin train --resume")
def test_a_stopped_training_goes_on_to_its_end(run, words, home):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "Done: 3 iterations" in outcome.out
    assert runs_in(home) == ["started"]


@example("omnitwin eval --batches 5")
def test_eval_tells_accuracy_with_its_interval(run, words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert re.search(r"^Accuracy [\d.]+ % of 750 pairs of omniglot/test \(95 % interval ", outcome.out, flags=re.M)
    assert "characters that the network never saw" in outcome.out


@example("omnitwin eval --exam all")
def test_all_exams_are_taken(run, words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    taken = [line.split(":")[0] for line in outcome.out.splitlines()]
    assert [name for name in taken if name in TAKEN] == TAKEN
    assert outcome.out.count("95 % interval") >= len(EXAMS)


@example("omnitwin report", "omnitwin report RUN")
def test_report_writes_a_page_about_the_run(run, words, home, monkeypatch):
    """All usual exams are taken of the run that is named; of the newest, one is enough to see that it is the newest."""
    named = "RUN" in words
    if not named:
        only_pairs = lambda config, *rest: evaluate(replace(config, exams=("pairs",)), *rest)  # noqa: E731
        monkeypatch.setattr(reporting, "evaluate", only_pairs)
    outcome = run(*("started" if word == "RUN" else word for word in words))
    page = home / "data" / "runs" / "started" / "report.html"
    assert (outcome.code, outcome.out) == (0, f"Report: {page}\n"), outcome.err
    text = page.read_text(encoding="utf-8")
    assert [name for name in (TAKEN if named else ["pairs"]) if f"<h2>{name}</h2>" not in text] == []


@example("omnitwin compare a.png *.png")
def test_the_query_is_left_out_of_what_the_shell_makes_of_a_pattern(run, words):
    shutil.copy("drawings/gamma1.png", "c.png")
    *words, pattern = words
    outcome = run(*words, *sorted(path.name for path in Path().glob(pattern)))
    assert outcome.code == 0
    ranked = re.findall(r"^ +\d+ +[\d.]+  (\w+) +(\S+)$", outcome.out, flags=re.M)
    assert ranked == [("same", "b.png"), ("different", "c.png")]


@example("omnitwin use NAME")
def test_from_now_on_that_run_answers(run, words):
    assert run(*("started" if word == "NAME" else word for word in words)).code == 0
    assert "The default network: started" in run("use").out


@example("omnitwin use bundled")
def test_the_bundled_weights_answer_again(run, words):
    assert run("use", "started", "-q").code == 0
    assert "The default network is now: the bundled weights" in run(*words).out


@example("omnitwin runs")
def test_runs_lists_the_networks_trained_so_far(run, words):
    assert "started" in run(*words).out


@example("omnitwin cache", "omnitwin cache --clear --older-than 30d")
def test_the_cache_is_listed_and_cleared(run, words):
    outcome = run(*words)
    assert outcome.code == 0
    assert " in " in outcome.out or "nothing to remove" in outcome.out


@example("omnitwin runs remove NAME")
def test_a_run_is_removed(run, words, home):
    assert run("use", "bundled", "-q").code == 0
    assert run(*("started" if word == "NAME" else word for word in words), "--yes").code == 0
    assert runs_in(home) == []


@example(".venv/bin/omnitwin demo")
def test_demo_draws_trains_examines_and_asks(run, words, home):
    before = runs_in(home)
    outcome = run(*words, program=app)  # built again, as `reader` has changed a default
    assert outcome.code == 0, outcome.err
    assert [line[:2] for line in outcome.out.splitlines() if re.match(r"\d\. ", line)] == ["1.", "2.", "3.", "4."]
    assert runs_in(home) == before


@example("omnitwin env")
def test_env_tells_folders_versions_and_devices(run, words, home):
    outcome = run(*words)
    assert outcome.code == 0
    for told in (f"data folder {home / 'data'}", f"omnitwin {omnitwin.__version__}", "device 0 "):
        assert told in re.sub(" +", " ", outcome.out)


@example("omnitwin --home FOLDER")
def test_home_moves_both_folders(run, words, tmp_path):
    outcome = run(*(str(tmp_path / "moved") if word == "FOLDER" else word for word in words), "env")
    assert len(re.findall(rf"^(?:cache|data) folder +{tmp_path / 'moved'}/", outcome.out, flags=re.M)) == 2


@example("omnitwin COMMAND --help")
def test_help_of_every_command_lists_options(run, words):
    for command in COMMANDS:
        outcome = run(*(command if word == "COMMAND" else word for word in words))
        assert (outcome.code, outcome.err) == (0, "")
        assert f"Usage: omnitwin {command} [OPTIONS]" in outcome.out


@example("python -m omnitwin")
def test_the_module_is_the_same_program(words):
    """Run as another process in test_main; here that the command enters by the same door."""
    assert words == ["-m", "omnitwin"]
    assert 'omnitwin = "omnitwin.__main__:run"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@example("python docs/drawings.py FOLDER", "python docs/drawings.py .")
def test_the_drawings_of_the_examples_are_written_by_their_script(words, tmp_path):
    command = [sys.executable, *(str(tmp_path / "drawn") if word in ("FOLDER", ".") else word for word in words)]
    subprocess.run(command, cwd=ROOT, check=True)
    drawn = {path.relative_to(tmp_path / "drawn"): path.read_bytes() for path in (tmp_path / "drawn").rglob("*.png")}
    assert len(drawn) == 6
    assert drawn == {path: path.read_bytes() for path in Path().rglob("*.png")}


@example(
    "omnitwin show --pairs 0",
    "omnitwin show --images 0",
    "omnitwin show --data synthetic --pairs 0",
    "omnitwin show --data synthetic --images 0",
)
def test_show_draws_characters_of_a_data_set(run, words):
    outcome = run(*words)
    assert outcome.code == 0
    shown = "10 random pairs" if "--images" in words else "8 random images"
    data = "synthetic" if "synthetic" in words else "omniglot"
    assert f"{shown} of {data}/training, seed 0" in outcome.out


@example("omnitwin show --data products", "omnitwin show --data faces --label-from '(s\\d+)_'",
         "omnitwin show --data products.csv")  # fmt: skip
def test_show_tells_how_a_folder_or_a_table_is_understood(run, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        for place in (Path("products") / f"class {number % 4}", Path("faces")):
            place.mkdir(parents=True, exist_ok=True)
            drawing = Image.new("RGB", (40, 30), (20 * number, 200, 90))
            drawing.save(place / f"s{number % 4}_{number}.png")
    lines = [f"products/class {n % 4}/s{n % 4}_{n}.png,{n % 4}" for n in range(8)]
    Path("products.csv").write_text("\n".join(["path,label", *lines]))
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f"{words[2]}: 8 images of 4 classes\n")


@example("omnitwin calibrate --data signatures --target far=0.01")
def test_a_network_is_calibrated_for_signatures_and_answers_under_its_new_name(run, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_place(
        tmp_path / "signatures", dict.fromkeys("abcdefghijkl", 3), lambda key: signature(key[0]).rotate(4 * key[1])
    )
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    assert "Written: bundled-signatures, " in outcome.out
    answer = run(
        "compare", "--checkpoint", "bundled-signatures", *(tmp_path / "signatures" / "a" / f"{n}.png" for n in (0, 1))
    )
    assert "chosen for far=0.01 on 12 classes of signatures: FAR " in answer.out


@example("omnitwin eval --data synthetic --show 10", "omnitwin eval --checkpoint newest --show 10")
def test_test_pairs_are_shown_with_target_prediction_and_score(run, words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    for word in ("Target", "Predicted", "Score"):
        assert outcome.out.count(f"{word}: ") == 10


# the Python


def run_python(page):
    """The names that the Python lines of a page leave, run from top to bottom."""
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGES[page], flags=re.M | re.S):
        exec(block, names)
    return names


def test_the_python_lines_of_the_readme_run_from_top_to_bottom(capsys):
    names = run_python("README.md")
    assert capsys.readouterr().out.splitlines()[0] == "same"  # as its comment says
    rows = omnitwin.evaluate(names["run"].twin, names["images"].test).frame()
    assert "accuracy" in {row["measure"] for row in rows}


def test_the_python_lines_of_the_example_run_from_top_to_bottom(capsys):
    names = run_python("docs/EXAMPLE.md")
    said = capsys.readouterr().out
    assert "560 drawings of 28 characters" in said
    assert "torch.Size([10, 1, 105, 105])" in said
    assert names["run"].report.iteration == 60
    rows = names["result"].frame()
    assert [row["part"] for row in rows] == [None, *"12345"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert len(names["shown"]) == 10


def test_the_notebook_runs_from_top_to_bottom(monkeypatch, capsys, home):
    monkeypatch.delenv("OMNITWIN_MIRROR")
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    monkeypatch.setitem(RECIPES, "fast", shortened("fast", 2))
    before = runs_in(home)
    names = runpy.run_path(str(ROOT / "docs" / "notebook.py"))
    assert [names[name].verdict for name in ("same", "different")] == ["same", "different"]
    assert [path.stem for _, path in sorted(zip(names["probabilities"], names["paths"], strict=True))] == [
        "gamma1",
        "beta1",
        "alpha3",
        "alpha2",
    ]
    assert names["run"].report.iteration == 25
    assert 1 <= len(names["losses"]) <= 20
    assert {row["exam"] for row in names["result"].frame()} == {"pairs", "one-shot"}
    assert runs_in(home) == before


@pytest.fixture
def gallery_folders(run):
    """Folders of drawings in the reader's folder, two queries, and an index of the first folder."""
    folder_of_things(Path("photos"))
    folder_of_things(Path("products"), variants=4)
    for folder in ("backup", "downloads"):
        copied(Path("photos/arch/0.png"), Path(folder) / "a copy.png")
    for query in ("query.png", "a.png"):
        drawing("bow", 7).save(query)
    assert run("index", "photos", "--quiet").code == 0


@example(
    *("omnitwin index photos", "omnitwin index --list", "omnitwin embed photos --output e.npz"),
    *("omnitwin embed photos --output photos.npz", "omnitwin search a.png", "omnitwin search query.png"),
    *("omnitwin search a.png --index photos", "omnitwin search query.png --html found.html"),
    "omnitwin search query.png --in downloads",
)
@pytest.mark.usefixtures("gallery_folders")
def test_galleries_are_indexed_and_searched(run, words):
    outcome = run(*words)
    known = words[-1] != "downloads"  # which has no bow
    assert outcome.code == (0 if known else 1), outcome.err
    if "search" in words and known:
        (best,) = [line for line in outcome.out.splitlines() if line.split()[:1] == ["1"]]
        assert "same" in best
        assert "bow/" in best
    for name in words:
        if name.endswith((".npz", ".html")):
            assert Path(name).stat().st_size > 1000


@example("omnitwin search *.png --index photos --csv -")
@pytest.mark.usefixtures("gallery_folders")
def test_many_queries_give_a_table(run, words):
    queries = sorted(path.name for path in Path().glob(words[1]))
    outcome = run(words[0], *queries, *words[2:])
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert (outcome.code, {row["query"] for row in rows}) == (0, set(queries))


@example(
    *("omnitwin duplicates photos", "omnitwin duplicates photos backup"),
    *("omnitwin duplicates photos --min-probability 0.99", "omnitwin duplicates photos --html twice.html"),
    *("omnitwin duplicates photos --html twice.html --csv twice.csv", "omnitwin group photos"),
    *("omnitwin group products --labels-from-folders", "omnitwin map photos --html map.html"),
    "omnitwin map photos --figure map.png",
)
@pytest.mark.usefixtures("gallery_folders")
def test_duplicates_groups_and_maps(run, words):
    outcome = run(*words)
    assert outcome.code == (1 if words[0] == "duplicates" else 0), outcome.err
    for name in words:
        if name.endswith((".html", ".csv", ".png")):
            assert Path(name).stat().st_size > 100


@example("omnitwin map photos --method umap --html map.html")
@pytest.mark.usefixtures("gallery_folders")
def test_umap_is_asked_for_by_its_extra(run, words):
    outcome = run(*words)
    assert outcome.code == 0 if importlib.util.find_spec("umap") else "omnitwin[map]" in outcome.complaint()


# the printed ones


@example("omnitwin compare a.png b.png", "omnitwin compare a.png drawings/")
def test_the_answer_is_the_printed_one_line_by_line(run, words):
    expected = console_examples()[f"omnitwin {shlex.join(words)}"]
    outcome = run(*words)
    assert (outcome.code, outcome.err) == (0, "")
    printed = [line.rstrip() for line in outcome.out.splitlines()]
    printed = [line for index, line in enumerate(printed) if line or printed[index - 1]]  # paper above and below
    assert len(printed) == len(expected)
    for line, said in zip(printed, expected, strict=True):
        if "read and embedded" in said:  # how long it takes depends on the machine
            assert without_figures(line) == without_figures(said)
            assert numbers_in(line)[0] == numbers_in(said)[0]
        elif re.search(r"\d\.\d{4}\b", said):  # probabilities differ by no more than rounding between machines
            assert without_figures(line) == without_figures(said)
            assert numbers_in(line) == pytest.approx(numbers_in(said), abs=0.00011)
        else:
            assert line == said


@example("omnitwin eval --checkpoint newest --batches 5")
def test_an_evaluation_looks_like_the_printed_one(run, words, home, monkeypatch):
    """Of a network like the printed one: classic, stopped long before its 10,000 iterations, on a CPU."""
    from omnitwin.training import training

    monkeypatch.setattr(device, "available_devices", lambda: ("cpu",))
    expected = console_examples()[f"omnitwin {shlex.join(words)}"]
    recipe = shortened("classic", CLASSIC.iterations)
    training.train(TrainConfig(recipe=recipe, device="cpu", max_seconds=1e-9, name=RUN))
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    text = outcome.out.replace(str(home / "data"), "~/.local/share/omnitwin").replace("(1 thread)", "(2 threads)")
    assert [without_figures(line) for line in text.splitlines()] == [without_figures(line) for line in expected]
    for start in ("pairs: 750", f"Network: ~/.local/share/omnitwin/runs/{RUN}", "On omniglot/test"):
        assert any(line.startswith(start) for line in text.splitlines()), start
        assert any(line.startswith(start) for line in expected), start
    table = [line for line in text.splitlines() if line.startswith("│")]
    assert [numbers_in(line)[0] for line in table] == [1, 2, 3, 4, 5]
    assert all(low <= middle <= high for _, middle, low, high in map(numbers_in, table))
    assert "of 10,000 iterations; compare says same from 0.5 on)" in text
