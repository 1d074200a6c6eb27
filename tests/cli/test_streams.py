"""What is said may get lost; what is answered, by the exit code, may not change with it."""

import errno
import io
import os
import subprocess
import sys

import pytest
from conftest import failing

from omnitwin.cli.streams import Guarded
from omnitwin.errors import CannotWrite

FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason=f"needs {FULL}")
posix = pytest.mark.skipif(os.name == "nt", reason="closes a child's streams")


class Failing(io.StringIO):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


def program(*words, closed=(), **streams):
    """The real program, some of its streams closed; its exit code and what it said on stderr."""

    def close():
        for number in closed:
            os.close(number)

    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "omnitwin", *map(str, words)]
    done = subprocess.run(command, text=True, check=False, preexec_fn=close if closed else None, **streams)
    return done.returncode, done.stderr


@pytest.mark.parametrize("results", [True, False])
def test_nobody_who_reads_is_no_failure(results):
    guarded = Guarded(Failing(errno.EPIPE), results)
    assert guarded.write("a word") == len("a word")
    guarded.flush()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EFBIG, errno.EIO])
def test_results_that_cannot_be_written_are_an_error_and_messages_are_not(number):
    Guarded(Failing(number), results=False).write("a word")
    with pytest.raises(CannotWrite, match=os.strerror(number)):
        Guarded(Failing(number), results=True).write("a word")


@posix
def test_a_terminal_that_was_closed_is_no_failure():
    leader, terminal = os.openpty()
    os.close(leader)
    with os.fdopen(terminal, "w", encoding="utf-8") as file:
        guarded = Guarded(file, results=True)
        guarded.write("nobody looks\n")
        guarded.flush()


def test_after_a_reader_has_left_nothing_is_kept_for_it():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        guarded = Guarded(file, results=True)
        for _ in range(3):
            guarded.write("nobody listens\n" * 10_000)
            guarded.flush()


@needs_full
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("env",), ("use", "bundled")])
def test_results_that_do_not_fit_on_the_disk_exit_3_with_one_line(words):
    with open(FULL, "w") as full:
        code, said = program(*words, stdout=full)
    assert code == 3
    assert said.splitlines() == [
        "omnitwin: cannot write the result to standard output: No space left on device. Send it to another place."
    ]


@needs_full
@pytest.mark.parametrize("words", [("compare", "nothing.png", "here.png"), ("trian",)])
def test_a_refusal_that_cannot_be_told_is_no_answer(words):
    """Python itself would exit with 1: different."""
    with open(FULL, "w") as full:
        assert program(*words, stderr=full)[0] == 2


@posix
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_change_no_exit_code(closed, images):
    upright, lying = images
    assert program("compare", upright, lying, closed=closed)[0] == 1
    assert program("compare", upright, upright.with_name("none.png"), closed=closed)[0] == 2


def test_control_characters_in_a_traceback_do_not_reach_the_terminal(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_DEBUG", "1")
    outcome = run(program=failing(RuntimeError("\x1b[31mred")))
    assert "\x1b" not in outcome.err
    assert "\\x1b[31mred" in outcome.err
