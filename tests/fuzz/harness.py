"""Run one hostile input through the real entry point, in this process, and say what is wrong with how it ended.

A case is a function of (kind, seed, number) alone; `python tests/fuzz/long.py --only KIND SEED NUMBER` runs it again.
What must hold of each: it ends in time and within memory, with a documented exit code; a refusal is one line on stderr
that begins with `omnitwin: `; nothing printed holds a control character; no traceback, no stray warning. POSIX.
"""

import atexit
import ctypes
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NoReturn

from omnitwin.cli import main

SECONDS = 20.0  # that one input may take: an image of as many pixels as are read takes 3
MEMORY = 2 << 30  # bytes that the process may hold while it treats one input
LARGEST_OUTPUT = 1 << 20  # bytes: an answer is a screenful
STRAY = re.compile(r"Traceback|\b[A-Z]\w*Warning\b|unexpected \w+Error")
VARIABLES = {"COLUMNS": "100", "no_proxy": "127.0.0.1,localhost", "OMNITWIN_OFFLINE": "1"}
UNSET = ("OMNITWIN_MIRROR", "OMNITWIN_DEBUG", "TERM", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """words: the command line; codes: the exit codes that may come; check: what else is wrong, or None.

    several: whether more than one line may begin with `omnitwin: `, as of a ranking that leaves several files out.
    shown: whether a refusal may come after a part of the answer has been shown. within: what the program runs in.
    seconds, memory: what the case may take, and bytes that the process may hold meanwhile.
    """

    words: tuple[str, ...]
    codes: tuple[int, ...] = (0, 2, 3)
    variables: Mapping[str, str] = field(default_factory=dict)
    several: bool = False
    shown: bool = False
    check: Callable[[Outcome], str | None] = lambda outcome: None
    within: Callable[[], AbstractContextManager[None]] = nullcontext
    seconds: float = SECONDS
    memory: int = MEMORY


Make = Callable[[Random, Path], Case]  # draws a case, and writes its files into a folder of its own


@dataclass(frozen=True, kw_only=True)
class Result:
    kind: str
    seed: int
    number: int
    code: int | None
    seconds: float
    peak: int | None
    problems: tuple[str, ...]
    told: str = ""

    @property
    def accepted(self) -> bool:
        return self.code in (0, 1, 4)


class TooSlow(BaseException):
    """No Exception, so that nothing in between takes it for a damaged file."""


def lasting_folder() -> Path:
    """A folder for what many cases share, gone with this process."""
    folder = tempfile.TemporaryDirectory(prefix="omnitwin-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def random_of(kind: str, seed: int, number: int) -> Random:
    return Random(f"{kind} {seed} {number}")


def command_of(kind: str, seed: int, number: int) -> str:
    return f"python tests/fuzz/long.py --only {kind} {seed} {number}"


def run_case(kind: str, make: Make, seed: int, number: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="omnitwin-fuzz-") as folder:
        return run_made(kind, make, random_of(kind, seed, number), Path(folder), seed, number)


def run_made(kind: str, make: Make, random: Random, folder: Path, seed: int = 0, number: int = 0) -> Result:
    """Draw a case and run it below folder; whatever it did to this process is undone."""
    made = folder / "made"
    made.mkdir()
    outcome, problems, told = None, [], ""
    with _as_it_was(folder):
        case = make(random, made)
        for name, value in case.variables.items():
            os.environ[name] = value
        _forget_peak()
        start = time.perf_counter()
        try:
            with case.within(), _in_time(case.seconds) as rang:
                outcome = run_program(case.words)
            if rang:  # the program took it for a failure of its own
                raise TooSlow
        except TooSlow:
            outcome, told = None, traceback.format_exc()
            problems.append(f"took longer than {case.seconds:g} s")
        except BaseException:
            told = traceback.format_exc()
            problems.append("an exception left the program")
        seconds = time.perf_counter() - start
        peak = _peak()
        if outcome is not None:
            problems += _problems(case, outcome)
            told = f"exit {outcome.code}; stdout {outcome.out[-2000:]!r}; stderr {outcome.err[-2000:]!r}"
        if peak is not None and peak > case.memory:
            problems.append(f"held {peak / 2**30:.2f} GiB")
        told = f"{case.words!r} {dict(case.variables)!r}: {told}" if problems else ""
    shutil.rmtree(made, ignore_errors=True)
    code = outcome.code if outcome else None
    return Result(
        kind=kind,
        seed=seed,
        number=number,
        code=code,
        seconds=seconds,
        peak=peak,
        problems=tuple(problems),
        told=told,
    )


def run_program(words: tuple[str, ...]) -> Outcome:
    """`omnitwin WORDS`, what it writes taken from the file descriptors, so that C libraries are heard as well."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before, argv = (sys.stdout, sys.stderr), sys.argv
        kept = os.dup(1), os.dup(2)
        for stream in before:
            stream.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        sys.argv = ["omnitwin", *words]
        code: object = None
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            sys.stdout, sys.stderr = before
            sys.argv = argv
            for number, handle in zip((1, 2), kept, strict=True):
                os.dup2(handle, number)
                os.close(handle)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="surrogateescape"))
        return Outcome(int(code or 0), *texts)  # type: ignore[call-overload]


def _problems(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.code not in case.codes:
        yield f"exit code {outcome.code}, not one of {case.codes}"
    lines = outcome.err.splitlines()
    complaints = [line for line in lines if line.startswith("omnitwin: ")]
    if outcome.code not in (0, 1, 4):
        if not lines or not lines[-1].startswith("omnitwin: ") or not outcome.err.endswith("\n"):
            yield "a refusal whose last line is no complaint"
        elif len(complaints) != 1 and not case.several:
            yield f"{len(complaints)} complaints"
        elif len(lines) != 1 and "--quiet" in case.words and not case.several:
            yield f"{len(lines)} lines on stderr"
        if outcome.out and not case.shown:
            yield "a refusal with words on stdout"
    elif complaints and not case.several:
        yield "a complaint of what was accepted"
    if STRAY.search(outcome.err) or STRAY.search(outcome.out):
        yield "a traceback or a warning of Python's"
    if found := sorted({char for char in outcome.out + outcome.err if not char.isprintable() and char != "\n"}):
        yield f"control characters {found}"
    if len(outcome.out) + len(outcome.err) > LARGEST_OUTPUT:
        yield f"{len(outcome.out) + len(outcome.err):,} characters of output"
    if problem := case.check(outcome):
        yield problem


@contextmanager
def _as_it_was(folder: Path) -> Iterator[None]:
    """The variables, the working folder and the filters for warnings are the user's within, and ours again after."""
    variables, here = dict(os.environ), os.getcwd()
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("always")  # each is heard each time, of those that a user of the program would see
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        try:
            for name in UNSET:
                os.environ.pop(name, None)
            os.environ.update(VARIABLES, OMNITWIN_HOME=str(folder / "home"))
            os.chdir(folder)
            yield
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(variables)


@contextmanager
def _in_time(seconds: float) -> Iterator[list[bool]]:
    """TooSlow after that time, wherever the program is by then; what hangs in C is the parent's to end (long.py).

    The list that it gives has an element then.
    """
    rang: list[bool] = []

    def ring(number: int, frame: object) -> NoReturn:
        rang.append(True)
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield rang
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _forget_peak() -> None:
    """What the drawing of the case has left in the C library's hands is not the program's."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int | None:
    """Bytes, at most, since _forget_peak; None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) * 1024 if found else None
