"""Windows, macOS, other locales and folders of any name, as far as they can be had on one machine.

What no other system has is never used unguarded; the program runs where it is taken away; its files are the same bytes.
"""

import ast
import io
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import elsewhere
import pytest
from PIL import Image, ImageDraw

import omnitwin
from omnitwin import cli
from omnitwin.errors import BadInput, CannotWrite
from omnitwin.reports.training import StepReport
from omnitwin.system.files import replacing, write_text
from omnitwin.system.locks import hold
from omnitwin.training.runs import RunLog

SOURCE = Path(omnitwin.__file__).parent
MODULES = {str(path.relative_to(SOURCE).as_posix()): path for path in sorted(SOURCE.rglob("*.py"))}
linux = pytest.mark.skipif(sys.platform != "linux", reason="made like Windows by way of Linux")

OF_ONE_SYSTEM = {  # names of the standard library that some systems have not
    "os": {
        *elsewhere.NOT_ON_WINDOWS[os],
        "startfile",
        "add_dll_directory",
        "O_BINARY",
        "O_NOINHERIT",
        "register_at_fork",
    },
    "signal": {*elsewhere.NOT_ON_WINDOWS[elsewhere.signal], "CTRL_C_EVENT", "CTRL_BREAK_EVENT", "SIGBREAK"},
    "socket": {"AF_UNIX", "socketpair", "sendmsg"},
    "time": {"tzset", "clock_gettime", "pthread_getcpuclockid"},
    "sys": {"getwindowsversion", "winver", "abiflags"},
    "ctypes": {"CDLL", "WinDLL", "windll", "cdll", "oledll", "PyDLL"},
    "stat": {"UF_HIDDEN", "FILE_ATTRIBUTE_HIDDEN"},
}
MODULES_OF_ONE_SYSTEM = {*elsewhere.NO_MODULES, "msvcrt", "winreg", "winsound", "_winapi", "nt", "spwd", "curses"}
SUPERVISES = "if not hasattr(signal, 'sigtimedwait') or not set_limits()"
GUARDED = {  # where each is used, and what is asked first
    ("system/device.py", "resource"): "except ImportError",
    ("system/device.py", "ctypes.CDLL"): "sys.platform.startswith",
    ("system/leaving.py", "ctypes.CDLL"): "suppress(Exception)",
    ("system/limits.py", "resource"): "except ImportError",
    **{("system/limits.py", name): SUPERVISES for name in ("ctypes.CDLL", "os.fork", "signal.pthread_sigmask")},
    ("system/workers.py", "os.sched_getaffinity"): "hasattr(os, 'sched_getaffinity')",
    ("system/limits.py", "signal.SIGHUP"): "",  # at the top of the module, where hasattr is asked first
    ("system/limits.py", "signal.SIGCHLD"): "def _end_as",  # which only supervise calls
    ("system/limits.py", "signal.SIGKILL"): "def _end_as",
}


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_with(tree, node):
    """The source of the functions that a node is in, the innermost last; empty at the top of a module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.unparse(one) for one in ast.walk(tree) if isinstance(one, kinds) and node in ast.walk(one)]


def uses_of_one_system():
    """(module, name) of each use of what some systems lack, with the source of the function that it is in."""
    for module, path in MODULES.items():
        tree = parsed(path)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.attr in OF_ONE_SYSTEM.get(node.value.id, ()):
                    names = [f"{node.value.id}.{node.attr}"]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES_OF_ONE_SYSTEM]
            elif isinstance(node, ast.ImportFrom) and node.module:
                if node.module.split(".")[0] in MODULES_OF_ONE_SYSTEM:
                    names = [node.module]
                bad = OF_ONE_SYSTEM.get(node.module, ())
                names += [f"{node.module}.{alias.name}" for alias in node.names if alias.name in bad]
            for name in names:
                yield (module, name), "\n".join(functions_with(tree, node))


def test_what_some_systems_lack_is_used_only_where_it_is_asked_for_first():
    found = dict(uses_of_one_system())
    assert found.keys() == GUARDED.keys()
    for place, guard in GUARDED.items():
        assert guard in found[place], place


OPENERS = {"open", "fdopen", "open_unlinked", "read_text", "write_text", "TextIOWrapper"}
OTHERS = {
    "os.open",
    "Image.open",
    "opener.open",
    "archive.open",
    "write_text",
    "read_text",
}  # of these names, and no text files; ours say it themselves


def text_files():
    """Every call that opens a text file: its place, whether it writes, and the names of its keywords."""
    for module, path in MODULES.items():
        for node in ast.walk(parsed(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.rpartition(".")[2] not in OPENERS or called in OTHERS:
                continue
            constants = (one.value for word in node.args for one in ast.walk(word) if isinstance(one, ast.Constant))
            mode = "".join(one for one in constants if isinstance(one, str) and set(one) <= set("rwabx+"))
            keywords = {keyword.arg for keyword in node.keywords}
            passed_on = None in keywords  # **how of open_unlinked, each caller of which is looked at itself
            if "b" not in mode and not passed_on:
                writes = "write_text" in called or set(mode) & set("wax")
                yield f"{module}: {ast.unparse(node)}", writes and "os.devnull" not in ast.unparse(node), keywords


def test_every_text_file_names_its_encoding_and_what_is_written_its_line_ends():
    """Else a file would be another one on Windows."""
    found = list(text_files())
    assert sum(bool(writes) for _, writes, _ in found) >= 2
    assert len(found) >= 5
    assert [place for place, writes, keywords in found if "encoding" not in keywords] == []
    assert [place for place, writes, keywords in found if writes and "newline" not in keywords] == []


@pytest.mark.parametrize(
    "name", ["con", "NUL", "com1.txt", "a?", "a*", "a:b", "a|b", 'a"b', "<a>", "a.", "a ", "a\nb", ""]
)
def test_a_run_is_not_given_a_name_that_windows_forbids(name):
    from omnitwin.cli.train import _run_name

    with pytest.raises(BadInput, match="cannot name a run"):
        _run_name(name)


@pytest.mark.parametrize("name", ["console", "nul-1", "a.b", "my run", "漢字", "com", "-x", "fast-20260131-120000"])
def test_a_run_is_given_any_other_name(name):
    from omnitwin.cli.train import _run_name

    assert _run_name(name) == name


def test_a_pattern_is_what_it_finds_where_no_shell_has_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "a[1].png", "a1.png", "c.txt"):
        Path(name).touch()
    given = ["compare", "a[1].png", "*.png", "a[1]*", "none*.png", "--resume"]
    found = ["a.png", "a1.png", "a[1].png", "b.png"]
    wanted = ["compare", "a[1].png", *found, "a[1].png", "none*.png", "--resume=newest"]
    assert cli._words(given, patterns=True) == wanted
    assert cli._words(given, patterns=False)[2:4] == ["*.png", "a[1]*"]


def test_a_file_in_use_that_windows_does_not_replace_is_a_file_that_cannot_be_written(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("before", encoding="utf-8")

    def replace(source, to):
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    refused = pytest.raises(CannotWrite, match=r"cannot write .*a\.json: The process cannot access")
    with refused, replacing(target, replace) as temporary:
        temporary.write_text("after", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def drawn(path, width=15):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("1", (105, 105), 1)
    ImageDraw.Draw(image).rectangle((45, 20, 45 + width, 85), fill=0)
    image.save(path, format="PNG")
    return str(path)


def answers(folder, commands, environment=None, windows=False, fake=""):
    """What the commands answered in a process of their own, one after the other."""
    folder.mkdir(exist_ok=True)
    file = folder / "plan.json"
    file.write_text(json.dumps({"commands": commands, "windows": windows, "fake": str(fake)}), encoding="utf-8")
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(
        [sys.executable, elsewhere.__file__, str(file)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return [json.loads(line) for line in file.with_suffix(".answers").read_text(encoding="ascii").splitlines()]


QUICK = ("train", "--data", "synthetic", "--recipe", "small", "--batch-size", "8", "--precision", "fp32")
SHORT = ("--data", "synthetic", "--exam", "pairs", "--exam", "all-pairs", "--batches", "1", "--batch-size", "20")


@linux
@pytest.mark.parametrize("most", ["the basics", pytest.param("everything", marks=pytest.mark.slow)])
def test_the_program_runs_where_windows_is_made_of_this_system(most, tmp_path, home):
    """No call that Windows lacks, no link, no file replaced or removed while it is open or mapped, no such name."""
    images = [drawn(tmp_path / f"{name}.png", width) for name, width in (("a", 15), ("b", 16), ("c", 40))]
    run, zips = str(home / "data" / "runs" / "one"), tmp_path / "fake" / "zips"
    commands = {
        (*QUICK, "--iterations", "2", "--name", "one"): 0,
        (*QUICK, "--iterations", "2", "--name", "one", "--quiet"): 2,  # there is one of that name
        ("train", "--resume", "one", "--iterations", "4"): 0,
        ("held", run, "train", "--resume", "one", "--iterations", "6"): 3,
        ("train", "--resume", "one", "--iterations", "6", "--max-time", "1h"): 0,
        ("download", "--from", str(zips)): 0,
        ("download", "--force", "--from", str(zips)): 0,
        ("download",): 0,
        ("use", "one"): 0,
        ("use", "newest"): 0,
        ("compare", *images[:2], "--exit-zero", "--figure", str(tmp_path / "two.png")): 0,
        ("compare", *images, "--figure", str(tmp_path / "many.png"), "--checkpoint", "bundled"): 0,
        ("eval", *SHORT[:4], "--figures", str(tmp_path / "figures")): 0,
        ("eval", *SHORT[:4], "--figures", str(tmp_path / "figures"), "--quiet"): 0,
        ("report", "one", "--exam", "pairs"): 0,
        ("show", "--figure", str(tmp_path / "show.png"), "--json"): 0,
        ("env", "--json"): 0,
        ("demo", "--iterations", "2", "--quiet"): 0,
    }
    if most == "the basics":  # training and going on, packing, answering, a page; the rest takes figures and time
        rest = {"show", "env", "demo", "eval"}
        commands = {words: code for words, code in commands.items() if not rest & set(words[:1])}
    found = answers(tmp_path / "plan", list(commands), fake=tmp_path / "fake", windows=True)
    for (words, code), answer in zip(commands.items(), found, strict=True):
        assert answer["code"] == code, f"{words}: {answer['err']}"
    assert f"{run} is in use by process" in found[3]["err"]
    assert sorted(path.name for path in (home / "data" / "runs" / "one").iterdir()) == [
        "best.safetensors", "config.json", "metrics.jsonl", "report.html", "state.safetensors", "weights.safetensors",
    ]  # fmt: skip
    assert list(tmp_path.rglob(".omnitwin*")) == []


def test_the_lock_of_windows_is_released_where_no_open_file_can_be_removed(tmp_path, monkeypatch):
    """The lock file goes after it is closed; where another holder has it open by then, it stays his."""
    real, closed = os.unlink, []

    def unlink(path, *rest, **how):
        if not closed:
            raise PermissionError(13, "The process cannot access the file")
        return real(path, *rest, **how)

    close = os.close
    with hold(tmp_path):
        monkeypatch.setattr(os, "unlink", unlink)
        monkeypatch.setattr(os, "close", lambda handle: (closed.append(handle), close(handle)))
    monkeypatch.undo()
    assert closed
    assert list(tmp_path.iterdir()) == []
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


NAMES = (
    "a folder, with 'quotes' & more",
    "\u7814\u7a76 \u30c7\u30fc\u30bf",
    *(unicodedata.normalize(form, "\xe9\xfc \xf1") for form in ("NFC", "NFD")),
    "\U0001f9ea\U0001f469\u200d\U0001f52c",
)


def test_every_command_works_in_folders_and_on_files_of_any_name(tmp_path, monkeypatch, fake_omniglot, capfd):
    """Spaces, quotes, Japanese, composed and decomposed accents, and emoji."""
    place = tmp_path.joinpath(*NAMES)
    shutil.copytree(fake_omniglot.zips, place / "zips")
    images = [drawn(place / f"{name}.png", 15 + number) for number, name in enumerate(NAMES)]
    name = " ".join(NAMES)
    monkeypatch.setenv("COLUMNS", "100")
    elsewhere.little_work(monkeypatch.setattr)

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["--home", str(place / "home"), *map(str, words)])
        out, err = capfd.readouterr()
        assert not ended.value.code, err
        return out

    run("download", "--from", place / "zips")
    run(*QUICK, "--iterations", "1", "--name", name)
    run(*QUICK, "--iterations", "1", "--output", place / "run")
    run("train", "--resume", place / "run", "--iterations", "2")
    run("use", name)
    assert json.loads(run("use", "--json"))["name"] == name
    run("compare", *images, "--figure", place / f"{name}.png")
    report = json.loads(run("compare", *images[:2], "--exit-zero", "--json", "--figure", place / "two.png"))
    assert report["second"] == images[1]
    run("eval", *SHORT[:4], "--batches", "1", "--figures", place / f"{name} figures")
    run("report", place / "run", "--exam", "pairs", "--output", place / f"{name}.html")
    run("show", "--figure", place / "show.png")
    run("env")
    written = {f"{name}.png", "two.png", f"{name}.html", "show.png", f"{name} figures", "run", "home"}
    assert written <= {path.name for path in place.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="has no such locale")
@pytest.mark.parametrize("most", ["the basics", pytest.param("everything", marks=pytest.mark.slow)])
def test_names_that_the_locale_has_no_letters_for_work_and_are_spelt_out(most, tmp_path, home):
    place = tmp_path / "研究 é"
    images = [drawn(place / f"{number}漢.png", 15 + number) for number in range(3)]
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    commands = [
        ["--home", str(place / "home"), *QUICK, "--iterations", "1", "--name", "漢字"],
        ["--home", str(place / "home"), "train", "--resume", "漢字", "--iterations", "2"],
        ["--home", str(place / "home"), "use", "漢字"],
        ["--home", str(place / "home"), "eval", *SHORT, "--figures", str(place / "図")],
        ["--home", str(place / "home"), "report", "--exam", "pairs"],
        ["compare", *images, "--figure", str(place / "図.png"), "--checkpoint", "bundled"],
        ["compare", *images[:2], "--json", "--exit-zero"],
        ["env"],
    ]
    if most == "the basics":  # a run is made and chosen, images are answered; its exams take figures and time
        commands = [words for words in commands if not {"eval", "report"} & set(words)]
    found = answers(tmp_path / "plan", commands, environment)
    assert [answer["code"] for answer in found] == [0] * len(commands), [answer["err"] for answer in found]
    assert all((answer["out"] + answer["err"]).isascii() for answer in found)
    spelt = json.loads(found[-2]["out"])["second"]
    assert spelt.encode("ascii", "surrogateescape").decode() == images[1] or spelt == images[1]
    assert (place / "図.png").exists()
    assert (place / "home" / "data" / "runs" / "漢字" / "report.html").exists() == (most == "everything")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-16"])
def test_a_console_of_windows_gets_pictures_curves_and_progress_in_letters_that_it_has(encoding, monkeypatch, tmp_path):
    from rich.console import Console

    from omnitwin.view import progress

    images = [drawn(tmp_path / f"{number}漢é.png", 15 + number) for number in range(3)]
    elsewhere.little_work(monkeypatch.setattr)
    monkeypatch.setenv("COLUMNS", "100")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in "oe")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    live = progress.LiveReporter
    monkeypatch.setattr(progress, "reporter", lambda quiet: live(Console(file=sys.stderr, force_terminal=True)))
    for words in (
        ("--home", tmp_path / "h", *QUICK, "--iterations", "2", "--name", "a"),
        ("--home", tmp_path / "h", "eval", *SHORT, "--show", "2", "--checkpoint", "a"),
        ("compare", *images, "--show-input"),
        ("show", "--data", "synthetic"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(list(map(str, words)))
        assert not ended.value.code
    for stream in (out, err):
        stream.flush()
        said = stream.buffer.getvalue().decode(encoding)
        assert said
        assert "\\u25" not in said  # blocks spelt out would be no picture
    assert ("é" in out.buffer.getvalue().decode(encoding)) == (encoding != "ascii")


def test_files_that_tell_of_a_run_have_the_same_line_ends_everywhere(tmp_path, monkeypatch):
    """Python's text files, made like those of Windows, end their lines as ours say."""
    import _pyio

    with monkeypatch.context() as patch:
        patch.setattr(os, "linesep", "\r\n")
        for place in ("io.open", "builtins.open"):
            patch.setattr(place, _pyio.open)  # takes os.linesep, which the one in C does not
        (tmp_path / "plain.txt").write_text("a\n", encoding="utf-8")
        write_text(tmp_path / "a.json", "{\n}\n")
        with RunLog(tmp_path, 0) as log:
            log.write(
                [StepReport(iteration=number, loss=0.5, pairs_per_second=1, elapsed_seconds=1) for number in (1, 2)]
            )
    assert (tmp_path / "plain.txt").read_bytes() == b"a\r\n"
    assert (tmp_path / "a.json").read_bytes() == b"{\n}\n"
    metrics = (tmp_path / "metrics.jsonl").read_bytes()
    assert (metrics.count(b"\n"), metrics.count(b"\r")) == (2, 0)
