"""What SECURITY.md promises: data is never code, nothing comes but by https, and no planted link is followed."""

import ast
import io
import os
import subprocess
import sys
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

import omnitwin
from omnitwin.errors import CannotWrite, DownloadFailed
from omnitwin.system.fetch import _CheckedRedirects, fetch, part_path

ROOT = Path(__file__).parent.parent.parent
PROGRAM = sorted(Path(omnitwin.__file__).parent.rglob("*.py"))
DOOR = Path(omnitwin.__file__)  # imports modules of its own, by a table
PRETRAINED = DOOR.parent / "model" / "pretrained.py"  # reads torchvision's own files, whose digest it has checked
WORKERS = DOOR.parent / "system" / "workers.py"  # starts this Python again, to work for it
TOOLS = sorted(
    path for folder in ("tools", "docs", "completions", "benchmarks") for path in (ROOT / folder).glob("*.py")
)
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pty"}
RUNNING = {"subprocess", "code", "codeop", "runpy"}  # nor does the program itself start others
CALLS = {  # by the last names of what is called
    "torch.load", "torch.save", "torch.jit.load", "torch.package", "torch.hub", "numpy.load", "np.load",
    "numpy.fromfile", "np.fromfile", "os.system", "os.popen", "os.execv", "os.spawnv", "yaml.load",
    "importlib.import_module",
}  # fmt: skip
BUILT_IN = {"eval", "exec", "compile", "__import__", "input"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def mentioned(tree):
    """Dotted names such as torch.load, wherever they stand, and the names of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("path", [*PROGRAM, *TOOLS], ids=lambda path: "/".join(path.parts[-2:]))
def test_no_source_unpickles_or_evaluates_anything(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {"importlib.import_module"} if path in (DOOR, WORKERS) else set()
    assert not set(imported(tree)) & (UNPICKLING | CALLS) - own
    foreign = {"torch.load", "torch.hub"} if path == PRETRAINED else set()
    assert not {name for name in mentioned(tree) if name in CALLS | BUILT_IN} - foreign
    keywords = {keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords}
    safe = {"weights_only"} if path == PRETRAINED else set()
    assert not keywords & {"allow_pickle", "weights_only", "shell", "pickle_module"} - safe


def test_the_one_place_that_reads_files_of_torchvision_takes_nothing_but_tensors():
    tree = ast.parse(PRETRAINED.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"]
    assert len(calls) == 1
    assert "weights_only=True" in ast.unparse(calls[0])
    assert {name for name in mentioned(tree) if name.startswith("torch.hub")} == {"torch.hub", "torch.hub.get_dir"}


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: "/".join(path.parts[-2:]))
def test_the_program_starts_no_other(path):
    own = {"subprocess"} if path == WORKERS else set()
    assert not set(imported(ast.parse(path.read_text(encoding="utf-8")))) & RUNNING - own


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from torch import load",
        "import torch\ntorch.load(x)",
        "np.load(x, allow_pickle=True)",
        "exec(x)",
    ],
)
def test_the_search_finds_what_it_is_for(tmp_path, source):
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(AssertionError):
        test_no_source_unpickles_or_evaluates_anything(path)


WATCHED = """
import sys
found = []
def heard(event, words):
    if event == "pickle.find_class":
        found.append(words[1:])
sys.addaudithook(heard)
from omnitwin.cli import main
from omnitwin.data import synthetic
synthetic.ALPHABETS, synthetic.CHARACTERS = {"training": 2, "test": 2}, 6
for words in (["train", "--recipe", "small", "--data", "synthetic", "--iterations", "2", "--holdout", "0",
               "--output", "run", "--quiet"],
              ["train", "--resume", "run", "--iterations", "3", "--quiet"],
              ["eval", "--checkpoint", "run", "--data", "synthetic", "--quiet"],
              ["compare", sys.argv[1], sys.argv[2], "--checkpoint", "run", "--quiet", "--exit-zero"],
              ["compare", sys.argv[1], sys.argv[2], "--quiet", "--exit-zero"]):
    sys.argv[:1], saved = ["omnitwin"], sys.argv
    sys.argv = ["omnitwin", *words]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)
    sys.argv = saved
assert not found, found
"""


def test_nothing_is_unpickled_while_it_trains_resumes_examines_and_compares(tmp_path):
    """Nor by the libraries: Python tells of every class that a pickle asks for."""
    from PIL import Image, ImageDraw

    names = []
    for name, box in (("a.png", (45, 20, 60, 85)), ("b.png", (20, 45, 85, 60))):
        image = Image.new("1", (105, 105), 1)
        ImageDraw.Draw(image).rectangle(box, fill=0)
        image.save(tmp_path / name)
        names.append(str(tmp_path / name))
    command = [sys.executable, "-c", WATCHED, *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "place",
    ["http://127.0.0.1:631/", "http://localhost/x.zip", "http://example.org/x.zip", "ftp://example.org/x.zip",
     "file:///etc/passwd", "data:text/plain,x", "//example.org", "gopher://example.org"],
)  # fmt: skip
def test_no_redirect_leads_away_from_https(place):
    request = urllib.request.Request("https://example.org/first.zip")
    with pytest.raises(DownloadFailed):
        _CheckedRedirects().redirect_request(request, io.BytesIO(), 302, "Found", Message(), place)


def test_a_redirect_from_https_to_https_is_followed():
    request = urllib.request.Request("https://example.org/first.zip")
    onward = _CheckedRedirects().redirect_request(
        request, io.BytesIO(), 302, "Found", Message(), "https://example.com/second.zip"
    )
    assert onward is not None
    assert onward.full_url == "https://example.com/second.zip"


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links")
@pytest.mark.parametrize("put", ["link", "pipe"])
def test_a_download_neither_writes_through_a_planted_link_nor_waits_for_a_pipe(serve, tmp_path, put):
    from local_server import Answer

    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    url = serve([Answer(body=b"theirs" * 100)]).url + "/x.zip"
    target = tmp_path / "shared" / "x.zip"
    target.parent.mkdir()
    if put == "link":
        part_path(url, target).symlink_to(mine)
    else:
        os.mkfifo(part_path(url, target))
    with pytest.raises(CannotWrite, match=f"is a {put}"):
        fetch(url, target, 1 << 20, lambda total, there: lambda count: None)
    assert mine.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_no_file_or_folder_is_for_others_where_the_umask_says_so(tmp_path, run):
    before = os.umask(0o077)
    try:
        words = ("train", "--recipe", "small", "--data", "synthetic", "--iterations", "1", "--holdout", "0")
        assert run(*words, "--output", tmp_path / "run", "--quiet").code == 0
        assert run("use", tmp_path / "run").code == 0
    finally:
        os.umask(before)
    made = [*(tmp_path / "run").rglob("*"), tmp_path / "run", *(tmp_path / "home").rglob("*")]
    assert len(made) >= 6
    assert [path for path in made if path.stat().st_mode & 0o077] == []


POSIX = pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")
OF_A_RUN = ("config.json", "metrics.jsonl", "weights.safetensors", "best.safetensors", "state.safetensors")
NAMING_A_RUN = (
    ("train", "--resume", "{}", "--iterations", "9"),
    ("train", "--resume", "{}", "--iterations", "9", "--dry-run"),
    ("report", "{}"),
    ("use", "{}"),
    ("eval", "--checkpoint", "{}", "--data", "synthetic"),
    ("compare", "upright.png", "lying.png", "--checkpoint", "{}"),
)


def seen_in(folder):
    """What is below a folder and in its files; no link is followed."""
    return {
        path: (path.lstat().st_ino, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


@POSIX
@pytest.mark.parametrize("name", OF_A_RUN)
@pytest.mark.parametrize("put", ["link", "pipe"])
@pytest.mark.usefixtures("images")
def test_no_command_follows_a_link_or_waits_for_a_pipe_in_a_run(run, trained, tmp_path, monkeypatch, name, put):
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (trained / name).rename(outside / name)
    if put == "link":
        (trained / name).symlink_to(outside / name)
    else:
        os.mkfifo(trained / name)
    before = seen_in(outside), seen_in(trained).keys()
    for words in NAMING_A_RUN:
        outcome = run(*(word.format("trained") for word in words))
        assert outcome.code == 3, words
        assert f"{name} cannot be used: it is a {put}" in outcome.complaint()
    assert run("runs").code == 0
    assert (seen_in(outside), seen_in(trained).keys()) == before


@POSIX
@pytest.mark.parametrize("place", ["data", "data/runs", "data/runs/trained", "cache", "cache/omniglot-py"])
@pytest.mark.usefixtures("images")
def test_no_command_follows_a_link_to_a_folder_below_home(run, trained, home, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (home / "cache" / "omniglot-py").mkdir(parents=True)
    outside = tmp_path / "outside"
    (home / place).rename(outside)
    (home / place).symlink_to(outside)
    before = seen_in(outside)
    commands = NAMING_A_RUN if place.startswith("data") else [("download", "--from", str(tmp_path))]
    for words in commands:
        for name in ("trained", str(trained)):
            outcome = run(*(word.format(name) for word in words))
            assert outcome.code == 3, words
            assert f"{home / place} is a link to {outside}, and no link below home" in outcome.complaint()
    run("runs")
    run("env")
    assert seen_in(outside) == before


@POSIX
def test_what_the_user_names_may_be_a_link(run, trained, home, images, tmp_path, monkeypatch):
    """Home, a run, a checkpoint."""
    link, weights = tmp_path / "a run", tmp_path / "weights.safetensors"
    elsewhere = tmp_path / "elsewhere"
    trained.rename(elsewhere)
    link.symlink_to(elsewhere)
    weights.symlink_to(elsewhere / "weights.safetensors")
    answers = [run("compare", *images, "--checkpoint", name, "--json") for name in (elsewhere, link, weights)]
    assert {answer.code for answer in answers} <= {0, 1}
    assert len({answer.code for answer in answers}) == 1
    assert run("train", "--resume", link, "--iterations", "4", "--quiet").code == 0
    assert run("use", link).code == run("use", weights).code == 0
    assert link.is_symlink()
    (tmp_path / "a home").symlink_to(home)
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / "a home"))
    assert run("use").code == 0


@POSIX
def test_a_page_replaces_a_link_in_its_place_and_leaves_alone_what_that_led_to(run, trained, tmp_path):
    (tmp_path / "key").write_text("mine")
    (trained / "report.html").symlink_to(tmp_path / "key")
    assert run("report", "--exam", "pairs", "--quiet").code == 0
    assert (tmp_path / "key").read_text() == "mine"
    assert "<!doctype html>" in (trained / "report.html").read_text()
    assert not (trained / "report.html").is_symlink()


@POSIX
@pytest.mark.parametrize("put", ["link", "pipe", "folder"])
def test_what_the_user_names_for_a_result_is_refused_before_the_work_if_it_is_no_plain_file(
    run, trained, images, tmp_path, put, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figures").mkdir()
    for path in (tmp_path / "a.html", tmp_path / "a.png", tmp_path / "figures" / "roc.png"):
        if put == "link":
            path.symlink_to("/dev/stdout")  # which is only looked at
        elif put == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
    for words in (
        ("report", "--output", "a.html"),
        ("compare", *images, "--figure", "a.png"),
        ("show", "--data", "synthetic", "--figure", "a.png"),
        ("eval", "--data", "synthetic", "--figures", "figures"),
    ):
        outcome = run(*words)
        assert outcome.code == 3, words
        assert f"it is a {put}" in outcome.complaint()
