"""A failure is never an answer: 0 and 1 leave `compare` only after a verdict, whatever a library or C code does.

The libraries here are made for the test: a module `numpy` that stands before the real one.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="C's exit() and limits of memory as Linux has them")

LARGE = 4 << 30  # bytes; a limit that is never reached
WAIT = 120  # seconds that no healthy process needs
SHORTAGE = "too little memory"


@pytest.fixture
def images(tmp_path):
    for name, box in (("a", (45, 20, 60, 85)), ("b", (20, 45, 85, 60))):
        image = Image.new("1", (105, 105), 1)
        ImageDraw.Draw(image).rectangle(box, fill=0)
        image.save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def with_numpy(images):
    """with_numpy(text) compares two images while `import numpy` runs this text; its exit code and its stderr."""

    def compare(text, limit=None):
        (images / "libraries").mkdir()
        (images / "libraries" / "numpy.py").write_text(text)
        return compared(images, "a.png", "b.png", limit=limit, PYTHONPATH=str(images / "libraries"))

    return compare


def start(folder, *words, limit=None, kind="RLIMIT_AS", **variables):
    import resource

    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit is not None:
            resource.setrlimit(getattr(resource, kind), (limit, limit))

    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    command, environment = [sys.executable, "-m", "omnitwin", *map(str, words)], {**os.environ, **variables}
    return subprocess.Popen(command, cwd=folder, env=environment, preexec_fn=prepare, text=True, **streams)


def ended(process):
    with process:
        out, err = process.communicate(timeout=WAIT)
    return process.returncode, out, err


def compared(folder, *words, limit=None, kind="RLIMIT_AS", **variables):
    code, _, err = ended(start(folder, "compare", *words, limit=limit, kind=kind, **variables))
    return code, err


@pytest.mark.parametrize(("second", "code"), [("a.png", 0), ("b.png", 1)])
@pytest.mark.parametrize("limit", [None, LARGE])
def test_a_verdict_leaves_with_its_code(images, second, code, limit):
    assert compared(images, "a.png", second, limit=limit) == (code, "")


@pytest.mark.parametrize("limit", [None, LARGE])
@pytest.mark.parametrize("code", [0, 1, 77])
def test_a_library_that_calls_exit_from_c_gives_no_verdict(with_numpy, code, limit):
    """As OpenBLAS and libgomp do when memory or threads fail."""
    code, said = with_numpy(f"import ctypes; ctypes.CDLL(None).exit({code})", limit)
    assert code == 3
    assert said.startswith("omnitwin: a library ended the program")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("leaves", ["raise SystemExit(1)", "import typer; raise typer.Exit"])
def test_a_library_that_exits_by_an_exception_gives_no_verdict(with_numpy, leaves):
    code, said = with_numpy(leaves)
    assert code == 3
    assert len(said.splitlines()) == 1
    assert "ended the program" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise ValueError('Invalid log settings:\\n nonsense')", "ValueError: Invalid log settings: nonsense."),
        ("raise KeyError('x')", "KeyError: 'x'."),
        ("class Panic(BaseException): pass\nraise Panic('index out of range')", "Panic: index out of range."),
        ("raise OSError('libm.so: cannot open shared object file')", "libm.so: cannot open shared object file."),
        ("import no_such_library", "No module named 'no_such_library'."),
        ("try:\n raise ImportError('libx: no')\nexcept ImportError as e:\n raise ImportError('READ THIS') from e",
         "ImportError: libx: no."),
    ],
)  # fmt: skip
def test_a_library_that_cannot_be_imported_is_named_with_what_it_says(with_numpy, text, told):
    code, said = with_numpy(text)
    assert code == 3
    assert said.startswith("omnitwin: numpy cannot be loaded: ")
    assert told in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("broken", ["def (:", "\0"])
def test_a_library_that_is_damaged_is_no_bug_of_ours(with_numpy, broken):
    code, said = with_numpy(broken)
    assert code == 3
    assert "cannot be loaded" in said


@pytest.mark.parametrize(
    "crash", ["os.abort()", "os.kill(os.getpid(), 11)", "os._exit(127)", "os.kill(os.getpid(), 2)"]
)
def test_a_crash_under_a_limit_of_memory_is_told_as_a_shortage(with_numpy, crash):
    """The C++ library, an allocation that nobody checks, the dynamic loader; OpenBLAS sends itself SIGINT."""
    code, said = with_numpy(f"import os; {crash}", LARGE)
    assert code == 3
    assert SHORTAGE in said.splitlines()[-1]
    assert "4295 MB (ulimit -v)" in said.splitlines()[-1]


FILL = """
import mmap
kept, size = [], 1 << 26
while size >= 4096:
    try:
        kept.append(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except (OSError, MemoryError):
        size //= 2
"""


@pytest.mark.parametrize("kind", ["RLIMIT_AS", pytest.param("RLIMIT_DATA", marks=pytest.mark.slow)])
def test_a_program_that_hangs_for_lack_of_memory_is_ended(images, kind):
    """As Python 3.11 does if an exception cannot be handled: it spins."""
    (images / "libraries").mkdir()
    place = {"limit": 1 << 28, "kind": kind, "PYTHONPATH": str(images / "libraries")}
    (images / "libraries" / "numpy.py").write_text(f"{FILL}\nwhile True: pass")
    began = time.monotonic()
    code, said = compared(images, "a.png", "b.png", **place)
    assert (code, SHORTAGE in said.splitlines()[-1]) == (3, True)
    assert time.monotonic() - began < WAIT / 4


def test_a_program_that_works_on_although_it_has_no_room_is_left_alone(images):
    (images / "libraries").mkdir()
    place = {"limit": 1 << 28, "PYTHONPATH": str(images / "libraries")}
    works = "import os, time\nfor _ in range(60): os.stat('.'); open('/dev/null', 'rb').read(); time.sleep(0.1)"
    (images / "libraries" / "numpy.py").write_text(f"{FILL}\n{works}\nkept.clear(); raise SystemExit")
    assert "(exit code None)" in compared(images, "a.png", "b.png", **place)[1]


@pytest.mark.parametrize(("kind", "limits"), [("RLIMIT_AS", (20, 60, 100, 160)), ("RLIMIT_DATA", (10, 30, 60))])
def test_compare_with_too_little_memory_exits_3(images, kind, limits):
    """Limits in MiB below the 168 and 100 that one thread needs; Python itself starts from 12 and 6."""
    for limit in limits:
        code, said = compared(images, "a.png", "b.png", limit=limit << 20, kind=kind)
        assert code == 3, (limit, said)
        assert said.splitlines()[-1].startswith("omnitwin: "), limit
        assert "Traceback" not in said, limit


@pytest.mark.parametrize("limit", [None, LARGE])
@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {143, -15}), (signal.SIGHUP, {129, -1})]
)
def test_a_signal_to_the_program_ends_it_also_under_a_limit(images, number, codes, limit):
    (images / "libraries").mkdir()
    (images / "libraries" / "numpy.py").write_text(
        "import pathlib, time; pathlib.Path('begun').touch(); time.sleep(60)"
    )
    process = start(images, "compare", "a.png", "b.png", limit=limit, PYTHONPATH=str(images / "libraries"))
    wait_for(images / "begun")
    process.send_signal(number)
    code, _, said = ended(process)
    assert code in codes
    assert said == ("omnitwin: interrupted.\n" if number == signal.SIGINT else "")


def test_a_program_that_is_killed_leaves_no_child_at_work(images):
    (images / "libraries").mkdir()
    text = "import os, time; open('part', 'w').write(str(os.getpid())); os.rename('part', 'begun'); time.sleep(60)"
    (images / "libraries" / "numpy.py").write_text(text)
    process = start(images, "compare", "a.png", "b.png", limit=LARGE, PYTHONPATH=str(images / "libraries"))
    child = int(wait_for(images / "begun").read_text())
    assert child != process.pid
    process.kill()
    ended(process)
    end = time.monotonic() + WAIT
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(child, 0)
            time.sleep(0.01)
        raise AssertionError("the child lives")


def wait_for(path):
    end = time.monotonic() + WAIT
    while not path.exists():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)
    return path


@pytest.mark.parametrize("question", ["complete_fish", "nonsense"])
def test_a_variable_of_the_completion_that_is_left_set_gives_no_verdict(images, question):
    code, said = compared(images, "a.png", "a.png", _OMNITWIN_COMPLETE=question, _TYPER_COMPLETE_FISH_ACTION="is-args")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "_OMNITWIN_COMPLETE" in said


def moments(count):
    """Seconds after the start, through the first second, where the program's own code runs."""
    return [0.06 + 0.94 * index / count for index in range(count)]


COMMANDS = {
    "compare": ("compare", "a.png", "b.png"),
    "eval": ("eval", "--data", "synthetic", "--exam", "pairs", "--batches", "2"),
    "train": ("train", "--data", "synthetic", "--recipe", "small", "--iterations", "2", "--output", "run"),
    "download": ("download", "--from", "zips"),
    "env": ("env",),
}


@pytest.mark.parametrize("name", ["compare", "env"])
def test_control_c_in_the_first_second_is_one_line(images, name):
    interrupt(images, name, moments(4))


def test_control_c_while_torch_is_imported_is_no_exception_there(images):
    """Its C++ cannot pass one on, and aborts."""
    (images / "libraries").mkdir()
    text = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except BaseException:
    os.abort()
"""
    (images / "libraries" / "torch.py").write_text(text)
    code, out, said = ended(start(images, "env", PYTHONPATH=str(images / "libraries")))
    assert (code, out, said) == (130, "", "omnitwin: interrupted.\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_control_c_in_the_first_second_is_one_line(images, name):
    interrupt(images, name, moments(200))


def interrupt(folder, name, times):
    """Python itself needs some hundredths of a second before it runs a program, and has its own answer until then."""
    for moment in times:
        process = start(folder, *COMMANDS[name])
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        code, out, said = ended(process)
        answered = out and code == (1 if name == "compare" else 0)
        assert code == 130 or answered, (moment, code, said)  # with an answer it was faster
        assert len(said.splitlines()) <= 1, (moment, said)


# MiB: a limit from which Python starts; where libraries begin to fail one after the other; more than the command needs
WITH_TORCH = {"RLIMIT_AS": (16, 3000, 3800), "RLIMIT_DATA": (8, 600, 1300)}
WITHOUT = {"RLIMIT_AS": (16, 90, 240), "RLIMIT_DATA": (8, 50, 160)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
@pytest.mark.parametrize("name", ["compare", "eval", "train", "download"])
def test_every_failure_under_a_limit_of_memory_is_a_3(images, name, kind, request):
    """The zips of `download` are none, so it never has success. A library may say more lines before ours."""
    low, works, high = (WITHOUT if name == "compare" else WITH_TORCH)[kind]
    if name == "download":
        (images / "zips").mkdir()
        for stem in ("images_background", "images_evaluation", "all_runs"):
            (images / "zips" / f"{stem}.zip").write_bytes(b"no zip")
    below = [round(low * (works / low) ** (index / 10)) for index in range(10)]
    around = [round(works + (high - works) * index / 9) for index in range(10)]
    for limit in (*below, *around):
        shutil.rmtree(images / "run", ignore_errors=True)
        code, out, said = ended(start(images, *COMMANDS[name], limit=limit << 20, kind=kind))
        print(name, kind, limit, code, said.splitlines()[-1:])
        if name != "download" and code == (1 if name == "compare" else 0):
            assert out or name == "train"
            continue
        assert code == 3, (limit, code, said)
        assert said.splitlines()[-1].startswith("omnitwin: "), (limit, said)
