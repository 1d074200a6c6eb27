"""Kill a process at a moment of one's choice: before or after anything that it changes on disk, or half way through.

The victims are forks of this process, which has imported all that they need. POSIX.
"""

import os
import select
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import safetensors.numpy
import safetensors.torch
import torch

from omnitwin.data import store
from omnitwin.training import runs

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moments:
    """Counts what a process does to the disk; at number `last` it kills itself. seen: how often what was come to."""

    def __init__(self, last: int | None) -> None:
        self.last, self.number, self.seen = last, 0, Counter()

    def __call__(self, what: str, before_death: Callable[[], None] = lambda: None) -> None:
        self.number += 1
        self.seen[what] += 1
        if self.number == self.last:
            before_death()
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, root: Path) -> None:
        """Have all changes below a folder counted, from now on and for as long as the process lives."""

        def heard(event: str, words: tuple[object, ...]) -> None:
            written = event == "open" and isinstance(words[2], int) and words[2] & WRITING
            if (event in CHANGES or written) and str(words[0]).startswith(str(root)):
                self(f"before {event}")

        sys.addaudithook(heard)
        for name in ("fsync", "replace"):
            setattr(os, name, self._told_after(getattr(os, name), f"after {name}"))
        safetensors.torch.save_file = self._torn(safetensors.torch.save_file)
        safetensors.numpy.save_file = self._torn(safetensors.numpy.save_file)
        runs.RunLog.write = self._half_lines(runs.RunLog.write)
        store.write_whole = self._half_rows(store.write_whole)

    def _told_after(self, does, what):
        def does_and_tells(*words, **named):
            done = does(*words, **named)
            self(what)
            return done

        return does_and_tells

    def _torn(self, save):
        """Tensors are written by Rust, which nobody hears: killed then, half of the file is there."""

        def saves(tensors, path, *words, **named):
            save(tensors, path, *words, **named)
            self("half way through tensors", lambda: os.truncate(path, os.path.getsize(path) // 2))

        return saves

    def _half_rows(self, write):
        def writes(file, content):
            rest = memoryview(content).cast("B")
            self("half way through rows", lambda: file.write(rest[: len(rest) // 2]))
            write(file, content)

        return writes

    def _half_lines(self, write):
        def writes(log, steps):
            def half():
                log.file.write('{"iteration": ')
                log.file.flush()

            self("half way through a line", half)
            write(log, steps)

        return writes


def forked() -> int:
    """os.fork: 0 in the child. A local server's thread, of which Python warns, does nothing a fork could trip over.

    No thread of torch's lives on in a fork, and none can be started there: the child computes with one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        torch.set_num_threads(1)
    return child


def run_and_kill(
    work: Callable[[], object], root: Path, last: int | None = None, after: float | None = None
) -> tuple[int, Counter]:
    """Do work in a fork that kills itself at its change number `last` below root, or is killed `after` seconds.

    Its status, which is that of os.waitpid (9 of a killed one, 0 of one that came to its end), and what it came to.
    """
    reader, writer = os.pipe()
    child = forked()
    if not child:
        os.close(reader)
        status = 1
        try:
            moments = Moments(last)
            moments.watch(root)
            work()
            os.write(writer, repr(dict(moments.seen)).encode())
            status = 0
        except BaseException as error:  # nothing of this process may be gone on with
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    os.close(writer)
    if after is not None and not select.select([reader], [], [], after)[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader) as file:
        told = file.read()
    _, status = os.waitpid(child, 0)
    seen = dict(pair for pair in _pairs(told))
    return status, Counter(seen)


def _pairs(told: str):
    for part in told.strip("{}").split(", ") if told.strip("{}") else []:
        name, _, count = part.rpartition(": ")
        yield name.strip("'"), int(count)


def left_over(root: Path) -> list[Path]:
    """What comes and goes beside the files that stay."""
    return sorted(path for path in root.rglob(".omnitwin*"))
